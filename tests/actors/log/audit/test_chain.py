"""The chain: what a record looks like, and that it holds to the one before."""

from __future__ import annotations

import json
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors.admin
from actors.host.clocks import rfc3339
from actors.log.append_file import LINE_BYTES
from actors.log.audit.chain import (
    FIELDS,
    GENESIS,
    MAX_TEXT,
    ChainError,
    Link,
    append_hash,
    canonical,
    parsed,
    readable,
    verify_next,
)
from actors.log.messages import ACTION, AuditEntry
from actors.schema.schema import Schema
from tests.actors.log.records import entry

AT = "2026-11-24T21:25:05.123Z"


def chain(count: int) -> list[bytes]:
    """So many records."""
    lines, link = [], GENESIS
    for number in range(count):
        line, link = append_hash(entry(number), AT, link)
        lines.append(line)
    return lines


def remade(line: bytes, **changed: Any) -> bytes:
    """The record with other content, and a hash that fits it."""
    record = {**json.loads(line), **changed}
    del record["hash"]
    record["hash"] = sha256(canonical(record)).hexdigest()
    return canonical(record) + b"\n"


def test_a_record_is_one_line_of_canonical_json() -> None:
    """Written out here as docs/audit.md promises it, byte by byte."""
    line, link = append_hash(
        AuditEntry(ACTION, "members.add", "owner", params={"b": 1, "a": "é"}, outcome="ok"),
        AT,
        GENESIS,
    )

    digest = link.hash
    assert line.decode() == (
        '{"action":"members.add","at":"2026-11-24T21:25:05.123Z","capacity":"owner",'
        f'"hash":"{digest}","kind":"action","message":null,"outcome":"ok",'
        f'"params":{{"a":"é","b":1}},"person":null,"prev":"{"0" * 64}","request_id":null,"seq":1,'
        '"tenant":null,"tenant_id":null,"token":null,"trace_id":null}\n'
    )
    assert digest == sha256(line[:-1].replace(f',"hash":"{digest}"'.encode(), b"")).hexdigest()


def test_the_hash_can_be_made_anew_from_the_content() -> None:
    """By anybody with a JSON library, without any of this code."""
    record = json.loads(chain(2)[1])
    stated = record.pop("hash")

    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    assert sha256(text.encode()).hexdigest() == stated


def test_each_record_carries_the_hash_of_the_one_before() -> None:
    """The first one carries zeros."""
    records = [json.loads(line) for line in chain(3)]

    assert [each["seq"] for each in records] == [1, 2, 3]
    assert [each["prev"] for each in records] == ["0" * 64, *(each["hash"] for each in records[:2])]


def test_the_chain_is_followed_to_its_end() -> None:
    """Each record gives the link for the next."""
    link = GENESIS
    for line in chain(5):
        link = verify_next(line, link)

    assert link == Link(5, json.loads(chain(5)[-1])["hash"])


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {"hash"}))
def test_any_changed_member_shows(name: str) -> None:
    """Each is hashed; the hash itself is compared."""
    first, second = chain(2)
    record = json.loads(second)
    record[name] = {"x": 1} if name == "params" else 7 if name == "seq" else "changed"

    with pytest.raises(ChainError, match="does not fit its own hash"):
        verify_next(canonical(record) + b"\n", verify_next(first, GENESIS))


def test_a_hash_that_stands_elsewhere_in_its_line_shows() -> None:
    """Though all else is as it was, and the hash that of the rest."""
    line = chain(1)[0]
    member = f',"hash":"{json.loads(line)["hash"]}"'.encode()
    moved = line.replace(member, b"")[:-2] + member + b"}\n"

    with pytest.raises(ChainError, match="not in the order"):
        verify_next(moved, GENESIS)


def test_a_changed_hash_shows() -> None:
    """Whatever it is changed to."""
    line = chain(1)[0]
    record = {**json.loads(line), "hash": "0" * 64}

    with pytest.raises(ChainError, match="does not fit its own hash"):
        verify_next(canonical(record) + b"\n", GENESIS)


def test_a_record_with_its_hash_made_anew_breaks_the_next_one() -> None:
    """That one carries the old hash."""
    first, second = chain(2)
    link = verify_next(remade(first, person="p_somebody_else"), GENESIS)

    with pytest.raises(ChainError, match=r"hash of record 1: that one was changed"):
        verify_next(second, link)


def test_a_record_out_of_place_says_which_one_it_is() -> None:
    """As one that is missing, doubled or moved leaves it."""
    first, _, third = chain(3)

    with pytest.raises(ChainError, match="has record 3 in its place"):
        verify_next(third, verify_next(first, GENESIS))


@pytest.mark.parametrize(
    "line",
    [
        *(b"\n", b"{}\n", b"[]\n", b"null\n", b"garbage\n", b"\xff\xfe\n", b"\0" * 99 + b"\n"),
        *(b"[" * 5000 + b"\n", b'{"seq":1}\n', b"9" * 5000 + b"\n"),
        *(remade(chain(1)[0], seq=value) for value in (True, "1", 1.0, None)),
        *(remade(chain(1)[0], **{name: 1}) for name in FIELDS if name not in ("seq", "hash")),
        remade(chain(1)[0], more=1),
    ],
)
def test_what_is_no_record_is_broken(line: bytes) -> None:
    """Whatever it is, nothing else is raised."""
    with pytest.raises(ChainError):
        verify_next(line, GENESIS)
    assert readable(line) is None


def test_a_record_without_its_line_break_is_not_complete() -> None:
    """It may be in the writing."""
    with pytest.raises(ChainError, match="is not complete"):
        verify_next(chain(1)[0][:-1], GENESIS)


def test_times_are_to_the_millisecond_in_utc() -> None:
    """RFC 3339."""
    assert rfc3339(1_795_555_505.1239) == "2026-11-24T21:25:05.123Z"
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000Z"


# ---------------------------------------------------------------- whatever is said


TEXTS = st.text(st.characters(), max_size=5000) | st.just('","hash":"' + "0" * 64)
PARAMS = st.none() | st.dictionaries(
    st.text(), st.none() | st.floats() | st.integers() | TEXTS | st.binary(), max_size=5
)


@given(
    entry=st.builds(
        AuditEntry, *[TEXTS] * 3, *[st.none() | TEXTS] * 4, params=PARAMS, message=TEXTS
    )
)
def test_whatever_an_entry_says_can_be_recorded(entry: AuditEntry) -> None:
    """And followed, and read as `audit.list` promises to show it."""
    line, link = append_hash(entry, AT, GENESIS)

    assert verify_next(line, GENESIS) == link
    assert len(line) < LINE_BYTES
    RECORD.check(parsed(line))


def shape_of_a_record() -> Schema:
    """As the engine's own part of the index states it."""
    index = tomllib.loads((Path(actors.admin.__path__[0]) / "registry.toml").read_text())
    return Schema.build("audit.record", index["shapes"]["record"])


RECORD = shape_of_a_record()


def test_texts_are_as_long_as_promised() -> None:
    """The index and the log agree on it."""
    promised = RECORD.source["properties"]
    assert {name: promised[name]["maxLength"] for name in MAX_TEXT} == MAX_TEXT
    assert promised.keys() == FIELDS.keys()


def test_a_text_that_is_too_long_says_that_it_was_cut() -> None:
    """By its last character."""
    line, _ = append_hash(entry(message="x" * 5000), AT, GENESIS)

    assert json.loads(line)["message"] == "x" * 3999 + "…"


def test_no_token_of_ours_is_ever_recorded() -> None:
    """Also where the one who records has forgotten to take it out."""
    token = "tnt_" + "abcdefgh" * 5
    said = entry(message=f"no {token}", params={"text": token, "password": "hunter2"}, action=token)

    line, _ = append_hash(said, AT, GENESIS)

    assert b"abcdefgh" not in line
    assert b"hunter2" not in line

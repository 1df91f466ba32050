"""Pages: together they are the log, whatever is asked for, and each costs a bounded amount of work."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log.append_file import BLOCK_BYTES, LogFile
from actors.log.audit import reader
from actors.log.audit.chain import canonical, offset_of
from actors.log.audit.journal import AuditFiles
from actors.log.audit.reader import PAGE_BYTES, Page
from actors.log.messages import ReadPage
from tests.actors.log.records import DECEMBER, NOVEMBER, entry, lines_of, write

COUNT = 400
"""Records of the log that is read: some 200 KiB, so that it takes several blocks."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In three months, the first of them the longest."""
    directory = tmp_path_factory.mktemp("data") / "audit"
    write(directory, *[NOVEMBER] * 300, *[DECEMBER] * 99, DECEMBER + 32 * 86400)
    assert (directory / "2026-11.jsonl").stat().st_size > 2 * BLOCK_BYTES
    return directory


def ask(**given: Any) -> ReadPage:
    """A page of ten, of all records, from the end on."""
    whole = {"before": None, "limit": 10, "tenant_id": None, "action": None, "person": None}
    return ReadPage(**{**whole, **given})


def read(directory: Path, **given: Any) -> list[dict[str, Any]]:
    """All pages, one after the other."""
    found, before = [], given.pop("before", None)
    while True:
        answer = Page(ask(before=before, **given)).read(directory)
        assert len(answer["records"]) <= given.get("limit", 10)
        found.extend(answer["records"])
        before = answer["next"]
        if before is None:
            return found


def backwards(directory: Path) -> list[dict[str, Any]]:
    """Every record, the newest first, read the plain way."""
    return [json.loads(line) for line in reversed(lines_of(directory))]


def test_a_page_has_the_newest_records_first(directory: Path) -> None:
    """As they stand in the file, with all their members."""
    answer = Page(ask(limit=3)).read(directory)

    assert answer == {"records": backwards(directory)[:3], "next": COUNT - 2}


def test_the_last_page_says_that_it_is_the_last(directory: Path) -> None:
    """Also where it is just full."""
    assert Page(ask(before=4, limit=3)).read(directory)["next"] is None
    assert Page(ask(before=5, limit=3)).read(directory)["next"] == 2
    assert Page(ask(before=1)).read(directory) == {"records": [], "next": None}


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "tenant_id": st.sampled_from([f"{number:032x}" for number in range(3)]),
        "action": st.sampled_from(["members.add", "tokens.issue", "tenants.delete"]),
        "person": st.sampled_from([f"p_{number:016x}" for number in range(6)]),
    },
)


@given(
    wanted=FILTERS,
    limit=st.integers(1, 100),
    before=st.none() | st.integers(1, COUNT + 10),
)
def test_all_pages_together_are_the_log(
    directory: Path, wanted: dict[str, str], limit: int, before: int | None
) -> None:
    """For any filter, any size of a page and any beginning: nothing is left out, nothing comes twice."""
    expected = [
        record
        for record in backwards(directory)
        if all(record[name] == value for name, value in wanted.items())
        and (before is None or record["seq"] < before)
    ]

    assert read(directory, limit=limit, before=before, **wanted) == expected


def test_a_page_is_of_bounded_size(tmp_path: Path) -> None:
    """In bytes of JSON, however many records were asked for."""
    directory = tmp_path / "audit"
    with_journal(directory, ["x" * 3900] * 100)

    answer = Page(ask(limit=100)).read(directory)

    assert 0.9 * PAGE_BYTES < len(json.dumps(answer["records"])) <= PAGE_BYTES * 1.01
    assert [record["seq"] for record in read(directory, limit=100)] == list(range(100, 0, -1))


def test_one_record_always_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else no one would ever get past it."""
    directory = tmp_path / "audit"
    with_journal(directory, ["a", "x" * 3900, "b"])
    monkeypatch.setattr(reader, "PAGE_BYTES", 1000)

    assert [record["seq"] for record in read(directory)] == [3, 2, 1]


def test_a_page_is_found_with_bounded_work(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is rare comes with many pages, some of them empty, and none of them long in the making."""
    monkeypatch.setattr(reader, "SCAN_BYTES", 10_000)

    answer = Page(ask(action="tenants.delete")).read(directory)

    assert answer["records"] == []
    assert COUNT - 30 < answer["next"] < COUNT - 5
    assert read(directory, action="tenants.delete") == []
    assert len(read(directory, action="members.add")) == (COUNT + 2) // 3


def test_a_page_far_back_reads_little(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked up by halving, not by counting."""
    bytes_read = 0
    plain = LogFile._read

    def counted(volume: LogFile, start: int, end: int) -> bytes:
        nonlocal bytes_read
        data = plain(volume, start, end)
        bytes_read += len(data)
        return data

    with LogFile(directory / "2026-11.jsonl") as volume:
        monkeypatch.setattr(LogFile, "_read", counted)
        offset = offset_of(volume, 17)

    assert b"".join(lines_of(directory)[:16]) == (directory / "2026-11.jsonl").read_bytes()[:offset]
    assert bytes_read < 10 * 2 * BLOCK_BYTES


# ---------------------------------------------------------------- logs that are not sound


def with_journal(directory: Path, messages: list[str]) -> None:
    """A log with a record for each of these messages."""
    with closing(AuditFiles(directory)) as journal:
        for number, message in enumerate(messages):
            journal.append(entry(number, message=message), NOVEMBER)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\n", b"garbage\n", b'{"seq":5}\n', b"x" * 200_000 + b"\n", b"\n" * 5000, b"\r" * 100],
)
def test_what_is_no_record_is_passed_over(tmp_path: Path, garbage: bytes) -> None:
    """Wherever it stands; the rest is shown."""
    lines = write(tmp_path / "audit", *[NOVEMBER] * 20)
    for at in (0, 7, 20):
        whole = [*lines[:at], garbage, *lines[at:]]
        (tmp_path / "audit" / "2026-11.jsonl").write_bytes(b"".join(whole))

        found = [record["seq"] for record in read(tmp_path / "audit", limit=3)]

        assert sorted(set(found), reverse=True) == found
        glued = {at + 1} if garbage == b"\r" * 100 else set()
        assert set(found) >= set(range(1, 21)) - glued


@given(st.lists(st.integers(0, 19), max_size=40), st.integers(1, 5))
def test_pages_of_records_in_any_order_come_to_an_end(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], limit: int
) -> None:
    """None comes twice, and each number is lower than the one before."""
    directory = tmp_path_factory.mktemp("data") / "audit"
    lines = write(directory, *[NOVEMBER] * 20)
    (directory / "2026-11.jsonl").write_bytes(b"".join(lines[at] for at in order))

    found = [record["seq"] for record in read(directory, limit=limit)]

    assert sorted(set(found), reverse=True) == found


def test_the_rest_of_a_record_at_the_end_is_not_shown(tmp_path: Path) -> None:
    """It is being written, or was cut off."""
    lines = write(tmp_path / "audit", *[NOVEMBER] * 2)
    (tmp_path / "audit" / "2026-11.jsonl").write_bytes(lines[0] + lines[1][:-1])

    assert [record["seq"] for record in read(tmp_path / "audit")] == [1]


@pytest.mark.parametrize(
    "made",
    [
        {"at": "yesterday"},
        {"at": "2026-13-01T00:00:00Z"},
        {"seq": 2**64},
        {"seq": 0},
        {"message": "x" * 4001},
        {"person": "p_" + "x" * 30},
    ],
    ids=str,
)
def test_a_record_that_breaks_what_pages_promise_is_passed_over(
    tmp_path: Path, made: dict[str, Any]
) -> None:
    """Somebody has edited it, which a verification tells; the page shows the others."""
    lines = write(tmp_path, NOVEMBER, NOVEMBER)
    record = {**json.loads(lines[0]), **made}
    (tmp_path / "2026-11.jsonl").write_bytes(canonical(record) + b"\n" + lines[1])

    assert [each["seq"] for each in Page(ask()).read(tmp_path)["records"]] == [2]


def test_text_that_no_reply_holds_is_made_fit(tmp_path: Path) -> None:
    """It is in the file only where somebody has put it there."""
    (line,) = write(tmp_path, NOVEMBER)
    odd = line.replace(b"Ada", b"\\u0000\\ud800").replace(b'"number":0', b'"number":1e999')
    (tmp_path / "2026-11.jsonl").write_bytes(odd)

    (record,) = Page(ask()).read(tmp_path)["records"]
    assert record["params"] == {"name": "\ufffd? Łovelace", "number": "inf"}

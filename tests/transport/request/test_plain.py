"""A plain request is read in one pass, with the outcome of the long way, whatever the bytes are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, combinations
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transport.codec import LIMITS, Limits
from transport.request import parser
from transport.request.model import Request
from transport.request.parser import BadRequest, parse_request
from transport.request.plain import parse_plain

GOOD: dict[str, Any] = {
    "id": "r-1",
    "action": "contacts.add",
    "params": {"name": "Ada", "age": 36, "born": -1815, "known": True, "none": None},
}
OPTIONAL: dict[str, Any] = {
    "tenant": "acme",
    "token": "tnt_1",
    "timeout_ms": 2000,
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    "v": 1,
}


@contextmanager
def long_way() -> Iterator[None]:
    """Read no body as a plain one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser, "parse_plain", lambda *_: None)
        yield


def outcome(body: bytes, limits: Limits) -> object:
    """Everything that can be seen of a request, or of its refusal; types included."""
    try:
        request, encoding = parse_request(body, limits)
    except BadRequest as bad:
        return bad.refusal, bad.id, bad.encoding
    copied = request.model_copy(update={"timeout_ms": 7})
    assert copied.id == request.id
    return repr(request.model_dump()), request.model_fields_set, encoding, type(request)


def same(body: bytes, limits: Limits = LIMITS) -> None:
    """Both ways end in the same."""
    quick = outcome(body, limits)
    with long_way():
        assert quick == outcome(body, limits)


names = st.sampled_from([*GOOD, *OPTIONAL, "ID", "", "param", "v\0"])
NAMES = [
    "",
    "acme",
    "-acme",
    "a" * 63,
    "a" * 64,
    "Acme",
    "acme\n",
    "contacts.add",
    "a..b",
    "a.",
    "a" * 129,
]
OTHER_TEXTS = ["r-1", "a\n", "a b", "\x7f", "é", "\0", "x" * 512, "x" * 513, "🎈"]
TRACES = [f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'0' * 32}-{'b' * 16}-01-x"]
TEXTS = [*NAMES, *OTHER_TEXTS, *TRACES]
NUMBERS = [0, 1, 2, -1, 600_000, 600_001, -(2**63), 2**63, 1.0]
texts = st.sampled_from(TEXTS) | st.text(max_size=5)
scalars = texts | st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.binary(max_size=2)
values = (
    scalars | st.lists(scalars, max_size=2) | st.dictionaries(texts | scalars, scalars, max_size=16)
)
entries = st.tuples(names | scalars, values)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A good request with some entries put in, twice, or instead; then some bytes changed."""
    given_fields = draw(st.sets(st.sampled_from(sorted(OPTIONAL))))
    fields: list[tuple[Any, Any]] = list(GOOD.items())
    fields += [(name, OPTIONAL[name]) for name in given_fields]
    for entry in draw(st.lists(entries, max_size=2)):
        place = draw(st.integers(0, len(fields)))
        fields[place : place + draw(st.integers(0, 1))] = [entry]
    packer = msgpack.Packer(use_bin_type=draw(st.booleans()), unicode_errors="surrogatepass")
    body = bytearray(packer.pack_map_header(len(fields)))
    for each in chain.from_iterable(fields):
        try:
            body += packer.pack(each)
        except (OverflowError, ValueError, TypeError):
            body += b"\xc0"
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(body)


@pytest.mark.parametrize("name", [*GOOD, *OPTIONAL, "unknown"])
@pytest.mark.parametrize("trap", [*TEXTS, *NUMBERS, None, True, b"", [], {}, {"a": {}}])
def test_both_ways_end_in_the_same_whatever_one_field_is(name: str, trap: object) -> None:
    same(msgpack.packb({**GOOD, name: trap}))


@given(bodies())
@example(msgpack.packb({**GOOD, "params": {"a": "\x81 é"}}))
@example(b"\x83\xa2id\xa1a\xa6action\xa1a\xa6params\x82\xa1a\x01\xa1a\x02")
@example(b"\x84\xa2id\xa1a\xa2id\xa1b\xa6action\xa1a\xa6params\x80")
@example(b"\x83\xa2id\xa1a\xa6action\xa1a\xa6params\x81\x01\x01")
@example(b"\x83\xa2id\xa1a\xa6action\xa1a\xa6params\x80\x01")
@example(b"\x83\xa2id\xa1a\xa6action\xa1a\xa6params\x81\xa1a\xa2\xed\xa0")
def test_both_ways_end_in_the_same_whatever_the_bytes(body: bytes) -> None:
    same(body)


@given(bodies())
def test_both_ways_end_in_the_same_under_other_limits(body: bytes) -> None:
    for changed in ({"map": 2}, {"values": 3}, {"depth": 1}, {"body_bytes": 60}, {"array": 0}):
        same(body, LIMITS._replace(**changed))


@pytest.mark.parametrize(
    "optional", [some for size in range(6) for some in combinations(OPTIONAL, size)]
)
def test_a_plain_request_does_not_take_the_long_way(optional: tuple[str, ...]) -> None:
    """Whichever fields it has."""
    fields = {**GOOD, **{name: OPTIONAL[name] for name in optional}}

    request = parse_plain(msgpack.packb(fields), LIMITS)

    assert request == Request(**fields)
    assert request is not None
    assert request.model_fields_set == fields.keys()


def test_a_plain_request_cannot_be_changed() -> None:
    """As any other."""
    request = parse_plain(msgpack.packb(GOOD), LIMITS)
    with pytest.raises(ValueError, match="frozen"):
        request.id = "other"  # type: ignore[union-attr]

"""The codec takes anything and gives a Request or a BadRequest; every limit is kept exactly."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transport.codec import (
    LIMITS,
    REPLIES,
    BadReply,
    DecodeError,
    EncodeError,
    Limits,
    decode,
    encode,
    parse_reply,
)
from transport.message import INVALID_ARGUMENT, Encoding, Problem
from transport.request.model import Request
from transport.request.parser import BadRequest, parse_request

ENCODINGS: tuple[Encoding, ...] = ("msgpack", "json")

both = pytest.mark.parametrize("encoding", ENCODINGS)


def body_of(encoding: Encoding, /, **fields: Any) -> bytes:
    """A body made by the plain libraries, as a stranger would make it; fields over a good request."""
    request = {"id": "r-1", "action": "contacts.add", **fields}
    return msgpack.packb(request) if encoding == "msgpack" else json.dumps(request).encode()


def nested(levels: int) -> Any:
    """Arrays inside each other; as `params.x` they lie two levels deep."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def encoded(request: Request, encoding: Encoding) -> bytes:
    """The body of a request, without fields that it was not given."""
    given = {name: getattr(request, name) for name in request.model_fields_set}
    return encode(
        {name: each for name, each in given.items() if each is not None}, encoding, LIMITS
    )


def refused(body: bytes, limits: Limits = LIMITS) -> BadRequest:
    """The refusal of a body, which there must be."""
    with pytest.raises(BadRequest) as caught:
        parse_request(body, limits)
    return caught.value


def problem_of(body: bytes) -> Problem:
    """The one thing wrong with a body."""
    details = refused(body).refusal.details
    assert len(details) == 1
    return details[0]


# What a good request is


@both
def test_a_request_with_every_field_comes_through(encoding: Encoding) -> None:
    """Each field of the page arrives as it was sent."""
    fields = {
        "v": 1,
        "id": "r-1",
        "tenant": "acme",
        "action": "contacts.add",
        "params": {"name": "Ada", "tags": ["a", "b"], "age": 36, "score": 1.5, "none": None},
        "token": "t_1",
        "timeout_ms": 5000,
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    }
    request, spoken = parse_request(body_of(encoding, **fields))
    assert request.model_dump() == fields
    assert spoken == encoding


@both
def test_only_id_and_action_are_required(encoding: Encoding) -> None:
    """The defaults are those of the page."""
    request, _ = parse_request(body_of(encoding))
    assert request.v == 1
    assert request.params == {}
    assert request.timeout_ms == 30_000
    assert request.tenant is request.token is request.traceparent is None


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
requests = st.builds(
    Request,
    id=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64),
    tenant=st.none() | st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,62}\Z"),
    action=st.sampled_from(["system.ping", "contacts.add", "a"]),
    params=st.dictionaries(text, values, max_size=4),
    token=st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    timeout_ms=st.integers(1, 600_000),
)


@given(request=requests, encoding=st.sampled_from(ENCODINGS))
def test_what_a_client_encodes_the_server_reads(request: Request, encoding: Encoding) -> None:
    """Any request survives the way to bytes and back, in both encodings."""
    assert parse_request(encoded(request, encoding)) == (request, encoding)


@given(content=st.dictionaries(text, values, max_size=4), encoding=st.sampled_from(ENCODINGS))
def test_any_map_of_plain_values_survives(content: dict[str, Any], encoding: Encoding) -> None:
    """Text, numbers, booleans, null, arrays and maps come back equal."""
    assert decode(encode(content, encoding)) == (content, encoding)


@given(content=st.dictionaries(text, values, max_size=4))
def test_json_of_other_writers_is_read_the_same(content: dict[str, Any]) -> None:
    """Spaces, escapes and indentation make no difference."""
    for written in (json.dumps(content), json.dumps(content, indent=1, ensure_ascii=False)):
        assert decode(written.encode()) == (content, "json")


def test_wasteful_msgpack_is_read_the_same() -> None:
    """A writer need not use the shortest form of a header."""
    wide = b"\xdf\x00\x00\x00\x02" + b"\xdb\x00\x00\x00\x02id" + b"\xda\x00\x03r-1"
    request, _ = parse_request(wide + b"\xd9\x06action" + b"\xd9\x01a")
    assert (request.id, request.action) == ("r-1", "a")


# Anything at all


@settings(max_examples=500)
@given(body=st.binary(max_size=200))
@example(body=b"")
@example(body=b"{")
@example(body=b"\xc1")
@example(body=b'{"id":')
@example(body=b"\x81\xa2id")
def test_arbitrary_bytes_raise_nothing_but_bad_request(body: bytes) -> None:
    """Noise is refused with invalid_argument, whatever it is."""
    assert refused(body).refusal.code == INVALID_ARGUMENT


@settings(max_examples=300)
@given(request=requests, encoding=st.sampled_from(ENCODINGS), data=st.data())
def test_a_damaged_body_is_a_request_or_a_bad_request(
    request: Request, encoding: Encoding, data: st.DataObject
) -> None:
    """Cutting, overwriting, inserting and doubling bytes never raise anything else."""
    body = bytearray(encoded(request, encoding))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        upto = data.draw(st.integers(at, min(len(body), at + 8)))
        body[at:upto] = data.draw(st.binary(max_size=8) | st.just(bytes(body[at:upto]) * 2))
    with suppress(BadRequest):
        parse_request(bytes(body))


@given(request=requests, encoding=st.sampled_from(ENCODINGS), data=st.data())
def test_a_truncated_body_is_refused(
    request: Request, encoding: Encoding, data: st.DataObject
) -> None:
    """Half a message is no message, wherever it was cut."""
    body = encoded(request, encoding)
    refused(body[: data.draw(st.integers(0, len(body) - 1))])


scalars_and_traps = st.recursive(
    st.none()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=2)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@settings(max_examples=250)
@given(params=st.dictionaries(st.text(max_size=3), scalars_and_traps, max_size=3))
def test_the_short_way_takes_nothing_that_the_long_way_refuses(params: dict[str, Any]) -> None:
    """A body accepted on the strength of its bytes alone is one that a full look accepts."""
    try:
        body = msgpack.packb({"params": params})
    except (OverflowError, ValueError):
        return  # msgpack itself has no form for these
    try:
        value, _ = decode(body)
    except DecodeError:
        with pytest.raises(EncodeError):
            encode({"params": params}, "msgpack")
    else:
        assert encode(value, "msgpack") == body


odd = (
    st.none() | st.booleans() | st.integers(-300, 300) | st.text("a\xe9\xc9\0", max_size=3)
) | st.sampled_from(
    [
        *("\ud800", -(2**63), 2**63, 0.5, float("inf"), b"x", [], (), [{1: 2}], {1: 2}, {None: 1}),
        *(OrderedDict(a=1), {"\0": 1}, dict.fromkeys(map(str, range(16)))),
    ]
)


@settings(max_examples=500)
@example(content={"a": OrderedDict(a=1)})
@example(content={"a": {1: 2}, "b": {"c": {}}})
@given(
    content=st.recursive(
        st.dictionaries(st.text(max_size=2), odd, max_size=4),
        lambda inner: st.dictionaries(st.text(max_size=2), inner | odd, max_size=3),
        max_leaves=20,
    )
)
def test_a_reply_that_is_spared_the_walk_is_one_that_passes_it(content: dict[str, Any]) -> None:
    assert outcome(content, REPLIES) == outcome(content, Limits(*REPLIES))


def outcome(content: dict[str, Any], limits: Limits) -> bytes | str:
    """What becomes of it; with limits of one's own all of it is looked at."""
    try:
        return encode(content, "msgpack", limits)
    except EncodeError as error:
        return str(error)


def test_a_reply_of_one_long_text_is_bounded_too() -> None:
    with pytest.raises(EncodeError, match="longer than"):
        encode({"a": "x" * REPLIES.body_bytes}, "msgpack")


# Limits: at the limit and one past it


@both
def test_a_body_may_be_as_long_as_the_limit_and_no_longer(encoding: Encoding) -> None:
    """256 KiB pass; one byte more is answered, under its id."""
    spare = LIMITS.body_bytes - len(body_of(encoding, params={"x": "y" * 100_000})) + 100_000
    assert parse_request(body_of(encoding, params={"x": "y" * spare}))
    bad = refused(body_of(encoding, params={"x": "y" * (spare + 1)}))
    assert "longer than 262144 bytes" in bad.refusal.message
    assert bad.id == "r-1"


@both
def test_a_body_past_four_times_the_limit_is_not_looked_at(encoding: Encoding) -> None:
    """The socket drops such peers; the codec does not search a megabyte for an id."""
    spare = 4 * LIMITS.body_bytes - len(body_of(encoding, params={"x": "y" * 100_000})) + 100_000
    assert refused(body_of(encoding, params={"x": "y" * spare})).id == "r-1"
    assert refused(body_of(encoding, params={"x": "y" * (spare + 1)})).id is None


@both
def test_sixteen_levels_pass_and_seventeen_do_not(encoding: Encoding) -> None:
    """The body's own map is the first level, params the second."""
    assert parse_request(body_of(encoding, params={"x": nested(14)}))
    field, problem = problem_of(body_of(encoding, params={"x": nested(15)}))
    assert field.startswith("params.x")
    assert problem == "nested deeper than 16 levels"


@both
@pytest.mark.parametrize("levels", [300, 600, 5_000, 120_000])
def test_absurd_depth_is_refused_like_any_other(encoding: Encoding, levels: int) -> None:
    """No nesting makes the interpreter recurse: the problem is the same at every depth."""
    if encoding == "msgpack":
        body = b"\x83\xa2id\xa1a\xa6action\xa1b\xa6params\x81\xa1x" + b"\x91" * levels + b"\x01"
    else:
        body = b'{"id":"a","action":"b","params":{"x":' + b"[" * levels + b"]" * levels + b"}}"
    bad = refused(body)
    assert bad.refusal.details[0].problem == "nested deeper than 16 levels"
    assert bad.id == "a"


@both
def test_twenty_thousand_values_pass_and_one_more_does_not(encoding: Encoding) -> None:
    """Elements and entries count, however they are spread; keys do not."""
    rows = [[0] * 999 for _ in range(20)]  # with the outer array: 20,000
    room = 20_000 - 20 * 999 - len(rows) - 4  # id, action, params and rows itself
    rows[0] = rows[0][: 999 + room]
    assert parse_request(body_of(encoding, params={"rows": rows}))
    rows[0].append(0)
    assert problem_of(body_of(encoding, params={"rows": rows})).problem == (
        "more than 20000 values in all"
    )


@pytest.mark.parametrize("empty", [b"\x80", b"\x90", b"{}", b"[]"])
def test_no_more_is_built_of_a_body_than_the_values_that_it_may_have(empty: bytes) -> None:
    """A quarter of a megabyte of empty containers would take 19 MB, and the time to make them."""
    row = (
        b"\xdc\x03\xe8" + empty * 1000
        if empty[0] & 0x80
        else b"[" + b",".join([empty] * 1000) + b"]"
    )
    rows = 255_000 // len(row)
    if empty[0] & 0x80:
        body = (
            b"\x83\xa2id\xa1a\xa6action\xa1b\xa6params\x81\xa1x\xdc"
            + rows.to_bytes(2, "big")
            + row * rows
        )
    else:
        body = b'{"id":"a","action":"b","params":{"x":[' + b",".join([row] * rows) + b"]}}"
    assert refused(body).refusal.details[0].problem == "more than 20000 values in all"
    tracemalloc.start()
    refused(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_punctuation_in_json_text_is_no_value() -> None:
    """However much of it there is, escaped quotes and brackets among it."""
    text = '",[]{}\\' * 10_000
    request, _ = parse_request(body_of("json", params={"x": text, "y": [text]}))
    assert request.params == {"x": text, "y": [text]}
    assert parse_request(body_of("json", params={"x": [["a,b"] * 900, [[]] * 900, [{}] * 900] * 6}))


@both
def test_an_array_may_have_a_thousand_elements(encoding: Encoding) -> None:
    """One more is refused, in either encoding with the same words."""
    assert parse_request(body_of(encoding, params={"x": [0] * 1000}))
    assert problem_of(body_of(encoding, params={"x": [0] * 1001})).problem == (
        "more than 1000 elements in one array"
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"", "binary data; send text, base64 for example"),
        (b"bytes", "binary data; send text, base64 for example"),
        (msgpack.Timestamp(1), "an extension type"),
        (msgpack.ExtType(5, b"x"), "an extension type"),
        ("a\udc80b", "text that is not UTF-8"),
        ({str(n): n for n in range(201)}, "more than 200 entries in one map"),
        ([0] * 1001, "more than 1000 elements in one array"),
    ],
)
def test_what_msgpack_may_not_hold_is_named_with_its_place(value: Any, problem: str) -> None:
    """In a form of sixty fields it would be a search."""
    fields = {"id": "r-1", "action": "b", "params": {"rows": [1, {"patch": value}]}}
    body = msgpack.packb(fields, unicode_errors="surrogateescape")
    assert problem_of(body) == Problem("params.rows[1].patch", problem)


@both
def test_a_map_may_have_two_hundred_entries(encoding: Encoding) -> None:
    """One more is refused, in either encoding with the same words."""
    assert parse_request(body_of(encoding, params={str(n): n for n in range(200)}))
    assert problem_of(body_of(encoding, params={str(n): n for n in range(201)})).problem == (
        "more than 200 entries in one map"
    )


@both
@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_integers_go_as_far_as_sqlite_stores_them(encoding: Encoding, number: int) -> None:
    """Signed 64 bits, both ends included."""
    request, _ = parse_request(body_of(encoding, params={"n": number}))
    assert request.params == {"n": number}


@pytest.mark.parametrize(
    "body",
    [
        body_of("msgpack", params={"n": 2**63}),
        body_of("msgpack", params={"n": 2**64 - 1}),
        body_of("json", params={"n": 2**63}),
        body_of("json", params={"n": -(2**63) - 1}),
        body_of("json", params={"n": 2**64}),
    ],
)
def test_integers_past_64_bits_are_refused(body: bytes) -> None:
    """Also the unsigned ones that msgpack has a form for."""
    assert problem_of(body) == Problem("params.n", "an integer outside signed 64 bits")


def test_an_integer_of_a_hundred_thousand_digits_is_refused_under_its_id() -> None:
    """It is never converted, which would take time that grows with its square."""
    body = b'{"id":"a","action":"b","params":{"n":' + b"9" * 100_000 + b"}}"
    bad = refused(body)
    assert bad.refusal.details == (Problem("", "an integer outside signed 64 bits"),)
    assert bad.id == "a"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@both
def test_numbers_that_are_not_finite_are_refused(encoding: Encoding, number: float) -> None:
    """NaN and the infinities, which SQLite and JSON cannot hold."""
    bad = refused(body_of(encoding, params={"n": number}))
    assert bad.refusal.code == INVALID_ARGUMENT
    assert bad.id == "r-1"


def test_a_json_number_that_overflows_is_not_finite() -> None:
    """1e999 reads as infinity and is refused as that."""
    body = b'{"id":"a","action":"b","params":{"n":1e999}}'
    assert problem_of(body) == Problem("params.n", "a number that is not finite")


def test_a_float_of_32_bits_may_not_be_infinite_either() -> None:
    """The short form of msgpack is looked at like the long one."""
    body = b"\x83\xa2id\xa1a\xa6action\xa1b\xa6params\x81\xa1n\xca\x7f\x80\x00\x00"
    assert problem_of(body) == Problem("params.n", "a number that is not finite")


@both
def test_nul_is_refused_in_the_plainest_of_requests(encoding: Encoding) -> None:
    """If nothing else gives reason to check closely."""
    value = body_of(encoding, params={"name": "a\0b"})
    assert problem_of(value) == Problem("params.name", "text with a NUL character")
    key = body_of(encoding, params={"a\0b": "name"})
    assert problem_of(key) == Problem("params", "a key with a NUL character")
    assert refused(body_of(encoding, tenant="acme\0")).id == "r-1"


@both
def test_nul_is_refused_in_text(encoding: Encoding) -> None:
    """Anywhere in a value, with the field named."""
    body = body_of(encoding, params={"rows": [{}, {"name": "a\0b"}]})
    assert problem_of(body) == Problem("params.rows[1].name", "text with a NUL character")


@both
def test_nul_is_refused_in_keys(encoding: Encoding) -> None:
    """A key is text like any other."""
    body = body_of(encoding, params={"x": {"a\0b": 1}})
    assert problem_of(body) == Problem("params.x", "a key with a NUL character")


def test_two_characters_that_spell_an_escape_are_no_nul() -> None:
    """A backslash and `u0000` as text, which JSON writes with two backslashes."""
    request, _ = parse_request(body_of("json", params={"x": "\\u0000"}))
    assert request.params == {"x": "\\u0000"}


@both
def test_the_same_key_twice_is_refused(encoding: Encoding) -> None:
    """At every level, and named; which of the two was meant is not ours to guess."""
    if encoding == "msgpack":
        outer = b"\x83\xa2id\xa1a\xa6action\xa1b\xa6action\xa1c"
        inner = b"\x83\xa2id\xa1a\xa6action\xa1b\xa6params\x82\xa1n\x01\xa1n\x02"
    else:
        outer = b'{"id":"a","action":"b","action":"c"}'
        inner = b'{"id":"a","action":"b","params":{"n":1,"\\u006e":2}}'
    for body, key in ((outer, "action"), (inner, "n")):
        bad = refused(body)
        assert bad.refusal.message == f"the key {key} is there twice in one map"
        assert bad.id == "a"


@given(st.data())
def test_a_doubled_entry_is_always_found(data: st.DataObject) -> None:
    """Wherever in a body, whatever its value, in both encodings."""
    entries = data.draw(st.lists(st.tuples(text, values), min_size=1, max_size=6))
    twin = data.draw(st.sampled_from(entries))
    entries.insert(data.draw(st.integers(0, len(entries))), (twin[0], data.draw(values)))
    params = bytes([0x80 | len(entries)])
    params += b"".join(msgpack.packb(key) + msgpack.packb(value) for key, value in entries)
    members = ",".join(json.dumps(key) + ":" + json.dumps(value) for key, value in entries)
    for body in (b"\x82\xa2id\xa1a\xa6params" + params, f'{{"params":{{{members}}}}}'.encode()):
        with pytest.raises(DecodeError, match="is there twice in one map"):
            decode(body)


@pytest.mark.parametrize(
    "binary",
    [b"\xc4\x00", b"\xc4\x01a", b"\xc5\x00\x00", b"\xc5\x00\x01a", b"\xc6\x00\x00\x00\x01a"],
)
def test_binary_is_refused_as_value_and_as_key(binary: bytes) -> None:
    """Only text is in the API, even if the binary is empty."""
    start = b"\x83\xa2id\xa1a\xa6action\xa1b\xa6params\x81"
    for body, words in ((b"\xa1x" + binary, "binary data"), (binary + b"\x01", "binary data|key")):
        bad = refused(start + body)
        assert re.search(words, bad.refusal.message)
        assert bad.id == "a"


@pytest.mark.parametrize(
    "extension",
    [b"\xc7\x00\x01", b"\xc7\x01\x01a", b"\xd4\x01a", b"\xd6\xff\x00\x00\x00\x01"],
    ids=["empty", "one byte", "fixed", "timestamp"],
)
def test_extension_types_are_refused(extension: bytes) -> None:
    """Timestamps among them: a time is text in the API."""
    body = b"\x83\xa2id\xa1a\xa6action\xa1b\xa6params\x81\xa1x" + extension
    bad = refused(body)
    assert bad.refusal.code == INVALID_ARGUMENT
    assert bad.id == "a"


@pytest.mark.parametrize("key", [b"\x01", b"\xc0", b"\xc3", b"\x90", b"\xcb" + b"\0" * 8])
def test_keys_are_text(key: bytes) -> None:
    """Numbers, nil, booleans and arrays are no keys."""
    assert refused(b"\x82\xa2id\xa1a" + key + b"\x01").refusal.message == "a key that is not text"


@pytest.mark.parametrize(
    "body",
    [
        b"\x82\xa2id\xa1a\xa6params\xa1\xff",
        b"\x82\xa2id\xa1a\xa6params\xa3\xed\xa0\x80",
        b'{"id":"a","params":"\xff"}',
        b'{"id":"a","params":"\xed\xa0\x80"}',
        b'{"id":"a","params":"\\ud800"}',
        b'{"id":"a","params":"\\udc00 alone"}',
    ],
)
def test_text_that_is_not_unicode_is_refused_under_its_id(body: bytes) -> None:
    """Stray bytes and lone surrogates, raw or escaped."""
    assert refused(body).id == "a"


@pytest.mark.parametrize("tail", [b"\0", b"\x80", b"{}", b" x"])
@both
def test_one_message_is_one_body(encoding: Encoding, tail: bytes) -> None:
    """What follows the map is refused, and so is a second map."""
    assert refused(body_of(encoding) + tail).id == "r-1"


@pytest.mark.parametrize(
    "body", [b"[]", b' {"id":"a"}', b"\xef\xbb\xbf{}", b"\x93\x01\x02\x03", b"\xc0"]
)
def test_a_body_is_a_map(body: bytes) -> None:
    """Arrays, numbers, JSON after a space or a byte order mark: no id, nothing to answer."""
    bad = refused(body)
    assert bad.id is None
    assert bad.encoding == "msgpack"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "01", "1.", "+1", "0x1", ".5"])
def test_json_is_what_the_standard_says(number: str) -> None:
    """Python's own extensions to JSON are refused."""
    body = f'{{"id":"a","action":"b","params":{{"n":{number}}}}}'.encode()
    bad = refused(body)
    assert bad.refusal.message.startswith("not JSON: ")
    assert bad.id == "a"


# What is said about a refused request


@both
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("v", True),
        ("v", "1"),
        ("v", 1.0),
        ("id", ""),
        ("id", "x" * 65),
        ("id", "a\nb"),
        ("id", "é"),
        ("id", 7),
        ("id", "trailing\n"),
        ("tenant", "../acme"),
        ("tenant", "Acme"),
        ("tenant", "-acme"),
        ("tenant", "a" * 64),
        ("tenant", ""),
        ("tenant", "acme\n"),
        ("tenant", 1),
        ("action", ""),
        ("action", "contacts."),
        ("action", "Contacts.Add"),
        ("action", "a" * 129),
        ("action", None),
        ("params", []),
        ("params", None),
        ("token", "t" * 513),
        ("token", 5),
        ("timeout_ms", 0),
        ("timeout_ms", 600_001),
        ("timeout_ms", 1.5),
        ("timeout_ms", "100"),
        ("timeout_ms", True),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(
    encoding: Encoding, field: str, value: Any
) -> None:
    """The developer learns which field and what it must be; logs do not learn what was sent."""
    bad = refused(body_of(encoding, **{field: value}))
    assert [detail.field for detail in bad.refusal.details] == [field]
    assert "must be" in bad.refusal.details[0].problem
    assert bad.id == (None if field == "id" else "r-1")
    assert bad.encoding == encoding


SPAN = f"{'a' * 32}-{'b' * 16}-01"


@both
@pytest.mark.parametrize(
    ("given", "read"),
    [
        (f"00-{SPAN}", f"00-{SPAN}"),
        (f"01-{SPAN}", f"01-{SPAN}"),
        (f"01-{SPAN}-what-comes", f"01-{SPAN}"),
        (f"00-{SPAN}-more", None),
        (f"01-{SPAN}more", None),
        (f"ff-{SPAN}", None),
        (f"00-{'0' * 32}-{'b' * 16}-01", None),
        (f"00-{'a' * 32}-{'0' * 16}-01", None),
        (f"00-{SPAN.upper()}", None),
        (f"00-{SPAN}\n", None),
        ("hello", None),
        ("", None),
        (5, None),
        (["00"], None),
        (None, None),
    ],
)
def test_a_trace_that_cannot_be_read_is_begun_anew(
    encoding: Encoding, given: Any, read: str | None
) -> None:
    """As W3C Trace Context has it: telemetry decides over no business, and later versions are read."""
    request, _ = parse_request(body_of(encoding, traceparent=given))
    assert request.traceparent == read


@both
def test_a_missing_field_is_named(encoding: Encoding) -> None:
    """Without an action there is still an id to answer under."""
    body = encode({"id": "r-1"}, encoding)
    assert refused(body).refusal.message.startswith("action: missing; must be a string")


@both
def test_a_misspelt_field_is_noticed(encoding: Encoding) -> None:
    """The message says what may have been meant."""
    bad = refused(body_of(encoding, timeout=1))
    assert bad.refusal.message == "timeout: unknown field; did you mean timeout_ms?"
    assert bad.refusal.details == (Problem("timeout", "unknown field; did you mean timeout_ms?"),)


@both
def test_an_unknown_field_of_no_likeness_is_only_named(encoding: Encoding) -> None:
    """No guess is better than a wild one."""
    assert problem_of(body_of(encoding, colour=1)) == Problem("colour", "unknown field")


@both
def test_a_refusal_never_carries_text_of_the_body(encoding: Encoding) -> None:
    """Not the value, nor a key that is no name; a log line cannot be forged through them."""
    hostile = "<script>\nlevel=critical"
    bodies = [
        body_of(encoding, **{hostile: 1}),
        body_of(encoding, tenant=hostile),
        body_of(encoding, params={"x": {hostile: 2.5}, "y": {hostile: "\0"}}),
    ]
    for body in bodies:
        assert "script" not in refused(body).refusal.message
        assert "critical" not in repr(refused(body).refusal)


@both
def test_a_hundred_wrong_fields_are_not_all_told(encoding: Encoding) -> None:
    """The refusal of one body stays small."""
    body = body_of(encoding, **{f"field_{n}": n for n in range(100)})
    assert len(refused(body).refusal.details) == 20


# The id of what is refused


@both
def test_the_id_is_read_before_and_behind_what_is_wrong(encoding: Encoding) -> None:
    """Its place in the map does not matter."""
    for wrong in ([0] * 1001, nested(100), {str(n): n for n in range(300)}, "a\0b"):
        for fields in ({"id": "r-7", "params": wrong}, {"params": wrong, "id": "r-7"}):
            body = msgpack.packb(fields) if encoding == "msgpack" else json.dumps(fields).encode()
            assert refused(body).id == "r-7"


@both
def test_only_the_outermost_id_counts(encoding: Encoding) -> None:
    """An `id` within params names a contact, not the request."""
    fields = {"params": {"id": "inner", "x": [{"id": "deep"}] * 1001}, "note": '"id":"text"'}
    body = msgpack.packb(fields) if encoding == "msgpack" else json.dumps(fields).encode()
    assert refused(body).id is None
    fields["id"] = "outer"
    body = msgpack.packb(fields) if encoding == "msgpack" else json.dumps(fields).encode()
    assert refused(body).id == "outer"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id_", ["", "x" * 65, "a\tb", "é", 5, None, ["a"], {"a": 1}])
def test_an_invalid_id_is_no_id(encoding: Encoding, id_: Any) -> None:
    """Such a request can only be dropped, whatever else is wrong with it."""
    assert refused(body_of(encoding, id=id_)).id is None
    assert refused(body_of(encoding, id=id_, params={"x": [0] * 1001})).id is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"a"',
        b'{ "id" : "a" , oops',
        b'{"x":"un\\"closed","id":"a","y":"',
        b'{"x":[1,{"y":"]}"}],"id":"a","params":tru',
        b'{"x":-1.5e3,"id":"a"]',
        b'{"n":null,"id":"\\u0061",,}',
        b"\x83\xa2id\xa1a\xa6params",
        b"\x83\xa1x\x93\x01\x02\x80\xa2id\xa1a\xc1",
    ],
)
def test_the_id_is_read_from_broken_bodies(body: bytes) -> None:
    """As long as everything before it is whole."""
    assert refused(body).id == "a"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"',
        b'{"id"',
        b'{"id":',
        b'{"id":"a',
        b'{"x" "id":"a"}',
        b'{"x":"unclosed,"id":"a"}',
        b'{"x":[1,2,"id":"a"',
        b'{id:"a"}',
        b'{"a\\":"id","b":1',
        b'{"x":' + b'"\\' * 100_000,
        b'{"x":[' + b'"\\' * 100_000,
        b'{"x":' + b"[" * 250_000,
        b'{"x":[' + b"[]," * 80_000 + b'[]],"id":"a"}',
        b'{"x":["' + b'","' * 80_000 + b'"],"id":"a",}',
        b"\xdf\xff\xff\xff\xff" + b"\0" * 200_000,
        b"\x82\xa1x\xdb\xff\xff\xff\xff",
        b"\x82\xa1x" + b"\x91" * 200_000,
        b"\x82\x91\x91\xa2id\xa1a",
    ],
)
def test_where_no_id_can_be_read_there_is_none(body: bytes) -> None:
    """Hostile bodies among them: the search is bounded and never looks at a byte twice."""
    assert refused(body).id is None


# What goes out


@both
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"binary", "binary data"),
        (bytearray(b"binary"), "binary data"),
        (float("nan"), "not finite"),
        (2**63, "signed 64 bits"),
        (2**64, "signed 64 bits"),
        ("a\0b", "NUL"),
        ({1: "one"}, "key that is not text"),
        ({b"k": "one"}, "key that is not text"),
        ({"a\0": 1}, "NUL"),
        ({1, 2}, "type set"),
        pytest.param(object(), "type object", id="an object"),
        (nested(100), "nested deeper than 64"),
    ],
    ids=repr,
)
def test_a_reply_cannot_hold_what_a_request_may_not(
    encoding: Encoding, value: Any, problem: str
) -> None:
    """The function's author learns the field; the client never sees it."""
    with pytest.raises(EncodeError, match=problem) as caught:
        encode({"result": {"rows": [{}, {"x": value}]}}, encoding)
    assert "result.rows[1].x" in str(caught.value)


@both
def test_lone_surrogates_do_not_go_out(encoding: Encoding) -> None:
    """And the text itself is not in the error."""
    with pytest.raises(EncodeError, match="not valid Unicode") as caught:
        encode({"x": "secret\ud800"}, encoding)
    assert "secret" not in str(caught.value)


@both
def test_replies_may_be_larger_than_requests(encoding: Encoding) -> None:
    """A page of rows, or the whole index, in one reply."""
    reply = {"rows": [{str(n): n for n in range(201)} for _ in range(1001)]}
    body = encode(reply, encoding)
    assert decode(body, REPLIES) == (reply, encoding)
    with pytest.raises(EncodeError, match="more than 1000 elements"):
        encode(reply, encoding, LIMITS)


@both
def test_a_request_past_the_limits_is_refused_before_it_is_sent(encoding: Encoding) -> None:
    """The server would drop the connection of a client that sends far too much."""
    with pytest.raises(EncodeError, match="longer than 262144 bytes"):
        encode({"id": "a", "action": "b", "params": {"x": "y" * 300_000}}, encoding, LIMITS)


@both
def test_a_reply_of_success_is_read(encoding: Encoding) -> None:
    """With its message and its meta."""
    reply = parse_reply(
        encode(
            {
                "v": 1,
                "id": "r-1",
                "ok": True,
                "result": {"id": 3},
                "message": "to be implemented",
                "meta": {"version": 1, "trace_id": "t"},
            },
            encoding,
        )
    )
    assert (reply.id, reply.ok, reply.result, reply.error) == ("r-1", True, {"id": 3}, None)
    assert reply.message == "to be implemented"
    assert reply.meta["trace_id"] == "t"


@both
def test_a_reply_of_refusal_is_read(encoding: Encoding) -> None:
    """With everything that its error map says."""
    bad = refused(body_of(encoding, timeout=1))
    refusal = bad.refusal._replace(user_message="Please try again", retry_after_ms=250)
    body = {"v": 1, "id": "r-1", "ok": False, "error": refusal.as_map(), "meta": {}}
    reply = parse_reply(encode(body, encoding))
    assert reply.error == refusal
    assert not reply.ok
    assert reply.result is None


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"v": 1, "id": "a", "ok": True},
        {"v": 2, "id": "a", "ok": True, "result": {}},
        {"v": 1, "id": "a", "ok": False, "error": {"code": "internal"}},
        {"v": 1, "id": "a", "ok": True, "result": {}, "error": {"code": "x", "message": "y"}},
        {"v": 1, "id": "a", "ok": False, "error": "text"},
        {"v": 1, "id": "a", "ok": False, "error": {"code": "x", "message": "y", "details": 5}},
    ],
)
def test_what_is_no_reply_is_said_to_be_none(reply: dict[str, Any]) -> None:
    """A client survives a server that speaks something else."""
    with pytest.raises(BadReply):
        parse_reply(encode(reply, "msgpack"))


@given(body=st.binary(max_size=100))
def test_arbitrary_bytes_are_no_reply(body: bytes) -> None:
    """And raise nothing but BadReply."""
    with pytest.raises(BadReply):
        parse_reply(body)

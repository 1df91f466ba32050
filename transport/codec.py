"""Bytes to messages and messages to bytes, in msgpack and in JSON, without I/O.

docs/message-api.md is the law; `transport/request/parser.py` reads requests. What reads and writes JSON is
imported for the first such body: importing it takes longer than a call, and most clients never need it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgpack
from msgpack import packb, unpackb

from transport import message as api
from transport.message import Encoding, Problem, Refusal, Reply
from transport.validation import (
    FAST_BYTES,
    LIMITS,
    NOT_UNICODE,
    REPLIES,
    Limits,
    LimitViolation,
    ValueCounter,
    check_json_size,
    check_limits,
    json_problem,
    msgpack_problem,
    safe_name,
)

__all__ = [
    "LIMITS",
    "REPLIES",
    "BadReply",
    "DecodeError",
    "EncodeError",
    "Limits",
    "decode",
    "encode",
    "encode_around",
    "parse_reply",
]

_SMALL_MAPS = bytes(range(0x80, 0x90))
"""Headers of maps with up to 15 entries."""

_FAST_BODY_BYTES = 64 * 1024
_FAST_MAPS = 16
"""A body of no more bytes and maps is within a reply's limits of length, depth and values."""

_FLAT_TYPES = frozenset({str, int, bool, type(None)})
_UINT64 = b"\xcf"
"""How msgpack begins an integer above 32 bits; it may be one above signed 64 bits."""

_NUL = {"msgpack": b"\0", "json": b"\\u0000"}
"""Bytes that a body has if any of its texts holds NUL."""


class BadReply(ValueError):
    """A body that is not a reply of version 1; the message says why."""


class InvalidBody(ValueError):
    """A body that cannot be encoded or decoded; `problem` names the field and what is wrong with it."""

    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.problem = Problem(field, problem)


class EncodeError(InvalidBody):
    """A map that no body can hold: a limit or a type forbids it."""


class DecodeError(InvalidBody):
    """A body that breaks a limit, or is neither msgpack nor JSON."""


def encoding_of(body: bytes) -> Encoding:
    """Return the encoding by the first byte: no msgpack map begins with `{`."""
    return "json" if body[:1] == b"{" else "msgpack"


def decode(body: bytes, limits: Limits = LIMITS) -> tuple[dict[str, Any], Encoding]:
    """Return the map in a body and its encoding; DecodeError if it breaks a limit."""
    if len(body) > limits.body_bytes:
        raise DecodeError(f"the body is longer than {limits.body_bytes} bytes")
    if body[:1] == b"{":
        return _decode_json(body, limits), "json"
    return _decode_msgpack(body, limits), "msgpack"


def encode(value: Mapping[str, Any], encoding: Encoding, limits: Limits = REPLIES) -> bytes:
    """Return the bytes of a message; EncodeError if a value is not allowed or a limit is exceeded."""
    content = value if type(value) is dict else dict(value)
    body = b""
    try:
        body = packb(content) if encoding == "msgpack" else _to_json(content)
        if encoding == "msgpack" and limits is REPLIES and _is_small(body, content):
            return body
    except (TypeError, ValueError, OverflowError):
        raise _encode_error(content, limits) from None
    return _checked(body, content, encoding, limits)


def encode_between(
    head: bytes, result: Mapping[str, Any], tail: bytes, whole: Callable[[], dict[str, Any]]
) -> bytes:
    """Return what `encode` returns for a message in msgpack whose beginning and end are packed already.

    Nothing in these can break a limit. `whole` makes the message, and is called if the bytes of the result do
    not prove that a reply may hold it. Raises EncodeError.
    """
    if type(result) is not dict:
        return encode(whole(), "msgpack")
    try:
        packed: bytes = packb(result)
        if _is_small(packed, result) or _is_flat(packed, result):
            return head + packed + tail
    except (TypeError, ValueError, OverflowError):
        return encode(whole(), "msgpack")
    return _checked(head + packed + tail, whole(), "msgpack", REPLIES)


def _checked(body: bytes, content: dict[str, Any], encoding: Encoding, limits: Limits) -> bytes:
    """Return the body if the content keeps every limit; EncodeError if not."""
    try:
        check_limits(content, limits, nul=body.find(_NUL[encoding]) >= 0, keys=True)
    except LimitViolation as fault:
        raise EncodeError(fault.problem, fault.field) from None
    if len(body) > limits.body_bytes:
        raise EncodeError(f"the message is longer than {limits.body_bytes} bytes")
    return body


def encode_around(value: Mapping[str, Any], field: str, packed: bytes, encoding: Encoding) -> bytes:
    """Encode a message whose value of `field` is encoded already, as `packed`.

    In `value` the field is None, and comes before any text that is not printable ASCII. Raises EncodeError.
    """
    body = encode(value, encoding)
    if encoding == "msgpack":
        name, nothing = packb(field), b"\xc0"
    else:
        name, nothing = _to_json(field) + b":", b"null"
    return body.replace(name + nothing, name + packed, 1)


def parse_reply(body: bytes) -> Reply:
    """Return the reply in a body; raises BadReply."""
    try:
        value, _ = decode(body, REPLIES)
        return _reply(value)
    except DecodeError as error:
        raise BadReply(str(error)) from None
    except (KeyError, TypeError, ValueError) as error:
        raise BadReply(f"not a reply of version 1: {error}") from None


def _decode_msgpack(body: bytes, limits: Limits) -> dict[str, Any]:
    # A value takes a byte at least: a body shorter than the limit of values need not be counted.
    tally = ValueCounter(limits) if len(body) > limits.values else None
    try:
        value = unpackb(
            body,
            list_hook=tally,
            object_hook=tally,
            max_str_len=limits.body_bytes,
            max_bin_len=0,
            max_array_len=limits.array,
            max_map_len=limits.map,
            max_ext_len=0,
        )
    except LimitViolation as fault:
        raise DecodeError(fault.problem, fault.field) from None
    except (ValueError, msgpack.UnpackException) as error:
        raise _located_error(body, limits) or DecodeError(msgpack_problem(error, limits)) from None
    if type(value) is not dict:
        raise DecodeError("the body is not a map")
    _check_decoded(value, limits, nul=body.find(_NUL["msgpack"]) >= 0)
    # A body that packs to itself holds no key twice: a cheaper check than a hook for each map.
    if packb(value) != body:
        unpackb(body, object_pairs_hook=_reject_duplicate_keys)
    return value


def _located_error(body: bytes, limits: Limits) -> DecodeError | None:
    """Return an error that names the field at which decoding failed; None if the body cannot be read.

    No more values are built than for any other body.
    """
    tally = ValueCounter(limits)
    try:
        value = unpackb(body, list_hook=tally, object_hook=tally, unicode_errors="surrogateescape")
        if type(value) is dict:
            check_limits(value, limits, nul=True, keys=True)
    except LimitViolation as fault:
        is_text = fault.problem == NOT_UNICODE  # msgpack's text is UTF-8
        return DecodeError("text that is not UTF-8" if is_text else fault.problem, fault.field)
    except (ValueError, msgpack.UnpackException):
        return None
    return None


def _is_small(body: bytes, content: dict[str, Any]) -> bool:
    """Return whether the bytes alone prove that a reply may hold this, which spares most replies the walk.

    Without FAST_BYTES such a body is one short header for each map, and nothing else.
    """
    if len(body) > _FAST_BODY_BYTES:
        return False
    rest = body.translate(None, FAST_BYTES)
    if len(rest) > _FAST_MAPS or rest.translate(None, _SMALL_MAPS):
        return False
    return _maps(content) == len(rest)


def _is_flat(packed: bytes, content: dict[str, Any]) -> bool:
    """Return whether the values' types prove the same of a map that holds no other container.

    An id of several bytes may look like the header of one. What may hold a NUL, or an integer outside signed
    64 bits, is left to the walk: a byte shows it.
    """
    "".join(content)
    return (
        len(packed) <= _FAST_BODY_BYTES
        and len(content) <= REPLIES.map
        and _FLAT_TYPES.issuperset(map(type, content.values()))
        and _NUL["msgpack"] not in packed
        and _UINT64 not in packed
    )


def _maps(container: dict[str, Any]) -> int:
    """Return the number of maps in this one, itself included; TypeError if a key is not text."""
    "".join(container)
    values = container.values()
    if dict not in map(type, values):  # as nearly always: without a step in Python for each value
        return 1
    return 1 + sum(_maps(value) for value in values if type(value) is dict)


def _to_json(value: Any) -> bytes:
    from pydantic_core import to_json

    return to_json(value)


def _decode_json(body: bytes, limits: Limits) -> dict[str, Any]:
    from pydantic_core import from_json

    try:
        check_json_size(body, limits)
        value: dict[str, Any] = from_json(body, allow_inf_nan=False, cache_strings="none")
    except LimitViolation as fault:
        raise DecodeError(fault.problem, fault.field) from None
    except ValueError as error:
        raise DecodeError(json_problem(str(error), limits)) from None
    entries = _check_decoded(value, limits, nul=body.find(_NUL["json"]) >= 0)
    # Every entry has a colon: as many colons as entries mean that no entry was overwritten.
    if entries != body.count(b":"):
        json.loads(body, object_pairs_hook=_reject_duplicate_keys)
    return value


def _check_decoded(value: dict[str, Any], limits: Limits, *, nul: bool) -> int:
    try:
        # A key of msgpack that is not text is empty binary, whose length is a NUL byte.
        return check_limits(value, limits, nul=nul, keys=nul)
    except LimitViolation as fault:
        raise DecodeError(fault.problem, fault.field) from None


def _encode_error(content: dict[str, Any], limits: Limits) -> EncodeError:
    """Return why an encoder failed: the walk finds the field of everything but lone surrogates."""
    try:
        check_limits(content, limits, nul=True, keys=True)
    except LimitViolation as fault:
        return EncodeError(fault.problem, fault.field)
    return EncodeError("text that is not valid Unicode")


def _reject_duplicate_keys(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object_pairs_hook that raises DecodeError for a key that occurs twice."""
    made = dict(entries)
    if len(made) == len(entries):
        return made
    twin, _ = Counter(key for key, _ in entries).most_common(1)[0]
    raise DecodeError(f"the key {safe_name(twin)} is there twice in one map")


def _reply(value: dict[str, Any]) -> Reply:
    ok, error = value["ok"], value.get("error")
    if ok is not (error is None) or value["v"] != api.VERSION:
        raise ValueError("`ok`, `error` and `v` do not fit each other")
    return Reply(
        id=value["id"],
        ok=ok,
        result=value["result"] if ok else None,
        error=None if error is None else _refusal(error),
        message=value.get("message"),
        meta=value.get("meta", {}),
    )


def _refusal(error: dict[str, Any]) -> Refusal:
    return Refusal(
        code=error["code"],
        message=error["message"],
        user_message=error.get("user_message"),
        details=tuple(Problem(at["field"], at["problem"]) for at in error.get("details", ())),
        retry_after_ms=error.get("retry_after_ms"),
    )

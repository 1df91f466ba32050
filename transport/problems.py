"""What is wrong with a body, in words for the developer who sent it: never the offending value."""

from __future__ import annotations

import difflib

import msgpack
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from transport.limits import Limits, shown
from transport.message import Problem

_EXPECTED = {
    "v": "must be 1, the version that this server speaks",
    "id": "must be a string of 1-64 printable ASCII characters",
    "tenant": "must be a string of 1-63 of a-z, 0-9 and -, not beginning with -",
    "action": "must be a string of at most 128 characters, dotted lower case, such as contacts.add",
    "params": "must be a map",
    "token": "must be a string of at most 512 characters",
    "timeout_ms": "must be an integer from 1 to 600000",
    "traceparent": "must be a W3C traceparent: 2, 32, 16 and 2 hexadecimal digits, joined by -",
}
"""What each field of a request must be; also the list of fields that there are."""

_DETAILS = 20
"""Problems named in one refusal; who sent more has enough to go on."""


def problems_of(error: ValidationError) -> list[Problem]:
    """Word what is wrong with a request's fields, without their values."""
    errors = error.errors(include_url=False, include_input=False)
    return [_problem(one) for one in errors[:_DETAILS]]


def msgpack_problem(error: Exception, limits: Limits) -> str:
    """What the decoder's error means to a client; its own words are about buffers and options."""
    if isinstance(error, msgpack.ExtraData):
        return "bytes after the end of the map; one message is one body"
    if isinstance(error, msgpack.StackError):
        return f"nested deeper than {limits.depth} levels"
    if isinstance(error, UnicodeDecodeError):
        return "text that is not UTF-8"
    words = str(error)
    for sign, meaning in _msgpack_meanings(limits):
        if sign in words:
            return meaning
    return "neither msgpack nor JSON, or cut short"


def _msgpack_meanings(limits: Limits) -> tuple[tuple[str, str], ...]:
    return (
        ("max_array_len", f"more than {limits.array} elements in one array"),
        ("max_map_len", f"more than {limits.map} entries in one map"),
        ("max_bin_len", "binary data; send text, base64 for example"),
        ("max_ext_len", "an extension type"),
        ("map key", "a key that is not text"),
    )


def json_problem(words: str, limits: Limits) -> str:
    """The decoder's words, which name a position and never a value, save for two limits of ours."""
    if words.startswith("recursion limit"):
        return f"nested deeper than {limits.depth} levels"
    if words.startswith("number out of range"):
        return "an integer outside signed 64 bits"
    return f"not JSON: {words}"


def _problem(error: ErrorDetails) -> Problem:
    field = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field[:64], _EXPECTED, n=1)
        return Problem(
            shown(field), "unknown field" + (f"; did you mean {near[0]}?" if near else "")
        )
    return Problem(field, ("missing; " if error["type"] == "missing" else "") + _EXPECTED[field])

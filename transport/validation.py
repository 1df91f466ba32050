"""The limits of one body in docs/message-api.md, and the walk that checks them.

Messages about violations are for the developer who sent the body. They never hold the offending value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final, NamedTuple

import msgpack

# Bytes of msgpack that can only be part of text, nil, a boolean or an integer of 64 bits. Deleting them
# leaves: NUL, headers of containers, binary, extensions,
# floats, uint64, the unused 0xc1, and some continuation bytes of UTF-8.
FAST_BYTES: Final = bytes(
    byte
    for byte in range(1, 256)
    if not (
        0x80 <= byte <= 0x9F  # fixmap, fixarray
        or byte == 0xC1  # unused
        or 0xC4 <= byte <= 0xCB  # bin, ext, float
        or byte == 0xCF  # uint64
        or 0xD4 <= byte <= 0xD8  # fixext
        or 0xDC <= byte <= 0xDF  # array, map
    )
)


class Limits(NamedTuple):
    """Limits of a body; the defaults are those of docs/message-api.md."""

    body_bytes: int = 256 * 1024
    """Bytes of one body. Maps of empty maps grow 75-fold when unpacked: 256 KiB are then 19 MB."""
    depth: int = 16
    """Nested maps and arrays, the outermost included; far below any recursion limit."""
    values: int = 20_000
    """Elements of arrays and values of maps in all, counted before more are built: about 2 ms of checking."""
    array: int = 1_000
    """Elements of one array: the largest import of rows in one message."""
    map: int = 200
    """Entries of one map: more than a record has columns, few enough for hashing to stay cheap."""


LIMITS = Limits()
"""Limits of a request."""

REPLIES = Limits(body_bytes=16 * 1024 * 1024, depth=64, values=1_000_000, array=100_000, map=10_000)
"""Limits of a reply: the server made it, so they only stop a runaway."""

SMALLEST_INT, LARGEST_INT = -(2**63), 2**63 - 1
"""The integers that SQLite stores."""

NOT_UNICODE = "text that is not valid Unicode"
AN_EXTENSION = "an extension type"
EXTENSIONS = frozenset({"ExtType", "Timestamp"})
"""Types that msgpack's decoder returns for extension types."""

_NUL = "text with a NUL character"
_TOO_LARGE = "an integer outside signed 64 bits"
_SURROGATE = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[\w.\-]{1,64}", re.ASCII)


class LimitViolation(Exception):
    """A value that no body may hold; `field` is its path, such as `params.rows[3].name`."""

    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.problem = problem
        self.field = field


def safe_name(name: str) -> str:
    """Return a field's name if it is safe to print; a placeholder for any other text."""
    return name if _NAME.fullmatch(name) else "(unprintable name)"


def check_limits(body: dict[str, Any], limits: Limits, *, nul: bool, keys: bool) -> int:
    """Check every value of a body, level by level; LimitViolation for the first that is not allowed.

    Returns the number of entries of all its maps. `nul` says whether text can hold NUL, `keys` whether keys
    can be anything but plain text: the caller often knows both from the bytes, at less cost.
    """
    entries = values = 0
    level: list[Any] = [body]
    for _ in range(limits.depth):
        below: list[Any] = []
        for container in level:
            size = len(container)
            values += size
            entries += size if type(container) is dict else 0
            for value in _checked_content(body, container, limits, keys):
                kind = type(value)
                if kind is str:
                    if nul and (wrong := _wrong_text(value)):
                        raise _of(body, container, value, wrong)
                elif kind is int:
                    if not SMALLEST_INT <= value <= LARGEST_INT:
                        raise _of(body, container, value, _TOO_LARGE)
                elif kind is dict or kind is list or kind is tuple:
                    below.append(value)
                elif value is not None and kind is not bool and (wrong := _what_is_wrong(value)):
                    raise _of(body, container, value, wrong)
        if values > limits.values:
            raise too_many(limits.values)
        if not below:
            return entries
        level = below
    raise _at(body, level[0], too_deep(limits.depth).problem)


def _checked_content(
    body: dict[str, Any], container: Any, limits: Limits, keys: bool
) -> Iterable[Any]:
    """Return the values of a map or an array; LimitViolation for its size or for a key of it."""
    size = len(container)
    if type(container) is not dict:
        if size > limits.array:
            raise _at(body, container, f"more than {limits.array} elements in one array")
        content: Iterable[Any] = container
        return content
    if size > limits.map:
        raise _at(body, container, f"more than {limits.map} entries in one map")
    if keys and _joined(body, container).find("\0") >= 0:
        raise _at(body, container, "a key with a NUL character")
    return container.values()


class ValueCounter:
    """Counts the values of a body while it is decoded, so that decoding stops at the limit.

    A container is counted when it is complete: beyond the limit only incomplete ones are built, one at each
    level.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = limits.values
        self._left = limits.values

    def __call__(self, container: Any) -> Any:
        """Count and return a container; LimitViolation if the body has too many values."""
        self._left -= len(container)
        if self._left < 0:
            raise too_many(self._most)
        return container


def check_json_size(body: bytes, limits: Limits) -> None:
    """Count the values of a JSON body by its punctuation; LimitViolation if there are too many.

    Each value but a container's first has a comma before it. Text may hold commas and brackets, so a body
    that looks too large is counted again without its strings, of which a value has two at most.
    """
    if _punctuation(body) <= limits.values:
        return
    body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if body.count(b'"') > 4 * limits.values:
        raise too_many(limits.values)
    bare = b"0".join(body.split(b'"')[::2]).translate(None, b" \t\r\n")
    if b"[" * (limits.depth + 1) in bare:
        raise too_deep(limits.depth)
    if _punctuation(bare) - bare.count(b"[]") - bare.count(b"{}") > limits.values:
        raise too_many(limits.values)


def _punctuation(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def too_many(most: int) -> LimitViolation:
    """Return the violation of a body with too many values."""
    return LimitViolation(f"more than {most} values in all")


def too_deep(most: int) -> LimitViolation:
    """Return the violation of a body that is nested too deep."""
    return LimitViolation(f"nested deeper than {most} levels")


def _joined(body: dict[str, Any], container: dict[Any, Any]) -> str:
    """Join all keys of a map: the cheapest way to check that each is text."""
    try:
        return "".join(container)
    except TypeError:
        raise _at(body, container, "a key that is not text") from None


def _wrong_text(value: str) -> str | None:
    if "\0" in value:
        return _NUL
    return None if value.isascii() or _SURROGATE.search(value) is None else NOT_UNICODE


def _what_is_wrong(value: Any) -> str | None:
    """Check a float, a subclass of str or int, or a type that no body holds."""
    if isinstance(value, float):
        return None if isfinite(value) else "a number that is not finite"
    if isinstance(value, str):
        return _NUL if "\0" in value else None
    if isinstance(value, int):
        return None if SMALLEST_INT <= value <= LARGEST_INT else _TOO_LARGE
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "binary data; send text, base64 for example"
    kind = type(value).__name__
    return AN_EXTENSION if kind in EXTENSIONS else f"a value of type {kind}, which no body holds"


def _of(body: Any, container: Any, value: Any, problem: str) -> LimitViolation:
    name = next(name for name, each in _named(container) if each is value)
    return LimitViolation(problem, _path(body, container, name))


def _at(body: Any, container: Any, problem: str) -> LimitViolation:
    return LimitViolation(problem, _path(body, container))


def _path(body: Any, container: Any, *names: str | int) -> str:
    """Find a container by its identity: paid for only when something is wrong."""
    ways: list[tuple[Any, tuple[str | int, ...]]] = [(body, ())]
    for at, way in ways:
        if at is container:
            parts = (*way, *names)
            text = (
                f"[{part}]" if isinstance(part, int) else f".{safe_name(part)}" for part in parts
            )
            return "".join(text).removeprefix(".")
        ways += [(each, (*way, name)) for name, each in _named(at) if _is_container(each)]
    return ""


def _named(container: Any) -> Iterable[tuple[Any, Any]]:
    return container.items() if isinstance(container, dict) else enumerate(container)


def _is_container(value: Any) -> bool:
    return type(value) in (dict, list, tuple)


def msgpack_problem(error: Exception, limits: Limits) -> str:
    """Reword the decoder's error for a client; the original is about buffers and options."""
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
    """Return the decoder's message, which names a position and no value; two limits are reworded."""
    if words.startswith("recursion limit"):
        return f"nested deeper than {limits.depth} levels"
    if words.startswith("number out of range"):
        return "an integer outside signed 64 bits"
    return f"not JSON: {words}"

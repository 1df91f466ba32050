"""Converts any value to one that a reply can hold: text without NUL and lone surrogates, finite numbers.

Used for values that are stored and read later (log lines, journals, errors), when they are written and again
when they are read: an earlier version or an operator may have written the file. No function here raises.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from math import isfinite
from typing import Any, Final

from transport.validation import LARGEST_INT, SMALLEST_INT

NUL_SIGN: Final = "\N{REPLACEMENT CHARACTER}"
"""Replaces a NUL; a question mark replaces a lone surrogate."""

MAX_DEPTH: Final = 48
"""Nested maps and arrays at most; the reply around them needs further levels."""


def text_of(thing: object) -> str:
    """Return str(thing), or its type if that fails; the text may hold any character."""
    if type(thing) is str:
        return thing
    try:
        return str(thing)
    except Exception:  # noqa: BLE001 - any object may have to be logged, whatever its __str__ does
        return f"({type(thing).__name__}, which has no text)"


def fit_text(thing: object) -> str:
    """Return the thing as text that every body can hold."""
    text = text_of(thing)
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text.replace("\0", NUL_SIGN)


def inert(text: str) -> str:
    """Return the text with everything escaped that could act on a terminal; as JSON it stays the same.

    Escaped are control and format characters (C0, DEL, C1, bidirectional, zero width), lone surrogates, and
    line ends other than a line feed. Tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else json.dumps(sign)[1:-1] for sign in text
    )


def fit_number(number: float) -> int | float | str:
    """Return the number if a reply can hold it, else its text."""
    fits = SMALLEST_INT <= number <= LARGEST_INT if isinstance(number, int) else isfinite(number)
    return number if fits else text_of(number)


def fit(value: object, depth: int = 0) -> Any:
    """Return the value as a reply can hold it: other types become text, values nested too deep are left out.

    Sizes are not limited.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return fit_number(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, Mapping | list | tuple | Set):
        return "(too deep)" if depth >= MAX_DEPTH else _fit_inside(value, depth + 1)
    return fit_text(value)


def fit_map(value: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a map, such as a whole result, as a reply can hold it."""
    return {fit_text(name): fit(inner, 1) for name, inner in value.items()}


def _fit_inside(value: Any, depth: int) -> dict[str, Any] | list[Any]:
    if isinstance(value, Mapping):
        return {fit_text(name): fit(inner, depth) for name, inner in value.items()}
    return [fit(each, depth) for each in value]

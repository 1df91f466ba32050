"""Makes anything fit to be sent: text without NUL and lone surrogates, and values as a reply holds them.

For what is written down to be read back later (log lines, journals, errors), and again where it is read: a
file may hold what an earlier version, or an operator's hand, has written there. Nothing here raises.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from math import isfinite
from typing import Any, Final

from transport.validation import LARGEST_INT, SMALLEST_INT

NUL_SIGN: Final = "\N{REPLACEMENT CHARACTER}"
"""What stands in place of a NUL; a lone surrogate becomes a question mark."""

MOST_DEPTH: Final = 48
"""Maps and arrays inside each other, with room for the reply around them."""


def text_of(thing: object) -> str:
    """The thing as text, which may not fit yet; its type where it has none."""
    if type(thing) is str:
        return thing
    try:
        return str(thing)
    except Exception:  # noqa: BLE001 - what has to be told may be anything, and it has to be told
        return f"({type(thing).__name__}, which has no text)"


def fit_text(thing: object) -> str:
    """The thing as text that every body holds."""
    text = text_of(thing)
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text.replace("\0", NUL_SIGN)


def inert(text: str) -> str:
    """The text as a terminal may have it: what could act on one is escaped, which to JSON is the same.

    That is every control and format character (C0, DEL, C1, bidirectional, zero width), half of a
    surrogate pair, and line ends other than a line feed; a tab stays, too.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else json.dumps(sign)[1:-1] for sign in text
    )


def fit_number(number: float) -> int | float | str:
    """As it is where a reply holds it, else as text."""
    fits = SMALLEST_INT <= number <= LARGEST_INT if isinstance(number, int) else isfinite(number)
    return number if fits else text_of(number)


def fit(value: object, depth: int = 0) -> Any:
    """The value as a reply may hold it: what is of another type becomes text, what is too deep is left out.

    How large it is, is not looked at.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return fit_number(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, Mapping | list | tuple | Set):
        return "(too deep)" if depth >= MOST_DEPTH else _fit_inside(value, depth + 1)
    return fit_text(value)


def fit_map(value: Mapping[Any, Any]) -> dict[str, Any]:
    """The same of a map, such as a whole result."""
    return {fit_text(name): fit(inner, 1) for name, inner in value.items()}


def _fit_inside(value: Any, depth: int) -> dict[str, Any] | list[Any]:
    if isinstance(value, Mapping):
        return {fit_text(name): fit(inner, depth) for name, inner in value.items()}
    return [fit(each, depth) for each in value]

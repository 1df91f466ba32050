"""The variants of a text: what a reader further on may make of it, so that an attack in disguise is seen.

The law of this file: at most six variants, each made in one pass, and none much longer than the text. What a
step would decode beyond MOST_ESCAPES is reported instead of decoded: no text of a person has so many.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import unquote

MOST_ESCAPES: Final = 1000
"""Escapes of one kind in a text that are decoded."""

MOST_EXPANSION: Final = 4
"""Characters that one compatibility character may become; the longest would become 18."""

_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});?")
_COMMENT = re.compile(r"/\*!?[0-9]{0,6}(?<=[!0-9])|/\*[^*]*(?:\*(?!/)[^*]*)*(?:\*/|\Z)|\*/")
"""The opening of a conditional comment, which MySQL reads; a comment; what closed a conditional one."""
_DISGUISED = re.compile(_CONTROL.pattern + r"|[%&]|/\*")

LONG: Final = 1000
"""Characters above which a text beyond ASCII is always looked at: comparing it may take long."""


class Variants(NamedTuple):
    """What a text may mean."""

    texts: tuple[str, ...]
    """The text itself first, each one once."""
    is_towered: bool
    """Whether there were more escapes than are decoded."""


class _Compatible(dict[int, str]):
    """What each character is by Unicode's compatibility; one at a time, since marks are not to be sorted."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKC", chr(code))
        found = self[code] = plain if len(plain) <= MOST_EXPANSION else chr(code)
        return found


_COMPATIBLE = _Compatible()


def is_disguised(text: str) -> bool:
    """Return whether a text may have other variants than itself."""
    if _DISGUISED.search(text) is not None:
        return True
    return not text.isascii() and (len(text) > LONG or not unicodedata.is_normalized("NFKC", text))


def variants_of(text: str) -> Variants:
    """Return the variants of a text. Lone surrogates may be in it."""
    if not is_disguised(text):
        return Variants((text,), is_towered=False)
    texts, is_towered, now = [text], False, text
    for step in _STEPS:
        now, is_over = step(now)
        is_towered |= is_over
        if now not in texts:
            texts.append(now)
    return Variants(tuple(texts), is_towered)


def _visible(text: str) -> tuple[str, bool]:
    plain = text if text.isascii() else text.translate(_COMPATIBLE)
    return _CONTROL.sub(" ", plain), False


def _percent_decoded(text: str) -> tuple[str, bool]:
    count = text.count("%")
    if count == 0 or count > MOST_ESCAPES:
        return text, count > 0
    return _CONTROL.sub(" ", unquote(text, errors="replace")), False


def _unescaped(text: str) -> tuple[str, bool]:
    if "&" not in text:
        return text, False
    plain, count = _ENTITY.subn(lambda entity: html.unescape(entity[0]), text, MOST_ESCAPES)
    return plain, count == MOST_ESCAPES


def _uncommented(text: str) -> tuple[str, bool]:
    """Take out comments of SQL; what a conditional comment holds stays."""
    return (_COMMENT.sub(" ", text), False) if "/*" in text else (text, False)


_STEPS: Final[tuple[Callable[[str], tuple[str, bool]], ...]] = (
    _visible,
    _percent_decoded,
    _percent_decoded,
    _unescaped,
    _uncommented,
)

"""The variants of a text: what a reader further on may make of it, so that an attack in disguise is seen.

The law of this file: at most six variants, each made in one pass, and none much longer than the text. What a
step would decode beyond MOST_ESCAPES is reported instead of decoded: no text of a person has so many.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import unquote

MOST_ESCAPES: Final = 1000
"""Escapes of one kind in a text that are decoded."""

MOST_EXPANSION: Final = 4
"""Characters that one compatibility character may become; the longest would become 18."""

FEW: Final = 8
"""Different hidden characters that are replaced one kind after the other; more are looked up one by one."""

_HIDDEN: Final = (
    *("\x00\x08", "\x0b\x0c", "\x0e\x1f", "\x7f\x7f", "\xa0\xa0", "\xad\xad"),
    *("\u200b\u200f", "\u2028\u202e", "\u2060\u2064", "\ufeff\ufeff"),
)
"""First and last of the characters that are not seen."""

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});?")
_COMMENT = re.compile(r"/\*!?[0-9]{0,6}(?<=[!0-9])|/\*[^*]*(?:\*(?!/)[^*]*)*(?:\*/|\Z)|\*/")
"""The opening of a conditional comment, which MySQL reads; a comment; what closed a conditional one."""


_SOURCES: Final = (
    (0x80, 0x3400), (0xA690, 0xAB70), (0xFB00, 0x10000), (0x10780, 0x107C0),
    (0x1CC00, 0x1CD00), (0x1D400, 0x1D800), (0x1F100, 0x1F300), (0x1FB00, 0x1FC00),
)  # fmt: skip
"""Where Unicode has characters that look like those of ASCII."""


def _plain_characters() -> dict[str, str]:
    """Return what stands for each character that is not seen, or that looks like some of ASCII.

    One character at a time, by Unicode's compatibility: marks are not sorted, which takes long for many.
    """
    plain = {chr(at): " " for first, last in _HIDDEN for at in range(ord(first), ord(last) + 1)}
    for character in (chr(code) for range_ in _SOURCES for code in range(*range_)):
        found = unicodedata.normalize("NFKC", character)
        if len(found) <= MOST_EXPANSION and any(each < "\x80" for each in found):
            plain[character] = found
    return plain


_PLAIN: Final = _plain_characters()
_PLAIN_BY_CODE: Final = {ord(each): plain for each, plain in _PLAIN.items()}


_CODE: Final = r"\U%08x"


def _ranges(first: str, last: str, code: str) -> str:
    """Return the characters of a part of Unicode that have a plain one, for a class of a pattern.

    `code` is how the pattern states the code of a character.
    """
    codes = sorted(ord(each) for each in _PLAIN if first <= each <= last)
    starts = [each for each in codes if each - 1 not in _PLAIN_BY_CODE]
    ends = [each for each in codes if each + 1 not in _PLAIN_BY_CODE]
    return "".join(f"{code % start}-{code % end}" for start, end in zip(starts, ends, strict=True))


def _any_of(first: str, last: str) -> re.Pattern[str]:
    """Return a pattern that finds the characters of a part of Unicode that have a plain one."""
    return re.compile(f"[{_ranges(first, last, _CODE)}]")


_HIDDEN_IN_ASCII = _any_of("\x00", "\x7f")
_HIDDEN_IN_PLANE_0 = _any_of("\x00", "\uffff")
_HIDDEN_ABOVE = _any_of("\U00010000", chr(sys.maxunicode))
"""Apart, since Python's patterns look up a character quickly as long as all are of plane 0."""

_ABOVE = re.compile("[\U00010000-\U0010ffff]")

DISGUISES: Final = r"%|/\*|&(?:#[0-9]|#[xX][0-9a-fA-F]|[A-Za-z][A-Za-z0-9])"
"""A pattern, with regard to case, of what `is_disguised` finds in ASCII besides control characters."""

HIDDEN: Final = "[" + _ranges("\x80", chr(sys.maxunicode), r"\x{%x}") + "]"
"""A pattern of RE2: characters beyond ASCII that have a plain one."""

BEYOND_LATIN: Final = (
    r"[^\x00-\x7f"
    + "".join(chr(each) for each in range(0x80, 0x180) if chr(each) not in _PLAIN)
    + "]"
)
"""A pattern of RE2: characters of which some have a plain one; none of the Latin letters that have none."""


class Variants(NamedTuple):
    """What a text may mean."""

    texts: tuple[str, ...]
    """The text itself first, each one once."""
    is_towered: bool
    """Whether there were more escapes than are decoded."""


def is_disguised(text: str) -> bool:
    """Return whether a text may have other variants than itself."""
    if "%" in text or "/*" in text or ("&" in text and _ENTITY.search(text) is not None):
        return True
    return any(hidden.search(text) is not None for hidden in _patterns_for(text))


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


def _patterns_for(text: str) -> tuple[re.Pattern[str], ...]:
    """Return the patterns that find what is hidden in a text."""
    if text.isascii():
        return (_HIDDEN_IN_ASCII,)
    if _ABOVE.search(text) is None:
        return (_HIDDEN_IN_PLANE_0,)
    return (_HIDDEN_IN_PLANE_0, _HIDDEN_ABOVE)


def _visible(text: str) -> tuple[str, bool]:
    """Put what it stands for in the place of each character that is hidden or looks like another."""
    for hidden in _patterns_for(text):
        found, kinds = hidden.search(text), 0
        while found is not None and kinds < FEW:
            text = text.replace(found[0], _PLAIN[found[0]])
            found, kinds = hidden.search(text, found.start()), kinds + 1
        if found is not None:
            return text.translate(_PLAIN_BY_CODE), False
    return text, False


def _percent_decoded(text: str) -> tuple[str, bool]:
    count = text.count("%")
    if count == 0 or count > MOST_ESCAPES:
        return text, count > 0
    return _visible(unquote(text, errors="replace"))


def _unescaped(text: str) -> tuple[str, bool]:
    if "&" not in text:
        return text, False
    plain, count = _ENTITY.subn(lambda entity: html.unescape(entity[0]), text, MOST_ESCAPES)
    return plain, count == MOST_ESCAPES


def _uncommented(text: str) -> tuple[str, bool]:
    """Take out comments of SQL; what a conditional comment holds stays."""
    count = text.count("/*")
    if count == 0 or count > MOST_ESCAPES:
        return text, count > 0
    return _COMMENT.sub(" ", text), False


_STEPS: Final[tuple[Callable[[str], tuple[str, bool]], ...]] = (
    _visible,
    _percent_decoded,
    _percent_decoded,
    _unescaped,
    _uncommented,
)

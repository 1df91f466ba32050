"""Text as a search sees it: without what tells letters apart that people type for one another."""

from __future__ import annotations

from itertools import chain
from typing import Final
from unicodedata import category, combining, lookup, name, normalize

UNLIKE: Final = {"æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŋ": "n", "ı": "i", "ĸ": "k", "ə": "e"}
"""Letters whose names do not say what they are typed as."""

ALPHABETS: Final = (
    range(0x80, 0x530),  # Latin, Greek, Cyrillic
    range(0x1D6C, 0x1E00),
    range(0x2C60, 0x2C80),
    range(0xA720, 0xA800),
)
"""Where letters with a stroke, a hook or a tail stand, which Unicode does not take apart."""

UNSEEN: Final = frozenset({"Cf", "Co"})
"""Categories of characters that are not seen: joiners, soft hyphens, marks of direction, private ones."""


def _plain(letter: str) -> str:
    """The letter that this one is made from, such as o for ø (o with stroke); itself, where there is none."""
    try:
        return lookup(name(letter, "").partition(" WITH ")[0])
    except KeyError:
        return letter


PLAIN: Final = str.maketrans({chr(code): _plain(chr(code)) for code in chain(*ALPHABETS)} | UNLIKE)


MOST_LETTERS: Final = 20_000
"""Characters whose folding is remembered: some 3 MB, and more than any script in use has."""


class Letters(dict[int, str]):
    """What each character is folded to, by its code: worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        parts = normalize("NFKD", normalize("NFKD", chr(code)).casefold())
        seen = "".join([each for each in parts if each.isascii() or _is_seen(each)])
        found = seen.translate(PLAIN)
        if len(self) < MOST_LETTERS:
            self[code] = found
        return found


def _is_seen(letter: str) -> bool:
    return not combining(letter) and category(letter) not in UNSEEN


LETTERS: Final = Letters()


def folded(text: str) -> str:
    """Text without case, accents, widths and what is not seen; ø as o, ł as l, ß as ss, æ as ae.

    Composed and decomposed text fold alike. What was folded is kept beside the contacts, so a change here
    needs a migration that folds them anew.
    """
    return text.lower() if text.isascii() else text.translate(LETTERS)

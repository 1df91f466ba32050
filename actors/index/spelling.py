"""Nearest names, so that a message about a misspelt name says what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 64
"""Characters of a name that are compared: difflib is quadratic, and the name may come from outside."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """At most `n` of the known names that look like this one, the likeliest first."""
    return difflib.get_close_matches(name[:LONGEST], sorted(known), n)


def hint(name: str, known: Iterable[str]) -> str:
    """`; did you mean x?`, or nothing where no known name comes near."""
    found = nearest(name, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""

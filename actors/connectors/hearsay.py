"""What a peer says of itself, fit to be repeated in an error: short, printable, and without our secrets."""

from __future__ import annotations

from collections.abc import Iterable

from actors.log.redaction import SECRET, discreet

LONGEST = 200
"""Characters."""


def heard(text: str, secrets: Iterable[str] = ()) -> str:
    """The beginning of a peer's words on one line; where it repeats a secret, that is taken out."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, SECRET)
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return discreet(line[:LONGEST])

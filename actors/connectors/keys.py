"""The names of stored objects: a path below a prefix, in one spelling, that leads nowhere else."""

from __future__ import annotations

import unicodedata

from actors.connectors.contract import Permanent

LONGEST = 900
"""Bytes of UTF-8, prefix included, of the 1,024 that S3 takes: a URL has to hold them, too."""

_APART = frozenset("\\\u2028\u2029")


def object_key(prefix: str, key: str) -> str:
    """The whole key, composed (NFC), where both are paths of plain parts; Permanent where one is not."""
    whole = f"{_path(prefix, 'prefix')}/{_path(key, 'key')}"
    if len(whole.encode()) > LONGEST:
        raise Permanent(f"the key with its prefix is longer than {LONGEST} bytes")
    return whole


def _path(text: str, field: str) -> str:
    path = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(sign) in ("Cc", "Cs") or sign in _APART for sign in path):
        raise Permanent(f"{field} holds a control character or a backslash")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise Permanent(
            f"{field} must be a path such as invoices/7.pdf: no / around it, no . and no .."
        )
    return path

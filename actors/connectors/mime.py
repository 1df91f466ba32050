"""The parts of a mail's body (RFC 2045, 2046, 2231), written by hand for the reason that fields.py gives.

Python's generator decodes encoded words in a file's name and writes out what they hold, line breaks included.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from actors.connectors.contract import Permanent

_LINE_ENDS = re.compile(r"\r\n?|\n")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}\Z")
_PIECE = 50
"""Characters or escapes of an encoded name on one line: an escape is never cut in two."""


class Part(NamedTuple):
    """Fields that describe it, and the body that they describe; 7-bit, with CRLF."""

    fields: tuple[str, ...]
    body: bytes

    def __bytes__(self) -> bytes:
        head = "".join(f"{field}\r\n" for field in self.fields)
        return head.encode("ascii") + b"\r\n" + self.body


def text_part(text: str, subtype: str, field: str) -> Part:
    """Text in quoted-printable; Permanent where UTF-8 cannot say it."""
    try:
        plain = _LINE_ENDS.sub("\n", text).encode()
    except UnicodeError:
        raise Permanent(f"{field} holds what UTF-8 cannot say") from None
    described = (
        f'Content-Type: text/{subtype}; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
    )
    body = binascii.b2a_qp(plain, istext=True).replace(b"\n", b"\r\n")
    return Part(described, body if body.endswith(b"\r\n") else body + b"\r\n")


def file_part(name: str, content_type: str, content: bytes) -> Part:
    """A file in base64, as an attachment of that name."""
    described = (
        f"Content-Type: {content_type}",
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: attachment;{_filename(name)}",
    )
    return Part(described, base64.encodebytes(content).replace(b"\n", b"\r\n"))


def joined(kind: str, mark: str, parts: Sequence[Part]) -> Part:
    """Parts in one of multipart/`kind`; one alone stays as it is.

    Between parts stands what none can hold: `=_` is in neither quoted-printable nor base64.
    """
    if len(parts) == 1:
        return parts[0]
    boundary = f"=_{mark}_{kind}"
    between = f"--{boundary}\r\n".encode("ascii")
    body = b"".join(between + bytes(part) + b"\r\n" for part in parts)
    end = f"--{boundary}--\r\n".encode("ascii")
    return Part((f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"',), body + end)


def _filename(name: str) -> str:
    """The parameter, in pieces where it is long (RFC 2231, section 4.1)."""
    if _PLAIN_NAME.match(name):
        return f' filename="{name}"'
    units = re.findall(r"%..|.", quote(name, safe=""))
    pieces = ["".join(units[at : at + _PIECE]) for at in range(0, len(units), _PIECE)]
    start = "utf-8''"
    if len(pieces) == 1:
        return f"\r\n filename*={start}{pieces[0]}"
    return ";".join(
        f"\r\n filename*{at}*={'' if at else start}{piece}" for at, piece in enumerate(pieces)
    )

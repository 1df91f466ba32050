"""Finds the id in a refused body, so that the refusal can be sent; and the tokens it may hold.

Reads the outermost map only, skips other values without building them, and stops at the first `id`. A body
whose id cannot be read so is dropped and counted, as docs/message-api.md says.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgpack

from transport.validation import Limits

_FIELDS = 200
"""Fields read at most: as many as a map may have."""
_BRACKETS = 10_000
"""Brackets of JSON skipped at most: about 3 ms."""
_MARKS = 40_000
"""Quotes, and backslashes, in a JSON body that is read to its end: about 2 ms."""
_BEGINNING = 64 * 1024
"""Bytes read of a body with more quotes or backslashes."""

_MARGIN = 2048
"""Bytes at a body's beginning, and at its end, that hold the fields other than `params`."""
_TOKENS = 16
"""Candidates for tokens taken from the beginning, and from the end."""

# Tokens are printable ASCII, which no header of msgpack is; `params` come between other fields.
_MSGPACK_TOKEN = re.compile(rb"token(?:[\xa0-\xbf]|\xd9.|\xda..|\xdb....)([!-~]{1,512})", re.DOTALL)
_JSON_TOKEN = re.compile(rb'"token"[ \t\r\n]*:[ \t\r\n]*"([!#-\[\]-~]{1,512})"')

# Possessive and anchored by match(): no byte is looked at twice.
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"[^"]*+"?+)*+[\[\]{}]')
_SCALAR = re.compile(rb"[^,\]}\s]*+")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_COLON = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+")
_COMMA = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")


def recover_id(body: bytes, limits: Limits) -> str | None:
    """Return the request's id; None if it cannot be read or is not valid.

    A body over four times the limit is not read: the socket disconnects the peer that sends one.
    """
    if len(body) > 4 * limits.body_bytes:
        return None
    found = _id_in_json(body) if body[:1] == b"{" else _id_in_msgpack(body)
    return valid_id(found)


def tokens_in(body: bytes) -> list[str]:
    """Return candidates for the request's token: texts after the name `token` near the body's ends.

    The body is searched, not parsed, so that some may be values in `params`. JSON escapes in the name or the
    token are not understood.
    """
    pattern = _JSON_TOKEN if body[:1] == b"{" else _MSGPACK_TOKEN
    if len(body) <= 2 * _MARGIN:
        found = pattern.findall(body)
    else:
        found = pattern.findall(body, 0, _MARGIN) + pattern.findall(body, len(body) - _MARGIN)
    if len(found) > 2 * _TOKENS:
        found = found[:_TOKENS] + found[-_TOKENS:]
    return [each.decode() for each in found]


def valid_id(candidate: Any) -> str | None:
    """Return the candidate if it is a valid id, 1-64 printable ASCII characters; else None."""
    if not isinstance(candidate, str) or not 1 <= len(candidate) <= 64:
        return None
    return candidate if candidate.isascii() and candidate.isprintable() else None


def _id_in_msgpack(body: bytes) -> Any:
    fields = msgpack.Unpacker(
        max_buffer_size=len(body),
        max_array_len=0,
        max_map_len=0,
        max_bin_len=0,
        max_ext_len=0,
    )
    fields.feed(body)
    try:
        for _ in range(min(fields.read_map_header(), _FIELDS)):
            if fields.unpack() == "id":
                return fields.unpack()
            fields.skip()
    except (ValueError, msgpack.UnpackException):
        return None  # truncated or not msgpack before any id
    return None


def _id_in_json(body: bytes) -> Any:
    reader = _JsonFields(body)
    for _ in range(_FIELDS):
        name = reader.string()
        if name is None or not reader.skip(_COLON):
            return None
        if name == b'"id"':
            return _text(reader.string())
        if not reader.skip_value() or not reader.skip(_COMMA):
            return None
    return None


def _text(token: bytes | None) -> Any:
    try:
        return None if token is None else json.loads(token)
    except ValueError:
        return None


class _JsonFields:
    """A position in the outermost map of a JSON body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._bare = _without_escapes(body)
        self._at = 1  # after the opening brace
        self._brackets = _BRACKETS
        self.skip(_SPACE)

    def skip(self, pattern: re.Pattern[bytes]) -> bool:
        """Skip what the pattern matches here; False if it does not match."""
        found = pattern.match(self._bare, self._at)
        if found is None:
            return False
        self._at = found.end()
        return True

    def string(self) -> bytes | None:
        """Skip and return the string here, quotes included and even if unclosed; None if there is none."""
        start = self._at
        if self._bare[start : start + 1] != b'"':
            return None
        self._at = self._bare.find(b'"', start + 1) + 1 or len(self._bare)
        return self._body[start : self._at]

    def skip_value(self) -> bool:
        """Skip one value of any kind; False if the budget ends before it."""
        if self._bare[self._at : self._at + 1] in (b"{", b"["):
            return self._skip_container()
        return self.string() is not None or self.skip(_SCALAR)

    def _skip_container(self) -> bool:
        open_brackets = 0
        while self._brackets and self.skip(_TO_BRACKET):
            self._brackets -= 1
            open_brackets += 1 if self._bare[self._at - 1] in b"[{" else -1
            if open_brackets == 0:
                return True
        return False


def _without_escapes(body: bytes) -> bytes:
    """Return the body, or its beginning, with escapes blanked: every quote left delimits a string."""
    if body.count(b'"') > _MARKS or body.count(b"\\") > _MARKS:
        body = body[:_BEGINNING]
    return body.replace(rb"\\", b"__").replace(rb"\"", b"__") if b"\\" in body else body

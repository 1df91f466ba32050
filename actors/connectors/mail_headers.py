"""The header fields of a mail, written by hand: no value can become another field or another address.

Python's own folding of addresses and long names has let line breaks and commas through more than once
(CVE-2024-6923, CVE-2025-1795), and the version it runs on is not ours to choose. So text is either plain and
short, or an encoded word (RFC 2047) whose alphabet has no special characters. A value with a control
character is refused with Permanent.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from actors.connectors.contract import Permanent
from actors.connectors.outbound.targets import host_of

MAX_ADDRESS = 254
"""Characters (RFC 5321, section 4.5.3.1.3, less the angle brackets)."""

MAX_LOCAL_PART = 64
"""Characters before the @ (RFC 5321, section 4.5.3.1.1)."""

MAX_TEXT = 500
"""Characters of a subject or a name."""

MAX_VALUE = 900
"""Characters of an extra header: with its name, a line stays below 998 (RFC 5322, section 2.1.1)."""

EXTRA_HEADERS = frozenset(
    {
        *("in-reply-to", "references", "auto-submitted", "precedence", "list-id"),
        *("list-unsubscribe", "list-unsubscribe-post"),
    }
)
"""Headers that a function may set, in addition to those that begin with X-."""

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_PLAIN = re.compile(r"[ -~]{0,60}\Z")
_X_HEADER = re.compile(r"X-[A-Za-z0-9-]{1,60}\Z", re.IGNORECASE)
_BREAKS = frozenset("\u2028\u2029")
_CHUNK = 42
"""Bytes of UTF-8 in one encoded word, which may be 75 characters long (RFC 2047, section 2)."""


def parse_address(text: str, field: str) -> str:
    """Return an address for the envelope: ASCII, with the domain in canonical form."""
    local, _, domain = text.rpartition("@")
    if not local.isascii():
        raise Permanent(
            f"{field}: the part before the @ is not ASCII: that needs SMTPUTF8, which is not supported"
        )
    if len(local) > MAX_LOCAL_PART or not _LOCAL.match(local):
        raise Permanent(f"{field} is no address such as ada@example.com")
    address = f"{local}@{_domain(domain, field)}"
    if len(address) > MAX_ADDRESS:
        raise Permanent(f"{field} is longer than {MAX_ADDRESS} characters")
    return address


def _domain(text: str, field: str) -> str:
    try:
        domain = host_of(text)
    except Permanent:
        domain = ":"
    if ":" in domain or domain.rpartition(".")[2].isdigit():
        raise Permanent(f"{field} has no domain after the @")
    return domain


def text(value: str, field: str) -> str:
    """Encode a subject or another text for people."""
    check(value, field)
    return value if _is_plain(value) else _encoded_words(value)


def display_name(name: str | None, address: str, field: str) -> str:
    """Return the address with its owner's name, if there is one."""
    if not name:
        return address
    check(name, field)
    if not _is_plain(name):
        return f"{_encoded_words(name)}\r\n <{address}>"
    quoted = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{quoted}" <{address}>'


def address_list(addresses: Iterable[str]) -> str:
    """Join addresses, one on each line."""
    return ",\r\n ".join(addresses)


def date(at: float) -> str:
    """Format a time for a Date field; `at` is time.time()."""
    return format_datetime(datetime.fromtimestamp(int(at), UTC))


def extra_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the function's headers; Permanent if one may not be set or is not plain ASCII."""
    seen = [name.lower() for name in headers]
    for name, value in headers.items():
        if seen.count(name.lower()) > 1:
            raise Permanent(f"headers: {name[:60]!r} is there twice")
        if name.lower() not in EXTRA_HEADERS and not _X_HEADER.match(name):
            raise Permanent(f"headers: {name[:60]!r} cannot be set")
        check(value, f"headers.{name}", MAX_VALUE)
        if not value.isascii() or value != value.strip() or not value or "=?" in value:
            raise Permanent(f"headers.{name} must be ASCII, with no space around it")
    return list(headers.items())


def header_block(fields: Iterable[tuple[str, str]]) -> bytes:
    """Encode the fields as bytes, each on its own lines."""
    return b"".join(f"{name}: {value}\r\n".encode("ascii") for name, value in fields)


def check(value: str, field: str, longest: int = MAX_TEXT) -> None:
    """Raise Permanent if a text is too long or contains a line break or a control character."""
    if len(value) > longest:
        raise Permanent(f"{field} is longer than {longest} characters")
    if any(unicodedata.category(sign) in ("Cc", "Cs") or sign in _BREAKS for sign in value):
        raise Permanent(f"{field} holds a line break or another control character")


def _is_plain(value: str) -> bool:
    return bool(_PLAIN.match(value)) and value == value.strip() and "=?" not in value


def _encoded_words(value: str) -> str:
    """Return encoded words of whole characters, one on each line: readers join them without a space."""
    words: list[bytes] = [b""]
    for sign in value:
        encoded = sign.encode()
        if len(words[-1]) + len(encoded) > _CHUNK:
            words.append(b"")
        words[-1] += encoded
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words)

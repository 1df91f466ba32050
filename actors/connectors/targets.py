"""Where a tenant wants to connect to, read once and strictly: host and port of a relay or of a URL.

Two readers of one URL can differ, and what differs is how checks are passed by. So there is one reader, and
what is ambiguous is refused: numbers that some systems take for addresses, users and passwords, odd schemes.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import httpx2
import idna

from actors.connectors.addresses import Address
from actors.connectors.contract import Permanent

MAIL_PORTS = frozenset({25, 465, 587, 2525})
"""Where relays take mail (RFC 6409, RFC 8314), and what many offer besides."""

WEB_PORTS = frozenset({80, 443, 8000, 8080, 8443, 9000})
"""Where web servers listen, and S3-compatible ones: on others, other protocols would get our bytes."""

LAST_PORT = 65535

LONGEST_HOST = 253
"""Characters of a name (RFC 1035)."""

LONGEST_URL = 2000
"""Characters, which every server takes."""

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_NUMBER = re.compile(r"([0-9]+|0x[0-9a-f]*)\Z")
_DOTTED = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}\Z")


class Target(NamedTuple):
    """A host and a port, not yet resolved."""

    host: str
    """An ASCII name in lower case, or an address as text without brackets."""
    port: int
    encrypted: bool
    """Whether TLS is spoken before anything that is ours."""

    @property
    def address(self) -> Address | None:
        """The host where it is an address; None where it is a name."""
        return _address(self.host)


def host_of(text: str) -> str:
    """A host in its one spelling; Permanent where it is none, or could be read in two ways."""
    name = text.lower()
    if not name.isascii():
        name = _ascii(name)
    if _address(name) is not None:
        return name
    if len(name) > LONGEST_HOST or not _NAME.match(name):
        raise Permanent("the host is not a name or an address as they are written")
    if _NUMBER.match(name.rpartition(".")[2]):
        raise Permanent(
            "the host is a number: an IPv4 address is written as four decimal numbers, without leading zeros"
        )
    return name


def relay(host: str, port: int, *, encrypted: bool) -> Target:
    """An SMTP server."""
    return Target(host_of(host), port, encrypted)


def web(text: str) -> tuple[httpx2.URL, Target]:
    """A URL, and where it leads; Permanent where it is not a plain one of http or https."""
    url = _url(text)
    if url.scheme not in ("https", "http"):
        raise Permanent("the URL must begin with https://")
    if url.userinfo:
        raise Permanent("the URL must hold no user and no password")
    host = host_of(url.raw_host.decode("ascii").strip("[]"))
    encrypted = url.scheme == "https"
    port = url.port or (443 if encrypted else 80)
    if port > LAST_PORT:
        raise Permanent(f"the URL has a port above {LAST_PORT}")
    return url, Target(host, port, encrypted)


def _url(text: str) -> httpx2.URL:
    if len(text) > LONGEST_URL or any(sign <= " " or sign in "\\\x7f" for sign in text):
        raise Permanent(
            f"the URL is longer than {LONGEST_URL} characters, or holds what no URL holds"
        )
    try:
        return httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError, TypeError):
        raise Permanent("the URL cannot be read") from None


def _ascii(name: str) -> str:
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise Permanent("the host is not a name or an address as they are written") from None


def _address(text: str) -> Address | None:
    try:
        if _DOTTED.match(text):
            return IPv4Address(text)
        return IPv6Address(text) if ":" in text and "%" not in text else None
    except ValueError:
        return None

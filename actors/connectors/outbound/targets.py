"""Which addresses are on the public internet, and what the others are: a table, and pure functions.

After the IANA registries of special-purpose addresses (RFC 6890 and its updates). IPv6 is refused unless it
is global unicast, so that ranges not yet assigned are refused, too. An IPv6 address with an embedded IPv4
address is refused as such: its router decides where it leads.

Targets of tenants, host and port of a relay or of a URL, are parsed once and strictly. Two parsers of one URL
can differ, and attackers bypass checks by such differences. So there is one parser, and ambiguous input is
refused: numbers that some systems read as addresses, users and passwords, other schemes.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TYPE_CHECKING, NamedTuple

import idna

from actors.connectors.contract import Permanent

if TYPE_CHECKING:
    import httpx2

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

CLOUD = "a cloud's metadata service"
CARRIER = "carrier-grade NAT"
INSIDE = "IPv4 inside IPv6"
DOCUMENTATION = "for documentation"
RESERVED = "reserved"

_TABLE = (
    ("169.254.169.254/32", CLOUD),
    ("168.63.129.16/32", CLOUD),  # Azure's, among public addresses
    ("100.100.100.200/32", CLOUD),
    ("192.0.0.192/32", CLOUD),
    ("0.0.0.0/32", "unspecified"),
    ("0.0.0.0/8", "of this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", CARRIER),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", RESERVED),
    ("192.0.2.0/24", DOCUMENTATION),
    ("192.88.99.0/24", "a 6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", DOCUMENTATION),
    ("203.0.113.0/24", DOCUMENTATION),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", RESERVED),
    ("fd00:ec2::254/128", CLOUD),
    ("fd20:ce::254/128", CLOUD),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", INSIDE),  # IPv4-compatible
    ("::ffff:0:0/96", INSIDE),  # IPv4-mapped
    ("::ffff:0:0:0/96", INSIDE),  # IPv4-translated
    ("64:ff9b::/96", INSIDE),  # NAT64
    ("64:ff9b:1::/48", INSIDE),  # NAT64 of one's own
    ("2002::/16", INSIDE),  # 6to4
    ("2001::/32", INSIDE),  # Teredo
    ("2001::/23", RESERVED),
    ("2001:db8::/32", DOCUMENTATION),
    ("3fff::/20", DOCUMENTATION),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)

SPECIAL: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), what) for network, what in _TABLE
)
"""The first range that contains an address says what it is."""

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that has been assigned (RFC 4291, section 2.4)."""

ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""Before the IPv4 address in an ISATAP interface identifier (RFC 5214, section 6.1)."""

EMBEDDED = {
    "::/96": 0,
    "::ffff:0:0/96": 0,
    "::ffff:0:0:0/96": 0,
    "64:ff9b::/96": 0,
    "2002::/16": 80,
}
"""Ranges with an embedded IPv4 address, and the number of bits after it."""

_EMBEDDED = tuple((IPv6Network(network), after) for network, after in EMBEDDED.items())


def special_range(address: Address) -> str | None:
    """Return why an address is not public, to be read after `is`; None if it is public."""
    for network, what in SPECIAL:
        if address in network:
            return what
    if isinstance(address, IPv4Address):
        return None
    if address not in GLOBAL_UNICAST:
        return RESERVED
    return INSIDE if (int(address) >> 32) & 0xFFFFFFFF in ISATAP else None


def embedded_ipv4(address: Address) -> IPv4Address | None:
    """Return the IPv4 address embedded in an IPv6 address of a well-known form, or None."""
    for network, after in _EMBEDDED:
        if address in network:
            return IPv4Address((int(address) >> after) & 0xFFFFFFFF)
    return None


def refusal(address: Address, admitted: tuple[Network, ...]) -> str | None:
    """Return why no connection to an address is allowed, in a word or two; None if it is allowed.

    In the `admitted` networks every address is allowed; but an IPv4 address embedded in an admitted IPv6
    address must be public or admitted itself.
    """
    if any(address in network for network in admitted):
        inner = embedded_ipv4(address)
        return None if inner is None else refusal(inner, admitted)
    return special_range(address)


MAIL_PORTS = frozenset({25, 465, 587, 2525})
"""Ports of mail relays (RFC 6409, RFC 8314), and another that many offer."""

WEB_PORTS = frozenset({80, 443, 8000, 8080, 8443, 9000})
"""Ports of web and S3-compatible servers: on others, servers of other protocols would get our bytes."""

MAX_PORT = 65535

MAX_HOST = 253
"""Characters of a name (RFC 1035)."""

MAX_URL = 2000
"""Characters; every server accepts so many."""

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
    """Whether TLS starts before any of our data is sent."""

    @property
    def address(self) -> Address | None:
        """The host if it is an address; None if it is a name."""
        return _address(self.host)


def host_of(text: str) -> str:
    """Return a host in canonical form; Permanent if it is invalid or ambiguous."""
    name = text.lower()
    if not name.isascii():
        name = _ascii(name)
    if _address(name) is not None:
        return name
    if len(name) > MAX_HOST or not _NAME.match(name):
        raise Permanent("the host is not a name or an address as they are written")
    if _NUMBER.match(name.rpartition(".")[2]):
        raise Permanent(
            "the host is a number: an IPv4 address is written as four decimal numbers, without leading zeros"
        )
    return name


def parse_host(host: str, port: int, *, encrypted: bool) -> Target:
    """Return the target of an SMTP server."""
    return Target(host_of(host), port, encrypted)


def parse_url(text: str) -> tuple[httpx2.URL, Target]:
    """Return a URL and its target; Permanent unless it is a plain URL of http or https."""
    url = _url(text)
    if url.scheme not in ("https", "http"):
        raise Permanent("the URL must begin with https://")
    if url.userinfo:
        raise Permanent("the URL must hold no user and no password")
    host = host_of(url.raw_host.decode("ascii").strip("[]"))
    encrypted = url.scheme == "https"
    port = url.port or (443 if encrypted else 80)
    if port > MAX_PORT:
        raise Permanent(f"the URL has a port above {MAX_PORT}")
    return url, Target(host, port, encrypted)


def _url(text: str) -> httpx2.URL:
    if len(text) > MAX_URL or any(sign <= " " or sign in "\\\x7f" for sign in text):
        raise Permanent(f"the URL is longer than {MAX_URL} characters, or holds what no URL holds")
    import httpx2  # when something goes out, and not at the start

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

"""The address of a client that may be behind proxies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

UNKNOWN: Final = "unknown"


def networks_of(texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return addresses and networks; ValueError if a text is neither."""
    return tuple(ip_network(text) for text in texts)


class TrustedProxies:
    """Proxies whose X-Forwarded-For is believed."""

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._networks = networks

    def client(self, peer: str, forwarded: Iterable[str]) -> str:
        """Return the address of the client: the last one in X-Forwarded-For that is no trusted proxy.

        `forwarded` are the header's values. An address that cannot be read is returned as UNKNOWN.
        """
        if not self._networks:
            return peer
        chain = [each.strip() for value in forwarded for each in value.split(",")]
        for address in (peer, *reversed(chain)):
            if not self._is_trusted(address):
                return _normal(address)
        return _normal(chain[0]) if chain else peer

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


def _normal(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return UNKNOWN

"""How far connectors reach: what the operator admits, and the check on the address really connected to.

A name is resolved once, its addresses are checked, and the connection goes to a checked address: a name
that leads elsewhere a moment later changes nothing.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

from actors.connectors.addresses import Address, Network, refusal
from actors.connectors.contract import Delivery, Permanent, Transient
from actors.connectors.resolver import resolve_by_system
from actors.connectors.targets import Target
from actors.errors import SettingsError

Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a name, the preferred ones first; OSError where there are none."""

MOST_ADDRESSES = 4
"""Addresses of one name that are tried, one after the other."""


class Boundary(NamedTuple):
    """What the operator says. The default admits the public internet, encrypted, and nothing else."""

    networks: tuple[Network, ...] = ()
    """Networks that may be reached although they are not public; on any port."""
    plain: bool = False
    """Whether connections without TLS may leave the machine."""
    ca_file: Path | None = None
    """Certificates (PEM) of authorities trusted besides the system's."""
    resolve: Resolver = resolve_by_system

    @classmethod
    def of(
        cls, networks: Iterable[str] = (), *, plain: bool = False, ca_file: Path | None = None
    ) -> Boundary:
        """From settings: networks as `10.1.0.0/16`. SettingsError names what is none."""
        boundary = cls(tuple(_network(text) for text in networks), plain, ca_file)
        try:
            boundary.trust()
        except OSError as error:
            raise SettingsError(
                f"TENANTRY_OUTWARD_CA (--outward-ca): {ca_file}: no certificates (PEM): {error}"
            ) from None
        return boundary

    def trust(self) -> ssl.SSLContext:
        """Checks certificates and names; TLS 1.2 or newer. Loads files: made once, not for each exchange."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is not None:
            context.load_verify_locations(cafile=self.ca_file)
        return context

    async def addresses(self, target: Target, ports: frozenset[int]) -> list[Address]:
        """The addresses of a target that may be connected to, at least one.

        Permanent where there are only others, or the port is not for this; Transient where the name cannot
        be resolved. The caller bounds the time.
        """
        found = [target.address] if target.address else await self._resolved(target.host)
        reasons = {address: self._refusal(address, target, ports) for address in found}
        open_ones = [address for address, reason in reasons.items() if reason is None]
        if not open_ones:
            raise Permanent(f"{target.host} is refused: {next(iter(reasons.values()))}")
        return open_ones[:MOST_ADDRESSES]

    def _refusal(self, address: Address, target: Target, ports: frozenset[int]) -> str | None:
        reason = refusal(address, self.networks)
        if reason is not None:
            admitted = "only public ones are reached unless the server's operator admits more"
            return f"its address is {reason}, and {admitted}"
        if target.port not in ports and not any(address in each for each in self.networks):
            return f"port {target.port} is none of {', '.join(map(str, sorted(ports)))}"
        if not (target.encrypted or self.plain or address.is_loopback):
            return (
                "without TLS only this machine is reached: ask the service for https, or STARTTLS"
            )
        return None

    async def _resolved(self, name: str) -> list[Address]:
        try:
            found = [ip_address(text) for text in await self.resolve(name)]
        except (OSError, ValueError, UnicodeError):
            found = []
        if not found:
            raise Transient(f"{name} cannot be resolved")
        return found


def remaining(delivery: Delivery, most: float) -> float:
    """Seconds that an attempt has, at most `most`; Transient where none are left."""
    seconds = min(most, delivery.deadline - time.monotonic())
    if seconds <= 0:
        raise Transient("there was no time left to begin")
    return seconds


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise SettingsError(
            f"TENANTRY_OUTWARD_NETWORKS (--outward-networks): {error}: a network is written 10.1.0.0/16 or "
            "fd12:3456::/32"
        ) from None

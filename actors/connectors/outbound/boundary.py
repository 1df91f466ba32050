"""The egress policy: which addresses connectors may reach, checked on the address of the connection.

A name is resolved once, its addresses are checked, and the connection goes to a checked address: if the name
leads elsewhere a moment later, that has no effect.

The operating system resolves names, each on its own thread. asyncio has only a few threads for that: names
without an answer would block all others, and the exit of the process. There is one thread for each running
attempt, plus those of ended attempts until the system gives up.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

import structlog

from actors.connectors.contract import Delivery, Permanent, Transient
from actors.connectors.outbound.targets import Address, Network, Target, refusal
from actors.errors import SettingsError


async def resolve_by_system(name: str) -> Sequence[str]:
    """Return the addresses of a name in the system's order; OSError, UnicodeError."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sequence[str]] = loop.create_future()
    work = partial(_resolve_in_thread, name, loop, found)
    threading.Thread(target=work, name=f"resolves {name}", daemon=True).start()
    return await found


def _resolve_in_thread(
    name: str, loop: asyncio.AbstractEventLoop, found: asyncio.Future[Sequence[str]]
) -> None:
    try:
        places = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        answer = partial(_complete, found, error)
    else:
        answer = partial(_complete, found, [str(place[0]) for *_, place in places])
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(answer)


def _complete(found: asyncio.Future[Sequence[str]], answer: Sequence[str] | Exception) -> None:
    if found.done():  # the attempt has ended
        return
    if isinstance(answer, Exception):
        found.set_exception(answer)
    else:
        found.set_result(answer)


log = structlog.get_logger()

Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the addresses of a name, preferred ones first; OSError if there are none."""

MAX_ADDRESSES = 4
"""Addresses of one name that are tried in turn."""

ANY_PUBLIC_ADDRESS = ip_address("1.1.1.1")
"""Represents any public address that a name may have."""

ONLY_PUBLIC = (
    "only public ones are reached unless the server's operator admits more (--outward-networks, "
    "TENANTRY_OUTWARD_NETWORKS)"
)

UNREACHABLE = (
    "{} has no address that is reached from here: its name cannot be resolved, or leads to none that the "
    "server's operator admits (--outward-networks); the server's log says which"
)


class EgressPolicy(NamedTuple):
    """The operator's egress policy. The default admits only the public internet, encrypted."""

    networks: tuple[Network, ...] = ()
    """Networks that are not public and may still be reached, on any port."""
    plain: bool = False
    """Whether connections without TLS may leave the machine."""
    ca_file: Path | None = None
    """Certificates (PEM) of authorities trusted in addition to the system's."""
    resolve: Resolver = resolve_by_system

    @classmethod
    def from_settings(
        cls, networks: Iterable[str] = (), *, plain: bool = False, ca_file: Path | None = None
    ) -> EgressPolicy:
        """Make a policy from settings, networks as `10.1.0.0/16`. SettingsError names an invalid one."""
        egress = cls(tuple(_network(text) for text in networks), plain, ca_file)
        try:
            egress._trust_ca(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except OSError as error:
            raise SettingsError(
                f"TENANTRY_OUTWARD_CA (--outward-ca): {ca_file}: no certificates (PEM): {error}"
            ) from None
        return egress

    def tls_context(self) -> ssl.SSLContext:
        """Return a context that checks certificates and names; TLS 1.2 or newer. Loads files: reuse it."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._trust_ca(context)
        return context

    def _trust_ca(self, context: ssl.SSLContext) -> None:
        if self.ca_file is not None:
            context.load_verify_locations(cafile=self.ca_file)

    async def addresses(self, target: Target, ports: frozenset[int]) -> list[Address]:
        """Return the addresses of a target that may be connected to, at least one.

        Permanent if the address or the port is not allowed. Transient if a name cannot be resolved, or only
        to addresses that are not allowed: only the operator's log says which of the two, or callers could
        enumerate names of the internal network. The caller limits the time.
        """
        if target.address is not None:
            self.require_allowed(target.address, target, ports)
            return [target.address]
        found = await self._resolved(target.host)
        open_ones = [each for each in found if self._blocked_range(each) is None]
        if not open_ones:
            what = [f"{each} ({self._blocked_range(each)})" for each in found[:MAX_ADDRESSES]]
            log.warning("a connector's target is refused", host=target.host, addresses=what)
            raise Transient(UNREACHABLE.format(target.host))
        reasons = {each: self._refusal(each, target, ports) for each in open_ones}
        reached = [each for each, reason in reasons.items() if reason is None]
        if not reached:
            raise Permanent(f"{target.host} is refused: {next(iter(reasons.values()))}")
        return reached[:MAX_ADDRESSES]

    def require_possible(self, target: Target, ports: frozenset[int]) -> None:
        """Raise Permanent if no address of the target can ever be allowed. Resolves nothing."""
        if target.address is not None:
            self.require_allowed(target.address, target, ports)
        elif not self.networks:
            why = self._refusal(ANY_PUBLIC_ADDRESS, target, ports)
            if why is not None:
                raise Permanent(f"{target.host} is refused: {why}")

    def require_allowed(self, address: Address, target: Target, ports: frozenset[int]) -> None:
        """Raise Permanent unless the address may be connected to."""
        what = self._blocked_range(address)
        why = None if what is None else f"its address is {what}, and {ONLY_PUBLIC}"
        why = why or self._refusal(address, target, ports)
        if why is not None:
            raise Permanent(f"{target.host} is refused: {why}")

    def _blocked_range(self, address: Address) -> str | None:
        return refusal(address, self.networks)

    def _refusal(self, address: Address, target: Target, ports: frozenset[int]) -> str | None:
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
            log.warning("a connector's target cannot be resolved", host=name)
            raise Transient(UNREACHABLE.format(name))
        return found


def remaining(delivery: Delivery, most: float) -> float:
    """Return the seconds left for an attempt, at most `most`; Transient if none are left."""
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

"""Who is asking, and what one address may ask before it has shown a valid token.

Every request without a token is taken from its address's rate, and so is every one whose token the server
refused. Past its rate an address is served only under tokens that were seen to be valid here. The server
limits those, by token and tenant.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from ipaddress import ip_address
from typing import Final

import structlog

from transport.gateway.envelope import ReplyHead, problem
from transport.gateway.http_request import Scope
from transport.gateway.proxies import TrustedProxies
from transport.gateway.statuses import HttpRefusal
from transport.message import RESOURCE_EXHAUSTED, UNAUTHENTICATED, Refusal

FORWARDED: Final = b"x-forwarded-for"

MOST_KNOWN: Final = 50_000
"""Tokens remembered as valid, by their hashes, which are salted anew in each process."""

MOST_ADDRESSES: Final = 10_000

BURST_SECONDS: Final = 4.0
"""Seconds' worth of requests at once."""

LATE_SECONDS: Final = 0.25
"""Seconds by which the refusal of an address past its rate is late: a peer that sends again as soon as it is
answered would otherwise be answered thousands of times a second."""

TRIED: Final = 20
"""Different wrong tokens from one address within TRIED_SECONDS that are worth a line in the log."""

TRIED_SECONDS: Final = 600.0

log = structlog.get_logger()


class WrongTokens:
    """Counts wrong tokens by address, and logs addresses that try many; for one event loop."""

    def __init__(self) -> None:
        self._tried: OrderedDict[str, set[int]] = OrderedDict()
        self._since = 0.0

    def count(self, address: str, key: int, now: float) -> None:
        """Count a token, by its hash, at this time.monotonic() in seconds; each once in TRIED_SECONDS."""
        if now - self._since > TRIED_SECONDS:
            self._tried, self._since = OrderedDict(), now
        tried = self._tried.setdefault(address, set())
        tried.add(key)
        if len(tried) > TRIED:
            del self._tried[address]
            log.warning("intent", step="log", signal="tokens-tried", address=address)
        elif len(self._tried) > MOST_ADDRESSES:
            self._tried.popitem(last=False)


class AddressAdmission:
    """The rates of all addresses; for one event loop."""

    def __init__(self, rate: float, proxies: TrustedProxies) -> None:
        """`rate` is in requests a second; 0 for any number."""
        self._step = 1.0 / rate if rate else 0.0
        self._proxies = proxies
        self._known: OrderedDict[int, None] = OrderedDict()
        self._full_at: OrderedDict[bytes | str, float] = OrderedDict()
        self._wrong = WrongTokens()

    async def admit(self, scope: Scope, token: str | None) -> str:
        """Return the address of a request over HTTP, or nothing if its token is known.

        HttpRefusal if the address is past its rate, after LATE_SECONDS.
        """
        if not self._step or self._is_known(token):
            return ""
        forwarded = [each.decode("latin-1") for name, each in scope["headers"] if name == FORWARDED]
        peer = scope["client"][0] if scope["client"] else ""
        address = self._proxies.client(peer, forwarded)
        refusal = self.refusal(address, token)
        if refusal is not None:
            await asyncio.sleep(LATE_SECONDS)
            raise HttpRefusal(refusal)
        return address

    def refusal(self, address: str, token: str | None) -> Refusal | None:
        """Count a request without a token; return the refusal if the address is past its rate."""
        if not self._step or self._is_known(token):
            return None
        now = time.monotonic()
        wait = self._full_at.get(_network(address), now) + self._step - now - BURST_SECONDS
        if wait > 0.0:
            words = "this address has sent too much without a valid token; send it again, with the same id"
            return problem(RESOURCE_EXHAUSTED, words, "", max(1, round(wait * 1000)))
        if token is None:
            self._charge(address, now)
        return None

    def learn(self, address: str, token: str, reply: ReplyHead) -> None:
        """Remember a token with which a request was served; count one that the server refused."""
        key = hash(token)
        if reply.ok:
            if key not in self._known:
                self._known[key] = None
                if len(self._known) > MOST_KNOWN:
                    self._known.popitem(last=False)
        elif reply.error is not None and reply.error.code == UNAUTHENTICATED:
            self._known.pop(key, None)
            if self._step:
                now = time.monotonic()
                self._charge(address, now)
                self._wrong.count(address, key, now)

    def _charge(self, address: str, now: float) -> None:
        key = _network(address)
        self._full_at[key] = max(self._full_at.get(key, now), now) + self._step
        self._full_at.move_to_end(key)
        if len(self._full_at) > MOST_ADDRESSES:
            self._full_at.popitem(last=False)

    def _is_known(self, token: str | None) -> bool:
        return token is not None and hash(token) in self._known


def _network(address: str) -> bytes | str:
    """Return what one sender has: of IPv6 a /64, in which a machine may take any address."""
    if ":" not in address:
        return address
    try:
        return ip_address(address).packed[:8]
    except ValueError:
        return address

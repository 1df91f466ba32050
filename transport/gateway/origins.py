"""Which pages may call: those of the gateway's own origin, and those that a tenant's config lists.

A browser names the page's origin and nothing else does, so this protects people in browsers, and proves
nothing about other callers: the token does.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from msgspec import Raw

from transport.gateway.envelope import JSON, problem, system_request
from transport.gateway.server_link import Reply, ServerLink
from transport.gateway.statuses import HttpRefusal
from transport.message import NOT_FOUND, PERMISSION_DENIED, Refusal

ASK: Final = "system.origin"

KEPT_SECONDS: Final = 30.0
"""Seconds for which an answer of the server holds: how long a change of a config takes to be seen."""

MOST_KEPT: Final = 10_000

TIMEOUT_MS: Final = 5_000

ORIGIN: Final = re.compile(r"https?://[!-~]{1,290}")


class Origins:
    """The origins that may call, asked from the server and kept for a while."""

    def __init__(self, link: ServerLink, everywhere: Iterable[str]) -> None:
        """`everywhere` are origins that may call every tenant."""
        self._link = link
        self._everywhere = frozenset(everywhere)
        self._kept: OrderedDict[tuple[str, str], tuple[float, bool]] = OrderedDict()

    async def require(self, origin: str, host: str | None, tenant: str | None) -> None:
        """Raise HttpRefusal unless pages of this origin may call the tenant.

        `host` is the Host header; a page of the same host is the gateway's own.
        """
        if origin in self._everywhere or is_same_host(origin, host):
            return
        if tenant is None or not ORIGIN.fullmatch(origin) or not await self._ask(tenant, origin):
            place = "tenant" if tenant is None else f"tenant {tenant}"
            words = f"pages of {origin[:100]!r} may not call {place}: its config lists `origins` that may"
            raise HttpRefusal(problem(PERMISSION_DENIED, words))

    def remembers(self, origin: str, host: str | None, tenant: str | None) -> bool:
        """Return whether such pages may call, as far as that is known without asking the server."""
        if origin in self._everywhere or is_same_host(origin, host):
            return True
        return tenant is not None and self._kept.get((tenant, origin), (0.0, False))[1]

    async def _ask(self, tenant: str, origin: str) -> bool:
        """Return the server's answer, or the last one if it gives none."""
        key = (tenant, origin)
        asked, is_allowed = self._kept.get(key, (0.0, False))
        now = time.monotonic()
        if asked and now - asked < KEPT_SECONDS:
            return is_allowed
        outcome = await self._exchange(tenant, origin)
        if isinstance(outcome, Refusal) or outcome[1].error is not None:
            self._require_answer(outcome, has_earlier=asked > 0.0)
            return is_allowed
        is_allowed = JSON.decode(outcome[1].result)["allowed"] is True
        self._kept[key] = (now, is_allowed)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return is_allowed

    def _require_answer(self, outcome: Reply | Refusal, *, has_earlier: bool) -> None:
        """Raise HttpRefusal if the server did not answer, unless it did so before or does not have this."""
        if isinstance(outcome, Refusal):
            refusal = outcome
        else:
            error = outcome[1].error
            assert error is not None
            refusal = problem(
                error.code, "the origin cannot be checked now", "", error.retry_after_ms
            )
        if refusal.code != NOT_FOUND and not has_earlier:
            raise HttpRefusal(refusal)

    async def _exchange(self, tenant: str, origin: str) -> Reply | Refusal:
        params = Raw(JSON.encode({"origin": origin}))
        return await self._link.call(system_request(ASK, params, tenant, TIMEOUT_MS))


def is_same_host(origin: str, host: str | None) -> bool:
    """Return whether an origin is the host that the request was sent to."""
    try:
        return bool(host) and urlsplit(origin).netloc == host
    except ValueError:
        return False

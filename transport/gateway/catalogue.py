"""What the server says of its actions (system.describe), for requests that need an action's schema.

The gateway keeps no index of its own. An action's schema is the same for all who may call it, so it is kept
by name for a while; whether a caller may call is decided by the server at each call.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any, Final

from msgspec import Raw

from transport.gateway.envelope import JSON, Envelope, new_id, problem, trace_of
from transport.gateway.server_link import ServerLink
from transport.gateway.statuses import HttpRefusal
from transport.message import NOT_FOUND, UNAUTHENTICATED, Refusal

DESCRIBE: Final = "system.describe"

KEPT_SECONDS: Final = 10.0
"""Seconds for which an action's schema is kept: how long a changed index takes to be seen."""

MOST_KEPT: Final = 1_000

PAGE: Final = 200
"""Actions asked for at a time, the most that a server gives."""

TIMEOUT_MS: Final = 10_000

Entry = dict[str, Any]


class Catalogue:
    """Asks one server, on behalf of callers."""

    def __init__(self, link: ServerLink) -> None:
        self._link = link
        self._kept: OrderedDict[str, tuple[float, Entry]] = OrderedDict()

    async def find(self, action: str, tenant: str | None, token: str | None) -> Entry:
        """Return the entry of an action that the caller may call. HttpRefusal if there is none."""
        asked, entry = self._kept.get(action, (0.0, {}))
        if entry and time.monotonic() - asked < KEPT_SECONDS:
            return entry
        page = await self._page({"action": action}, tenant, token)
        entry = dict(page["actions"][0])
        self._kept[action] = (time.monotonic(), entry)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return entry

    async def all(self, tenant: str | None, token: str | None) -> AsyncIterator[Entry]:
        """Yield all actions that the caller may call on the data channel, by name."""
        after: str | None = ""
        while after is not None:
            page = await self._page({"after": after, "limit": PAGE}, tenant, token)
            for entry in page["actions"]:
                if entry["channel"] != "admin":
                    yield entry
            after = page["next"]

    async def _page(
        self, params: dict[str, Any], tenant: str | None, token: str | None
    ) -> dict[str, Any]:
        outcome = await self._link.call(
            Envelope(
                id=new_id(),
                tenant=tenant,
                action=DESCRIBE,
                token=token,
                traceparent=trace_of(None),
                timeout_ms=TIMEOUT_MS,
                params=Raw(JSON.encode(params)),
            )
        )
        if isinstance(outcome, Refusal):
            raise HttpRefusal(outcome)
        body, head = outcome
        if head.error is None:
            page: dict[str, Any] = JSON.decode(head.result)
            return page
        if head.error.code == NOT_FOUND and token is None:
            raise HttpRefusal(
                problem(UNAUTHENTICATED, "this action needs a token, or is not there")
            )
        error = JSON.decode(body)["error"]
        raise HttpRefusal(problem(error["code"], error["message"], "", head.error.retry_after_ms))

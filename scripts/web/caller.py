"""The person of one session on the admin channel: what the server lets them see, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from scripts.cli.console.catalog import TENANT_LEVELS, Catalog
from scripts.cli.console.connection import ConsoleConnection, TokenOwner
from scripts.cli.entry import DescribedAction
from scripts.cli.target import Unreachable
from transport.errors import CallError, Unauthenticated, result_of

CATALOG_SECONDS: Final = 300.0
"""Seconds after which the list of what the caller may call is read again."""


class Panel(NamedTuple):
    """What one action answered for a part of a page; a refusal makes no other part fail."""

    action: str
    result: Mapping[str, Any]
    """Empty where there is none: each field of it is then shown as a question mark."""
    problem: str
    """Why there is no result; empty if there is one."""
    is_absent: bool = False
    """Whether it was not even asked for: the server does not list the action for this person."""

    @property
    def ok(self) -> bool:
        """Whether there is a result."""
        return not self.problem and not self.is_absent


class Caller:
    """Calls actions under the token of one session."""

    def __init__(self, connection: ConsoleConnection) -> None:
        self._connection = connection
        self.catalog = Catalog(connection.call, max_age=CATALOG_SECONDS)
        self.who = TokenOwner(None, "", "", None)
        self.entries: Mapping[str, DescribedAction] = {}
        """Actions that the server lists for this person, by name."""

    async def log_in(self) -> None:
        """Ask whom the token stands for and what they may call; raises CallError, Unreachable."""
        self.who = await self._connection.identity()
        await self.refresh()

    async def refresh(self) -> None:
        """Read what the person may call again if that is old; raises CallError, Unreachable."""
        self.entries = await self.catalog.all()

    @property
    def environment(self) -> str:
        """Return the server's environment."""
        return self.catalog.environment

    @property
    def endpoint(self) -> str:
        """Return where the admin channel listens."""
        return self._connection.endpoint

    @property
    def is_of_platform(self) -> bool:
        """Whether the person administers the platform, and not one tenant."""
        return self.who.tenant is None

    def may(self, action: str, *, is_super: bool = False) -> bool:
        """Return whether the server lists an action for this person.

        For the platform's people it also lists what is for a tenant's own alone: they may call that as super
        admins of it.
        """
        entry = self.entries.get(action)
        if entry is None or entry.channel == "data":
            return False
        needs_grant = entry.access in TENANT_LEVELS and entry.platform is None
        return is_super or not (self.is_of_platform and needs_grant)

    async def is_super(self, tenant: str) -> bool:
        """Return whether the person is super admin of a tenant now."""
        if not (self.is_of_platform and self.may("supers.list")):
            return False
        listed = await self.panel("supers.list", tenant=tenant)
        grants = listed.result.get("grants", ())
        return any(each["live"] and each["person"] == self.who.person for each in grants)

    async def call(
        self,
        action: str,
        params: Mapping[str, Any],
        tenant: str | None = None,
        id: str | None = None,
    ) -> Mapping[str, Any]:
        """Return the result; raises CallError, Unreachable."""
        reply = await self._connection.request(action, params, tenant, id)
        return result_of(reply)

    async def panel(
        self, action: str, params: Mapping[str, Any] | None = None, tenant: str | None = None
    ) -> Panel:
        """Return what the action says, or why it says nothing. Raises Unauthenticated."""
        if action not in self.entries:
            return Panel(action, {}, "", is_absent=True)
        try:
            return Panel(action, await self.call(action, params or {}, tenant), "")
        except Unauthenticated:
            raise
        except (CallError, Unreachable) as error:
            return Panel(action, {}, words_of(error))

    async def panels(self, *wanted: tuple[str, Mapping[str, Any], str | None]) -> list[Panel]:
        """Return several at once. Raises Unauthenticated."""
        return list(await asyncio.gather(*(self.panel(*each) for each in wanted)))

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()


def words_of(error: Exception) -> str:
    """Return what a person reads of a failure."""
    if isinstance(error, CallError):
        trace = f" (trace {error.trace_id})" if error.trace_id else ""
        return f"{error.code}: {error.message}{trace}"
    return str(error)


def now_text() -> str:
    """Return the time, to the second, in UTC: what a page says that its figures are from."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

"""The commands that a server offers: its actions, as system.describe lists them for the caller."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from scripts.cli.entry import DescribedAction, entry_of
from transport.errors import NotFound

MAX_AGE = 60.0
"""Seconds after which the list of all actions is read again: another operator may have reloaded the index."""

PAGE = 200
"""Actions requested at a time; the server's own limit."""

TENANT_LEVELS = frozenset({"member", "owner", "admin owner"})
"""Who may call it are people of a tenant, so that it is about one."""

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Calls an action and returns its result; raises CallError."""


class Catalog:
    """Actions that were read from a server, kept until they may be outdated."""

    def __init__(
        self,
        ask: Ask,
        clock: Callable[[], float] = time.monotonic,
        max_age: float = MAX_AGE,
    ) -> None:
        """`max_age` is in seconds."""
        self._ask = ask
        self._clock = clock
        self._max_age = max_age
        self._entries: dict[str, DescribedAction] = {}
        self._read_at: float | None = None
        self.environment = ""
        """The server's environment; empty before the first answer."""

    def forget(self) -> None:
        """Read everything again at the next use."""
        self._entries.clear()
        self._read_at = None

    async def find(self, name: str) -> DescribedAction | None:
        """Return one action, or None if this caller has none of that name; raises CallError."""
        if self._is_old:
            self.forget()
        if name not in self._entries and self._read_at is None:
            try:
                await self._read({"action": name})
            except NotFound:
                return None
        return self._entries.get(name)

    async def all(self) -> Mapping[str, DescribedAction]:
        """Return every action by name, read page by page; raises CallError."""
        if self._read_at is None or self._is_old:
            self.forget()
            after: str | None = ""
            while after is not None:
                after = await self._read({"after": after, "limit": PAGE})
            self._read_at = self._clock()
        return self._entries

    @property
    def loaded(self) -> Mapping[str, DescribedAction]:
        """What has been read up to now, without asking."""
        return self._entries

    @property
    def _is_old(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at > self._max_age

    async def _read(self, wanted: Mapping[str, Any]) -> str | None:
        page = await self._ask("system.describe", wanted)
        self.environment = page["environment"]
        for each in page["actions"]:
            self._entries[each["name"]] = entry_of(each)
        following: str | None = page["next"]
        return following

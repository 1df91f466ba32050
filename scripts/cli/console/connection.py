"""The console's connection to an admin channel: who is calling, over restarts of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scripts.cli.target import ServerTarget, Unreachable, require_listener
from transport.client import AsyncClient
from transport.errors import result_of
from transport.message import Reply

TIMEOUT = 60.0
"""Seconds without a reply after which a request has failed."""

LOOK_SECONDS = 0.2
"""Seconds between two looks for a server that is away."""

PLATFORM = ("developer", "developer admin")

Say = Callable[[str], None]
"""Prints a line that is no result."""


class TokenOwner(NamedTuple):
    """Whom the token stands for."""

    person: str | None
    name: str
    role: str
    tenant: str | None

    def __str__(self) -> str:
        return self.name or self.person or self.role


class ConsoleConnection:
    """Calls actions under one token; on one event loop."""

    def __init__(
        self,
        target: ServerTarget,
        *,
        server_key: bytes | None = None,
        keys: tuple[bytes, bytes] | None = None,
        waits: bool = False,
        say: Say = print,
        timeout: float = TIMEOUT,
    ) -> None:
        """`waits`: wait for a server that is away, and say so, instead of failing at once.

        `timeout` is in seconds, of one request.
        """
        self.endpoint = target.endpoint
        self.token = target.token
        self.hint = target.hint
        self._waits = waits
        self._say = say
        self._client = AsyncClient(
            target.endpoint, timeout=timeout, server_key=server_key, keys=keys
        )

    async def request(
        self,
        action: str,
        params: Mapping[str, Any],
        tenant: str | None = None,
        id: str | None = None,
    ) -> Reply:
        """Return the whole reply; a refusal is returned, not raised. Raises Unreachable, NoAnswer."""
        await self.reach()
        return await self._client.request(action, params, tenant=tenant, token=self.token, id=id)

    async def call(
        self, action: str, params: Mapping[str, Any], tenant: str | None = None
    ) -> Mapping[str, Any]:
        """Return the result; raises Unreachable, and CallError for a refusal."""
        return result_of(await self.request(action, params, tenant))

    async def reach(self) -> None:
        """Wait until a server listens at the socket file, or raise Unreachable if that is not wanted."""
        told = False
        while True:
            try:
                require_listener(self.endpoint)
            except Unreachable:
                if not self._waits:
                    raise
            else:
                if told:
                    self._say("the server is there again")
                return
            if not told:
                self._say(f"no server listens at {self.endpoint}: waiting for it, Ctrl-C gives up")
            told = True
            await asyncio.sleep(LOOK_SECONDS)

    async def identity(self) -> TokenOwner:
        """Ask whom the token stands for, and for their name; raises CallError."""
        told = await self.call("system.whoami", {})
        person, role, tenant = told["person"], told["role"], told["tenant"]
        listing, members = "developers.list", "developers"
        if role not in PLATFORM:
            listing, members = "owners.list", "owners"
        reply = await self.request(listing, {}, tenant)
        people = (reply.result or {}).get(members, [])
        name = next((each["name"] for each in people if each["id"] == person), "")
        return TokenOwner(person, name, role, tenant)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()

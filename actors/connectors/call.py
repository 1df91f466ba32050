"""One call of an operation, from when it came in to what the journal keeps of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from actors.connectors.contract import Delivery
from actors.log.redaction import ALL_SECRET
from actors.messages import Operate
from actors.profiles import EMPTY
from actors.runtime.futures import settle, settle_with_error

OK = "ok"
"""The outcome of what was done; else it is a code of docs/message-api.md."""


class Attempt(NamedTuple):
    """One try of the outside service."""

    at: float
    """Seconds since the epoch."""
    ms: float
    error: str | None
    """None where it succeeded."""


class Call:
    """Its own task's, and its actor's before that."""

    def __init__(self, operate: Operate) -> None:
        self.operate = operate
        self.at = time.time()
        """When it came in, in seconds since the epoch."""
        self.came = time.monotonic()
        self.began: float | None = None
        """time.monotonic() in seconds; None while it waits for its turn."""
        self.alarm: asyncio.TimerHandle | None = None
        """Goes off at the deadline, while it waits."""
        self.service: Mapping[str, Any] = {"version": 0, "state": "", "reason": ""}
        """version, state and reason of what serves it."""
        self.schemas: tuple[Mapping[str, Any], ...] = (ALL_SECRET, ALL_SECRET)
        """Of the inner request and the inner result; as long as none is known, all of it is secret."""
        self.settings: Mapping[str, Any] = EMPTY
        self.revision = 0
        """Of the settings."""
        self.settings_schema: Mapping[str, Any] = {}
        """What the index says of them; what it does not describe is secret."""
        self.outer: Mapping[str, Any] | None = None
        self.response: Mapping[str, Any] | None = None
        self.result: Mapping[str, Any] | None = None
        self.attempts: list[Attempt] = []
        self.outcome = ""
        self.message: str | None = None
        self.ended = 0.0
        """time.monotonic() in seconds."""

    @property
    def tenant_id(self) -> str:
        """Whose it is."""
        return self.operate.tenant.id

    @property
    def delivery(self) -> Delivery:
        """As the connector's code is told of it."""
        operate = self.operate
        return Delivery(
            operation=operate.operation.partition(".")[2],
            tenant=operate.tenant.name,
            key=operate.key,
            at=operate.at,
            deadline=operate.deadline,
            trace_id=operate.trace_id,
        )

    @property
    def party(self) -> str:
        """Whose service, as it is set now, and which where a call names it: what a breaker is about."""
        named = (self.outer or {}).get("url")
        target = named.partition("//")[2].partition("/")[0] if isinstance(named, str) else ""
        return f"{self.tenant_id} {self.revision} {target.lower()}"

    def is_over(self) -> bool:
        """Nobody waits for the answer any more."""
        return time.monotonic() >= self.operate.deadline

    def begin(self) -> None:
        """It waits no longer."""
        self.began = time.monotonic()
        if self.alarm is not None:
            self.alarm.cancel()

    def succeed(self, result: Mapping[str, Any]) -> None:
        """Answer; the answer comes first, and the journal after it."""
        self.result, self.outcome, self.ended = result, OK, time.monotonic()
        settle(self.operate.reply_to, result)

    def fail(self, error: BaseException, outcome: str) -> None:
        """Answer with an error that the function gets to see."""
        self.outcome, self.message, self.ended = outcome, str(error), time.monotonic()
        settle_with_error(self.operate.reply_to, error)

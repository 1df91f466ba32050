"""The LogReader searches the logs. It writes nothing, and does not need the actors that write them.

A search runs in steps, in turns with the other searches. Followers of a log wait here: their search is
repeated at every poll until there are new lines.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from actors.errors import ResourceExhausted, Unavailable
from actors.log import messages
from actors.log.append_file import os_error_text
from actors.log.daily.blocks import LogCatalogue
from actors.log.daily.plain_index import PlainIndexes
from actors.log.daily.search import Page, Search, Steps
from actors.log.messages import ReleaseFollowers, SearchLogs
from actors.runtime.actor import Actor
from actors.runtime.clock import Once
from actors.runtime.futures import resolve, resolve_with_error
from actors.runtime.mailbox import Mailbox

MAX_QUERIES = 128
"""Searches that may run or wait for new lines."""

MAX_PER_TENANT = 8
"""How many of them may be of one tenant."""

POLL_SECONDS = 0.25
"""Seconds between two polls for new lines."""

RETRY_MS = 2000
"""Milliseconds after which callers may retry when too many searches run."""

NO_TENANT = "-"
"""In the place of a tenant's directory where none was named: there is none of that name."""


class NextStep(NamedTuple):
    """To itself: the next step of the next search."""


class Poll(NamedTuple):
    """From the Clock: there may be new lines."""


class RunningQuery(NamedTuple):
    """A search, its reply address, and the deadline for a first line."""

    ask: SearchLogs
    steps: Steps
    reply_to: Any
    deadline: float


class LogReader(Actor):
    """Best on a thread of its own."""

    def __init__(
        self,
        mailbox: Mailbox,
        logs: Path,
        audit: Path,
        zone: ZoneInfo,
        clock: Mailbox,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`logs` is DATA/logs, `audit` is where the admin log is; `zone` is whose days the files are."""
        super().__init__(mailbox)
        self._logs = logs
        self._audit = audit
        self._zone = zone
        self._clock = clock
        self._now = now
        self._indexes = PlainIndexes()
        self._running: deque[RunningQuery] = deque()
        self._waiting: list[RunningQuery] = []
        self._is_ticking = False
        self._is_stopping = False
        self._add_handlers(
            {
                NextStep: lambda _: self._next_step(),
                Poll: lambda _: self._poll(),
                ReleaseFollowers: lambda _: self._release(),
            }
        )

    def on_stop(self) -> None:
        """Refuse every search that has not been answered."""
        for asked in (*self._running, *self._waiting):
            problem = Unavailable("the server stops: search again later", retry_after_ms=RETRY_MS)
            resolve_with_error(asked.reply_to, problem)
        self._running.clear()
        self._waiting.clear()

    def on_failure(self, *_: Any) -> None:
        """As when it stops."""
        self.on_stop()

    def _answer(self, envelope: Any) -> None:
        if not isinstance(envelope.message, SearchLogs) or envelope.reply_to is None:
            super()._answer(envelope)
            return
        try:
            self._begin(envelope.message, envelope.reply_to)
        except Exception as error:  # noqa: BLE001 - the asker gets it; the actor goes on
            resolve_with_error(envelope.reply_to, error)

    def _begin(self, ask: SearchLogs, reply_to: Any) -> None:
        self._require_capacity(ask)
        deadline = self._now() + ask.wait_ms / 1000 if ask.after is not None else 0.0
        self._running.append(self._query(ask, reply_to, deadline))
        if len(self._running) == 1:
            self.mailbox.tell(NextStep())

    def _require_capacity(self, ask: SearchLogs) -> None:
        others = [asked.ask for asked in (*self._running, *self._waiting)]
        own = sum(other.tenant_id == ask.tenant_id for other in others)
        if len(others) >= MAX_QUERIES or (ask.tenant_id is not None and own >= MAX_PER_TENANT):
            raise ResourceExhausted(
                f"{own} searches of this tenant's logs are under way or follow: wait for one of them",
                retry_after_ms=RETRY_MS,
            )

    def _query(self, ask: SearchLogs, reply_to: Any, deadline: float) -> RunningQuery:
        return RunningQuery(
            ask,
            Search(ask, self._catalogue(ask), indexes=self._indexes).steps(),
            reply_to,
            deadline,
        )

    def _catalogue(self, ask: SearchLogs) -> LogCatalogue:
        match ask.log:
            case messages.TENANT:
                return LogCatalogue(
                    self._logs / "tenants" / (ask.tenant_id or NO_TENANT), self._zone
                )
            case messages.ERRORS:
                return LogCatalogue(self._logs / "errors", self._zone)
            case messages.AUDIT:
                return LogCatalogue(self._audit, None)
        raise ValueError(f"there is no log {ask.log!r}")

    def _next_step(self) -> None:
        """One step; the next one is another search's."""
        if not self._running:
            return
        asked = self._running.popleft()
        try:
            next(asked.steps)
        except StopIteration as end:
            self._end(asked, end.value)
        except OSError as error:
            problem = Unavailable(f"the log cannot be read: {os_error_text(error, self._logs)}")
            resolve_with_error(asked.reply_to, problem)
        else:
            self._running.append(asked)
        if self._running:
            self.mailbox.tell(NextStep())

    def _end(self, asked: RunningQuery, page: Page) -> None:
        is_empty = not page["lines"] and page["next"] is None
        if is_empty and not self._is_stopping and self._now() < asked.deadline:
            ask = asked.ask._replace(after=page["newest"])
            self._waiting.append(self._query(ask, asked.reply_to, asked.deadline))
            self._schedule_poll()
        else:
            resolve(asked.reply_to, page)

    def _schedule_poll(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            self._clock.tell(Once(POLL_SECONDS, self.mailbox, Poll()))

    def _poll(self) -> None:
        """Repeat the search of every follower."""
        self._is_ticking = False
        is_idle = not self._running
        self._running.extend(self._waiting)
        self._waiting.clear()
        if is_idle and self._running:
            self.mailbox.tell(NextStep())

    def _release(self) -> None:
        self._is_stopping = True
        self._poll()

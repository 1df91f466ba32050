"""The LogReader: searches the logs for others. It writes nothing, and needs nobody who does to be there.

A search goes step by step, in turns with the other searches. Who follows a log waits here: as long as there
is nothing new, his search is begun again at every tick.
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
from actors.log.daily.blocks import Shelf
from actors.log.daily.search import Page, Search, Steps
from actors.log.messages import ReleaseFollowers, SearchLogs
from actors.runtime.actor import Actor
from actors.runtime.clock import Once
from actors.runtime.futures import resolve, resolve_with_error
from actors.runtime.mailbox import Mailbox

MOST_ASKED = 128
"""Searches that may be under way or wait for new lines."""

MOST_OF_ONE = 8
"""How many of them may be of one tenant."""

TICK_SECONDS = 0.25
"""How often it is looked whether there are new lines."""

RETRY_MS = 2000
"""What a caller is told to wait where a search has no place, in milliseconds."""

NO_TENANT = "-"
"""In the place of a tenant's directory where none was named: there is none of that name."""


class GoOn(NamedTuple):
    """To itself: the next step of the next search."""


class Look(NamedTuple):
    """From the Clock: there may be new lines."""


class Asked(NamedTuple):
    """A search, who waits for its page, and until when he can wait for a first line."""

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
        self._under_way: deque[Asked] = deque()
        self._waiting: list[Asked] = []
        self._is_ticking = False
        self._is_stopping = False

    def on_receive(self, message: Any) -> None:
        """SearchLogs, asked, is answered later; Unavailable where the files cannot be read."""
        match message:
            case GoOn():
                self._go_on()
            case Look():
                self._look()
            case ReleaseFollowers():
                self._let_go()
            case _:
                raise TypeError(f"the LogReader has no handler for {type(message).__name__}")

    def on_stop(self) -> None:
        """Whoever waits for a page hears that there will be none."""
        for asked in (*self._under_way, *self._waiting):
            problem = Unavailable("the server stops: search again later", retry_after_ms=RETRY_MS)
            resolve_with_error(asked.reply_to, problem)
        self._under_way.clear()
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
        self._require_room(ask)
        deadline = self._now() + ask.wait_ms / 1000 if ask.after is not None else 0.0
        self._under_way.append(self._asked(ask, reply_to, deadline))
        if len(self._under_way) == 1:
            self.mailbox.tell(GoOn())

    def _require_room(self, ask: SearchLogs) -> None:
        others = [asked.ask for asked in (*self._under_way, *self._waiting)]
        own = sum(other.tenant_id == ask.tenant_id for other in others)
        if len(others) >= MOST_ASKED or (ask.tenant_id is not None and own >= MOST_OF_ONE):
            raise ResourceExhausted(
                f"{own} searches of this tenant's logs are under way or follow: wait for one of them",
                retry_after_ms=RETRY_MS,
            )

    def _asked(self, ask: SearchLogs, reply_to: Any, deadline: float) -> Asked:
        return Asked(ask, Search(ask, self._shelf(ask)).steps(), reply_to, deadline)

    def _shelf(self, ask: SearchLogs) -> Shelf:
        match ask.log:
            case messages.TENANT:
                return Shelf(self._logs / "tenants" / (ask.tenant_id or NO_TENANT), self._zone)
            case messages.ERRORS:
                return Shelf(self._logs / "errors", self._zone)
            case messages.AUDIT:
                return Shelf(self._audit, None)
        raise ValueError(f"there is no log {ask.log!r}")

    def _go_on(self) -> None:
        """One step; the next one is another search's."""
        if not self._under_way:
            return
        asked = self._under_way.popleft()
        try:
            next(asked.steps)
        except StopIteration as end:
            self._end(asked, end.value)
        except OSError as error:
            problem = Unavailable(f"the log cannot be read: {os_error_text(error, self._logs)}")
            resolve_with_error(asked.reply_to, problem)
        else:
            self._under_way.append(asked)
        if self._under_way:
            self.mailbox.tell(GoOn())

    def _end(self, asked: Asked, page: Page) -> None:
        is_empty = not page["lines"] and page["next"] is None
        if is_empty and not self._is_stopping and self._now() < asked.deadline:
            ask = asked.ask._replace(after=page["newest"])
            self._waiting.append(self._asked(ask, asked.reply_to, asked.deadline))
            self._tick()
        else:
            resolve(asked.reply_to, page)

    def _tick(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            self._clock.tell(Once(TICK_SECONDS, self.mailbox, Look()))

    def _look(self) -> None:
        """Search again for everybody who waits."""
        self._is_ticking = False
        is_idle = not self._under_way
        self._under_way.extend(self._waiting)
        self._waiting.clear()
        if is_idle and self._under_way:
            self.mailbox.tell(GoOn())

    def _let_go(self) -> None:
        self._is_stopping = True
        self._look()

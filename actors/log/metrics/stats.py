"""Stats: keeps the figures of all messages in memory, from its start on.

It is told what the tenants' log is told, after the caller has his answer. What is counted is gone with the
process, as monitoring systems expect of counters.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from actors.host.clocks import rfc3339
from actors.log.messages import (
    AskActionStats,
    AskStats,
    AskTenantStats,
    Count,
    LostLines,
    TurnLines,
)
from actors.log.metrics.figures import Metrics
from actors.log.metrics.histogram import Histogram
from actors.log.metrics.summary import Summary
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox

SPANS_DROPPED = "spans.dropped"
"""The event that says how many messages have no span, as more came than could be made into spans."""


MISSED = "stats.missed"
"""The event that says how many messages are in no figure, as there was no room in the mailbox for them."""


class AskSnapshot(NamedTuple):
    """Ask Stats: a Snapshot, for monitoring systems."""


class SeriesSnapshot(NamedTuple):
    """All messages of one action that ended in one way."""

    action: str
    outcome: str
    requests: int
    replayed: int
    reply_bytes: int
    queued: Histogram
    handled: Histogram


class Snapshot(NamedTuple):
    """Figures that do not change any more."""

    series: tuple[SeriesSnapshot, ...]
    tenants: int
    """Those that have asked for something."""
    events: Mapping[str, int]
    waiting: Mapping[str, int]
    """Messages in actors' mailboxes, by the actors' names."""


class Stats(Actor):
    """Needs a thread of its own only so that tenants do not wait for it: it never waits itself."""

    def __init__(
        self,
        mailbox: Mailbox,
        spans: Mailbox | None = None,
        watched: Sequence[Mailbox] = (),
        clock: Callable[[], float] = time.monotonic,
        epoch: Callable[[], float] = time.time,
    ) -> None:
        """`spans` is told every TurnLines as well; how much mail waits is said of those `watched`."""
        super().__init__(mailbox)
        self._spans = spans
        self._watched = watched
        self._clock = clock
        self._began = clock()
        self._since = rfc3339(epoch())
        self._metrics = Metrics(self._began)
        self._add_handlers(
            {
                TurnLines: self._count,
                Count: lambda message: self._metrics.count_event(message.name, message.by),
                LostLines: lambda message: self._metrics.count_event(MISSED, message.lines),
                AskSnapshot: lambda _: self._snapshot(),
                **dict.fromkeys((AskStats, AskActionStats, AskTenantStats), self._format_answer),
            }
        )

    def handle(self, mail: deque[Any]) -> None:
        """Count what has come; questions in between are answered in their order."""
        self.at = 0
        self._metrics.sample(self._clock())
        while mail and not self.actor_stopped.is_set():
            message = mail[0]
            if type(message) is TurnLines:
                self._count(message)
            else:
                self._handle(message)
            mail.popleft()

    def _count(self, turn: TurnLines) -> None:
        self._metrics.count(turn)
        if self._spans is None:
            return
        if self._spans.try_enqueue(turn):
            self._spans.schedule()
        else:
            self._metrics.count_event(SPANS_DROPPED, len(turn.lines))

    def _format_answer(self, ask: AskStats | AskActionStats | AskTenantStats) -> dict[str, Any]:
        summary = Summary(self._metrics, self._clock())
        match ask:
            case AskStats(tenant_id=None):
                said = {**self._format_age(), **summary.of_all(), "waiting": self._format_waiting()}
            case AskStats(tenant_id=str(tenant_id)):
                said = {**self._format_age(), **summary.of_tenant(tenant_id)}
            case AskActionStats(tenant_id=None):
                said = summary.of_actions(ask.action)
            case AskActionStats(tenant_id=str(tenant_id)):
                said = summary.of_tenants_actions(tenant_id, ask.action)
            case _:
                said = summary.of_tenants()
        return {"since": self._since, **said}

    def _format_age(self) -> dict[str, Any]:
        return {"uptime_seconds": round(self._clock() - self._began, 3)}

    def _format_waiting(self) -> list[dict[str, Any]]:
        return [
            {"actor": name, "messages": count} for name, count in sorted(self._waiting().items())
        ]

    def _waiting(self) -> dict[str, int]:
        return {mailbox.name: len(mailbox) for mailbox in self._watched}

    def _snapshot(self) -> Snapshot:
        figures = self._metrics
        series = tuple(
            SeriesSnapshot(
                each.action,
                each.outcome,
                each.requests,
                each.replayed,
                each.reply_bytes,
                each.timings.queued.copy(),
                each.timings.handled.copy(),
            )
            for each in figures.series.values()
        )
        tenants = len(figures.tenants) + figures.idle.tenants
        return Snapshot(series, tenants, dict(figures.events), self._waiting())

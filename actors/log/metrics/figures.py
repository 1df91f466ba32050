"""Figures of all messages: how many, how they ended, how long they waited and took.

Pure counting, bounded whatever is called: names that callers make up are one action, and the tenants that
have been idle the longest are one tenant.

How often lately: totals as they were at regular times, against the totals now.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from actors.log.messages import Line, TurnLines
from actors.log.metrics.histogram import Histogram, bucket_of
from actors.messages import TenantRecord

SAMPLE_SECONDS = 20.0
"""Seconds from one mark to the next."""

KEPT_SAMPLES = 16
"""Marks: they reach back five minutes."""


class Sample(NamedTuple):
    """The totals at one time."""

    at: float
    totals: dict[str, int]


class RateWindow:
    """Marks of totals that only grow. Counting costs nothing; a mark costs a copy of the totals."""

    def __init__(self, now: float) -> None:
        """`now` is any clock's that never goes back, in seconds, here as in every method."""
        self._marks = deque([Sample(now, {})], KEPT_SAMPLES)

    def sample(self, now: float, totals: Callable[[], Mapping[str, int]]) -> None:
        """Make the marks that are due. Call it before anything is counted that happens now."""
        latest = self._marks[-1].at
        if (due := int((now - latest) // SAMPLE_SECONDS)) == 0:
            return
        # Each counter calls this first, so nothing was counted since the first of them was due.
        then = dict(totals())
        for number in range(max(1, due - KEPT_SAMPLES + 1), due + 1):
            self._marks.append(Sample(latest + number * SAMPLE_SECONDS, then))

    def forget(self, key: str) -> None:
        """It will be counted from zero again, if at all."""
        for mark in self._marks:
            mark.totals.pop(key, None)

    def per_second(self, totals: Mapping[str, int], now: float, seconds: float) -> float:
        """How many a second these are that were counted in the last `seconds`.

        Up to EVERY seconds more are looked at, and as many as there are after a start.
        """
        base = next(
            (mark for mark in reversed(self._marks) if mark.at <= now - seconds), self._marks[0]
        )
        counted = sum(total - base.totals.get(key, 0) for key, total in totals.items())
        return counted / max(now - base.at, 1.0)


UNKNOWN = "(unknown)"
"""Stands for every action that there is not."""

OTHER = "(other)"
"""Stands for every action beyond MOST_SERIES, and for every event beyond MOST_EVENTS."""

MAX_SERIES = 2000
"""Pairs of action and outcome that are counted by themselves."""

MAX_TENANTS = 10_000
"""Tenants that are counted by themselves; 2.5 KB each."""

MAX_EVENTS = 200
"""Names of events that are counted by themselves."""


class Timings:
    """How long messages waited, and took."""

    __slots__ = ("handled", "queued")

    def __init__(self) -> None:
        self.queued = Histogram()
        self.handled = Histogram()

    def merge(self, other: Timings) -> None:
        """Count what the other has counted."""
        self.queued.merge(other.queued)
        self.handled.merge(other.handled)


class Series:
    """All messages of one action that ended in one way."""

    __slots__ = ("action", "outcome", "replayed", "reply_bytes", "requests", "timings")

    def __init__(self, action: str, outcome: str) -> None:
        self.action = action
        self.outcome = outcome
        self.timings = Timings()
        self.requests = 0
        self.replayed = 0
        self.reply_bytes = 0


class TenantMetrics:
    """All messages of one tenant, or of several."""

    __slots__ = ("name", "outcomes", "requests", "timings")

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcomes: dict[Series, int] = {}
        """How many messages of each series are this tenant's."""
        self.requests = 0
        self.timings = Timings()

    def merge(self, other: TenantMetrics) -> None:
        """Count what the other has counted."""
        for series, count in other.outcomes.items():
            self.outcomes[series] = self.outcomes.get(series, 0) + count
        self.requests += other.requests
        self.timings.merge(other.timings)


class IdleTenants(NamedTuple):
    """Tenants that are not counted by themselves any more."""

    figures: TenantMetrics
    tenants: int
    """How often one was put here; one that came back and went again counts twice."""


class Metrics:
    """All of it; for one actor."""

    def __init__(self, now: float) -> None:
        """`now` is a clock's that never goes back, in seconds, as in `mark`."""
        self.series: dict[tuple[str, str], Series] = {}
        self.tenants: dict[str, TenantMetrics] = {}
        """By id; who was active last comes last."""
        self.idle = IdleTenants(TenantMetrics(OTHER), 0)
        self.events: Counter[str] = Counter()
        self.by_action = RateWindow(now)
        self.by_tenant = RateWindow(now)

    def sample(self, now: float) -> None:
        """Call it before each batch: rates go by it."""
        self.by_action.sample(now, self.requests_by_action)
        self.by_tenant.sample(now, self._requests_by_tenant)

    def count(self, turn: TurnLines) -> None:
        """Count what a turn has answered."""
        tenant = self._tenant(turn.tenant)
        tenant.requests += len(turn.lines)
        alike: dict[tuple[str, str], list[Line]] = {}
        for line in turn.lines:
            alike.setdefault((line.action, line.outcome), []).append(line)
        for kind, lines in alike.items():
            series = self.series.get(kind)
            if series is None:  # by that name: lines may then be of several
                for line in lines:
                    _count_alike(tenant, self._series(line), [line])
            else:
                _count_alike(tenant, series, lines)

    def count_event(self, name: str, by: int) -> None:
        """Count what no tenant's turn tells."""
        is_known = name in self.events or len(self.events) < MAX_EVENTS
        self.events[name if is_known else OTHER] += by

    def requests_by_action(self) -> Counter[str]:
        """Whatever their outcomes."""
        found: Counter[str] = Counter()
        for series in self.series.values():
            found[series.action] += series.requests
        return found

    def _requests_by_tenant(self) -> dict[str, int]:
        return {tenant_id: tenant.requests for tenant_id, tenant in self.tenants.items()}

    def _tenant(self, record: TenantRecord) -> TenantMetrics:
        """Its figures, moved to the end of all."""
        found = self.tenants.pop(record.id, None)
        if found is None:
            found = TenantMetrics(record.name)
            if len(self.tenants) >= MAX_TENANTS:
                self._aggregate()
        self.tenants[record.id] = found
        return found

    def _aggregate(self) -> None:
        quietest = next(iter(self.tenants))
        self.idle.figures.merge(self.tenants.pop(quietest))
        self.idle = self.idle._replace(tenants=self.idle.tenants + 1)
        self.by_tenant.forget(quietest)

    def _series(self, line: Line) -> Series:
        """For a pair that has none by that name: a new one, or one that stands for many."""
        action = UNKNOWN if line.schema is None else line.action
        if len(self.series) >= MAX_SERIES and (action, line.outcome) not in self.series:
            action = OTHER
        key = (action, line.outcome)
        found = self.series.get(key)
        if found is None:
            found = self.series[key] = Series(*key)
        return found


def _count_alike(tenant: TenantMetrics, series: Series, lines: Sequence[Line]) -> None:
    """Count lines of one tenant and one series."""
    series.requests += len(lines)
    tenant.outcomes[series] = tenant.outcomes.get(series, 0) + len(lines)
    series.reply_bytes += sum([line.reply_bytes for line in lines])
    series.replayed += sum([line.replayed for line in lines])
    queued, handled = [line.queued_ms for line in lines], [line.handled_ms for line in lines]
    buckets, total = [*map(bucket_of, queued)], sum(queued)
    tenant.timings.queued.add(buckets, total)
    series.timings.queued.add(buckets, total)
    buckets, total = [*map(bucket_of, handled)], sum(handled)
    tenant.timings.handled.add(buckets, total)
    series.timings.handled.add(buckets, total)

"""How one version fares in this process: what decides that the machine takes it out, and for whom.

One tenant's failures may have a cause of its own: its data, its callers' input, what its outside service
answers. They take the version out for that tenant alone, for a while and in memory; for all it goes out only
where failures come from several. What has nothing to fall back on stays, and an alarm is raised.

Every tenant's turn counts here and one of them finds that enough is enough, in the turn in which that
happens; so this is shared, and safe for the same reason as a mailbox's token: each step is one operation that
CPython does as a whole (`next` of a count, `append` and `pop` of a deque, a dictionary's item).
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from enum import Enum
from typing import Final, NamedTuple, Self

from actors.index.entries import Threshold

HUNG_AFTER = 30.0
"""Seconds in a function after which its call counts as failed although it has not ended.

Not the request's own timeout: callers could make that so short that a sound version seemed to hang."""


CHECK_SECONDS = 1.0
"""How often calls that hang are looked for."""

SEVERAL: Final = 3
"""Tenants whose failures are the version's own; where an environment has fewer, all of them that call it."""

TRIP_SECONDS: Final = 600.0
"""For which a version is out for one tenant; an alarm is raised again after as long."""

MOST_TENANTS: Final = 1000
"""Tenants whose failures are remembered of one version; what failed longest ago is forgotten first."""


class Blame(Enum):
    """What a failure means that was one too many."""

    VERSION = "a version keeps failing and was taken out"
    """For all: failures come from several tenants."""
    TENANT = "a version keeps failing for one tenant and was taken out for it"
    """For the tenant whose call it was."""
    ALARM = "a version keeps failing and stays in service: there is nothing to fall back on"
    """For no tenant: it would be out if anything could take over."""


class Failure(NamedTuple):
    """One call that ended in an unexpected error, or did not end."""

    call: int
    """Its number among the version's calls, from 1 on."""
    at: float
    """time.monotonic(), in seconds."""
    trace_id: str
    tenant: str


class Running(NamedTuple):
    """A call that has begun; `with running:` says when it ends, one way or the other."""

    call: int
    began: float
    """time.monotonic(), in seconds."""
    trace_id: str
    tenant: str
    detector: FailureDetector

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detector.finish(self)


class TenantFailures:
    """What one tenant has with a version, from its first failure on."""

    __slots__ = ("calls", "failures", "tripped_until")

    def __init__(self, most: int) -> None:
        self.calls = 0
        """Of this tenant, since."""
        self.failures: deque[tuple[int, float]] = deque(maxlen=most)
        """The latest: after how many calls, and time.monotonic() in seconds."""
        self.tripped_until = 0.0
        """In seconds of time.monotonic(): until then the fallback is served to it."""

    def add_failure(self, limit: Threshold, now: float) -> bool:
        """One more failure; True where it is one too many for this tenant, and not known to be."""
        self.failures.append((self.calls, now))
        calls, since = self.failures[0]
        if self.tripped_until > now or len(self.failures) < limit.failures:
            return False
        return self.calls - calls < limit.calls and now - since <= limit.seconds

    def trip(self, now: float) -> None:
        """Out for a while; what comes after is judged anew."""
        self.tripped_until = now + TRIP_SECONDS
        self.failures.clear()


class FailureDetector:
    """Of one version, from when its code was loaded."""

    __slots__ = (
        "_alarmed_until",
        "_callers",
        "_calls",
        "_failures",
        "_hung",
        "_running",
        "_token",
        "by_tenant",
        "evidence",
        "is_tripped",
        "threshold",
    )

    def __init__(self, threshold: Threshold | None) -> None:
        """`threshold` is None where the machine takes nothing out."""
        self.threshold = threshold
        self.is_tripped = False
        """True from the failure on that was one too many for all: the fallback is served."""
        self.evidence: tuple[Failure, ...] = ()
        """The failures for which it went out."""
        self.by_tenant: dict[str, TenantFailures] = {}
        """By tenant; empty where none has failed."""
        self._calls = itertools.count(1)
        self._callers: dict[str, None] = {}  # the first few
        self._failures: deque[Failure] = deque(maxlen=threshold.calls if threshold else 5)
        self._running: dict[str, Running] = {}
        self._hung: set[int] = set()
        self._token: deque[None] = deque([None])  # whoever pops it is the one who takes it out
        self._alarmed_until = 0.0

    def start(self, tenant: str, trace_id: str) -> Running:
        """A call begins. One tenant has one at a time."""
        running = self._running[tenant] = self.track(tenant, trace_id)
        return running

    def track(self, tenant: str, trace_id: str) -> Running:
        """A call that nobody looks for when it hangs: a connector's, which is cancelled at its deadline."""
        if len(self._callers) < SEVERAL:
            self._callers[tenant] = None
        if self.by_tenant and (counts := self.by_tenant.get(tenant)) is not None:
            counts.calls += 1
        return Running(next(self._calls), time.monotonic(), trace_id, tenant, self)

    def finish(self, running: Running) -> None:
        """It has ended, one way or the other."""
        self._running.pop(running.tenant, None)

    def record_failure(
        self, running: Running, tenants: int = 1, *, is_replaceable: bool = True
    ) -> Blame | None:
        """It has failed; what that means, told to one call, where it is one too many.

        `tenants` is how many the environment has; not `is_replaceable` where nothing would take over.
        """
        if not self._counts(running):
            return None
        failure = Failure(running.call, time.monotonic(), running.trace_id, running.tenant)
        self._failures.append(failure)
        limit = self.threshold
        if limit is None or self.is_tripped:
            return None
        counts = self._failures_of(failure, limit)
        is_theirs = counts.add_failure(limit, failure.at)
        if is_theirs:
            counts.trip(failure.at)
        if self._has_many_tenants(limit, tenants, found := self._evidence(limit, failure.at)):
            return self._trip(found) if is_replaceable else self._alarm(failure.at)
        if is_theirs:
            return Blame.TENANT if is_replaceable else Blame.ALARM
        return None

    def is_tripped_for(self, tenant: str) -> bool:
        """Whether the fallback is served to this tenant."""
        counts = self.by_tenant.get(tenant)
        return self.is_tripped or (counts is not None and counts.tripped_until > time.monotonic())

    def tripped_for(self) -> dict[str, float]:
        """The tenants that it is out for, by themselves: for how many more seconds."""
        now = time.monotonic()
        left = {name: each.tripped_until - now for name, each in list(self.by_tenant.items())}
        return {name: seconds for name, seconds in left.items() if seconds > 0}

    def reset(self) -> None:
        """What was to take over is not there any more: it stays, and is judged anew."""
        self._failures.clear()
        self.is_tripped = False
        self._token.append(None)

    def hung_calls(self) -> list[Running]:
        """Calls that have been running for too long and were not told of before. For one asker only."""
        before = time.monotonic() - HUNG_AFTER
        running = list(self._running.values())
        found = [each for each in running if each.began < before and each.call not in self._hung]
        self._hung.update(each.call for each in found)
        return found

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The latest, oldest first."""
        return tuple(self._failures)

    def _counts(self, running: Running) -> bool:
        """Not where it was counted when it hung, and not where it is of long before what failed lately."""
        limit = self.threshold or Threshold()
        counted = [each.call for each in self.failures]
        return running.call not in counted and max(counted, default=0) - running.call < limit.calls

    def _failures_of(self, failure: Failure, limit: Threshold) -> TenantFailures:
        found = self.by_tenant.get(failure.tenant)
        if found is None:
            if len(self.by_tenant) >= MOST_TENANTS:
                self.by_tenant.pop(next(iter(list(self.by_tenant))), None)
            found = TenantFailures(limit.failures)
        else:
            self.by_tenant.pop(failure.tenant, None)  # to be the last in order
        self.by_tenant[failure.tenant] = found
        return found

    def _evidence(self, limit: Threshold, now: float) -> tuple[Failure, ...]:
        """What failed within so many calls and seconds, oldest first."""
        failures = self.failures
        newest = max(each.call for each in failures)
        return tuple(
            each
            for each in failures
            if newest - each.call < limit.calls and now - each.at <= limit.seconds
        )

    def _has_many_tenants(self, limit: Threshold, tenants: int, found: tuple[Failure, ...]) -> bool:
        needed = SEVERAL if tenants >= SEVERAL else min(len(self._callers), max(tenants, 1))
        return len(found) >= limit.failures and len({each.tenant for each in found}) >= needed

    def _trip(self, evidence: tuple[Failure, ...]) -> Blame | None:
        self.is_tripped = True
        try:
            self._token.pop()
        except IndexError:
            return None
        self.evidence = evidence
        return Blame.VERSION

    def _alarm(self, now: float) -> Blame | None:
        if self._alarmed_until > now:
            return None
        self._alarmed_until = now + TRIP_SECONDS
        return Blame.ALARM


def calls_spanned(failures: tuple[Failure, ...]) -> int:
    """Within how many calls they happened: calls of many tenants do not end in the order of their numbers."""
    calls = [each.call for each in failures]
    return max(calls) - min(calls) + 1

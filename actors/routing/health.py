"""Failure detection for one version in this process: decides whether it is tripped, and for which tenants.

One tenant's failures may have a cause of its own: its data, its callers' input, the replies of its outside
service. They trip the version for that tenant alone, for a while and in memory; it is tripped for all tenants
only if failures come from several. A version without a fallback stays, and an alarm is raised.

Every tenant's thread counts failures here; the one that reaches the threshold trips the version in the same
turn. So this is shared, and safe for the same reason as a mailbox's token: each step is one operation that
CPython does as a whole (`next` of a count, `append` and `pop` of a deque, a dictionary's item).
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from enum import Enum
from typing import Final, NamedTuple, Self, final

from msgspec import Struct
from msgspec.structs import replace

from actors.index.entries import Threshold

HUNG_AFTER = 30.0
"""Seconds in a function after which its call is hung and counts as a failure.

Not the request's own timeout: callers could make that so short that a sound version seemed to hang."""


CHECK_SECONDS = 1.0
"""Seconds between two checks for hung calls."""

SEVERAL: Final = 3
"""Tenants whose failures trip a version for all; if an environment has fewer, all that call it."""

TRIP_SECONDS: Final = 600.0
"""Seconds for which a version is tripped for one tenant, and between two alarms."""

MOST_TENANTS: Final = 1000
"""Most tenants whose failures are kept for one version; the oldest failure is dropped first."""


class Blame(Enum):
    """What follows from a failure that reached the threshold; the values are log events."""

    VERSION = "a version keeps failing and was taken out"
    """Tripped for all tenants: failures come from several."""
    TENANT = "a version keeps failing for one tenant and was taken out for it"
    """Tripped for the tenant of the failed call."""
    ALARM = "a version keeps failing and stays in service: there is nothing to fall back on"
    """Not tripped, because it has no fallback."""


class Failure(NamedTuple):
    """One call that ended in an unexpected error, or hung."""

    call: int
    """Its number among the version's calls, from 1 on."""
    at: float
    """time.monotonic(), in seconds."""
    trace_id: str
    tenant: str


@final
class Running(Struct, frozen=True):
    """A call that has started; leaving `with running:` finishes it, whatever its outcome."""

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
    """One tenant's calls and failures of a version, from its first failure on."""

    __slots__ = ("calls", "failures", "tripped_until")

    def __init__(self, most: int) -> None:
        self.calls = 0
        """Calls of this tenant since its first failure."""
        self.failures: deque[tuple[int, float]] = deque(maxlen=most)
        """The latest failures: the count of calls before each, and time.monotonic() in seconds."""
        self.tripped_until = 0.0
        """time.monotonic() in seconds: until then this tenant is served the fallback."""

    def add_failure(self, limit: Threshold, now: float) -> bool:
        """Add a failure; True if it reaches the threshold and the version is not tripped for the tenant."""
        self.failures.append((self.calls, now))
        calls, since = self.failures[0]
        if self.tripped_until > now or len(self.failures) < limit.failures:
            return False
        return self.calls - calls < limit.calls and now - since <= limit.seconds

    def trip(self, now: float) -> None:
        """Trip the version for TRIP_SECONDS, and forget the failures so far."""
        self.tripped_until = now + TRIP_SECONDS
        self.failures.clear()


class FailureDetector:
    """Counts the calls and failures of one version from when its code was loaded. Shared by threads."""

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
        """`threshold` is None if versions are never tripped."""
        self.threshold = threshold
        self.is_tripped = False
        """True once the version is tripped for all tenants: the fallback is served."""
        self.evidence: tuple[Failure, ...] = ()
        """The failures that tripped it."""
        self.by_tenant: dict[str, TenantFailures] = {}
        """Failures by tenant; empty if no call has failed."""
        self._calls = itertools.count(1)
        self._callers: dict[str, None] = {}  # the first few
        self._failures: deque[Failure] = deque(maxlen=threshold.calls if threshold else 5)
        self._running: dict[str, Running] = {}
        self._hung: set[int] = set()
        self._token: deque[None] = deque([None])  # the thread that pops it trips the version
        self._alarmed_until = 0.0

    def start(self, tenant: str, trace_id: str) -> Running:
        """Start a call that is checked for hanging. One tenant has one such call at a time."""
        running = self._running[tenant] = self.track(tenant, trace_id)
        return running

    def restart(self, running: Running) -> Running:
        """Start a call again that was counted before and left nothing: it keeps its number."""
        again = self._running[running.tenant] = replace(running, began=time.monotonic())
        return again

    def track(self, tenant: str, trace_id: str) -> Running:
        """Start a call that is not checked for hanging: a connector's, which is cancelled at its deadline."""
        if len(self._callers) < SEVERAL:
            self._callers[tenant] = None
        if self.by_tenant and (counts := self.by_tenant.get(tenant)) is not None:
            counts.calls += 1
        return Running(next(self._calls), time.monotonic(), trace_id, tenant, self)

    def finish(self, running: Running) -> None:
        """Finish a call, whatever its outcome."""
        self._running.pop(running.tenant, None)

    def record_failure(
        self, running: Running, tenants: int = 1, *, is_replaceable: bool = True
    ) -> Blame | None:
        """Count a failure; return what follows, to one call only, if it reaches the threshold.

        `tenants` is how many the environment has; `is_replaceable` is False if there is no fallback.
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
        """Return whether this tenant is served the fallback."""
        counts = self.by_tenant.get(tenant)
        return self.is_tripped or (counts is not None and counts.tripped_until > time.monotonic())

    def tripped_for(self) -> dict[str, float]:
        """Return the tenants it is tripped for alone, each with the seconds that are left."""
        now = time.monotonic()
        left = {name: each.tripped_until - now for name, each in list(self.by_tenant.items())}
        return {name: seconds for name, seconds in left.items() if seconds > 0}

    def reset(self) -> None:
        """Undo a trip, because the fallback is gone; earlier failures no longer count."""
        self._failures.clear()
        self.is_tripped = False
        self._token.append(None)

    def hung_calls(self) -> list[Running]:
        """Return the calls that hang and were not returned before. Only the Registry calls this."""
        before = time.monotonic() - HUNG_AFTER
        running = list(self._running.values())
        found = [each for each in running if each.began < before and each.call not in self._hung]
        self._hung.update(each.call for each in found)
        return found

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The latest failures, oldest first."""
        while True:
            try:
                return tuple(self._failures)
            except RuntimeError:  # another thread has appended one meanwhile
                continue

    def _counts(self, running: Running) -> bool:
        """Not if it was counted when it hung, nor if it started long before the latest failures."""
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
        """Return the failures within the threshold's calls and seconds, oldest first."""
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
    """Return how many calls the failures span. Calls of many tenants do not end in order of their numbers."""
    calls = [each.call for each in failures]
    return max(calls) - min(calls) + 1

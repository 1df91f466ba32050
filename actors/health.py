"""How one version fares in this process: what decides that the machine takes it out.

Every tenant's turn counts here and one of them finds that enough is enough, in the turn in which that
happens; so this is shared, and safe for the same reason as a mailbox's token: each step is one operation that
CPython does as a whole (`next` of a count, `append` and `pop` of a deque, a dictionary's item).
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from typing import NamedTuple, Self

HANGS_AFTER = 30.0
"""Seconds in a function after which its call counts as failed although it has not ended.

Not the request's own timeout: callers could make that so short that a sound version seemed to hang."""


LOOK_SECONDS = 1.0
"""How often calls that hang are looked for."""


class Threshold(NamedTuple):
    """How many unexpected errors are too many."""

    failures: int = 5
    calls: int = 50
    """So many of the last calls are looked at."""
    seconds: float = 60.0
    """And what is older than this is not."""


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
    health: Health

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.health.end(self)


class Health:
    """Of one version, from when its code was loaded."""

    __slots__ = ("_calls", "_failures", "_hung", "_running", "_token", "is_out", "threshold")

    def __init__(self, threshold: Threshold | None) -> None:
        """`threshold` is None where the machine takes nothing out."""
        self.threshold = threshold
        self.is_out = False
        """True from the failure on that was one too many: the fallback is served."""
        self._calls = itertools.count(1)
        self._failures: deque[Failure] = deque(maxlen=threshold.failures if threshold else 5)
        self._running: dict[str, Running] = {}
        self._hung: set[int] = set()
        self._token: deque[None] = deque([None])  # whoever pops it is the one who takes it out

    def begin(self, tenant: str, trace_id: str) -> Running:
        """A call begins. One tenant has one at a time."""
        running = self._running[tenant] = Running(
            next(self._calls), time.monotonic(), trace_id, tenant, self
        )
        return running

    def count(self, tenant: str, trace_id: str) -> Running:
        """A call that nobody looks for when it hangs: a connector's, which is cancelled at its deadline."""
        return Running(next(self._calls), time.monotonic(), trace_id, tenant, self)

    def end(self, running: Running) -> None:
        """It has ended, one way or the other."""
        self._running.pop(running.tenant, None)

    def fail(self, running: Running) -> bool:
        """It has failed; True for the one call that makes the version be taken out."""
        if not self._counts(running):
            return False
        failure = Failure(running.call, time.monotonic(), running.trace_id, running.tenant)
        self._failures.append(failure)
        if not self._is_too_much(failure):
            return False
        self.is_out = True
        try:
            self._token.pop()
        except IndexError:
            return False
        return True

    def hanging(self) -> list[Running]:
        """Calls that have been running for too long and were not told of before. For one asker only."""
        before = time.monotonic() - HANGS_AFTER
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

    def _is_too_much(self, last: Failure) -> bool:
        limit = self.threshold
        failures = self.failures
        if limit is None or len(failures) < limit.failures:
            return False
        return span(failures) <= limit.calls and last.at - failures[0].at <= limit.seconds


def span(failures: tuple[Failure, ...]) -> int:
    """Within how many calls they happened: calls of many tenants do not end in the order of their numbers."""
    calls = [each.call for each in failures]
    return max(calls) - min(calls) + 1

"""Watches what a deploy has moved: whether callers get errors, or wait longer, than before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from actors.index.entries import FUNCTION
from actors.log.metrics.histogram import BOUNDS_MS, Histogram
from scripts.releasing.deploy.difference import Change
from scripts.releasing.deploy.place import Server
from scripts.releasing.problem import ReleaseProblem
from transport.message import INTERNAL

LOOK_SECONDS = 1.0
"""Seconds between two looks at the figures."""

LEAST_ERRORS = 5
"""Defects of the server's own (`internal`) that are not put down to chance."""

MORE_ERRORS = 0.02
"""By how much the share of such defects may rise."""

LEAST_REQUESTS = 100
"""Requests, before and after, that a p99 is told from."""

SLOWER, SLOWER_MS = 2.0, 50.0
"""How often the p99 of before, and by how many milliseconds, it may be exceeded; both have to be."""


class Figures(NamedTuple):
    """One action, as counted since the server started."""

    requests: int
    defects: int
    buckets: Mapping[float | None, int]
    """How many took how long: by the upper bound in milliseconds; None for more than the last."""

    def since(self, before: Figures) -> Figures:
        """Return what came after other figures."""
        buckets = {
            bound: count - before.buckets.get(bound, 0) for bound, count in self.buckets.items()
        }
        return Figures(self.requests - before.requests, self.defects - before.defects, buckets)

    @property
    def p99(self) -> float | None:
        """In milliseconds; None where there are too few requests to tell."""
        found = Histogram()
        for bound, count in self.buckets.items():
            found.counts[_BUCKETS.get(bound, len(BOUNDS_MS))] = max(0, count)
        return found.percentiles([0.99])[0] if len(found) >= LEAST_REQUESTS else None

    @property
    def share(self) -> float:
        """Defects of all requests, from 0 to 1."""
        return self.defects / self.requests if self.requests else 0.0


_BUCKETS: dict[float | None, int] = {bound: number for number, bound in enumerate(BOUNDS_MS)}


def figures(server: Server, changes: Sequence[Change]) -> dict[str, Figures]:
    """Return the figures of every function that a release moves."""
    names = {each.name for each in changes if each.kind == FUNCTION}
    return {name: _figures(server.call("stats.actions", action=name)) for name in sorted(names)}


def watched(
    server: Server,
    changes: Sequence[Change],
    before: Mapping[str, Figures],
    seconds: float,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """Watch for this long, and yield what is seen at the end; ReleaseProblem as soon as it is worse."""
    ends = time.monotonic() + seconds
    start = figures(server, changes)
    while True:
        now = figures(server, changes)
        for problem in worse(server, changes, before, {n: now[n].since(start[n]) for n in now}):
            raise ReleaseProblem(problem)
        left = ends - time.monotonic()
        if left <= 0:
            break
        wait(min(LOOK_SECONDS, left))
    for name, each in now.items():
        since = each.since(start[name])
        p99 = "too few to tell" if since.p99 is None else f"{since.p99:.1f} ms"
        yield f"{name}: {since.requests} requests, {since.defects} defects, p99 {p99}"


def worse(
    server: Server,
    changes: Sequence[Change],
    before: Mapping[str, Figures],
    after: Mapping[str, Figures],
) -> Iterator[str]:
    """Yield why what was moved is worse than what was there before: first what was taken out."""
    problems = [each for name, now in after.items() for each in compared(name, before[name], now)]
    if problems:
        server.await_moves()
    states = server.states()
    for each in changes:
        state = states.get((each.kind, each.name, each.version))
        if state != each.to:
            yield f"{each.label} is {state!r} by now: it keeps failing, or was moved by hand"
    yield from problems


def compared(name: str, before: Figures, now: Figures) -> Iterator[str]:
    """Yield why a function's callers are worse off than before."""
    if now.defects >= LEAST_ERRORS and now.share > before.share + MORE_ERRORS:
        yield (
            f"{name} fails: {now.defects} of {now.requests} requests ended in a defect, "
            f"{before.share:.1%} before"
        )
    was, is_ = before.p99, now.p99
    if was is not None and is_ is not None and is_ > max(was * SLOWER, was + SLOWER_MS):
        yield f"{name} is slower: p99 is {is_:.1f} ms, {was:.1f} ms before"


def _figures(told: Mapping[str, Any]) -> Figures:
    for each in told["actions"]:
        found = each["figures"]
        outcomes = {one["outcome"]: one["requests"] for one in found["outcomes"]}
        buckets = {one["up_to_ms"]: one["requests"] for one in each.get("handled", ())}
        return Figures(found["requests"], outcomes.get(INTERNAL, 0), buckets)
    return Figures(0, 0, {})

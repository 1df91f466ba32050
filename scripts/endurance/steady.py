"""A light open-loop load: requests leave at fixed times, whether or not earlier ones were answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from scripts.benchmark.plan import Call
from scripts.endurance.wire import PATIENCE, NoReply, Wire, problem


class Window(NamedTuple):
    """What a stretch of load brought."""

    latencies: list[float]
    """Seconds from the moment that a request was due to its reply."""
    problems: Counter[str]
    """Replies that were not ok, by their error."""

    def percentile(self, share: float) -> float:
        """The latency that so large a share stays below, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000


def steady(wire: Wire, calls: Iterator[Call], rate: float, seconds: float) -> Window:
    """Send `rate` requests a second for so long, and wait for all replies; NoReply.

    Latency counts from when a request was due: one that leaves late because its sender was held up has
    waited, too.
    """
    window = Window([], Counter())
    due_of: dict[str, float] = {}
    due = time.perf_counter()
    ends = due + seconds
    while due < ends or due_of:
        if due < ends and time.perf_counter() >= due:
            call = next(calls)
            due_of[call.id] = due
            wire.send(call)
            due += 1 / rate
            continue
        reply = wire.receive(due - time.perf_counter() if due < ends else PATIENCE)
        if reply is not None:
            window.latencies.append(time.perf_counter() - due_of.pop(reply["id"]))
            window.problems.update(filter(None, [problem(reply)]))
        elif due >= ends:
            raise NoReply(f"{len(due_of)} requests were not answered in {PATIENCE:.0f} s")
    return window

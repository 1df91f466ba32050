"""A connector that hangs for all its calls: the same tenants' other requests are served as fast as ever."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, cycle
from pathlib import Path
from typing import Final, NamedTuple

from scripts.benchmark.plan import Call
from scripts.endurance.connection import LoadConnection, NoReply, problem
from scripts.endurance.server import Console, Installation, Server
from scripts.endurance.services import SilentService
from scripts.endurance.verdict import Report

WARM_UP: Final = 1.0
"""Seconds of load before the first pair, in which every database is opened."""

PATIENCE: Final = 20.0
"""Seconds until as many calls hang as are to."""

AT_ONCE: Final = 8
"""Calls of one tenant that a connector works on at once; others wait for their turn."""


class Plan(NamedTuple):
    """How long and how hard."""

    pairs: int
    tenants: int
    in_flight: int
    calls: int
    seconds: float
    ratio: float


FULL: Final = Plan(pairs=10, tenants=8, in_flight=64, calls=12, seconds=4.0, ratio=0.9)
QUICK: Final = FULL._replace(pairs=3, seconds=2.0)

MEANINGS: Final = {
    "pairs": "pairs of windows, one without hanging calls and one with, in changing order",
    "tenants": "tenants, all of them with both",
    "in_flight": "requests under way at a time",
    "calls": f"calls of the hanging connector for each tenant, of which {AT_ONCE} hang and others queue",
    "seconds": "length of a window",
    "ratio": "share of the throughput that must be left, as the median of the pairs",
}


class Window(NamedTuple):
    """The result of one period of load."""

    rate: float
    """contacts.add that were answered in a second."""
    problems: Counter[str]
    """Replies that were not ok, by their error."""


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """All pairs on one server; ChildFailed, NoReply."""
    report = Report(
        f"hanging: {plan.tenants} tenants, contacts.add while {plan.calls} calls of each hang"
    )
    with SilentService() as silence, Trial(plan, folder, silence) as trial:
        trial.window(WARM_UP)
        for number in range(plan.pairs):
            progress(f"pair {number + 1} of {plan.pairs}")
            trial.pair(hanging_first=bool(number % 2))
    trial.add_to(report)
    return report


class Trial:
    """One server, its tenants, and the service that says nothing."""

    def __init__(self, plan: Plan, folder: Path, silence: SilentService) -> None:
        self._plan = plan
        self._silence = silence
        self._names = [f"hanging-{number}" for number in range(plan.tenants)]
        self._installation = Installation(
            folder, self._names, {"outward_networks": "127.0.0.0/8"}, owners=True
        )
        self._numbers = count()
        self.pairs: list[tuple[Window, Window]] = []
        """Without and with."""
        self.held: list[int] = []
        """Connections that hung during each window."""
        self.endings: Counter[str] = Counter()
        """How calls ended that had hung; empty for ok."""

    def __enter__(self) -> Trial:
        self._server: Server = self._installation.start()
        self._connection = LoadConnection(self._server.endpoint, self._installation.tokens)
        self._callers = LoadConnection(self._server.endpoint, self._installation.tokens)
        console = Console(self._installation.data, self._installation.tokens)
        endpoint = f"http://127.0.0.1:{self._silence.port}"
        keys = {"bucket": "files", "access_key": "trial", "secret_key": "of-no-use"}
        console.connect(self._names, "storage", endpoint=endpoint, timeout=60, **keys)
        console.close()
        self._open_tickets()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._callers.close()
        self._server.end()

    def pair(self, *, hanging_first: bool) -> None:
        """Two windows, one after the other: what the machine does meanwhile is the same for both."""
        if hanging_first:
            with_, without = self._hanging(), self.window(self._plan.seconds)
        else:
            without, with_ = self.window(self._plan.seconds), self._hanging()
        self.pairs.append((without, with_))

    def window(self, seconds: float) -> Window:
        """Load for so long."""
        began = time.perf_counter()
        problems: Counter[str] = Counter()
        done = 0
        for reply in self._connection.flow(self._adds(began + seconds), self._plan.in_flight):
            done += 1
            problems.update(filter(None, [problem(reply)]))
        rate = done / (time.perf_counter() - began)
        for _ in range(self._plan.in_flight):
            problems.update(filter(None, [problem(self._connection.reply())]))
        return Window(rate, problems)

    def _hanging(self) -> Window:
        """The same while calls hang, from before it to after it."""
        plan = self._plan
        self._silence.fall_silent()
        for tenant in self._names:
            for _ in range(plan.calls):
                self._callers.send(self._attach(tenant))
        self._wait_for(min(plan.calls, AT_ONCE) * plan.tenants)
        found = self.window(plan.seconds)
        self.held.append(self._silence.held)
        self._silence.speak()
        for _ in range(plan.calls * plan.tenants):
            self.endings[problem(self._callers.reply())] += 1
        return found

    def _wait_for(self, hanging: int) -> None:
        until = time.perf_counter() + PATIENCE
        while self._silence.held < hanging:
            if time.perf_counter() > until:
                raise NoReply(f"{self._silence.held} calls hang after {PATIENCE:.0f} s")
            time.sleep(0.01)

    def _open_tickets(self) -> None:
        """One for each tenant, with the id 1."""
        for action, params in (
            ("contacts.add", {"name": "Ada"}),
            ("tickets.open", {"contact_id": 1, "subject": "Engine", "body": "Stuck."}),
        ):
            calls = [self._call(action, tenant, **params) for tenant in self._names]
            for reply in self._connection.exchange(calls).values():
                if wrong := problem(reply):
                    raise NoReply(f"{action} failed: {wrong}")

    def _adds(self, until: float) -> Iterator[Call]:
        for tenant in cycle(self._names):
            if time.perf_counter() >= until:
                return
            yield self._call("contacts.add", tenant, name="Grace Hopper")

    def _attach(self, tenant: str) -> Call:
        return self._call("tickets.attach", tenant, id=1, name="a.txt", content="aGVsbG8=")

    def _call(self, action: str, tenant: str, **params: object) -> Call:
        return Call(f"{action}-{next(self._numbers)}", tenant, action, params)

    # What came of it

    def add_to(self, report: Report) -> None:
        """Medians, and the promises."""
        ratios = [with_.rate / without.rate for without, with_ in self.pairs]
        middle, least = statistics.median(ratios), self._plan.ratio
        for name, windows in zip(("without", "with"), zip(*self.pairs, strict=True), strict=True):
            rate = statistics.median(window.rate for window in windows)
            report.figure(name, f"{rate:,.0f} contacts.add a second (median)")
        report.figure("hanging", f"{min(self.held)} connections at the least, throughout a window")
        report.promise(
            f"contacts.add keeps {middle:.3f} of its throughput, at least {least:g} "
            f"(pairs {min(ratios):.3f} to {max(ratios):.3f})",
            middle >= least,
        )
        wrong = sum((w.problems for pair in self.pairs for w in pair), Counter[str]())
        report.promise(f"every contacts.add answered ok: {wrong.total()} were not", not wrong)
        ended = dict(self.endings)
        report.promise(
            f"what had hung is done once the service speaks: {self.endings['']} of {sum(ended.values())}",
            set(ended) == {""},
        )

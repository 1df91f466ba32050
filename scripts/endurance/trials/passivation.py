"""Many more tenants than places: each touched in turn, descriptors bounded, memory level, replies right."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from actors.host.process import DESCRIPTORS_PER_TENANT, OTHER_DESCRIPTORS
from scripts.benchmark.plan import ADD, GET, Call
from scripts.endurance.connection import LoadConnection, Reply, problem
from scripts.endurance.server import Installation, Server, Usage
from scripts.endurance.verdict import Report

SAMPLE_EVERY = 0.1
"""Seconds between two looks at the server's process."""
MEGABYTE: Final = 1024**2


class Plan(NamedTuple):
    """How long and how hard."""

    tenants: int
    resident: int
    touches: int
    in_flight: int
    growth: float
    seed: int


FULL: Final = Plan(tenants=5000, resident=500, touches=9, in_flight=64, growth=0.05, seed=1)
QUICK: Final = FULL._replace(tenants=300, resident=30, touches=6)

MEANINGS: Final = {
    "tenants": "tenants",
    "resident": "tenants that may have their database open at a time",
    "touches": "times that each tenant is touched, in rounds of random order: an add, then a get of its row",
    "in_flight": "touches under way at once",
    "growth": "share by which memory in the last third of the run may exceed that in the second",
    "seed": "of the random order",
}


class Touch(NamedTuple):
    """One visit to one tenant."""

    number: int
    tenant: str

    @property
    def name(self) -> str:
        """The contact's, which no other touch has."""
        return f"{self.tenant} was touched, number {self.number}"

    @property
    def add(self) -> Call:
        """The first half."""
        return Call(f"add-{self.number}", self.tenant, ADD, {"name": self.name})

    def get(self, contact: int) -> Call:
        """The second half."""
        return Call(f"get-{self.number}", self.tenant, GET, {"id": contact})


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """Touch all; ChildFailed, NoReply."""
    progress(f"creating {plan.tenants} tenants")
    names = [f"crowd-{number}" for number in range(plan.tenants)]
    installation = Installation(folder, names, {"resident": plan.resident})
    report = Report(
        f"crowd: {plan.tenants:,} tenants, {plan.resident} places, {plan.touches} touches each"
    )
    server = installation.start()
    try:
        visit = Visit(
            server, LoadConnection(server.endpoint, installation.tokens), touches(plan, names)
        )
        visit.run(plan.in_flight, lambda done: progress(f"{done:,} touches"))
    finally:
        server.end()
    visit.add_to(report, plan)
    return report


def touches(plan: Plan, names: list[str]) -> Iterator[Touch]:
    """Every tenant once in random order, then again in another, and so on."""
    chance = random.Random(plan.seed)
    number = 0
    for _ in range(plan.touches):
        for tenant in chance.sample(names, len(names)):
            yield Touch(number, tenant)
            number += 1


class Visit:
    """The run: touches under way, and the server's process watched meanwhile."""

    def __init__(self, server: Server, connection: LoadConnection, plan: Iterator[Touch]) -> None:
        self._server = server
        self._connection = connection
        self._plan = plan
        self._under_way: dict[str, Touch] = {}
        self._samples: list[tuple[float, Usage]] = []
        self._seconds = 0.0
        self.right = 0
        self.wrong: list[str] = []

    def run(self, in_flight: int, progress: Callable[[int], None]) -> None:
        """Touch and watch until nothing is left."""
        self._empty = self._server.usage()
        began = due = time.perf_counter()
        for _ in range(in_flight):
            self._begin()
        while self._under_way:
            self._take(self._connection.reply())
            if (now := time.perf_counter()) >= due:
                self._samples.append((now - began, self._server.usage()))
                due = now + SAMPLE_EVERY
                if len(self._samples) % 100 == 0:
                    progress(self.right)
        self._seconds = time.perf_counter() - began
        self._connection.close()

    def _begin(self) -> None:
        touch = next(self._plan, None)
        if touch is not None:
            self._under_way[touch.add.id] = touch
            self._connection.send(touch.add)

    def _take(self, reply: Reply) -> None:
        touch = self._under_way.pop(reply["id"])
        if wrong := problem(reply):
            self.wrong.append(f"{touch.tenant}: {wrong}")
            self._begin()
        elif reply["id"] == touch.add.id:
            get = touch.get(reply["result"]["id"])
            self._under_way[get.id] = touch
            self._connection.send(get)
        else:
            self._judge(touch, reply["result"]["name"])
            self._begin()

    def _judge(self, touch: Touch, name: str) -> None:
        if wrong := wrong_row(touch, name):
            self.wrong.append(wrong)
        else:
            self.right += 1

    def add_to(self, report: Report, plan: Plan) -> None:
        """Figures and promises."""
        every, bound = plan.tenants * plan.touches, bound_of(plan.resident)
        descriptors = max(usage.descriptors for _, usage in self._samples)
        second, third = self._rss(1), self._rss(2)
        report.figure(
            "rate", f"{self.right / self._seconds:,.0f} touches/s, in {self._seconds:.1f} s"
        )
        report.figure("descriptors", f"{descriptors:,} at most")
        report.figure("threads", f"{max(usage.threads for _, usage in self._samples)} at most")
        report.figure(
            "memory",
            f"{self._empty.rss / MEGABYTE:.0f} MB before; by thirds of the run (median): "
            f"{self._rss(0):.0f}, {second:.0f}, {third:.0f} MB; "
            f"at most {max(usage.rss for _, usage in self._samples) / MEGABYTE:.0f} MB",
        )
        report.promise(
            f"every reply is right: {self.right:,} of {every:,} touches"
            + "".join(f"; {wrong}" for wrong in self.wrong[:5]),
            self.right == every and not self.wrong,
        )
        report.promise(
            f"descriptors are bounded by 3 x {plan.resident} + {OTHER_DESCRIPTORS} = {bound:,}",
            descriptors <= bound,
        )
        report.promise(
            f"memory levels off: the last third {third / second - 1:+.1%} against the second, "
            f"at most {plan.growth:+.0%}",
            third <= second * (1 + plan.growth),
        )

    def _rss(self, third: int) -> float:
        """The median over a third of the run, in MB."""
        part = self._seconds / 3
        seen = [u.rss for at, u in self._samples if third * part <= at <= (third + 1) * part]
        return statistics.median(seen or [usage.rss for _, usage in self._samples]) / MEGABYTE


def wrong_row(touch: Touch, name: str) -> str:
    """Return whose row was read back, if it is not the one that was added; else empty."""
    return "" if name == touch.name else f"{touch.tenant} was shown {name!r}"


def bound_of(resident: int) -> int:
    """Descriptors that so many resident tenants may cost: what the server itself asks the system for."""
    return resident * DESCRIPTORS_PER_TENANT + OTHER_DESCRIPTORS

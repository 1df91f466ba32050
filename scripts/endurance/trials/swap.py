"""Many swaps of a version under load: nothing is lost or refused, and each is answered by the right one."""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple

from scripts.endurance.connection import LoadConnection
from scripts.endurance.load import Answer, Files, Traffic, Window, compare, own_index
from scripts.endurance.server import Console, Installation, Server
from scripts.endurance.verdict import Report

WAY: Final = (
    "potential release",
    "under user test",
    "release",
    "erroring",
    "release",
    "reverted",
    "under dev",
)
"""Moves of version 2, repeated; if only releases are served, every visit to `release` is two swaps."""


class Plan(NamedTuple):
    """How long and how hard."""

    swaps: int
    messages: int
    tenants: int
    in_flight: int
    environment: str
    seed: int


FULL: Final = Plan(
    swaps=100, messages=20_000, tenants=16, in_flight=256, environment="like-hosted-live", seed=1
)
QUICK: Final = FULL._replace(swaps=20, messages=5_000)

MEANINGS: Final = {
    "swaps": "moves after which the other version is served",
    "messages": "messages, at the least; a quarter of them before the swaps, and as many after them",
    "tenants": "tenants that the load is spread over",
    "in_flight": "requests under way at once",
    "environment": "environment of the server; one that does not serve `under dev`",
    "seed": "of the random moments",
}


class ServedPeriod(NamedTuple):
    """From one swap to the next."""

    version: int
    ordered: float
    """time.perf_counter() just before the order left; as the next ones."""
    acknowledged: float
    """When its answer had come: whatever is sent from now on is this version's."""
    flushed: float
    """When all had come that the router had sent before that: whatever comes from now on is, too."""


FIRST: Final = ServedPeriod(1, 0.0, 0.0, 0.0)


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """Load alone, load with swaps, load alone; ChildFailed, NoReply."""
    report = Report(
        f"swap: {plan.swaps} swaps of two versions in {plan.environment}, {plan.tenants} tenants, "
        f"{plan.in_flight} requests under way"
    )
    names = [f"swap-{number}" for number in range(plan.tenants)]
    installation = Installation(folder, names, {"environment": plan.environment}, own_index(folder))
    server = installation.start()
    try:
        trial = Trial(plan, server, installation)
        trial.run(progress)
    finally:
        server.end()
    trial.add_to(report, compare(installation.data, trial.traffic))
    return report


class Trial:
    """One client process: its load on the data channel, its orders on the admin channel."""

    def __init__(self, plan: Plan, server: Server, installation: Installation) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._console = Console(installation.data)
        connection = LoadConnection(server.endpoint, installation.tokens)
        self.traffic = Traffic(connection, list(installation.tokens), plan.in_flight, "swap")
        self._periods = [FIRST]
        self._took: list[float] = []
        """Seconds that each move took until it was acknowledged, swap or not."""
        self._unsettled = 0
        self._rates: list[float] = []
        """Messages a second before, during and after."""

    def run(self, progress: Callable[[str], None]) -> None:
        """Every database is opened first."""
        quarter = self._plan.messages // 4
        self.traffic.run(2 * self._plan.in_flight)
        progress("load alone")
        self._rates.append(self.traffic.run(quarter))
        progress("load with swaps")
        self._began = time.perf_counter()
        self._rates.append(self._swaps(2 * quarter))
        self._ended = time.perf_counter()
        progress("load alone")
        self._rates.append(self.traffic.run(quarter))
        self.traffic.finish()
        self._console.close()

    def _swaps(self, messages: int) -> float:
        """All of them, at random moments; and so many messages at the least."""
        began, before = time.perf_counter(), len(self.traffic.answers)
        for to in cycle(WAY):
            if self._move(to):
                self.traffic.run(self._chance.randrange(1, 2 * self._plan.in_flight))
            if len(self._periods) > self._plan.swaps:
                break
        self.traffic.run(max(0, before + messages - len(self.traffic.answers)))
        return (len(self.traffic.answers) - before) / (time.perf_counter() - began)

    def _move(self, to: str) -> bool:
        """Whether it was a swap."""
        ordered = time.perf_counter()
        self._console.move(to)
        while (moved := self._console.receive()) is None:
            self.traffic.step()
        acknowledged = time.perf_counter()
        self._took.append(acknowledged - ordered)
        self._unsettled += not moved["settled"]
        version = moved["serving"]["version"]
        if version == self._periods[-1].version:
            return False
        self._periods.append(ServedPeriod(version, ordered, acknowledged, self.traffic.flush()))
        return True

    # What came of it

    def add_to(self, report: Report, found: Files) -> None:
        """Figures and promises."""
        self._add_figures_to(report)
        traffic, answers = self.traffic, self.traffic.answers.values()
        wrong = Counter(each.wrong for each in answers if each.wrong)
        for words, number in wrong.most_common(5):
            report.figure("wrong", f"{number} x {words}")
        report.promise(
            f"every message is answered exactly once, and ok: {len(traffic.sent):,} sent, "
            f"{len(answers):,} answered, {traffic.twice} twice, {wrong.total()} wrong",
            len(answers) == len(traffic.sent) and not traffic.twice and not wrong,
        )
        report.promise(
            f"{len(self._took)} moves are acknowledged as settled: {self._unsettled} were not",
            not self._unsettled,
        )
        seen = judge(self._periods, answers)
        for when, words in CASES.items():
            report.promise(
                f"{words}: {seen[when]:,}, {seen[f'{when}, wrong']} by another version",
                not seen[f"{when}, wrong"],
            )
        report.promise(
            f"the files say the same: one row each, written by the version that the reply names, in the "
            f"order of sending: {found}",
            found.sound,
        )

    def _add_figures_to(self, report: Report) -> None:
        answers = self.traffic.answers.values()
        versions = Counter(each.version for each in answers)
        before, during, after = self._rates
        report.figure(
            "messages",
            f"{len(answers):,}: "
            + ", ".join(f"{n:,} by version {v}" for v, n in sorted(versions.items())),
        )
        report.figure("swaps", f"{len(self._periods) - 1} in {len(self._took)} moves")
        report.figure("an acknowledgement", spread(self._took))
        report.figure(
            "messages/s",
            f"{during:,.0f} with swaps; {before:,.0f} before and {after:,.0f} after them",
        )
        swapping, calm = self._latencies()
        report.figure("a message, without", spread(calm))
        report.figure("a message, with swaps", spread(swapping))

    def _latencies(self) -> tuple[list[float], list[float]]:
        """Of what was under way during the swaps, and of everything else."""
        parts: tuple[list[float], list[float]] = ([], [])
        for each in self.traffic.answers.values():
            is_calm = each.received < self._began or each.sent > self._ended
            parts[is_calm].append(each.received - each.sent)
        return parts


SENT_AFTER: Final = "sent after"
CAME_AFTER: Final = "came after"
UNDER_WAY: Final = "under way"
CASES: Final = {
    SENT_AFTER: "sent after an acknowledgement, and answered before the next order",
    CAME_AFTER: "sent before it, and come after it and after all that was on its way then",
}
"""When only one version may have answered; in words."""


def judge(periods: Sequence[ServedPeriod], answers: Iterable[Answer]) -> Counter[str]:
    """How many replies are of each case, and how many of them name the wrong version.

    What is under way between an order and its acknowledgement may be served by either version.
    """
    orders = [period.ordered for period in periods]
    seen: Counter[str] = Counter()
    for each in answers:
        period = periods[bisect_right(orders, each.received) - 1]
        when = case(period, each)
        seen[when] += 1
        seen[f"{when}, wrong"] += when != UNDER_WAY and each.version != period.version
    return seen


def case(period: ServedPeriod, answer: Answer) -> str:
    """Of a reply that came in this period."""
    if answer.sent > period.acknowledged:
        return SENT_AFTER
    return CAME_AFTER if answer.received > period.flushed else UNDER_WAY


def spread(seconds: list[float]) -> str:
    """Percentiles in milliseconds."""
    window = Window(seconds, Counter())
    shares = (("p50", 0.5), ("p99", 0.99), ("worst", 1.0))
    return ", ".join(f"{name} {window.percentile(share):.1f} ms" for name, share in shares)

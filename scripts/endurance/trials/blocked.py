"""Functions that raise, answer wrongly, try to exit or block: the right reply, and others go on as before."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from scripts.benchmark.plan import Call
from scripts.endurance import verdict
from scripts.endurance.connection import LoadConnection, code, problem
from scripts.endurance.load import Window, steady
from scripts.endurance.server import Installation
from scripts.endurance.verdict import Report

FAULTY: Final = Path(__file__).parents[1] / "fixtures" / "faulty" / "registry.toml"
DEFECTS: Final = ("fail", "misshape", "leave")
"""Each is answered `internal` and leaves no mark."""
DEFECTS_EACH: Final = 5
WARM_UP: Final = 1.0
"""Seconds of load before a trial's first window, in which every database is opened."""


class Plan(NamedTuple):
    """How long and how hard."""

    trials: int
    tenants: int
    threads: int
    rate: float
    seconds: float
    ratio: float
    relief: float


FULL: Final = Plan(trials=5, tenants=8, threads=4, rate=200.0, seconds=5.0, ratio=3.0, relief=0.5)
QUICK: Final = FULL._replace(trials=1)

MEANINGS: Final = {
    "trials": "trials of each case, on a new server each time; medians count",
    "tenants": "tenants that behave",
    "threads": "threads that the server begins with",
    "rate": "requests a second from those that behave, all together",
    "seconds": "how long a function blocks, and the length of a window",
    "ratio": "times that the others' p99 may grow while threads are left",
    "relief": "seconds that the others may wait at the most if none is",
}


class Outcome(NamedTuple):
    """One trial: the same load before, during and after the blocking."""

    without: Window
    during: Window
    replies: list[tuple[str, float]]
    """Of those that blocked: what was wrong, empty for ok; and seconds."""

    @property
    def ratio(self) -> float:
        """How many times the p99 was what it is without."""
        return self.during.percentile(0.99) / self.without.percentile(0.99)


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """Defects first, then every case of blocking; ChildFailed, NoReply."""
    report = Report(
        f"blocked: {plan.tenants} tenants send {plan.rate:g} requests/s while functions misbehave, "
        f"{plan.threads} threads"
    )
    trial = Trial(plan, folder)
    progress("functions that raise, answer wrongly, exit")
    trial.defects(report)
    for blocking in dict.fromkeys((1, plan.threads, plan.threads + 1)):
        outcomes = []
        for number in range(plan.trials):
            progress(f"{blocking} blocking, trial {number + 1} of {plan.trials}")
            outcomes.append(trial.measure(blocking))
        report_case(report, plan, blocking, outcomes)
    trial.add_marks_to(report)
    return report


class Trial:
    """Tenants that behave and tenants that do not, on a new server for each trial."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._calm = [f"calm-{number}" for number in range(plan.tenants)]
        self._faulty = [f"trouble-{number}" for number in range(plan.threads + 1)]
        flags = {"threads": plan.threads}
        self._installation = Installation(folder, [*self._calm, *self._faulty], flags, FAULTY)
        self._numbers = count()
        self._sent: Counter[str] = Counter()

    def measure(self, blocking: int) -> Outcome:
        """Load alone, load while so many tenants block, load alone."""
        plan = self._plan
        server = self._installation.start()
        try:
            calm, faulty = (
                LoadConnection(server.endpoint, self._installation.tokens) for _ in range(2)
            )
            faulty.exchange(self._mark(tenant) for tenant in self._faulty)
            steady(calm, self._marks(), plan.rate, WARM_UP)
            before = steady(calm, self._marks(), plan.rate, plan.seconds)
            began = time.perf_counter()
            for tenant in self._faulty[:blocking]:
                faulty.send(self._call("trouble.block", tenant, seconds=plan.seconds))
            during = steady(calm, self._marks(), plan.rate, plan.seconds)
            replies = [faulty.reply() for _ in range(blocking)]
            took = time.perf_counter() - began
            after = steady(calm, self._marks(), plan.rate, plan.seconds)
            calm.close()
            faulty.close()
        finally:
            server.end()
        without = Window(before.latencies + after.latencies, before.problems + after.problems)
        return Outcome(without, during, [(problem(reply), took) for reply in replies])

    def defects(self, report: Report) -> None:
        """Each kind several times, on one tenant, while the others are served."""
        server = self._installation.start()
        try:
            calm, faulty = (
                LoadConnection(server.endpoint, self._installation.tokens) for _ in range(2)
            )
            calls = [
                self._call(f"trouble.{kind}", self._faulty[0])
                for _ in range(DEFECTS_EACH)
                for kind in DEFECTS
            ]
            for call in calls:
                faulty.send(call)
            window = steady(calm, self._marks(), self._plan.rate, WARM_UP)
            replies = {reply["id"]: reply for reply in (faulty.reply() for _ in calls)}
            alive = faulty.exchange([self._mark(self._faulty[0])])
            calm.close()
            faulty.close()
        finally:
            server.end()
        for kind in DEFECTS:
            said = Counter(code(replies[c.id]) for c in calls if c.action == f"trouble.{kind}")
            report.promise(f"{kind}: answered {words(said)}", set(said) == {"internal"})
        served = not window.problems and all(reply["ok"] for reply in alive.values())
        report.promise("the others are served meanwhile, and that tenant afterwards", served)

    def add_marks_to(self, report: Report) -> None:
        """What the functions have left in the files: what was ok, and nothing else."""
        found: Counter[str] = Counter()
        for path in verdict.tenant_files(self._installation.data).values():
            found.update(verdict.marks(path))
        done = Counter({text: n for text, n in self._sent.items() if text not in DEFECTS})
        report.promise(
            f"what is in the files is what was answered ok: {words(found)}", found == done
        )

    def _marks(self) -> Iterator[Call]:
        """Endless, over the tenants that behave."""
        while True:
            for tenant in self._calm:
                yield self._mark(tenant)

    def _mark(self, tenant: str) -> Call:
        return self._call("marks.add", tenant, text="add")

    def _call(self, action: str, tenant: str, **params: object) -> Call:
        self._sent[action.partition(".")[2]] += 1
        return Call(f"{action}-{next(self._numbers)}", tenant, action, params)


def report_case(report: Report, plan: Plan, blocking: int, outcomes: list[Outcome]) -> None:
    """Medians over the trials of one case, and the promises."""
    who = f"{blocking} blocking"
    for name, windows in (
        ("without", [outcome.without for outcome in outcomes]),
        (who, [outcome.during for outcome in outcomes]),
    ):
        report.figure(name, " ".join(figure(windows, *each) for each in SHOWN))
    replies = [reply for outcome in outcomes for reply in outcome.replies]
    right = all(not wrong and seconds >= plan.seconds for wrong, seconds in replies)
    quiet = not any(outcome.during.problems or outcome.without.problems for outcome in outcomes)
    report.promise(
        f"{who}: each answered ok after {plan.seconds:g} s, {len(replies)} in all", right
    )
    report.promise(f"{who}: every request of the others answered ok", quiet)
    if blocking < plan.threads:
        report.promise(*latency_promise(plan, who, outcomes))
    else:
        report.promise(*relief_promise(plan, who, outcomes))


def latency_promise(plan: Plan, who: str, outcomes: list[Outcome]) -> tuple[str, bool]:
    """While threads are left, the others feel next to nothing."""
    ratios = [outcome.ratio for outcome in outcomes]
    middle = statistics.median(ratios)
    words = (
        f"{who}: the others' p99 is {middle:.2f} times what it is without, at most {plan.ratio:g} "
        f"(trials {min(ratios):.2f} to {max(ratios):.2f})"
    )
    return words, middle <= plan.ratio


def relief_promise(plan: Plan, who: str, outcomes: list[Outcome]) -> tuple[str, bool]:
    """If every thread is taken, the others wait until one is added: once, and not for seconds."""
    worst = [outcome.during.percentile(1.0) for outcome in outcomes]
    middle, ratio = statistics.median(worst), statistics.median(o.ratio for o in outcomes)
    words = (
        f"{who}: threads are added: the others waited {middle:.0f} ms at the most, less than "
        f"{plan.relief * 1000:.0f} (trials {min(worst):.0f} to {max(worst):.0f}); p99 {ratio:.2f} times"
    )
    return words, middle < plan.relief * 1000


SHOWN: Final = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("worst", 1.0))


def figure(windows: list[Window], name: str, share: float) -> str:
    """The median over the windows of a percentile."""
    return f"{name} {statistics.median(window.percentile(share) for window in windows):6.2f} ms "


def words(counted: Counter[str]) -> str:
    """Counts in words."""
    return ", ".join(f"{count} x {what}" for what, count in sorted(counted.items()))

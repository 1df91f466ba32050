"""A version that begins to fail under load: a few callers notice, all others get the one before it."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from actors.index.entries import Threshold
from actors.routing.health import SEVERAL
from scripts.endurance.connection import REPLY_SECONDS, LoadConnection, NoReply, Reply
from scripts.endurance.load import Answer, Files, Traffic, compare, own_index
from scripts.endurance.server import FUNCTION, Console, Installation
from scripts.endurance.trials.swap import spread
from scripts.endurance.verdict import Report
from transport.message import INTERNAL

LIMIT: Final = Threshold().failures
"""Of one tenant."""
MAX_FAILURES: Final = (SEVERAL - 1) * LIMIT + 1
"""Of all: as many of two tenants, and the first of a third."""
HOLDS: Final = (0.0, 0.1)
"""Seconds for which a failing call holds its thread before it raises: not at all, and so that every thread
is in one when the first of them fails."""
ERRORING: Final = "erroring"
FALLBACK: Final = (1, "fallback after erroring")
WAY: Final = {
    "like-hosted-test": ("potential release", "under user test"),
    "like-hosted-live": ("potential release", "under user test", "release"),
}
"""By environment: the way of version 2 until it is served."""


class Plan(NamedTuple):
    """How long and how hard."""

    trials: int
    messages: int
    tenants: int
    in_flight: int
    threads: int
    environment: str


FULL: Final = Plan(
    trials=5, messages=5_000, tenants=16, in_flight=256, threads=4, environment="like-hosted-live"
)
QUICK: Final = FULL._replace(trials=1)

MEANINGS: Final = {
    "trials": "trials of each case, on a new server each time",
    "messages": "messages before the version begins to fail, and as many after that at the least",
    "tenants": "tenants that the load is spread over",
    "in_flight": "requests under way at once",
    "threads": "threads that the server has, and may have at the most",
    "environment": f"environment of the server: {' or '.join(WAY)}",
}


class FunctionStatus(NamedTuple):
    """What the server says of it afterwards."""

    function: Reply
    """functions.show"""
    moves: list[Reply]
    """functions.history, those that the machine made"""
    changes: list[str]
    """functions.diff: differences between the file and what is served"""
    file: Reply
    """Version 2 as registry.toml has it."""


class Outcome(NamedTuple):
    """One trial."""

    state: str
    """In which version 2 was served."""
    broken: float
    """When the version began to fail: time.perf_counter(), as the next."""
    written: float
    """When the file said that it is out."""
    before: Traffic
    after: Traffic
    """On a server that was started again."""
    shown: FunctionStatus
    restarted: FunctionStatus
    files: Files


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """Every case; ChildFailed, NoReply."""
    report = Report(
        f"failing: a version begins to fail in {plan.environment}, {plan.tenants} tenants, "
        f"{plan.in_flight} requests under way, {plan.threads} threads"
    )
    for hold in HOLDS:
        outcomes = []
        for number in range(plan.trials):
            progress(f"holding its thread for {hold:g} s, trial {number + 1} of {plan.trials}")
            outcomes.append(Trial(plan, folder / f"{hold:g}-{number}", hold).run())
        report_case(report, plan, f"held {hold:g} s", outcomes)
    return report


class Trial:
    """An installation of its own, on which the version fails once and for all."""

    def __init__(self, plan: Plan, folder: Path, hold: float) -> None:
        folder.mkdir()
        self._plan = plan
        self._hold = hold
        self._index = own_index(folder)
        self._names = [f"failing-{number}" for number in range(plan.tenants)]
        threads = {"threads": plan.threads, "threads_most": plan.threads}
        flags = {"environment": plan.environment, "states": "index", **threads}
        self._installation = Installation(folder, self._names, flags, self._index)

    def run(self) -> Outcome:
        """Sound, failing, taken out, started again."""
        server = self._installation.start()
        try:
            console = Console(self._installation.data)
            console.moved(*WAY[self._plan.environment])
            before = self._traffic(server.endpoint, "before")
            before.run(self._plan.messages)
            broken = self._break()
            written = self._until_written(before)
            before.run(self._plan.messages)
            before.finish()
            shown = self._look(console)
        finally:
            server.end()
        after, restarted = self._again()
        files = compare(self._installation.data, before, after)
        state = WAY[self._plan.environment][-1]
        return Outcome(state, broken, written, before, after, shown, restarted, files)

    def _traffic(self, endpoint: str, name: str) -> Traffic:
        connection = LoadConnection(endpoint, self._installation.tokens)
        return Traffic(connection, self._names, self._plan.in_flight, name)

    def _break(self) -> float:
        """At one moment for all tenants: a file is there wholly or not at all."""
        draft = self._index.with_name("broken.new")
        draft.write_text(str(self._hold))
        draft.replace(self._index.with_name("broken"))
        return perf_counter()

    def _until_written(self, traffic: Traffic) -> float:
        """Go on until the file says that version 2 is erroring; NoReply."""
        until = perf_counter() + REPLY_SECONDS
        while self._version()["state"] != ERRORING:
            traffic.step()
            if perf_counter() > until:
                raise NoReply(f"{self._index.name} does not say that the version is out")
        return perf_counter()

    def _version(self) -> Reply:
        versions = tomllib.loads(self._index.read_text())["actions"][FUNCTION]["versions"]
        return next(each for each in versions if each["version"] == 2)

    def _look(self, console: Console) -> FunctionStatus:
        """Whatever the server had to write about it has been written before the record of the first order."""
        changes = console.ask("functions.diff")["changes"]
        history = console.ask("functions.history", function=FUNCTION)["moves"]
        moves = [each for each in history if each["by"] == "machine"]
        shown = FunctionStatus(
            console.ask("functions.show", function=FUNCTION), moves, changes, self._version()
        )
        console.close()
        return shown

    def _again(self) -> tuple[Traffic, FunctionStatus]:
        """The server started again, with the defect still there."""
        server = self._installation.start()
        try:
            traffic = self._traffic(server.endpoint, "after")
            traffic.run(len(self._names))
            traffic.finish()
            return traffic, self._look(Console(self._installation.data))
        finally:
            server.end()


# What came of it


def report_case(report: Report, plan: Plan, name: str, outcomes: Sequence[Outcome]) -> None:
    """Figures and promises over the trials of one case."""
    failed = [failures(each) for each in outcomes]
    numbers = [len(each) for each in failed]
    times = [
        last(each.received for each in f) - o.broken for f, o in zip(failed, outcomes, strict=True)
    ]
    sent = sum(len(traffic.sent) for o in outcomes for traffic in (o.before, o.after))
    report.figure(f"{name}: messages", f"{sent:,}, {sum(numbers)} of them answered internal")
    report.figure(f"{name}: to the last internal", spread(times))
    report.figure(f"{name}: to the file", spread([o.written - o.broken for o in outcomes]))
    most = MAX_FAILURES + plan.threads - 1
    report.promise(
        f"{name}: {LIMIT} to {MAX_FAILURES} callers see internal, and at most the {plan.threads - 1} "
        f"whose calls had begun: {min(numbers)} to {max(numbers)} in {len(outcomes)} trials",
        LIMIT <= min(numbers) <= max(numbers) <= most,
    )
    for words, holds in PROMISES.items():
        kept = sum(holds(outcome) for outcome in outcomes)
        report.promise(f"{name}: {words}: {kept} of {len(outcomes)}", kept == len(outcomes))
    right = sum(each.files.right for each in outcomes)
    report.promise(
        f"{name}: the files hold what was answered ok, once each, and nothing of what failed: {right:,} rows",
        all(each.files.sound for each in outcomes),
    )


def failures(outcome: Outcome) -> list[Answer]:
    """The internal ones, in the order in which they came."""
    return [each for each in outcome.before.answers.values() if each.code == INTERNAL]


def last(moments: Iterable[float]) -> float:
    """Of none it is never."""
    return max(moments, default=float("inf"))


def others_are_served(outcome: Outcome) -> bool:
    """Everything is answered once, and all but the failures ok."""
    before, after = outcome.before, outcome.after
    answers = [*before.answers.values(), *after.answers.values()]
    wrong = [each for each in answers if each.wrong and each not in failures(outcome)]
    whole = all(t.answers.keys() == t.sent.keys() and not t.twice for t in (before, after))
    return whole and not wrong


def few_of_each(outcome: Outcome) -> bool:
    """However the failures fall on the tenants."""
    counts = Counter(each.tenant for each in failures(outcome))
    return max(counts.values(), default=0) <= LIMIT


def none_passes(outcome: Outcome) -> bool:
    """What is sent once the version is broken is never answered by it."""
    late = [each for each in outcome.before.answers.values() if each.sent > outcome.broken]
    served = [each for each in late if each.code == "ok"]
    return bool(served) and all((each.version, each.reason) == FALLBACK for each in served)


def fallback_takes_over(outcome: Outcome) -> bool:
    """Whatever was sent after the reply to one failure too many had come."""
    enough = len(outcome.shown.moves[0]["traces"]) if outcome.shown.moves else LIMIT
    trigger = failures(outcome)[enough - 1 : enough]
    late = [e for e in outcome.before.answers.values() if trigger and e.sent > trigger[0].received]
    return bool(late) and all((each.version, each.reason) == FALLBACK for each in late)


def one_move(outcome: Outcome) -> bool:
    """By the machine, for requests that failed."""
    moves = outcome.shown.moves
    traces = {each.trace_id for each in failures(outcome)}
    return (
        [(each["version"], each["to"]) for each in moves] == [(2, ERRORING)]
        and LIMIT <= len(set(moves[0]["traces"])) <= MAX_FAILURES
        and traces.issuperset(moves[0]["traces"])
    )


def is_explained(outcome: Outcome) -> bool:
    """functions.show says by whom, for which requests, and what is served instead."""
    explanation = outcome.shown.function["explanation"] or ""
    words = ["moved by machine", "version 1 is served instead"]
    words += [trace for move in outcome.shown.moves for trace in move["traces"]]
    return all(each in explanation for each in words)


def is_written(outcome: Outcome) -> bool:
    """The file says so, and nothing else than what is served."""
    file = outcome.shown.file
    written = (file["state"], file["by"], file["before"])
    return written == (ERRORING, "machine", outcome.state) and not outcome.shown.changes


def stays_out(outcome: Outcome) -> bool:
    """On the next server, too, without a second move."""
    answers = outcome.after.answers.values()
    served = {(each.version, each.reason) for each in answers}
    is_out = outcome.restarted.file["state"] == ERRORING and outcome.restarted.changes == []
    return served == {FALLBACK} and is_out and outcome.restarted.moves == outcome.shown.moves


PROMISES: Final[dict[str, Callable[[Outcome], bool]]] = {
    "no other caller gets an error": others_are_served,
    f"no tenant sees more than {LIMIT}": few_of_each,
    "what is sent from then on is never answered by it": none_passes,
    "what is sent after one failure too many gets the fallback": fallback_takes_over,
    "one move by the machine, for requests that failed": one_move,
    "functions.show says why, and what is served instead": is_explained,
    "the file says so, and is what is served": is_written,
    "it is still out when the server starts again": stays_out,
}

"""kill -9 in the middle of a load: nothing acknowledged is lost, nothing that is sent again is doubled."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from scripts.benchmark.plan import Call
from scripts.endurance import verdict
from scripts.endurance.connection import LoadConnection
from scripts.endurance.server import Installation, Server
from scripts.endurance.verdict import Ledger, Report, RowCounts, find_acknowledged, judge

MAX_ADDS = 50_000
"""Adds in one round, however fast the server is."""


class Plan(NamedTuple):
    """How long and how hard."""

    rounds: int
    tenants: int
    in_flight: int
    seconds: float
    within: float
    seed: int


FULL: Final = Plan(rounds=10, tenants=16, in_flight=256, seconds=2.0, within=2.0, seed=1)
QUICK: Final = FULL._replace(rounds=3, tenants=4, seconds=0.6)

MEANINGS: Final = {
    "rounds": "times that the server is killed",
    "tenants": "tenants that the load is spread over",
    "in_flight": "requests under way at the kill",
    "seconds": "load before a kill, at the most; a quarter of it at the least",
    "within": "seconds between a kill and `ready` that are too many",
    "seed": "of the random moments",
}


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """All rounds; ChildFailed, NoReply."""
    report = Report(f"kill: {plan.rounds} x kill -9 under contacts.add, {plan.tenants} tenants")
    with Trial(plan, folder) as trial:
        for number in range(plan.rounds):
            progress(f"round {number + 1} of {plan.rounds}")
            trial.round(number)
    trial.add_to(report)
    trial.add_files_to(report)
    return report


class Trial:
    """The server under trial, and what has been seen of it."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        names = [f"kill-{number}" for number in range(plan.tenants)]
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._installation = Installation(folder, names, {})
        self._ledger = Ledger(names)
        self._ready: list[float] = []
        self._answers: list[float] = []
        self._open_at_kill = 0
        self._replayed = 0
        self._unreplayed = 0
        self._seen = RowCounts()
        self._server = self._start(0)

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end()

    def round(self, number: int) -> None:
        """Load, kill, start again, look."""
        known = set(self._ledger.acknowledged)
        killed = self._load_and_kill()
        self._server.end()
        self._server = self._start(number + 1)
        self._ready.append(time.perf_counter() - killed)
        connection = LoadConnection(self._server.endpoint, self._installation.tokens)
        fresh = [id for id in self._ledger.acknowledged if id not in known]
        self._ask_again(connection, fresh[:1])
        self._answers.append(time.perf_counter() - killed)
        self._seen.update(find_acknowledged(connection, self._ledger, fresh))
        self._send_again(connection)
        self._ask_again(connection, self._chance.sample(fresh, min(100, len(fresh))))
        connection.close()

    def _start(self, number: int) -> Server:
        """Every other time with too few places, so that a kill also falls into opening and checkpoints."""
        tenants = self._plan.tenants
        return self._installation.start(
            resident=tenants if number % 2 == 0 else max(1, tenants // 2)
        )

    def _load_and_kill(self) -> float:
        """The moment of the kill."""
        connection = LoadConnection(self._server.endpoint, self._installation.tokens)
        until = time.perf_counter() + self._plan.seconds * self._chance.uniform(0.25, 1.0)
        most = len(self._ledger.asked) + MAX_ADDS
        for reply in connection.flow(self._ledger.adds(), self._plan.in_flight):
            self._ledger.take(reply)
            if time.perf_counter() > until or len(self._ledger.asked) > most:
                break
        killed = self._server.kill()
        for reply in connection.rest():
            self._ledger.take(reply)
        connection.close()
        self._open_at_kill += len(self._ledger.unacknowledged())
        return killed

    def _send_again(self, connection: LoadConnection) -> None:
        """What was not acknowledged, under the same ids; then each must be there once."""
        calls = self._ledger.unacknowledged()
        for reply in connection.exchange(calls).values():
            self._replayed += reply.get("meta", {}).get("replayed", False)
            self._ledger.take(reply)
        done = [call.id for call in calls if call.id in self._ledger.acknowledged]
        self._seen.update(find_acknowledged(connection, self._ledger, done))

    def _ask_again(self, connection: LoadConnection, ids: list[str]) -> None:
        """What was acknowledged, under the same ids: the stored reply must come, with the same contact."""
        for reply in connection.exchange(self._ledger.asked[id] for id in ids).values():
            self._ledger.take(reply)
            self._unreplayed += not reply.get("meta", {}).get("replayed", False)

    # What came of it

    def add_to(self, report: Report) -> None:
        """What was seen through the API."""
        ledger, seen = self._ledger, self._seen
        sent = len(ledger.asked)
        report.figure(
            "requests", f"{sent:,}; {sent - self._open_at_kill:,} acknowledged before a kill"
        )
        report.figure(
            "sent again",
            f"{self._open_at_kill:,}; {self._replayed:,} of them had been done (replayed)",
        )
        report.figure("kill to ready", spread(self._ready))
        report.figure("kill to first reply", spread(self._answers))
        for words, count in ledger.refused.most_common(5):
            report.figure("refused", f"{count} x {words}")
        report.promise(
            f"every acknowledged id is there exactly once: {seen['looked for']:,} looked for through the "
            f"API, {seen['lost']} lost, {seen['doubled']} doubled, {seen['changed']} changed",
            seen["looked for"] == sent and seen.wrong == 0,
        )
        left = len(ledger.unacknowledged())
        report.promise(f"every id sent again was answered ok: {left} were not", left == 0)
        report.promise(
            f"an acknowledged id gets its stored reply again: {self._unreplayed} did not",
            self._unreplayed == 0,
        )
        report.promise(
            f"ready within {self._plan.within:g} s of the kill: at worst {max(self._ready):.2f} s",
            max(self._ready) < self._plan.within,
        )

    def add_files_to(self, report: Report) -> None:
        """Check the files, which no process has open now."""
        data, ledger = self._installation.data, self._ledger
        paths = verdict.tenant_files(data)
        counts, strangers = self._compare(paths)
        report.promise(
            f"so it is in the files: {counts['looked for']:,} contacts, {counts['lost']} lost, "
            f"{counts['doubled']} doubled, {counts['changed']} changed, {strangers} unknown",
            counts["looked for"] == len(ledger.asked) and counts.wrong == strangers == 0,
        )
        stored = [id for path in paths.values() for id in verdict.stored_ids(path)]
        report.promise(
            f"each request has one stored reply: {len(stored):,}",
            sorted(stored) == sorted(ledger.asked),
        )
        checked = [data / "directory.db", *paths.values()]
        found = [fault for path in checked for fault in verdict.faults(path)]
        report.promise(
            f"SQLite finds {len(checked)} files and their full-text indexes sound"
            + "".join(f"; {fault}" for fault in found[:5]),
            not found,
        )

    def _compare(self, paths: dict[str, Path]) -> tuple[RowCounts, int]:
        counts, strangers = RowCounts(), 0
        for tenant, path in paths.items():
            rows = rows_by_name(path)
            for call in self._asked_of(tenant):
                found = rows.pop(call.params["name"], [])
                counts.update(judge(found, self._ledger.acknowledged.get(call.id, 0)))
            strangers += len(rows)
        return counts, strangers

    def _asked_of(self, tenant: str) -> Iterator[Call]:
        return (call for call in self._ledger.asked.values() if call.tenant == tenant)


def rows_by_name(path: Path) -> dict[str, list[int]]:
    """Each name in a tenant's file, with the contacts that have it."""
    found: dict[str, list[int]] = {}
    for id, name in verdict.contacts(path):
        found.setdefault(name, []).append(id)
    return found


def spread(seconds: list[float]) -> str:
    """Median and worst, in seconds."""
    return f"{statistics.median(seconds):.2f} s (median), {max(seconds):.2f} s at worst"

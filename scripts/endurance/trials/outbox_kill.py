"""kill -9 while functions send to a peer that fails: each delivery is there once, and none was made up."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from scripts.benchmark.child import Child
from scripts.benchmark.peers import HERE
from scripts.benchmark.plan import Call
from scripts.endurance import verdict
from scripts.endurance.connection import LoadConnection, NoReply, problem
from scripts.endurance.server import Console, Installation, Server
from scripts.endurance.verdict import Report

REGISTRY: Final = Path(__file__).parents[1] / "fixtures" / "parcels" / "registry.toml"

SEND: Final = "parcels.send"
COUNT: Final = "parcels.count"

ROLLED_BACK: Final = "rolled back"
"""How names begin of what must never get anywhere."""

QUIET_SECONDS: Final = 120.0
"""After the last kill, for all that is left to be delivered."""


class Plan(NamedTuple):
    """How long and how hard."""

    rounds: int
    tenants: int
    in_flight: int
    sends: int
    seed: int


FULL: Final = Plan(rounds=10, tenants=8, in_flight=32, sends=1300, seed=1)
QUICK: Final = FULL._replace(rounds=3, tenants=3, sends=150)

MEANINGS: Final = {
    "rounds": "times that the server is killed",
    "tenants": "tenants that send",
    "in_flight": "requests under way at the kill",
    "sends": "requests in all, of which one in ten is rolled back",
    "seed": "of the random moments, and of the peer's failures",
}


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """All rounds; ChildFailed, NoReply."""
    report = Report(f"send: {plan.rounds} x kill -9 under {SEND}, {plan.tenants} tenants")
    with Trial(plan, folder) as trial:
        for number in range(plan.rounds):
            progress(f"round {number + 1} of {plan.rounds}")
            trial.round()
        progress("waiting for what is left")
        trial.settle()
    trial.add_to(report)
    return report


class Trial:
    """The server under trial, and the peer, which is never killed."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self.ledger = folder / "peer.jsonl"
        arguments = [f"--ledger={self.ledger}", f"--seed={plan.seed}"]
        self._peer = Child("scripts.endurance.services", arguments, folder / "peer.log", HERE)
        self._peer.wait_ready()
        self._names = [f"send-{number}" for number in range(plan.tenants)]
        port = self._peer._ready.result(0).split()[1]
        flags = {"outward_networks": "127.0.0.0/8"}
        self._installation = Installation(
            folder, self._names, flags, REGISTRY, "scripts.endurance.fast_retries", owners=True
        )
        self._numbers = count()
        self._calls: dict[str, Call] = {}
        self.acknowledged: dict[str, str] = {}
        """Id of a request → key that its ok reply named."""
        self._server: Server = self._installation.start()
        console = Console(self._installation.data, self._installation.tokens)
        console.connect(self._names, "post", url=f"http://127.0.0.1:{port}")
        console.close()

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end()
        self._peer.end()

    def round(self) -> None:
        """Load, kill at a random moment, start again."""
        connection = LoadConnection(self._server.endpoint, self._installation.tokens)
        most = self._plan.sends // self._plan.rounds
        for reply in connection.flow(islice(self._sends(), most), self._plan.in_flight):
            self._take(reply)
        time.sleep(max(0.0, self._chance.uniform(-0.2, 0.3)))  # some get far, others not
        self._server.kill()
        for reply in connection.rest():
            self._take(reply)
        connection.close()
        self._server.end()
        self._server = self._installation.start()

    def settle(self) -> None:
        """Wait until every parcel has an outcome; NoReply if some have none in time."""
        connection = LoadConnection(self._server.endpoint, self._installation.tokens)
        until = time.perf_counter() + QUIET_SECONDS
        while not all(self._is_quiet(connection, tenant) for tenant in self._names):
            if time.perf_counter() > until:
                raise NoReply(f"deliveries were left after {QUIET_SECONDS:.0f} s")
            time.sleep(0.2)
        connection.close()

    def _is_quiet(self, connection: LoadConnection, tenant: str) -> bool:
        (reply,) = connection.exchange(
            [Call(f"q-{next(self._numbers)}", tenant, COUNT, {})]
        ).values()
        if wrong := problem(reply):
            raise NoReply(f"{COUNT} failed: {wrong}")
        return bool(reply["result"]["parcels"] == reply["result"]["heard"])

    def _sends(self) -> Iterator[Call]:
        for number in self._numbers:
            fails = number % 10 == 9
            name = f"{ROLLED_BACK if fails else 'parcel'} {number:08d}"
            params: dict[str, Any] = {"name": name, "ordered": number % 3 == 0}
            if fails:
                params["fail"] = "refusal"
            tenant = self._names[number % len(self._names)]
            call = Call(f"send-{number:08d}", tenant, SEND, params)
            self._calls[call.id] = call
            yield call

    def _take(self, reply: Any) -> None:
        if reply["ok"]:
            self.acknowledged[reply["id"]] = reply["result"]["key"]

    # What came of it

    def add_to(self, report: Report) -> None:
        """The peer's ledger against the tenants' files."""
        paths = verdict.tenant_files(self._installation.data)
        kept: dict[str, str] = {}
        heard: Counter[str] = Counter()
        left = 0
        for path in paths.values():
            kept |= dict(rows(path, "SELECT key, name FROM parcels"))
            heard.update(key for (key,) in rows(path, "SELECT key FROM heard WHERE ok"))
            left += rows(path, "SELECT count(*) FROM tenantry_outbox")[0][0]
        calls = [json.loads(line) for line in self.ledger.read_text().splitlines()]
        report.figure("requests", f"{len(self._calls):,}; {len(self.acknowledged):,} acknowledged")
        report.figure(
            "deliveries", f"{len(kept):,} committed; the peer was called {len(calls):,} x"
        )
        for words, promised in judged(kept, heard, left, calls, set(self.acknowledged.values())):
            report.promise(words, promised)


def judged(
    kept: dict[str, str],
    heard: Counter[str],
    left: int,
    calls: list[dict[str, Any]],
    acknowledged: set[str],
) -> Iterator[tuple[str, bool]]:
    """Yield the promises about the files (`kept`, `heard`, `left`), the peer's calls and the replies."""
    acted = Counter(call["key"] for call in calls if call["acted"])
    asked = {call["key"] for call in calls}
    lost = len(kept.keys() - acted.keys())
    yield f"everything that was committed got there: {lost} did not", lost == 0
    twice = sum(times > 1 for times in acted.values())
    yield f"nothing twice where keys are honoured: {twice} were", twice == 0
    strangers = len(asked - kept.keys())
    yield f"nothing without its transaction: {strangers} were", strangers == 0
    undone = [call for call in calls if call["name"].startswith(ROLLED_BACK)]
    yield f"nothing of a function that was rolled back: {len(undone)} were", not undone
    missing = len(acknowledged - kept.keys())
    yield f"what was acknowledged was committed: {missing} were not", missing == 0
    wrong = sum(heard[key] != 1 for key in kept) + len(heard.keys() - kept.keys())
    yield f"each outcome arrived once: {wrong} did not", wrong == 0
    yield f"outboxes are empty: {left} are left", left == 0


def rows(path: Path, query: str) -> list[Any]:
    """From a file of a stopped server."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute(query).fetchall()

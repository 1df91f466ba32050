"""Syncs that fail, then a power cut: what was acknowledged on either channel is in the files as synced."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple

from actors.assembly.provisioning import TOKEN_FILE
from scripts.benchmark.plan import Call
from scripts.endurance import verdict
from scripts.endurance.connection import LoadConnection, NoReply, Reply, problem
from scripts.endurance.faults import Calls, Faults
from scripts.endurance.load import own_index
from scripts.endurance.server import FUNCTION, Installation, Server
from scripts.endurance.trials.swap import WAY
from scripts.endurance.verdict import Report

TARGETS: Final = {
    "tenant": "/data/tenants",
    "directory": "/data/directory.db",
    "audit": "/data/audit",
    "index": "/site/index",
}
"""Whose syncs fail, and what their paths have in them."""

WAYS: Final = {"once": (1, 1), "always": (1, 0), "now and then": (3, 0)}
"""How they fail: each so-many-th, and so many at the most (0: without end)."""

ADD: Final = "developers.add"
LIST: Final = "developers.list"
REMOVE: Final = "developers.remove"

MOST_DEVELOPERS: Final = 100
"""Developers that a round leaves; a platform has 200 at most."""

MOVE: Final = "functions.move"

WAVE: Final = 20
"""Calls that are sent together."""

PAUSE: Final = 0.06
"""Seconds between two waves: after the shortest time in which the disk is asked again."""

SILENCE: Final = 20.0
"""Seconds without a reply after which a round is over."""


class Plan(NamedTuple):
    """How long, and on what."""

    rounds: int
    tenants: int
    writes: int
    orders: int
    targets: str
    seed: int


FULL: Final = Plan(rounds=60, tenants=4, writes=120, orders=6, targets=",".join(TARGETS), seed=1)
QUICK: Final = FULL._replace(rounds=12)

MEANINGS: Final = {
    "rounds": "power cuts; each target's syncs fail once, always, and now and then, in turn",
    "tenants": "tenants that write",
    "writes": "new writes in a round; as many of earlier ones are sent again",
    "orders": "orders on the admin channel in a round: half add a developer, half move a version",
    "targets": "whose syncs fail: " + ", ".join(TARGETS),
    "seed": "of the random moments",
}


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """All rounds; ChildFailed, NoReply, NoCompiler."""
    report = Report(f"syncs: {plan.rounds} power cuts after syncs that failed: {plan.targets}")
    with Trial(plan, folder) as trial:
        ways = cycle((target, way) for way in WAYS for target in plan.targets.split(","))
        for number, (target, way) in zip(range(plan.rounds), ways, strict=False):
            progress(f"round {number + 1} of {plan.rounds}: {target}, {way}")
            trial.round(target, way, recovers=bool(number % 2))
    trial.add_to(report)
    return report


class Trial:
    """The server under trial, what it has acknowledged, and what was missing."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        place = folder / "site"
        place.mkdir()
        self._folder = folder
        names = [f"sync-{number}" for number in range(plan.tenants)]
        self._installation = Installation(place, names, {}, own_index(place))
        self._index = place / "index" / "registry.toml"
        self._faults = Faults(folder / "disk", place)
        self._asked: dict[str, Call] = {}
        self._written: set[str] = set()
        self._ordered: dict[str, str] = {}
        """What was acknowledged: id of the order to its trace id."""
        self._states = {"under dev"}
        """One of these is version 2's: the last that was acknowledged, and those asked for since."""
        self.seen: Counter[str] = Counter()
        self._removed: set[str] = set()
        """Names of developers who were removed; the directory forgets a removed person's name."""
        self._missing: list[str] = []
        self._refused: dict[str, str] = {}
        """Why each call that is not acknowledged was refused last, by its id."""
        self._server: Server | None = None

    def __enter__(self) -> Trial:
        self._start()  # whatever a first start makes is there before any sync fails
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.end()
        self._faults.close()

    def round(self, target: str, way: str, *, recovers: bool) -> None:
        """Load while syncs fail, or until the disk has recovered and all is written; cut the power; look."""
        every, most = WAYS[way]
        after = self._chance.randrange(4)
        self._faults.fail(Calls.SYNC, TARGETS[target], after=after, every=every, most=most)
        for wave in batched(self._calls(), WAVE):
            self._load(wave)
            time.sleep(PAUSE)
        self.seen["syncs that failed"] += self._faults.failed
        if recovers:
            self._faults.mend()
            self._write_all()
        assert self._server is not None
        self._server.kill()
        self._server.end()
        self._faults.mend()
        self._faults.cut_power()
        self.look(f"{target}, {way}")
        self._start()
        self._remove_developers()

    def _start(self) -> None:
        self._server = self._installation.start(self._faults.environment())

    def _remove_developers(self) -> None:
        """Remove the developers above MOST_DEVELOPERS, so that later rounds can add theirs; NoReply."""
        with closing(self._connect_admin()) as admin:
            admin.send(Call(f"l-{len(self._asked)}", "", LIST, {}))
            people = admin.reply()["result"]["developers"]
            own = [each for each in people if each["name"] in self._asked]
            for each in own[: max(0, len(own) - MOST_DEVELOPERS)]:
                admin.send(Call(f"r-{each['id']}", "", REMOVE, {"person": each["id"]}))
                if wrong := problem(admin.reply()):
                    raise NoReply(f"{each['name']} could not be removed: {wrong}")
                self._removed.add(each["name"])

    def _connect_admin(self) -> LoadConnection:
        token = (self._installation.data / TOKEN_FILE).read_text().strip()
        return LoadConnection(
            f"ipc://{self._installation.data / 'admin.sock'}", defaultdict(lambda: token)
        )

    # Load

    def _calls(self) -> list[Call]:
        """New ones and such as were not acknowledged, on both channels, in random order."""
        number = len(self._asked)
        new = [
            Call(
                f"w-{at:07d}",
                self._chance.choice(list(self._installation.tokens)),
                FUNCTION,
                {"text": f"w-{at:07d}"},
            )
            for at in range(number, number + self._plan.writes)
        ]
        orders = [
            Call(f"o-{at:07d}", "", ADD, {"name": f"o-{at:07d}"})
            for at in range(number + len(new), number + len(new) + self._plan.orders // 2)
        ]
        old = self._unwritten()[: self._plan.writes]
        self._asked |= {call.id: call for call in (*new, *orders)}
        moves = [
            Call(
                f"m-{number}-{at}",
                "",
                MOVE,
                {"function": FUNCTION, "version": 2, "to": to, "why": "a trial"},
            )
            for at, to in enumerate(self._next_states())
        ]
        mixed = [*new, *old, *orders]
        self._chance.shuffle(mixed)
        for move in moves:
            mixed.insert(self._chance.randrange(len(mixed)), move)
        return mixed

    def _next_states(self) -> list[str]:
        """Version 2's way from the state that it is in, as the file has it."""
        at = WAY.index(state_of(self._index)) + 1
        return [WAY[(at + each) % len(WAY)] for each in range(self._plan.orders // 2)]

    def _unwritten(self) -> list[Call]:
        done = self._written | self._ordered.keys()
        return [call for id, call in self._asked.items() if id not in done]

    def _write_all(self) -> None:
        """What was refused is sent again, until nothing is; NoReply."""
        until = time.monotonic() + SILENCE
        while calls := self._unwritten():
            self._load(calls[: self._plan.writes])
            time.sleep(PAUSE)
            if time.monotonic() > until:
                names = ", ".join(f"{call.id} ({self._refused.get(call.id)})" for call in calls[:5])
                raise NoReply(
                    f"the disk has recovered, and {len(calls)} calls are refused: {names}"
                )

    def _load(self, calls: Sequence[Call]) -> None:
        """Send each and take what is answered; orders one after the other."""
        assert self._server is not None
        admin = self._connect_admin()
        data = LoadConnection(self._server.endpoint, self._installation.tokens)
        writes = [call for call in calls if call.tenant]
        orders = iter([call for call in calls if not call.tenant])
        for call in writes:
            data.send(call)
        order, open_ = next(orders, None), len(writes)
        if order is not None:
            self._send_order(admin, order)
        last_reply = time.monotonic()
        while (open_ or order) and time.monotonic() - last_reply < SILENCE and self._server.running:
            if open_ and (reply := data.receive(0.01)) is not None:
                open_, last_reply = open_ - 1, time.monotonic()
                self._take_write(reply)
            if order is not None and (reply := admin.receive(0.0 if open_ else 0.01)) is not None:
                last_reply = time.monotonic()
                self._take_order(order, reply)
                order = next(orders, None)
                if order is not None:
                    self._send_order(admin, order)
        self.seen["not answered"] += open_
        self.seen["ended by itself"] += not self._server.running
        data.close()
        admin.close()

    def _send_order(self, connection: LoadConnection, order: Call) -> None:
        if order.action == MOVE:
            self._states.add(order.params["to"])
        connection.send(order)

    def _take_write(self, reply: Reply) -> None:
        if wrong := problem(reply):
            self.seen[f"refused: {wrong}"] += 1
            self._refused[reply["id"]] = wrong
        else:
            self._written.add(reply["id"])

    def _take_order(self, order: Call, reply: Reply) -> None:
        if wrong := problem(reply):
            self.seen[f"refused: {order.action}: {wrong.partition(':')[0]}"] += 1
            self._refused[order.id] = wrong
            return
        self._ordered[order.id] = reply["meta"]["trace_id"]
        if order.action == MOVE:
            self._states = {order.params["to"]}

    # What is there

    def look(self, when: str) -> None:
        """Whether all is there that was acknowledged; the server finds the files as they were."""
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._installation.data, copy, ignore=shutil.ignore_patterns("*.sock"))
        self._written -= self._miss(when, "write", self._written - set(self._marks(copy)))
        with closing(sqlite3.connect(copy / "directory.db")) as file:
            names = {name for (name,) in file.execute("SELECT name FROM people")}
        added = {id for id in self._ordered if id in self._asked} - self._removed
        trails = "".join(path.read_text() for path in sorted((copy / "audit").glob("*.jsonl")))
        unheard = {id for id, trace in self._ordered.items() if trace not in trails}
        for gone in self._miss(when, "order", added - names) | self._miss(when, "record", unheard):
            del self._ordered[gone]
        state = state_of(self._index)
        self._miss(
            when, "move", set() if state in self._states else {f"{state}, not {self._states}"}
        )
        self._states = {state}

    def _marks(self, data: Path) -> Iterator[str]:
        for path in verdict.tenant_files(data).values():
            found = Counter(text.partition(" ")[2] for text in verdict.marks(path))
            self.seen["doubled"] += sum(count > 1 for count in found.values())
            yield from found

    def _miss(self, when: str, kind: str, missing: set[str]) -> set[str]:
        """Note what is missing, for the first time; it is looked for no more."""
        self.seen[f"{kind}s missing"] += len(missing)
        self._missing += [f"{kind} {each} after {when}" for each in sorted(missing)[:3]]
        return missing

    def add_to(self, report: Report) -> None:
        """What was seen."""
        seen = self.seen
        report.figure("syncs that failed", f"{seen['syncs that failed']:,}")
        report.figure(
            "acknowledged", f"{len(self._written):,} writes, {len(self._ordered):,} orders"
        )
        report.figure("not answered", f"{seen['not answered']:,}")
        refused = Counter({words: n for words, n in seen.items() if words.startswith("refused")})
        for words, number in refused.most_common(8):
            report.figure("refused", f"{number} x {words.removeprefix('refused: ')}")
        for words in self._missing[:20]:
            report.figure("missing", words)
        for kind in ("write", "order", "record", "move"):
            number = seen[f"{kind}s missing"]
            report.promise(
                f"each acknowledged {kind} is there after a power cut: {number} missing", not number
            )
        report.promise(f"none is there twice: {seen['doubled']} doubled", not seen["doubled"])
        report.promise(
            f"the server lives on: {seen['ended by itself']} times it did not",
            not seen["ended by itself"],
        )


def batched(calls: Sequence[Call], size: int) -> Iterator[Sequence[Call]]:
    """So many at a time."""
    for at in range(0, len(calls), size):
        yield calls[at : at + size]


def state_of(index: Path) -> str:
    """Version 2's, by the file."""
    versions = tomllib.loads(index.read_text())["actions"][FUNCTION]["versions"]
    return next(str(each["state"]) for each in versions if each["version"] == 2)

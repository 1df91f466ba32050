"""What was asked of the server, what it acknowledged, and whether what it holds agrees.

Straight into the files of a stopped server: what is there, and whether SQLite finds it sound.

What a run says in the end: figures, then each promise, kept or broken; and how busy the machine was.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

from scripts.benchmark.noise import other_load, usage
from scripts.benchmark.plan import ADD, Call
from scripts.endurance.connection import LoadConnection, NoReply, Reply, problem

FIND = "contacts.find"


class Ledger:
    """Adds of contacts, each with an id and a name that no other has."""

    def __init__(self, tenants: Sequence[str]) -> None:
        self.tenants = tenants
        self.asked: dict[str, Call] = {}
        self.acknowledged: dict[str, int] = {}
        """Id of a request → id of the contact that its ok reply named."""
        self.refused: Counter[str] = Counter()
        """Replies that were not ok, by their error."""
        self._numbers = count()

    def adds(self) -> Iterator[Call]:
        """New ones without end, over the tenants in turn."""
        for number in self._numbers:
            tenant = self.tenants[number % len(self.tenants)]
            call = Call(f"add-{number:08d}", tenant, ADD, {"name": f"load {number:08d}"})
            self.asked[call.id] = call
            yield call

    def take(self, reply: Reply) -> None:
        """Record a reply; NoReply if an id gets two different replies."""
        if wrong := problem(reply):
            self.refused[wrong] += 1
            return
        contact = reply["result"]["id"]
        if self.acknowledged.setdefault(reply["id"], contact) != contact:
            raise NoReply(f"the id {reply['id']} was given two contacts")

    def unacknowledged(self) -> list[Call]:
        """Asked and not known to be done, in the order of asking."""
        return [call for id, call in self.asked.items() if id not in self.acknowledged]


class RowCounts(Counter[str]):
    """How many rows were looked for, and how many were `lost`, `doubled` or `changed`."""

    @property
    def wrong(self) -> int:
        """Rows that are not there exactly once as acknowledged."""
        return self["lost"] + self["doubled"] + self["changed"]


def find_acknowledged(connection: LoadConnection, ledger: Ledger, ids: Iterable[str]) -> RowCounts:
    """Find each acknowledged contact through the API, by its name, and compare."""
    counts = RowCounts()
    asked = {f"find-{id}": ledger.asked[id] for id in ids}
    finds = (Call(f, c.tenant, FIND, {"text": c.params["name"]}) for f, c in asked.items())
    for id, reply in connection.exchange(finds).items():
        if wrong := problem(reply):
            raise NoReply(f"{FIND} failed: {wrong}")
        call = asked[id]
        rows = [
            row["id"] for row in reply["result"]["contacts"] if row["name"] == call.params["name"]
        ]
        counts.update(judge(rows, ledger.acknowledged[call.id]))
    return counts


def judge(rows: list[int], expected: int) -> Iterator[str]:
    """What is to be said of the ids of the rows that one add has left."""
    yield "looked for"
    if not rows:
        yield "lost"
    elif len(rows) > 1:
        yield "doubled"
    elif rows != [expected]:
        yield "changed"


FULL_TEXT = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%USING fts5%'"


def tenant_files(data: Path) -> dict[str, Path]:
    """Tenant to file, as directory.db has them."""
    with closing(sqlite3.connect(data / "directory.db")) as directory:
        found = directory.execute("SELECT name, id FROM tenants").fetchall()
    return {name: data / "tenants" / f"{id}.db" for name, id in found}


def contacts(path: Path) -> list[tuple[int, str]]:
    """Every contact's id and name."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT id, name FROM contacts ORDER BY id").fetchall()


def marks(path: Path) -> list[str]:
    """What every mark says, in the order in which they were made."""
    with closing(sqlite3.connect(path)) as file:
        return [text for (text,) in file.execute("SELECT text FROM marks ORDER BY id")]


def stored_ids(path: Path) -> list[str]:
    """The ids of requests whose replies are stored."""
    with closing(sqlite3.connect(path)) as file:
        return [id for (id,) in file.execute("SELECT id FROM tenantry_replies")]


def faults(path: Path) -> Iterator[str]:
    """What SQLite's own checks find wrong: the file, then each full-text index against its table."""
    with closing(sqlite3.connect(path)) as file:
        try:
            found = [line for (line,) in file.execute("PRAGMA integrity_check")]
            found = [] if found == ["ok"] else found
            for (index,) in file.execute(FULL_TEXT).fetchall():
                found += index_faults(file, index)
        except sqlite3.DatabaseError as error:
            found = [str(error)]
    yield from (f"{path.name}: {line}" for line in found)


def index_faults(file: sqlite3.Connection, index: str) -> list[str]:
    """The rank 1 has the check compare with the indexed table (sqlite.org/fts5.html, integrity-check)."""
    try:
        file.execute(f'INSERT INTO "{index}"("{index}", rank) VALUES (?, 1)', ("integrity-check",))
    except sqlite3.DatabaseError as error:
        return [f"{index}: {error}"]
    finally:
        file.rollback()
    return []


class Report:
    """Filled while a run goes on; as text, one line each."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._figures: list[tuple[str, str]] = []
        self._promises: list[tuple[str, bool]] = []
        self._usage, self._own = usage(), own_seconds()

    def figure(self, name: str, value: str) -> None:
        """Something measured."""
        self._figures.append((name, value))

    def promise(self, words: str, kept: bool) -> None:
        """Something that has to hold; `words` say what, with the figure it is judged by."""
        self._promises.append((words, kept))

    @property
    def broken(self) -> bool:
        """Whether any promise was; a run that promised nothing has shown nothing."""
        return not self._promises or not all(kept for _, kept in self._promises)

    def lines(self) -> Iterator[str]:
        """The whole of it. For when every child has ended, whose processor time is counted as ours."""
        yield self._title
        width = max((len(name) for name, _ in self._figures), default=0)
        for name, value in (*self._figures, ("machine", self._machine())):
            yield f"  {name:<{width}}  {value}"
        for words, kept in self._promises:
            yield f"  {'kept  ' if kept else 'BROKEN'}  {words}"

    def _machine(self) -> str:
        others, stolen = other_load(self._usage, usage(), own_seconds() - self._own)
        return (
            f"{os.cpu_count()} processors; other processes used {others:.0%} of them, "
            f"the hypervisor {stolen:.0%}"
        )


def own_seconds() -> float:
    """Processor seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system

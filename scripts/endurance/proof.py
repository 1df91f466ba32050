"""Texts as values of every field of the desk's actions: each is stored as it is, or refused.

Screening is not what keeps a database: this shows what does. The texts go through a real server, and the
tenant's file is compared row by row with what was there before: nothing else has changed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.index.entries import Action
from actors.index.parser import read_index
from actors.screening.fields import kind_of
from scripts.benchmark.peers import HERE
from scripts.benchmark.plan import ADD, Call
from scripts.endurance.connection import LoadConnection, NoReply, Reply, code, problem
from scripts.endurance.desk import own_desk
from scripts.endurance.server import Installation
from scripts.endurance.verdict import tenant_files

BATCH: Final = 4000
"""Texts between two looks into the file, which take as long as there are rows."""

MOST_ROWS: Final = 1000
"""Contacts that one message imports."""

MOST_PROBLEMS: Final = 20
"""Problems that are told."""

TABLES: Final = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
    "AND name NOT LIKE 'tenantry_%' AND name NOT LIKE '%_fts%' AND name NOT LIKE 'alembic%'"
)
"""The tables of functions, without what full-text indexes keep of them."""

LATEST: Final = "SELECT id FROM contacts ORDER BY id DESC LIMIT ?"

NO_SIGNALS: Final = '[intent]\nmost = "off"\n'
"""A token that sends nothing but attacks would be suspended."""

NO_SCREENING: Final = """
[[screening.exceptions]]
action = "{action}"
reason = "what keeps the database is to be shown, and not what keeps texts from it"
"""

Place = tuple[str, int]
"""A table and a row's id."""

Rows = dict[Place, tuple[Any, ...]]


class Probe(NamedTuple):
    """One field of one action."""

    action: str
    field: str
    """Name of the param; of a field in a list of rows, `rows.name`."""
    params: Mapping[str, Any]
    """The other params."""
    writes: bool
    tenant: str
    """Of its own, so that it is compared with few rows."""

    @property
    def about(self) -> str:
        """Return the table of which each call needs a row of its own; empty for none."""
        if "id" in self.params:
            return self.action.partition(".")[0]
        return "contacts" if "contact_id" in self.params else ""

    def call(self, id_: str, text: str, own: int) -> Call:
        """Return the call with a text, about this row."""
        params = dict(self.params)
        params.update({name: own for name in ("id", "contact_id") if name in params})
        group, _, inner = self.field.partition(".")
        params[group] = [{inner: text}] if inner else text
        return Call(id_, self.tenant, self.action, params)

    def stored(self, text: str) -> str:
        """Return how a text is to be found: rows that are imported are trimmed."""
        return text.strip() if self.field.startswith("rows.") else text

    def may_change(self, call: Call) -> set[Place]:
        """Return the rows, of those that were there, that an accepted call may change."""
        return {(self.about, call.params["id"])} if "id" in call.params else set()


class Outcome(NamedTuple):
    """What became of the texts of one probe."""

    probe: Probe
    codes: Counter[str]
    stored: int
    """Texts that are in a row as they were sent, byte for byte."""
    problems: list[str]


def prove(folder: Path, texts: Sequence[str], progress: Callable[[str], None]) -> Iterator[Outcome]:
    """Send the texts through every field of the desk's actions; yield what became of them. NoReply.

    Every field has an exception from screening, so that all that a schema lets in reaches the database.
    `folder` gets the data directory, which must not be there yet.
    """
    names = read_index(HERE / "registry.toml").actions
    exceptions = "".join(NO_SCREENING.format(action=name) for name in names)
    index = own_desk(folder, NO_SIGNALS + exceptions)
    asked = list(probes(read_index(index).actions))
    rates = {"tenant_rate": 0, "token_rate": 0, "connection_rate": 0}
    tenants = [each.tenant for each in asked]
    installation = Installation(folder, tenants, rates, index, owners=True)
    server = installation.start()
    connection = LoadConnection(server.endpoint, installation.tokens)
    try:
        files = tenant_files(installation.data)
        for probe in asked:
            progress(f"{probe.action} {probe.field}")
            yield _Desk(connection, probe, files[probe.tenant]).prove(texts)
    finally:
        connection.close()
        server.end()


def probes(actions: Mapping[str, Action]) -> Iterator[Probe]:
    """Yield each field that holds text, of each action that callers may call, with a tenant for each."""
    numbers = count(1)
    for name, action in actions.items():
        example = action.params.example()
        source = action.params.source
        for field, schema in source.get("properties", {}).items():
            needed = {each: example[each] for each in source.get("required", ()) if each != field}
            if kind_of(schema) is not None:
                writes, tenant = action.effect == "write", f"t{next(numbers)}"
                yield Probe(name, field, needed, writes, tenant)
    yield Probe("contacts.import", "rows.name", {"strict": True}, True, f"t{next(numbers)}")


class _Desk:
    """The tenant of one probe, by a connection and by its file."""

    def __init__(self, connection: LoadConnection, probe: Probe, path: Path) -> None:
        self._connection = connection
        self._probe = probe
        self._path = path
        self._numbers = count()
        self._add("contacts", 1)  # the file is made

    def prove(self, texts: Sequence[str]) -> Outcome:
        """Send all texts in batches, and compare the file before and after each."""
        outcome = Outcome(self._probe, Counter(), 0, [])
        for start in range(0, len(texts), BATCH):
            found = self._batch(texts[start : start + BATCH])
            outcome = Outcome(
                self._probe,
                outcome.codes + found.codes,
                outcome.stored + found.stored,
                (outcome.problems + found.problems)[:MOST_PROBLEMS],
            )
        return outcome

    def _batch(self, texts: Sequence[str]) -> Outcome:
        probe = self._probe
        own = self._own_rows(len(texts))
        before = rows_of(self._path)
        calls = [probe.call(self._id(), text, row) for text, row in zip(texts, own, strict=True)]
        text_of = {call.id: text for call, text in zip(calls, texts, strict=True)}
        replies = self._connection.exchange(calls)
        codes = Counter(code_of(reply) for reply in replies.values())
        accepted = [(each, text_of[each.id]) for each in calls if code_of(replies[each.id]) == "ok"]
        stored, problems = judge(probe, accepted, before, rows_of(self._path))
        if codes["internal"]:
            problems.append(f"{codes['internal']} were answered internal")
        return Outcome(probe, codes, stored, problems)

    def _own_rows(self, number: int) -> list[int]:
        """Return the id of a row for each of so many calls: of its own if a call may change it."""
        about = self._probe.about
        if not about:
            return [0] * number
        if not self._probe.writes:
            return self._add(about, 1) * number
        return self._add(about, number)

    def _add(self, table: str, number: int) -> list[int]:
        """Make so many rows of a table; return their ids."""
        if table == "tickets":
            (contact,) = self._add("contacts", 1)
            params = {"contact_id": contact, "subject": "something", "body": "anything"}
            return self._ids([self._call("tickets.open", **params) for _ in range(number)])
        if number < MOST_ROWS:
            return self._ids([self._call(ADD, name="someone") for _ in range(number)])
        sizes = [min(MOST_ROWS, number - at) for at in range(0, number, MOST_ROWS)]
        rows = {"name": "someone"}
        self._accepted([self._call("contacts.import", rows=[rows] * size) for size in sizes])
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as file:
            return [id_ for (id_,) in file.execute(LATEST, (number,))]

    def _ids(self, calls: Sequence[Call]) -> list[int]:
        replies = self._accepted(calls)
        return [int(replies[call.id]["result"]["id"]) for call in calls]

    def _accepted(self, calls: Sequence[Call]) -> dict[str, Reply]:
        replies = self._connection.exchange(calls)
        wrong = next((each for each in map(problem, replies.values()) if each), None)
        if wrong is not None:
            raise NoReply(f"a row of one's own was refused: {wrong}")
        return replies

    def _call(self, action: str, **params: Any) -> Call:
        return Call(self._id(), self._probe.tenant, action, params)

    def _id(self) -> str:
        return f"{self._probe.tenant}-{next(self._numbers)}"


def code_of(reply: Reply) -> str:
    """Return `ok`, the code of a refusal, or `dummy` for what no function has answered."""
    return "dummy" if reply["ok"] and reply["meta"]["state"] == "dummy" else code(reply)


def rows_of(path: Path) -> Rows:
    """Return every row of the functions' tables, by table and id."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        tables = [name for (name,) in file.execute(TABLES)]
        return {
            (table, row[0]): row[1:]
            for table in tables
            for row in file.execute(f'SELECT rowid, * FROM "{table}"')
        }


def judge(
    probe: Probe, accepted: Sequence[tuple[Call, str]], before: Rows, after: Rows
) -> tuple[int, list[str]]:
    """Return how many of the accepted texts are stored, and what should not be."""
    about = f"{probe.action} {probe.field}"
    changed = {place for place, row in after.items() if before.get(place) != row}
    mine = {place for call, _ in accepted for place in probe.may_change(call)}
    problems = [f"{about}: {place} is gone" for place in before.keys() - after.keys()]
    problems += [
        f"{about}: {place} changed" for place in changed if place in before and place not in mine
    ]
    if not probe.writes:
        return 0, problems + [f"{about}: a read wrote {place}" for place in changed]
    values = Counter(value for place in changed for value in after[place] if type(value) is str)
    texts = Counter(probe.stored(text) for _, text in accepted)
    lost = texts - values
    problems += [f"{about}: {text!a} is not stored as it was sent" for text in lost]
    return (texts - lost).total(), problems

"""How cost grows: with tenants that are registered, tenants that are awake, and rows of one tenant.

scripts/bench --growth starts this checkout's server on data of each size and prints one table. Figures of
processor time and memory are the server's own, of all its threads; ids of requests are random, as clients
make them.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.benchmark.contacts import contact
from scripts.benchmark.load import LoadClient, LoadFailed
from scripts.benchmark.load_zeromq import ZeromqClient
from scripts.benchmark.peers import HERE, Running, Tenantry, address, seed
from scripts.benchmark.plan import ADD, FRESH, GET, TENANTRY, Call

FIND = "contacts.find"
IMPORT = "contacts.import"
IMPORTED = 1_000
"""Contacts of one import, the most that it takes."""
ROOM = 6_000
"""Tenants that may stay open: none is closed for want of room."""
GROWING = "growing"
"""The tenant whose rows grow."""
KIB = 1024


class Sizes(NamedTuple):
    """What is measured."""

    registered: Sequence[int]
    awake: Sequence[int]
    contacts: Sequence[int]
    messages: int
    """Of one measurement."""


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    size: int
    """How many there are of what grows."""
    measured: Mapping[str, str]


def numbers(text: str) -> tuple[int, ...]:
    """Counts separated by commas, in their order."""
    return tuple(sorted(int(part) for part in text.split(",") if part))


def main(arguments: Sequence[str]) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="scripts/bench --growth", description=__doc__)
    parser.add_argument("--registered", type=numbers, default=(0, 10_000, 100_000))
    parser.add_argument("--awake", type=numbers, default=(16, 128, 1_000))
    parser.add_argument("--contacts", type=numbers, default=(1_000, 100_000))
    parser.add_argument("--messages", type=int, default=5_000, help="of one measurement (5000)")
    parser.add_argument("--folder", type=Path, default=HERE / "var", help="of temporary data (var)")
    given = vars(parser.parse_args(arguments))
    folder: Path = given.pop("folder")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="growth-", dir=folder) as place:
        Console().print(as_table(measure(Sizes(**given), Path(place))))
    return 0


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Yield the figures, of one kind of growth after another."""
    for count in sizes.registered:
        yield at_start(folder / f"registered-{count}", count)
    names = [f"awake-{number}" for number in range(max(sizes.awake, default=0))]
    with serving(folder / "served", [GROWING, *names]) as served:
        yield from with_awake(*served, sizes.awake, sizes.messages)
        yield from with_contacts(*served, sizes.contacts, sizes.messages)


def as_table(figures: Iterator[Figure]) -> Table:
    """One line a figure."""
    made = Table("what grows", "count", "measured")
    for figure in figures:
        told = ", ".join(f"{name} {value}" for name, value in figure.measured.items())
        made.add_row(figure.what, f"{figure.size:,}", told)
    return made


# Tenants that are registered


def at_start(folder: Path, count: int) -> Figure:
    """Start a server with so many tenants in its directory, of which none is called."""
    folder.mkdir()
    peer = Tenantry(TENANTRY, HERE, {})
    seed(folder, ["growth"], HERE)
    register(folder / "directory.db", count)
    began = time.perf_counter()
    started = peer.start(folder)
    try:
        started.child.wait_ready()
        seconds = time.perf_counter() - began
        return Figure(
            "registered tenants",
            count,
            {
                "ready": f"{seconds:.1f} s",
                "CPU": f"{started.child.cpu_seconds():.1f} s",
                "memory": f"{started.child.resident_bytes() / KIB**2:.0f} MiB",
            },
        )
    finally:
        started.child.end()


def register(directory: Path, count: int) -> None:
    """Add tenants like the one that is there, each with an owner and a token, but without a file."""
    with closing(sqlite3.connect(directory)) as file, file:
        file.row_factory = sqlite3.Row
        made = "SELECT * FROM {} WHERE {} IS NOT NULL LIMIT 1"
        tenant, person, token = (
            dict(file.execute(made.format(name, key)).fetchone())
            for name, key in (("tenants", "id"), ("people", "tenant_id"), ("tokens", "tenant_id"))
        )
        for number in range(count):
            tenant |= {"id": secrets.token_hex(16), "name": f"registered-{number}"}
            person |= {"id": f"p_{secrets.token_hex(8)}", "tenant_id": tenant["id"]}
            token |= {
                "id": f"t_{secrets.token_hex(8)}",
                "digest": hashlib.sha256(secrets.token_bytes(16)).digest(),
                "tenant_id": tenant["id"],
                "person_id": person["id"],
            }
            for name, row in (("tenants", tenant), ("people", person), ("tokens", token)):
                file.execute(
                    f"INSERT INTO {name} VALUES ({','.join('?' * len(row))})", [*row.values()]
                )


# Tenants that are awake


def with_awake(
    child: Running, client: LoadClient, counts: Sequence[int], messages: int
) -> Iterator[Figure]:
    """Wake more and more tenants, and call those that are awake at random."""
    awake: list[str] = []
    for count in counts:
        fresh = [f"awake-{number}" for number in range(len(awake), count)]
        memory = child.resident_bytes()
        ask(client, [made for name in fresh for made in call(FIND, [name], {}, 1)])
        each = (child.resident_bytes() - memory) / KIB / max(1, len(fresh))
        ask(client, [made for name in fresh for made in call(ADD, [name], contact(FRESH), 1)])
        awake += fresh
        yield Figure(
            "awake tenants",
            count,
            {
                "memory": f"{each:.0f} KiB each",
                "get": cpu(child, client, call(GET, awake, {"id": 1}, messages)),
                "add": cpu(child, client, call(ADD, awake, contact(FRESH), messages)),
            },
        )


# Rows of one tenant


def with_contacts(
    child: Running, client: LoadClient, counts: Sequence[int], messages: int
) -> Iterator[Figure]:
    """Import more and more contacts into one tenant, and look for some."""
    there, few = 0, max(1, messages // 10)
    for count in counts:
        for begin in range(there, count, IMPORTED):
            rows = [imported(at) for at in range(begin, min(begin + IMPORTED, count))]
            ask(client, call(IMPORT, [GROWING], {"rows": rows}, 1))
        there = count
        one = {"text": f"n{count - 1}x"}
        yield Figure(
            "contacts of one tenant",
            count,
            {
                "get": cpu(child, client, call(GET, [GROWING], {"id": count}, messages)),
                "find many": cpu(child, client, call(FIND, [GROWING], {"text": "ada"}, few)),
                "find one": cpu(child, client, call(FIND, [GROWING], one, few)),
            },
        )


def imported(number: int) -> Mapping[str, Any]:
    """A contact with a word that one in ten has, and one that it alone has."""
    return {**contact(number), "company": f"n{number}x"}


# A server, and what its work costs


@contextmanager
def serving(folder: Path, names: Sequence[str]) -> Iterator[tuple[Running, LoadClient]]:
    """A server with these tenants, and a client of it."""
    folder.mkdir()
    tokens = seed(folder, names, HERE)
    started = Tenantry(TENANTRY, HERE, {"resident": str(ROOM)}).start(folder)
    try:
        started.child.wait_ready()
        client = ZeromqClient(address(started.port), tokens)
        ask(client, call(FIND, names[:1], {}, 1))
        yield started.child, client
        client.close()
    finally:
        started.child.end()


def call(action: str, tenants: Sequence[str], params: Mapping[str, Any], count: int) -> list[Call]:
    """Calls of these tenants at random, under ids in no order."""
    return [
        Call(secrets.token_hex(8), random.choice(tenants), action, params) for _ in range(count)
    ]


def ask(client: LoadClient, calls: Sequence[Call]) -> None:
    """Have all of them answered. Raise LoadFailed unless each is, without error."""
    numbered = [each._replace(id=f"{each.id}{at:06x}") for at, each in enumerate(calls)]
    result = client.drive([client.pack(each) for each in numbered], float("inf"))
    wrong = [each.problem for each in result.answers if each.problem]
    answered = {each.number for each in result.answers}
    if wrong or len(answered) < len(calls):
        raise LoadFailed(
            f"{len(answered)} of {len(calls)} answered, {len(wrong)} with an error: {wrong[:1]}"
        )


def cpu(child: Running, client: LoadClient, calls: Sequence[Call]) -> str:
    """Processor time of the server for each of these calls."""
    before = child.cpu_seconds()
    ask(client, calls)
    return f"{(child.cpu_seconds() - before) / len(calls) * 1e6:.0f} µs"

"""The SQL work that every peer does: one table, its full-text index, one insert, one read by key.

The tables are those of the desk's first migration; Tenantry has since come to fold the words it indexes and
to count ids on, which it does beyond the peers' work.
How the full-text index is kept is each peer's own choice of the cheapest way, measured: the floor
writes it by a statement (10 µs of processor time for an add in a group of 100; a trigger makes FTS5
write out its buffer each time: 21 to 27 µs), FastAPI by a trigger (a second statement would cost it
several hops between threads).
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, phone TEXT, company TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE VIRTUAL TABLE contacts_fts USING fts5(
    name, email, company,
    content='contacts', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);
"""

TRIGGER = """
CREATE TRIGGER contacts_added AFTER INSERT ON contacts BEGIN
    INSERT INTO contacts_fts (rowid, name, email, company)
    VALUES (new.id, new.name, new.email, new.company);
END;
"""

PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON")
"""What makes an acknowledged row survive a power cut; the same for every peer."""

INSERT = (
    "INSERT INTO contacts (name, email, phone, company, created_at, updated_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
INDEX = "INSERT INTO contacts_fts (rowid, name, email, company) VALUES (?, ?, ?, ?)"
SELECT = "SELECT id, name, email, phone, company, created_at, updated_at FROM contacts WHERE id = ?"
COLUMNS = ("id", "name", "email", "phone", "company", "created_at", "updated_at")

GIVEN = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Tony", "Radia", "Ken", "Lynn")
FAMILY = (
    "Lovelace",
    "Hopper",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Allen",
    "Hoare",
    "Perlman",
    "Conway",
)
COMPANIES = ("Analytical Engines", "Harbour Freight", "Blue Tram", "North & Sons", "Café Zürich")


def contact(number: int) -> dict[str, Any]:
    """The contact of that number: always the same, and about as varied as an address book."""
    given, family = GIVEN[number % len(GIVEN)], FAMILY[number // 7 % len(FAMILY)]
    return {
        "name": f"{given} {family} {number}",
        "email": f"{given.lower()}.{number}@example.com",
        "phone": f"+44207946{number % 10_000:04d}",
        "company": COMPANIES[number // 3 % len(COMPANIES)],
    }


def connect(path: Path) -> sqlite3.Connection:
    """Open a database the way every peer does; transactions are begun and ended by hand."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def add(connection: sqlite3.Connection, values: Mapping[str, Any], now: str) -> int:
    """Insert a contact and, by hand, its entry in the full-text index; the contact's id."""
    name, email, phone, company = (
        values["name"],
        values["email"],
        values["phone"],
        values["company"],
    )
    made = connection.execute(INSERT, (name, email, phone, company, now, now)).lastrowid
    assert made is not None
    connection.execute(INDEX, (made, name, email, company))
    return made


def fill(folder: Path, tenants: Sequence[str], rows: int, trigger: bool) -> None:
    """Make `<tenant>.db` for each tenant in a new folder, holding contacts 1 to `rows`.

    With `trigger`, contacts inserted later enter the full-text index by themselves.
    """
    folder.mkdir()
    template = folder / "template"
    connection = connect(template)
    connection.executescript(SCHEMA)
    connection.execute("BEGIN")
    for number in range(1, rows + 1):
        add(connection, contact(number), "2026-01-01T00:00:00+00:00")
    connection.execute("COMMIT")
    if trigger:
        connection.executescript(TRIGGER)
    connection.close()
    for tenant in tenants:
        shutil.copyfile(template, folder / f"{tenant}.db")
    template.unlink()

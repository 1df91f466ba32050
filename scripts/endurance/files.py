"""Straight into the files of a stopped server: what is there, and whether SQLite finds it sound."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

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

"""Whose a data directory is that holds no note of it: one of releases before identity.json.

A tenant's file has tables of its application. If the migrations of an index name none of them, the file is of
another index.
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from actors.assembly.identity import FILE
from actors.errors import SettingsError

ENGINES = ("tenantry_", "sqlite_", "alembic_version")
"""How names begin of tables that are in every application's files."""


def require_related(data: Path, registry: Path) -> None:
    """Raise SettingsError if nothing says whose the data is, and a tenant's file is of another index.

    Nothing in the directory is written. A file that cannot be read is left to the start, which says why.
    """
    file = next(iter(sorted((data / "tenants").glob("*.db"))), None)
    if file is None or (data / FILE).exists():
        return
    try:
        tables, migrations = tables_of(file), _text_of_migrations(registry)
    except (OSError, ValueError, sqlite3.Error):
        return
    words = set(re.findall(r"\w+", migrations))
    if tables and words.isdisjoint(tables):
        raise SettingsError(
            f"{file} has the tables {', '.join(tables[:5])}, and the migrations of {registry} make none of "
            "them: the data is that of another index. Give its --registry, or another --data; if this data "
            "is to be served so, start once with --adopt"
        )


def tables_of(file: Path) -> list[str]:
    """Return the names of the application's tables, in order, without the ones a file's WAL has made."""
    uri = f"file:{quote(str(file))}?mode=ro&immutable=1"  # makes no file beside it
    with closing(sqlite3.connect(uri, uri=True)) as driver:
        rows = driver.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
        return [name for (name,) in rows if not name.startswith(ENGINES)]


def _text_of_migrations(registry: Path) -> str:
    """Return the sources of an index's migrations; nothing if it has none."""
    folder = (
        tomllib.loads(registry.read_text(encoding="utf-8")).get("storage", {}).get("migrations")
    )
    if folder is None:
        return ""
    files = sorted((registry.parent / folder / "versions").glob("*.py"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)

"""Making a tenant's file: a copy of the template, stamped, and synced before anyone hears of it."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from actors.errors import DatabaseProblem
from actors.tenant.opening import connect, problem

TENANT_ID: Final = re.compile(r"[0-9a-f]{32}")

PRIVATE_FILE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700


def tenant_path(directory: Path, tenant_id: str) -> Path:
    """Where a tenant's database is: named from its generated id, so that no name ever reaches a path."""
    if not TENANT_ID.fullmatch(tenant_id):
        raise DatabaseProblem(f"{tenant_id!r} is no tenant's id: that is 32 hexadecimal digits")
    return directory / f"{tenant_id}.db"


def create_tenant(template: Path, path: Path, tenant_id: str) -> None:
    """Make the tenant's file from the template (Migrations.template); on disk when this returns.

    DatabaseProblem where it is there already, or cannot be written. A crash half-way leaves a `.new` file,
    which the next attempt replaces.
    """
    if path.exists():
        raise DatabaseProblem(f"{path} is there already: a tenant's file is made once")
    private_directory(path.parent)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    _copy(template, draft)
    try:
        _stamp(draft, tenant_id)
    except sqlite3.Error as error:
        raise problem(draft, error) from error
    sync(draft)
    draft.rename(path)
    sync(path.parent)


def private_directory(directory: Path) -> None:
    """Make it, where it is not there, for the server's user alone."""
    directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)


def private_file(path: Path) -> int:
    """A new file for the server's user alone, open for writing; SQLite gives -wal and -shm its rights."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)


def _copy(template: Path, draft: Path) -> None:
    with template.open("rb") as source, os.fdopen(private_file(draft), "wb") as target:
        target.write(source.read())


def _stamp(draft: Path, tenant_id: str) -> None:
    with closing(connect(draft)) as driver:
        driver.execute(
            "PRAGMA synchronous=OFF"
        )  # the file is synced as a whole, and then gets its name
        driver.execute(
            "INSERT INTO tenantry_tenant (id, created_at) VALUES (?, ?)",
            (tenant_id, datetime.now(UTC).isoformat(timespec="milliseconds")),
        )


def sync(path: Path) -> None:
    """Make a file's content, or a directory's names, last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

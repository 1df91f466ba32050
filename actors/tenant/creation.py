"""Making a tenant's file: a copy of the template, stamped, and synced before anyone hears of it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from actors.errors import DatabaseProblem
from actors.host.disk import sync
from actors.host.files import private_directory, private_file
from actors.messages import TENANT_ID
from actors.tenant.doubt import checkpoint
from actors.tenant.opening import connect, problem, remove_draft


def tenant_path(directory: Path, tenant_id: str) -> Path:
    """Where a tenant's database is: named from its generated id, so that no name ever reaches a path."""
    if not TENANT_ID.fullmatch(tenant_id):
        raise DatabaseProblem(f"{tenant_id!r} is no tenant's id: that is 32 hexadecimal digits")
    return directory / f"{tenant_id}.db"


def create_tenant(template: bytes, path: Path, tenant_id: str) -> None:
    """Make the tenant's file from a template's content (Migrations.template); on disk when this returns.

    DatabaseProblem where it is there already, or cannot be written. A crash half-way leaves a `.new` file,
    which the next start removes.
    """
    if path.exists():
        raise DatabaseProblem(f"{path} is there already: a tenant's file is made once")
    private_directory(path.parent)
    draft = path.with_suffix(".new")
    remove_draft(draft)
    try:
        _write(template, draft)
        _stamp(draft, tenant_id)
        sync(draft)
        draft.rename(path)
        sync(path.parent)
    except (sqlite3.Error, OSError) as error:
        found = problem(draft, error)
        for left in (draft, path):  # it is not in use yet
            remove_draft(left)
        raise found from error


def remove_drafts(directory: Path) -> None:
    """Those that a process left behind that died; while no other makes any. What cannot be removed stays."""
    for draft in directory.glob("*.new"):
        with suppress(OSError):
            remove_draft(draft)


def _write(template: bytes, draft: Path) -> None:
    with os.fdopen(private_file(draft), "wb") as target:
        target.write(template)


def _stamp(draft: Path, tenant_id: str) -> None:
    with closing(connect(draft)) as driver:
        driver.execute(
            "PRAGMA synchronous=OFF"
        )  # the file is synced as a whole, and then gets its name
        driver.execute(
            "INSERT INTO tenantry_tenant (id, created_at) VALUES (?, ?)",
            (tenant_id, datetime.now(UTC).isoformat(timespec="milliseconds")),
        )
        checkpoint(driver, draft)  # closing says nothing where that fails

"""Migrations of a running server: read from a folder, tried on copies, run, and taken back.

The Migrator alone calls what is here: it is the one that may use Alembic.
"""

from __future__ import annotations

import os
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import file_digest, sha256
from pathlib import Path
from typing import NamedTuple

from actors.errors import CodeProblem, DatabaseProblem
from actors.host.disk import sync
from actors.host.files import private_directory, private_file
from actors.tenant.database.authorizer import FileVersion
from actors.tenant.database.connection import check_stamp, connect, problem, remove_draft
from actors.tenant.database.durability import checkpoint, wal_of
from actors.tenant.storage.migrations import Migrations
from actors.tenant.storage.revisions import digest_of_folder


class Revisions(NamedTuple):
    """How many of the application's revisions the files have that are served: from `first` to `last`."""

    first: int | None = None
    """None for the last one alone."""
    last: int | None = None
    """None for all that the folder has."""


NEWEST = Revisions()


class UpgradePlan(NamedTuple):
    """A folder's migrations, beside those that are served. Read once, and the same for every tenant."""

    migrations: Migrations
    origin: int
    """Revisions of the application that new tenants have at present."""
    digest: str
    """SHA-256 of all that the folder runs, in hexadecimal."""
    scripts: Mapping[str, str]
    """SHA-256 of each revision's file, by the file's name."""
    breaks: tuple[str, ...]
    """What statements written for the tables of today would notice, in sentences."""

    @property
    def head(self) -> int:
        """Revisions of the application that each tenant has afterwards."""
        return self.migrations.version.application


class Upgraded(NamedTuple):
    """A tenant's file is at the head of a plan, and closed."""

    origin: int
    """Revisions of the application that it had before."""
    mark: str | None
    """SHA-256 of the file; None if it was at head before, when it may have been written to since."""


def folder_of(registry: Path) -> Path | None:
    """Return the folder of migrations that an index names, as it is on disk; raises CodeProblem."""
    try:
        index = tomllib.loads(registry.read_text(encoding="utf-8"))
        stated = index.get("storage", {}).get("migrations")
    except (OSError, ValueError, AttributeError) as error:
        raise CodeProblem(f"{registry} cannot be read: {error}") from error
    if stated is None:
        return None
    root = registry.resolve().parent
    folder = (root / str(stated)).resolve()
    if not folder.is_relative_to(root) or not folder.is_dir():
        raise CodeProblem(f"{registry}: storage.migrations: {folder} is no folder below {root}")
    return folder


def read_plan(folder: Path | None, base: Migrations) -> UpgradePlan:
    """Read a folder whose first revisions are those of `base`; raises CodeProblem."""
    migrations = Migrations(folder)
    for ours, theirs in zip(base.names, migrations.names, strict=False):
        if ours != theirs:
            raise CodeProblem(
                f"{folder} has {theirs!r} where tenants have been through {ours!r}: a migration that has "
                "run is not renamed, moved or removed; put it back, and write the next one"
            )
    if len(migrations.names) < len(base.names):
        raise CodeProblem(
            f"{folder} has {len(migrations.names)} revisions, and tenants have been through "
            f"{len(base.names)}: is it an older checkout? Update it"
        )
    scripts = {
        f"{name.partition(' ')[2]}.py": "" for name in migrations.names
    }  # their files, in the order in which they run
    for name in scripts:
        assert folder is not None
        scripts[name] = sha256((folder / "versions" / name).read_bytes()).hexdigest()
    origin = base.version.application
    return UpgradePlan(
        migrations, origin, digest_of_folder(folder), scripts, tuple(_breaks(base, migrations))
    )


def require_same_folder(plan: UpgradePlan) -> None:
    """Raise CodeProblem if the folder was edited since it was read."""
    folder = plan.migrations.folder
    if digest_of_folder(folder) != plan.digest:
        raise CodeProblem(f"{folder} was edited meanwhile: do a dry run of what it has now")


# One tenant


def revisions_of(path: Path) -> int | None:
    """Return how many of the application's revisions a file has been through; None if it cannot be read."""
    try:
        with closing(connect(path)) as driver:
            return FileVersion.of(driver.execute("PRAGMA user_version").fetchone()[0]).application
    except sqlite3.Error:
        return None


def try_upgrade(path: Path, tenant_id: str, plan: UpgradePlan, scratch: Path) -> None:
    """Migrate a copy of a tenant's file, which may be open and written to; nothing of it stays.

    Raises DatabaseProblem if the migration would fail.
    """
    private_directory(scratch)
    draft = scratch / f"{tenant_id}.db"
    remove_draft(draft)
    try:
        os.close(private_file(draft))
        with closing(connect(path)) as source, closing(connect(draft)) as copy:
            check_stamp(path, source, tenant_id)
            source.backup(copy)
        plan.migrations.upgrade(draft, tenant_id)
    except (sqlite3.Error, OSError) as error:
        raise problem(path, error) from error
    except DatabaseProblem as error:
        raise DatabaseProblem(str(error).replace(str(draft), str(path))) from error
    finally:
        remove_draft(draft)


def mark_of(path: Path) -> str | None:
    """Return the SHA-256 of a file with all that was committed to it; None if a -wal has more."""
    if _has_wal(path):
        return None
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def is_unchanged(path: Path, mark: str | None) -> bool:
    """Return whether a file is known to be as it was when it had this mark."""
    try:
        return mark is not None and mark_of(path) == mark
    except OSError:
        return False


def put_back(path: Path, backup: Path, tenant_id: str, mark: str, head: int) -> None:
    """Replace a tenant's file, open nowhere, by its copy from before the migration, on disk.

    Nothing is done if that was done before: the file has fewer revisions than `head`. Raises DatabaseProblem,
    with nothing changed, if the file is not as the migration left it, or if the copy is missing, damaged or
    another tenant's.
    """
    draft = path.with_suffix(".new")
    found = revisions_of(path)
    if found is not None and found < head:
        return
    try:
        settle(path)
        if not is_unchanged(path, mark):
            raise DatabaseProblem(f"{path} was written to since the migration")
        _copy_sound(backup, draft, tenant_id)
        draft.rename(path)
        sync(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise problem(backup, error) from error
    finally:
        remove_draft(draft)


def settle(path: Path) -> None:
    """Put all that was committed into the file, synced, and remove the -wal. The file is open nowhere."""
    with closing(connect(path)) as driver:
        if _has_wal(path):
            checkpoint(driver, path)


def _has_wal(path: Path) -> bool:
    try:
        return wal_of(path).stat().st_size > 0
    except FileNotFoundError:
        return False


def _copy_sound(backup: Path, draft: Path, tenant_id: str) -> None:
    remove_draft(draft)
    os.close(private_file(draft))
    with closing(connect(backup)) as source, closing(connect(draft)) as target:
        check_stamp(backup, source, tenant_id)
        source.backup(target)
        found = [row[0] for row in target.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"]:
            raise DatabaseProblem(f"{backup} is damaged ({found[0]}), so the tenant stays as it is")
    sync(draft)


# What statements would notice


Columns = dict[str, dict[str, tuple[str, bool]]]
"""By table and column: the declared type, and whether a row can be inserted without it."""

COLUMNS = """
SELECT m.name, c.name, c.type, c."notnull" = 0 OR c.dflt_value IS NOT NULL OR c.pk > 0 OR c.hidden > 0
FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c
WHERE m.type IN ('table', 'view') AND m.name NOT GLOB 'tenantry_*' AND m.name NOT GLOB 'sqlite_*'
"""


def _breaks(base: Migrations, target: Migrations) -> Iterator[str]:
    """What the tables of the target no longer have, or ask for in addition."""
    before, after = _columns(base), _columns(target)
    for table, columns in before.items():
        if table not in after:
            yield f"table {table} is gone"
            continue
        for column in columns:
            if column not in after[table]:
                yield f"column {table}.{column} is gone"
        for column, (_, is_optional) in after[table].items():
            if not is_optional and columns.get(column, ("", True))[1]:
                yield f"column {table}.{column} has to be given, and has no default"


def _columns(migrations: Migrations) -> Columns:
    found: Columns = {}
    with closing(migrations.in_memory()) as driver:
        for table, column, kind, is_optional in driver.execute(COLUMNS):
            found.setdefault(table, {})[column] = (kind, bool(is_optional))
    found.pop("alembic_version", None)
    return found

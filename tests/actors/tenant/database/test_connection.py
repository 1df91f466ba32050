"""A tenant's file is opened hardened, and only if it is that tenant's, whole, and as new as the code."""

from __future__ import annotations

import _sqlite3
import ctypes
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError

from actors.errors import DatabaseProblem, MigrationNeeded
from actors.tenant.database.connection import LIMITS, StorageLimits, bound_caches
from actors.tenant.database.database import TenantDatabase
from tests.actors.tenant.library_application import Library, function_scope, shelves

DESCRIPTORS = Path("/proc/self/fd")


def driver_of(database: TenantDatabase) -> sqlite3.Connection:
    return database._driver


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("mmap_size", 0),
        ("max_page_count", 256),
    ],
)
def test_every_setting_is_on(library: Library, pragma: str, value: object) -> None:
    driver = driver_of(library.open(library.create(), limits=StorageLimits(1024 * 1024)))
    driver.set_authorizer(None)
    assert driver.execute(f"PRAGMA {pragma}").fetchone() == (value,)


@pytest.mark.parametrize(("limit", "most"), LIMITS)
def test_every_limit_is_set(tenant: TenantDatabase, limit: int, most: int) -> None:
    assert driver_of(tenant).getlimit(limit) == most


def test_the_driver_leaves_transactions_to_the_turn(tenant: TenantDatabase) -> None:
    assert driver_of(tenant).isolation_level is None


def test_another_tenants_file_in_its_place_is_refused(library: Library) -> None:
    mine, theirs = library.create(), library.create()
    library.path(theirs).replace(library.path(mine))
    with pytest.raises(DatabaseProblem, match=f"belongs to tenant {theirs}.*{mine} was asked for"):
        library.open(mine)


def test_a_file_without_a_stamp_is_refused(library: Library) -> None:
    tenant_id = library.create()
    change(library.path(tenant_id), "DELETE FROM tenantry_tenant")
    with pytest.raises(DatabaseProblem, match="belongs to no tenant"):
        library.open(tenant_id)


def test_a_missing_file_is_not_made_in_silence(library: Library) -> None:
    tenant_id = library.create()
    library.path(tenant_id).unlink()
    with pytest.raises(DatabaseProblem, match="it is missing; restore it from a backup"):
        library.open(tenant_id)
    assert not library.path(tenant_id).exists()


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 500, bytes(8192)])
def test_a_file_that_is_something_else_is_refused(library: Library, content: bytes) -> None:
    tenant_id = library.create()
    library.path(tenant_id).write_bytes(content)
    with pytest.raises(DatabaseProblem, match=rf"{tenant_id}\.db cannot be used .* from a backup"):
        library.open(tenant_id)


def test_a_truncated_file_is_refused_or_reports_damage(library: Library) -> None:
    tenant_id = library.create()
    path = library.path(tenant_id)
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(DatabaseProblem, match="damaged; restore it"):
        library.open(tenant_id)


def test_an_sqlite_file_of_somebody_else_is_refused(library: Library) -> None:
    tenant_id = library.create()
    library.path(tenant_id).unlink()
    change(library.path(tenant_id), "CREATE TABLE bookmarks (url)")
    with pytest.raises(DatabaseProblem, match="not a tenant's database"):
        library.open(tenant_id)


def test_a_newer_file_is_refused_and_says_what_to_do(library: Library) -> None:
    tenant_id = library.create()
    change(library.path(tenant_id), f"PRAGMA user_version={library.migrations.head + 1}")
    with pytest.raises(DatabaseProblem, match="used by newer code") as caught:
        library.open(tenant_id)
    assert not isinstance(caught.value, MigrationNeeded)


def test_an_older_file_asks_for_its_migration(library: Library) -> None:
    tenant_id = library.create()
    change(library.path(tenant_id), f"PRAGMA user_version={library.migrations.head - 1}")
    with pytest.raises(MigrationNeeded, match="has to be migrated"):
        library.open(tenant_id)


def test_a_refused_file_leaves_no_descriptor_open(library: Library) -> None:
    tenant_id = library.create()
    change(library.path(tenant_id), "DELETE FROM tenantry_tenant")
    before = list(DESCRIPTORS.iterdir())
    for _ in range(20):
        with pytest.raises(DatabaseProblem):
            library.open(tenant_id)
    assert len(list(DESCRIPTORS.iterdir())) <= len(before)


def test_the_quota_holds_at_each_opening_since_the_file_does_not_keep_it(library: Library) -> None:
    tenant_id = library.create()
    size = library.path(tenant_id).stat().st_size
    for _ in range(2):
        database = library.open(tenant_id, limits=StorageLimits(size + 4096 * 4))
        database.begin()
        with pytest.raises(OperationalError, match="full"), function_scope(database) as db:
            db.run(insert(shelves), [{"name": f"{number:>9000}"} for number in range(10)])
        database.rollback()
        database.checkpoint_and_close()


def test_a_file_over_its_quota_can_still_be_read(library: Library) -> None:
    database = library.open(library.create(), limits=StorageLimits(4096))
    database.begin()
    with function_scope(database) as db:
        assert db.all(select(shelves)) == []


def test_sqlalchemys_regexp_function_is_not_there(library: Library) -> None:
    driver = driver_of(library.open(library.create()))
    driver.set_authorizer(None)
    with pytest.raises(sqlite3.OperationalError, match="no such function"):
        driver.execute("SELECT regexp('(a+)+$', 'aaaa')")


LIBRARY = ctypes.CDLL(_sqlite3.__file__)
"""The driver, and with it SQLite: its own count of the memory that it has taken."""
KIB = 1024


def memory_used() -> int:
    """Bytes that SQLite has taken for all connections of the process."""
    count = getattr(LIBRARY, "sqlite3_memory_used", None)
    if count is None:
        pytest.skip("this driver's SQLite does not show how much memory it has taken")
    count.restype = ctypes.c_int64
    return int(count())


def test_opening_leaves_next_to_nothing_in_the_page_cache(library: Library) -> None:
    """A thousand tenants stay open: 87 KB each for pages that no one has asked for were most of it."""
    ids = [library.create() for _ in range(5)]
    library.open(ids[0])
    before = memory_used()
    opened = [library.open(each) for each in ids[1:]]
    assert memory_used() - before < len(opened) * 48 * KIB


def test_caches_are_bounded_together(library: Library) -> None:
    """Each may have 2 MB, and all of them what was set: then pages are used again, and nothing fails."""
    databases = [library.open(library.create()) for _ in range(4)]
    try:
        bound_caches(memory_used() + 1024 * KIB)
        before = memory_used()
        for database in databases:
            driver = driver_of(database)
            driver.set_authorizer(None)
            driver.execute("CREATE TABLE filled (content)")
            driver.execute("BEGIN")
            driver.executemany("INSERT INTO filled VALUES (?)", [("x" * 3000,)] * 600)
            driver.execute("COMMIT")
            assert driver.execute("SELECT count(content) FROM filled").fetchone() == (600,)
        assert memory_used() - before < 1536 * KIB
    finally:
        bound_caches(0)
    driver.execute("SELECT count(content) FROM filled").fetchone()
    assert memory_used() - before > 2048 * KIB

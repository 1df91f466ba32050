"""Tenants for the tests of the tenant's database: real files, with the tables of a small library."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.tenant.database.connection import SharedEngine
from actors.tenant.database.database import TenantDatabase
from actors.tenant.storage.migrations import Migrations
from tests.actors.tenant.full_disk import Disk, OnDisk
from tests.actors.tenant.library_application import MIGRATIONS, Library


@pytest.fixture(scope="session")
def migrations() -> Migrations:
    """The engine's and the library's."""
    return Migrations(MIGRATIONS)


@pytest.fixture(scope="session")
def shared() -> SharedEngine:
    """The process's Engine."""
    return SharedEngine()


@pytest.fixture
def library(tmp_path: Path, migrations: Migrations, shared: SharedEngine) -> Iterator[Library]:
    """Tenants, closed when the test ends."""
    made = Library(tmp_path, migrations, shared)
    yield made
    made.close()


@pytest.fixture
def tenant(library: Library) -> TenantDatabase:
    """An open tenant's database, in a turn's transaction."""
    database = library.open(library.create())
    database.begin()
    return database


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk on which every connection made from now on works."""
    plan = Disk()
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        found = connect(*arguments, factory=OnDisk, **options)
        assert isinstance(found, OnDisk)
        found.disk = plan
        return found

    monkeypatch.setattr(sqlite3, "connect", connected)
    return plan

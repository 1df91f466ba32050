"""A tenant's file appears whole, stamped and private, or not at all."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from actors.errors import DatabaseProblem
from actors.tenant.storage.files import Storage, create_tenant, tenant_path
from tests.actors.tenant.full_disk import Disk
from tests.actors.tenant.library_application import MIGRATIONS, Library


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_stamped_with_its_tenant(library: Library) -> None:
    tenant_id = library.create()
    with closing(sqlite3.connect(library.path(tenant_id))) as reader:
        ((stamped, created),) = reader.execute("SELECT id, created_at FROM tenantry_tenant")
    assert stamped == tenant_id
    assert created.endswith("+00:00")


def test_each_new_file_starts_from_the_template_and_not_from_another(library: Library) -> None:
    first, second = library.create(), library.create()
    with closing(sqlite3.connect(library.path(first))) as one, one:
        one.execute("INSERT INTO shelves(name) VALUES ('mine')")
    with closing(sqlite3.connect(library.path(second))) as other:
        assert other.execute("SELECT count(*) FROM shelves").fetchone() == (0,)


def test_only_the_servers_user_may_read_it(library: Library) -> None:
    tenant_id = library.create()
    path = library.path(tenant_id)
    database = library.open(tenant_id)
    database.begin()
    database.replies.store("t_1", "a", b"d", b"r", 0)
    database.commit()
    assert {file.suffix: mode(file) for file in path.parent.iterdir()} == {
        ".db": 0o600,
        ".db-wal": 0o600,
        ".db-shm": 0o600,
    }
    assert mode(path.parent) == 0o700
    assert mode(library.migrations.template(library.directory / "templates")) == 0o600


def test_a_new_file_is_alone_in_its_directory(library: Library) -> None:
    tenant_id = library.create()
    assert [file.name for file in library.path(tenant_id).parent.iterdir()] == [f"{tenant_id}.db"]


def test_a_file_that_is_there_is_never_replaced(library: Library) -> None:
    tenant_id = library.create()
    path = library.path(tenant_id)
    before = path.read_bytes()
    template = library.migrations.template(library.directory / "templates").read_bytes()
    with pytest.raises(DatabaseProblem, match="there already"):
        create_tenant(template, path, tenant_id)
    assert path.read_bytes() == before


def test_what_a_crash_left_behind_is_made_again(library: Library) -> None:
    tenant_id = library.create()
    path = library.path(tenant_id)
    path.rename(path.with_suffix(".new"))
    path.with_suffix(".new").write_bytes(b"half")
    template = library.migrations.template(library.directory / "templates").read_bytes()
    create_tenant(template, path, tenant_id)
    assert library.open(tenant_id).path == path


def test_a_file_that_could_not_be_stamped_gets_no_name(library: Library, disk: Disk) -> None:
    template = library.migrations.template(library.directory / "templates").read_bytes()
    path = library.path("a" * 32)
    disk.silent = True
    with pytest.raises(DatabaseProblem, match="disk I/O error"):
        create_tenant(template, path, "a" * 32)
    assert list(path.parent.iterdir()) == []
    create_tenant(template, path, "a" * 32)
    assert library.open("a" * 32).path == path


def test_tenants_are_made_also_when_the_template_is_removed(tmp_path: Path) -> None:
    storage = Storage(tmp_path, MIGRATIONS, 1024**2)
    for template in (tmp_path / "templates").iterdir():
        template.unlink()
    storage.create("a" * 32)
    assert storage.path("a" * 32).exists()


def test_what_a_dead_process_had_begun_is_removed_at_the_next_start(tmp_path: Path) -> None:
    Storage(tmp_path, MIGRATIONS, 1024**2).create("a" * 32)
    for name in ("b.new", "c.new", "c.new-wal"):
        (tmp_path / "tenants" / name).write_bytes(b"half")
    storage = Storage(tmp_path, MIGRATIONS, 1024**2)
    assert list((tmp_path / "tenants").iterdir()) == [storage.path("a" * 32)]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "acme",
        "../../etc/passwd",
        "F" * 32,
        "0" * 31,
        "0" * 33,
        "0" * 31 + "\n",
        "0" * 32 + "\n",
    ],
)
def test_a_path_is_made_of_a_generated_id_and_nothing_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatabaseProblem, match="32 hexadecimal digits"):
        tenant_path(tmp_path, name)

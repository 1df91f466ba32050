"""A deleted tenant's file becomes a backup, or stays: there is no moment without one of the two."""

from __future__ import annotations

import resource
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from actors.errors import DatabaseProblem
from actors.tenant.storage import files
from actors.tenant.storage.files import archive_tenant, copy_before_migration
from tests.actors.tenant.library_application import Library

SHELF = "INSERT INTO shelves(name) VALUES ('mine')"


def archived(library: Library, tenant_id: str) -> Path:
    return archive_tenant(library.path(tenant_id), library.directory / "backups", tenant_id)


def shelves_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        return [row[0] for row in reader.execute("SELECT name FROM shelves")]


def write(path: Path, sql: str = SHELF) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute(sql)


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


@pytest.fixture
def tenant_id(library: Library) -> str:
    """A tenant with a shelf."""
    made = library.create()
    write(library.path(made))
    return made


def test_the_backup_has_everything_and_the_file_has_gone(library: Library, tenant_id: str) -> None:
    """In a private directory, for the server's user alone, and complete without a -wal beside it."""
    backup = archived(library, tenant_id)
    assert names(library.path(tenant_id).parent) == []
    assert names(backup.parent) == [backup.name]
    assert backup.name.startswith(f"{tenant_id}-")
    assert shelves_in(backup) == ["mine"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert stat.S_IMODE(backup.parent.stat().st_mode) == 0o700


def test_the_backup_can_be_opened_as_the_tenant_again(library: Library, tenant_id: str) -> None:
    """It is restored by putting it where the file was: stamp, version and mode are all in it."""
    archived(library, tenant_id).rename(library.path(tenant_id))
    database = library.open(tenant_id)
    database.begin()
    database.checkpoint_and_close()
    assert shelves_in(library.path(tenant_id)) == ["mine"]


def test_what_is_only_in_the_wal_is_in_the_backup(library: Library, tenant_id: str) -> None:
    """A server that was killed leaves one, and the tenant may never have been opened since."""
    path = library.path(tenant_id)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA wal_autocheckpoint=0")
    writer.execute("UPDATE shelves SET name = 'in the wal'")
    kept = {end: path.with_name(path.name + end).read_bytes() for end in ("", "-wal")}
    writer.close()
    for end, content in kept.items():
        path.with_name(path.name + end).write_bytes(content)
    assert shelves_in(archived(library, tenant_id)) == ["in the wal"]
    assert names(path.parent) == []


def test_doing_it_again_finds_the_backup(library: Library, tenant_id: str) -> None:
    """The one who asked may not have received the answer."""
    backup = archived(library, tenant_id)
    assert archived(library, tenant_id) == backup
    assert names(backup.parent) == [backup.name]


@pytest.mark.parametrize("step", ["backup", "rename", "unlink"])
def test_wherever_it_is_cut_off_doing_it_again_ends_well(
    library: Library, tenant_id: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A process killed half-way leaves the file or a whole backup, and no data is lost."""

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if step == "backup":
            patch.setattr(files, "_copy", kill)
        else:
            patch.setattr(Path, step, kill)
        with pytest.raises(Killed):
            archived(library, tenant_id)
    assert library.path(tenant_id).exists()

    backup = archived(library, tenant_id)

    assert not library.path(tenant_id).exists()
    assert shelves_in(backup) == ["mine"]
    assert all(name.endswith(".db") for name in names(backup.parent))


def test_a_wal_that_outlived_its_file_goes_too(library: Library, tenant_id: str) -> None:
    """Killed between the two: SQLite would lay it over a file of that name."""
    archived(library, tenant_id)
    path = library.path(tenant_id)
    path.with_name(path.name + "-wal").write_bytes(b"left behind")
    archived(library, tenant_id)
    assert names(path.parent) == []


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond a page."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_room_for_the_backup_the_file_stays(library: Library, tenant_id: str) -> None:
    """The error names both files, and no half a backup is left."""
    path = library.path(tenant_id)
    with full_disk(), pytest.raises(DatabaseProblem) as caught:
        archived(library, tenant_id)
    assert str(path) in str(caught.value)
    assert shelves_in(path) == ["mine"]
    assert names(library.directory / "backups") == []
    assert shelves_in(archived(library, tenant_id)) == ["mine"]


def test_a_place_for_backups_that_cannot_be_made_is_named(library: Library, tenant_id: str) -> None:
    """Something else is in its place."""
    (library.directory / "backups").write_text("no directory")
    with pytest.raises(DatabaseProblem, match="backups"):
        archived(library, tenant_id)
    assert shelves_in(library.path(tenant_id)) == ["mine"]


def damage(path: Path) -> None:
    """A page that belongs to a table is overwritten."""
    write(path, "UPDATE shelves SET name = hex(zeroblob(20000))")
    content = bytearray(path.read_bytes())
    content[-3 * 4096 : -2 * 4096] = b"\xff" * 4096
    path.write_bytes(content)


def mix_up(path: Path) -> None:
    """Another tenant's stamp."""
    write(path, "UPDATE tenantry_tenant SET id = 'somebody else'")


def replace(path: Path) -> None:
    """No database at all."""
    path.write_bytes(b"not a database" * 1000)


@pytest.mark.parametrize("harm", [damage, mix_up, replace])
def test_what_is_no_sound_file_of_this_tenant_stays(
    library: Library, tenant_id: str, harm: Callable[[Path], None]
) -> None:
    """A backup that cannot be restored is none: a person has to look at it."""
    path = library.path(tenant_id)
    harm(path)
    before = path.read_bytes()
    with pytest.raises(DatabaseProblem, match=str(path)):
        archived(library, tenant_id)
    assert path.read_bytes() == before
    assert names(library.directory / "backups") == []


def test_a_file_that_another_process_holds_stays(library: Library, tenant_id: str) -> None:
    """It is not waited for without end."""
    path = library.path(tenant_id)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("DELETE FROM shelves")
        with pytest.raises(DatabaseProblem, match="another process"):
            archived(library, tenant_id)
    assert path.exists()


def test_neither_a_file_nor_a_backup_is_a_problem(library: Library) -> None:
    """It says so, and where it looked."""
    with pytest.raises(DatabaseProblem, match="backups"):
        archived(library, "0" * 32)


def test_a_backup_of_another_tenant_does_not_count(library: Library, tenant_id: str) -> None:
    """They share a directory."""
    archived(library, tenant_id)
    with pytest.raises(DatabaseProblem):
        archived(library, "0" * 32)


# ---------------------------------------------------------------- before a migration


def test_the_copy_before_a_migration_takes_the_place_of_the_one_before(
    library: Library, tenant_id: str
) -> None:
    """With what was committed and nothing else, while the migration's transaction is open."""
    path, backups = library.path(tenant_id), library.directory / "backups"
    copy_before_migration(path, backups, tenant_id)
    write(path, "INSERT INTO shelves(name) VALUES ('newer')")
    with closing(sqlite3.connect(path, isolation_level=None)) as migration:
        migration.execute("BEGIN IMMEDIATE")
        migration.execute("DELETE FROM shelves")
        copy = copy_before_migration(path, backups, tenant_id)
        migration.execute("COMMIT")
    assert shelves_in(copy) == ["mine", "newer"]
    assert names(copy.parent) == [copy.name]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_the_copy_goes_with_the_tenant_and_is_never_taken_for_his_last_backup(
    library: Library, tenant_id: str
) -> None:
    path, backups = library.path(tenant_id), library.directory / "backups"
    copy = copy_before_migration(path, backups, tenant_id)
    last = archived(library, tenant_id)
    assert not copy.exists()
    assert archived(library, tenant_id) == last

"""directory.db as a file: made for the server's user alone, brought to head, opened safely."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from actors.admin.directory.store import open_directory, prepare_directory
from actors.admin.directory.tables import metadata
from actors.errors import DatabaseProblem
from actors.host.disk_errors import is_passing

ACME = "INSERT INTO tenants (id, name, created_at) VALUES ('id', 'acme', 'now')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new file."""
    made = tmp_path / "directory.db"
    prepare_directory(made)
    return made


def test_it_is_for_the_server_s_user_alone(path: Path) -> None:
    """So are the files that SQLite puts beside it."""
    with open_directory(path) as connection, connection.begin():
        connection.execute(text(ACME))
        files = sorted(path.parent.glob("directory.db*"))
        assert len(files) == 3
        assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in files)


def test_the_code_sees_the_tables_that_the_migrations_make(path: Path) -> None:
    """Columns, types, keys and constraints."""
    with open_directory(path) as connection, connection.begin():
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_file_that_is_there_is_kept(path: Path) -> None:
    """Each start prepares it again."""
    with open_directory(path) as connection, connection.begin():
        connection.execute(text(ACME))
    prepare_directory(path)
    with open_directory(path) as connection, connection.begin():
        assert connection.execute(text("SELECT name FROM tenants")).all() == [("acme",)]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("mmap_size", 0),
    ],
)
def test_it_is_opened_as_safely_as_a_tenant_s(path: Path, pragma: str, value: object) -> None:
    """And a commit is synced: a token that was given out is there after a crash."""
    with open_directory(path) as connection, connection.begin():
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value


def test_what_fails_in_a_transaction_is_taken_back(path: Path) -> None:
    """All of it, from the first statement on."""
    with open_directory(path) as connection:
        with suppress(ZeroDivisionError), connection.begin():
            connection.execute(text(ACME))
            raise ZeroDivisionError
        with connection.begin():
            assert connection.execute(text("SELECT count(*) FROM tenants")).scalar() == 0


def overwrite(path: Path) -> None:
    """No database."""
    path.write_bytes(b"garbage" * 1000)


def replace(path: Path) -> None:
    """No file."""
    path.unlink()
    path.mkdir()


def advance(path: Path) -> None:
    """Used by newer code."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")


def test_one_that_was_lost_is_not_made_anew(path: Path) -> None:
    """Missing, cut to nothing, or replaced by an empty database: what is beside it tells; nothing is made."""
    (path.parent / "tenants").mkdir()
    for number in range(2):
        (path.parent / "tenants" / f"{number}.db").write_bytes(b"a tenant's")
    for lose in (Path.unlink, Path.touch, _make_empty):
        lose(path)
        before = path.exists() and path.read_bytes()
        with pytest.raises(
            DatabaseProblem, match=r"tenants/ has 2 databases, .*restore it"
        ) as told:
            prepare_directory(path)
        assert "is missing or empty" in str(told.value)
        assert (path.exists() and path.read_bytes()) == before


def _make_empty(path: Path) -> None:
    """A database without a table."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode=WAL")


def test_the_records_of_the_audit_log_tell_of_one_that_was_lost(path: Path) -> None:
    """Also where there never was a tenant; an empty volume tells nothing."""
    path.unlink()
    (path.parent / "audit").mkdir()
    volume = path.parent / "audit" / "2026-11.jsonl"
    volume.touch()
    prepare_directory(path)
    path.unlink()
    volume.write_text("{}\n")
    with pytest.raises(DatabaseProblem, match=r"audit/ has 1 volumes, and .* is missing or empty"):
        prepare_directory(path)


def spoil(path: Path) -> None:
    """Pages in the middle; the first is sound."""
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"noise..." * 512
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "advice"),
    [
        (overwrite, "not an SQLite database; restore it from a backup"),
        (spoil, "it is damaged; restore it from a backup"),
        (replace, "check the permissions and the type of the file"),
        (advance, "used by newer code; run that, or restore an older backup"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    path: Path, damage: Callable[[Path], None], advice: str
) -> None:
    """With what to do."""
    damage(path)
    with pytest.raises(DatabaseProblem, match=rf"directory\.db, .*{advice}") as refusal:
        prepare_directory(path)
    assert not is_passing(refusal.value)


def test_a_file_that_another_process_holds_may_be_used_later(path: Path) -> None:
    """Trouble that passes is none of the file's."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            DatabaseProblem, match="uses the file again once the disk works"
        ) as refusal:
            prepare_directory(path)
    assert is_passing(refusal.value)

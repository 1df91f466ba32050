"""A file is brought to head wholly or not at all, and only if it is a tenant's."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect

from actors.errors import CodeProblem, DatabaseProblem
from actors.tenant.database.authorizer import FileVersion, SchemaInfo
from actors.tenant.storage import migrations as upgrades
from actors.tenant.storage.files import create_tenant
from actors.tenant.storage.migrations import ENGINE_MIGRATIONS, Migrations
from tests.actors.tenant.full_disk import Disk
from tests.actors.tenant.library_application import MIGRATIONS

TENANT = "0123456789abcdef0123456789abcdef"

REVISION = """
from alembic import op
revision = "{revision}"
down_revision = {down!r}
def upgrade():
    {body}
"""


class Backend:
    """A copy of the library's migrations, to which revisions can be added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, revision: str, down: str | None, body: str) -> None:
        compiled_sql = REVISION.format(revision=revision, down=down, body=body)
        (self.folder / "versions" / f"{revision}.py").write_text(compiled_sql)

    def migrations(self) -> Migrations:
        return Migrations(self.folder)


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return Backend(tmp_path / "back end 100%")


@pytest.fixture
def file(backend: Backend, tmp_path: Path) -> Path:
    """A tenant's file at the head of the library's two revisions."""
    path = tmp_path / "tenants" / f"{TENANT}.db"
    create_tenant(backend.migrations().template(tmp_path / "templates").read_bytes(), path, TENANT)
    return path


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def version_of(path: Path) -> FileVersion:
    """How many revisions of the engine and of the application the file has been through."""
    return FileVersion.of(query(path, "PRAGMA user_version")[0][0])


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]


# ---------------------------------------------------------------- the head


def test_the_number_counts_the_engines_and_the_applications_revisions(backend: Backend) -> None:
    before = backend.migrations()
    assert FileVersion.of(before.head) == before.version
    assert before.version.application == 2
    backend.add("0003", "0002", "pass")
    assert backend.migrations().head == before.head + 1


def test_a_backend_without_tables_has_the_engines_alone() -> None:
    migrations = Migrations(None)
    assert migrations.version.application == 0
    assert migrations.schema_info().tables == frozenset()


def test_the_schema_tells_open_tables_from_hidden_ones(backend: Backend) -> None:
    schema = backend.migrations().schema_info()
    assert {"books", "shelves", "reader_names", "titles", "titles_data"} <= schema.tables
    hidden = {
        "tenantry_tenant", "tenantry_replies", "tenantry_dead_letters", "tenantry_outbox",
        "tenantry_alembic", "alembic_version", "sqlite_sequence", "dbstat",
    }  # fmt: skip
    assert hidden <= schema.hidden
    assert not hidden & schema.tables
    assert isinstance(schema, SchemaInfo)


def test_the_schema_tells_keys_that_are_the_numbers_of_rows(backend: Backend) -> None:
    tables = (
        "Numbered (id INTEGER PRIMARY KEY, n)",
        "counting (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "apart (n INTEGER, key INTEGER, PRIMARY KEY (key))",
        "falling (id INTEGER PRIMARY KEY DESC)",
        "big (id BIGINT PRIMARY KEY)",
        "named (id TEXT PRIMARY KEY)",
        "two (a INTEGER, b INTEGER, PRIMARY KEY (a, b))",
        "numberless (id INTEGER PRIMARY KEY) WITHOUT ROWID",
        "keyless (id INTEGER)",
    )
    backend.add("0003", "0002", "; ".join(f"op.execute('CREATE TABLE {each}')" for each in tables))
    keys = backend.migrations().schema_info().keys
    assert {"numbered.id", "counting.id", "apart.key", "books.id", "shelves.id"} <= keys
    others = ("falling.", "big.", "named.", "two.", "numberless.", "keyless.")
    assert not [key for key in keys if key.startswith(others)]


# ---------------------------------------------------------------- the template


def test_a_template_is_made_once_for_each_head(backend: Backend, tmp_path: Path) -> None:
    first = backend.migrations().template(tmp_path / "templates")
    made = first.stat().st_mtime_ns
    assert backend.migrations().template(tmp_path / "templates") == first
    assert first.stat().st_mtime_ns == made
    backend.add("0003", "0002", "op.execute('CREATE TABLE extra (a)')")
    second = backend.migrations().template(tmp_path / "templates")
    assert second != first
    assert query(second, "SELECT name FROM sqlite_master WHERE name = 'extra'")


def test_where_there_is_a_template_nothing_is_migrated_to_see_the_schema(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.migrations().template(tmp_path / "templates")
    expected = backend.migrations().schema_info()
    monkeypatch.setattr(command, "upgrade", lambda *_: pytest.fail("migrated"))
    migrations = backend.migrations()
    migrations.template(tmp_path / "templates")
    assert migrations.schema_info() == expected


def test_an_edited_migration_makes_another_template(backend: Backend, tmp_path: Path) -> None:
    first = backend.migrations().template(tmp_path / "templates")
    revision = backend.folder / "versions" / "0002_readers.py"
    revision.write_text(
        revision.read_text().replace('"name"', '"full_name"').replace("name FROM", "id FROM")
    )
    second = backend.migrations().template(tmp_path / "templates")
    assert second != first
    assert query(second, "SELECT full_name FROM readers") == []


def test_a_template_half_made_is_made_again(backend: Backend, tmp_path: Path) -> None:
    template = backend.migrations().template(tmp_path / "templates")
    template.rename(template.with_suffix(".new"))
    template.with_suffix(".new").write_bytes(b"half")
    again = backend.migrations().template(tmp_path / "templates")
    assert query(again, "SELECT count(*) FROM books") == [(0,)]
    assert [file.name for file in again.parent.iterdir()] == [again.name]


def test_a_template_that_was_cut_short_is_made_again(backend: Backend, tmp_path: Path) -> None:
    template = backend.migrations().template(tmp_path / "templates")
    template.write_bytes(template.read_bytes()[: 4 * 4096])
    again = backend.migrations().template(tmp_path / "templates")
    assert query(again, "PRAGMA integrity_check") == [("ok",)]
    assert query(again, "SELECT count(*) FROM books") == [(0,)]


def test_a_template_that_could_not_be_put_into_its_file_gets_no_name(
    backend: Backend, tmp_path: Path, disk: Disk
) -> None:
    disk.silent = True
    with pytest.raises(DatabaseProblem, match="disk I/O error"):
        backend.migrations().template(tmp_path / "templates")
    assert list((tmp_path / "templates").iterdir()) == []
    again = backend.migrations().template(tmp_path / "templates")
    assert query(again, "SELECT count(*) FROM books") == [(0,)]


# ---------------------------------------------------------------- upgrading


def test_an_upgrade_keeps_the_rows_and_moves_the_number(backend: Backend, file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO shelves(name) VALUES ('fiction')")
    backend.add("0003", "0002", "op.execute('ALTER TABLE shelves ADD COLUMN floor INTEGER')")
    migrations = backend.migrations()
    engine, application = migrations.version
    assert version_of(file) == (engine, application - 1)
    migrations.upgrade(file, TENANT)
    assert query(file, "SELECT name, floor FROM shelves") == [("fiction", None)]
    assert query(file, "PRAGMA user_version") == [(migrations.head,)]
    assert query(file, "SELECT version_num FROM alembic_version") == [("0003",)]
    assert version_of(file) == migrations.version


def test_an_upgrade_at_head_changes_nothing(backend: Backend, file: Path) -> None:
    before = content(file)
    backend.migrations().upgrade(file, TENANT)
    assert content(file) == before


def test_an_upgraded_file_is_one_file_in_wal_mode(backend: Backend, file: Path) -> None:
    backend.add("0003", "0002", "pass")
    backend.migrations().upgrade(file)
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    assert query(file, "PRAGMA journal_mode") == [("wal",)]


BROKEN = {
    "an error after some work": (
        "op.execute('CREATE TABLE half (a)')\n"
        "    op.execute('INSERT INTO shelves(name) VALUES (1)')\n"
        "    op.execute('CREATE TABLE half (a)')"
    ),
    "an exception": "op.execute('DROP TABLE readers')\n    raise RuntimeError('no')",
    "a commit in the middle": (
        "op.execute('CREATE TABLE half (a)')\n    op.execute('COMMIT')\n    op.execute('nonsense')"
    ),
    "a rollback in the middle": "op.execute('ROLLBACK')",
    "an autocommit block": (
        "op.execute('CREATE TABLE half (a)')\n"
        "    with op.get_context().autocommit_block():\n        op.execute('SELECT 1')"
    ),
    "rows without their parents": (
        "op.execute(\"INSERT INTO books(title, shelf_id) VALUES ('x', 99)\")"
    ),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_migration_that_fails_leaves_the_file_as_it_was(
    backend: Backend, file: Path, body: str
) -> None:
    backend.add("0003", "0002", "op.execute('CREATE TABLE before_it (a)')")
    backend.add("0004", "0003", body)
    before = content(file)
    with pytest.raises(DatabaseProblem, match=f"{file} is as it was"):
        backend.migrations().upgrade(file, TENANT)
    assert content(file) == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_after_a_failure_a_mended_migration_goes_through(backend: Backend, file: Path) -> None:
    backend.add("0003", "0002", "raise RuntimeError('not yet')")
    with pytest.raises(DatabaseProblem, match="RuntimeError: not yet"):
        backend.migrations().upgrade(file, TENANT)
    backend.add("0003", "0002", "op.execute('CREATE TABLE mended (a)')")
    backend.migrations().upgrade(file, TENANT)
    assert query(file, "SELECT count(*) FROM mended") == [(0,)]


def test_a_rebuilt_table_keeps_the_rows_that_refer_to_it(backend: Backend, file: Path) -> None:
    """Alembic's batch mode drops the old table, which with foreign keys on would delete its children."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO shelves(id, name) VALUES (1, 'fiction')")
        connection.execute("INSERT INTO books(title, shelf_id) VALUES ('Ada', 1)")
    rebuild = (
        "from sqlalchemy import Integer\n"
        "    with op.batch_alter_table('shelves', recreate='always') as batch:\n"
        "        batch.alter_column('name', new_column_name='label')"
    )
    backend.add("0003", "0002", rebuild)
    backend.migrations().upgrade(file, TENANT)
    assert query(file, "SELECT label, title FROM shelves JOIN books ON shelf_id = shelves.id") == [
        ("fiction", "Ada")
    ]


def test_a_newer_file_is_not_touched(backend: Backend, file: Path) -> None:
    older = backend.migrations()
    backend.add("0003", "0002", "pass")
    backend.migrations().upgrade(file, TENANT)
    before = content(file)
    with pytest.raises(DatabaseProblem, match="used by newer code"):
        older.upgrade(file)
    assert content(file) == before


def test_another_tenants_file_is_not_touched(backend: Backend, file: Path) -> None:
    backend.add("0003", "0002", "op.execute('CREATE TABLE extra (a)')")
    before = content(file)
    with pytest.raises(DatabaseProblem, match="files have been mixed up"):
        backend.migrations().upgrade(file, "f" * 32)
    assert content(file) == before


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "somebody's"])
def test_what_is_no_tenants_file_is_not_touched(backend: Backend, file: Path, damage: str) -> None:
    file.unlink()
    if damage == "somebody's":
        query(file, "CREATE TABLE bookmarks (url)")
    elif damage != "missing":
        file.write_bytes(b"" if damage == "empty" else b"garbage" * 1_000)
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(DatabaseProblem, match="restore it from a backup"):
        backend.migrations().upgrade(file)
    assert (file.read_bytes() if file.exists() else None) == before


# ---------------------------------------------------------------- whose tables


def another_application(folder: Path, names: tuple[str, ...]) -> Migrations:
    """With as many revisions, which have the same numbers and other files."""
    other = Backend(folder)
    for old in (other.folder / "versions").glob("*.py"):
        old.unlink()
    downs = (None, *(name[:4] for name in names))
    for name, down in zip(names, downs, strict=False):
        compiled_sql = REVISION.format(
            revision=name[:4], down=down, body=f"op.execute('CREATE TABLE t{name} (a)')"
        )
        (other.folder / "versions" / f"{name}.py").write_text(compiled_sql)
    return other.migrations()


def as_older_code_left_it(path: Path) -> None:
    """A file of the time when it did not say by name what it had been through."""
    with closing(sqlite3.connect(path)) as connection, connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version={20_000 + version % 10_000}")
        connection.execute("UPDATE tenantry_alembic SET version_num = '0002'")
        connection.execute("DROP TABLE tenantry_revisions")


@pytest.mark.parametrize(
    "names", [("0001_a", "0002_b"), ("0001_a", "0002_b", "0003_c"), ("0001_a",)]
)
def test_another_applications_file_is_not_touched(
    file: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    """Also where it has had as many revisions, of the same numbers."""
    before = content(file)
    with pytest.raises(DatabaseProblem, match="another application's: it has been through '0001 "):
        another_application(tmp_path / "other", names).upgrade(file, TENANT)
    assert content(file) == before


def test_another_applications_file_of_older_code_is_not_touched(file: Path, tmp_path: Path) -> None:
    """It says the number of its last revision only."""
    as_older_code_left_it(file)
    before = content(file)
    with pytest.raises(DatabaseProblem, match="another application's: it has been through '0002'"):
        another_application(tmp_path / "other", ("0001_a", "beef_b")).upgrade(file, TENANT)
    assert content(file) == before


def test_a_file_of_older_code_says_afterwards_what_it_has_been_through(
    backend: Backend, file: Path
) -> None:
    as_older_code_left_it(file)
    migrations = backend.migrations()
    engine, application = migrations.version
    assert version_of(file) == (engine - 1, application)
    migrations.upgrade(file, TENANT)
    assert query(file, "SELECT name FROM tenantry_revisions ORDER BY n") == [
        (name,) for name in migrations.schema_info().revisions
    ]


ENGINES = {
    "drops one": "op.drop_table('tenantry_tenant')",
    "renames one": "op.rename_table('TENANTRY_replies', 'mine')",
    "adds a column": "op.execute('ALTER TABLE tenantry_outbox ADD COLUMN mine')",
    "stamps it": "op.execute(\"UPDATE tenantry_tenant SET id = 'x'\")",
    "forgets replies": "op.execute('DELETE FROM tenantry_replies')",
    "has a trigger on one": (
        "op.execute('CREATE TRIGGER mine AFTER INSERT ON tenantry_replies BEGIN SELECT 1; END')"
    ),
    "writes to the schema": (
        "op.execute('PRAGMA writable_schema=ON')\n"
        "    op.execute(\"DELETE FROM sqlite_master WHERE name = 'tenantry_outbox'\")"
    ),
}


@pytest.mark.parametrize("body", ENGINES.values(), ids=ENGINES)
def test_an_applications_migration_that_touches_the_engines_tables_is_refused(
    backend: Backend, file: Path, body: str
) -> None:
    """By the start already, which runs all of them once in memory."""
    backend.add("0003", "0002", body)
    before = content(file)
    with pytest.raises(DatabaseProblem, match="engine's"):
        backend.migrations().upgrade(file, TENANT)
    with pytest.raises(CodeProblem, match="engine's"):
        backend.migrations().schema_info()
    assert content(file) == before


def test_what_slips_past_the_guard_is_seen_before_it_is_committed(
    backend: Backend, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's tables are compared with what they were."""
    monkeypatch.setattr(upgrades, "_deny_engine_tables", lambda *_: sqlite3.SQLITE_OK)
    backend.add("0003", "0002", "op.execute('DROP TABLE tenantry_outbox')")
    before = content(file)
    with pytest.raises(DatabaseProblem, match="change the engine's own tables"):
        backend.migrations().upgrade(file, TENANT)
    assert content(file) == before


def test_what_is_to_be_done_before_is_done_when_the_migrations_have_run(
    backend: Backend, file: Path
) -> None:
    """And sees the file as it was; where it fails, so does the upgrade."""
    backend.add("0003", "0002", "op.execute('CREATE TABLE extra (a)')")
    before, seen = content(file), []
    with pytest.raises(DatabaseProblem, match="no room"):
        backend.migrations().upgrade(file, TENANT, _no_room)
    assert content(file) == before
    backend.migrations().upgrade(file, TENANT, lambda: seen.append(content(file)))
    assert seen == [before]
    backend.migrations().upgrade(
        file, TENANT, _no_room
    )  # which is not called where nothing is to be done


def _no_room() -> None:
    raise DatabaseProblem("no room")


# ---------------------------------------------------------------- folders that cannot be used


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CodeProblem, match="nowhere"):
        Migrations(tmp_path / "nowhere")


def test_a_revision_that_does_not_import_is_named(backend: Backend) -> None:
    (backend.folder / "versions" / "0003.py").write_text("this is no Python")
    with pytest.raises(CodeProblem, match="SyntaxError"):
        backend.migrations()


def test_two_heads_are_refused(backend: Backend) -> None:
    backend.add("0003a", "0002", "pass")
    backend.add("0003b", "0002", "pass")
    with pytest.raises(CodeProblem, match="0003a, 0003b"):
        backend.migrations()


def test_an_env_that_does_nothing_is_noticed(backend: Backend) -> None:
    (backend.folder / "env.py").write_text("")
    with pytest.raises(CodeProblem, match=r"env\.py did not bring"):
        backend.migrations().schema_info()


def test_an_env_that_makes_a_connection_of_its_own_is_noticed(backend: Backend) -> None:
    env = backend.folder / "env.py"
    env.write_text(
        "from sqlalchemy import create_engine\n"
        + env.read_text().replace(
            'context.config.attributes["connection"]', 'create_engine("sqlite://").connect()'
        )
    )
    with pytest.raises(CodeProblem, match=r"env\.py did not bring"):
        backend.migrations().schema_info()


# ---------------------------------------------------------------- the engine's own


def test_the_engines_migrations_go_down_as_they_came_up(tmp_path: Path) -> None:
    """No one runs it on a tenant; it shows that nothing was made which is not named."""
    line = Migrations(None)._histories[0]
    engine = create_engine(f"sqlite:///{tmp_path / 'engine.db'}")
    with engine.begin() as connection:
        command.upgrade(line.config(connection), "head")
        assert set(inspect(connection).get_table_names()) == {
            "tenantry_tenant", "tenantry_replies", "tenantry_dead_letters", "tenantry_outbox",
            "tenantry_revisions", "tenantry_alembic",
        }  # fmt: skip
        command.downgrade(line.config(connection), "base")
        assert inspect(connection).get_table_names() == ["tenantry_alembic"]
    engine.dispose()
    assert line.folder == ENGINE_MIGRATIONS

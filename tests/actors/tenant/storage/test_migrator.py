"""The Migrator: makes files when asked, and brings them to head when told, whatever a migration does."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.errors import DatabaseProblem, MigrationNeeded
from actors.messages import Migrate, Migrated, TenantRecord
from actors.runtime.actor import PONG, Ping, ask
from actors.runtime.mailbox import Mailbox
from actors.tenant.storage.files import Storage
from actors.tenant.storage.migrator import Archive, CreateFile, Migrator
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch
from tests.actors.servers import INDEX

ACME = TenantRecord("acme", "a" * 32)

SECOND = '''"""Count marks."""
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE counts (marks INTEGER CHECK (marks = 0))")
    op.execute("INSERT INTO counts SELECT count(*) FROM marks")
'''


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """A thread for the Migrator."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """A folder with one revision, which the test may add to."""
    return Path(shutil.copytree(INDEX.parent / "migrations", tmp_path / "migrations"))


def moved_in(harness: MailboxHarness, storage: Storage) -> Mailbox:
    """A Migrator for this storage."""
    mailbox = harness.mailbox("migrator")
    Migrator.start(mailbox, storage)
    return mailbox


def storage_of(tmp_path: Path, migrations: Path) -> Storage:
    """On one data directory."""
    return Storage(tmp_path / "data", migrations, 1024**3)


def migrated(migrator: Mailbox, tenant: TenantRecord = ACME) -> Migrated:
    """The answer to Migrate."""
    watch, mailbox = Watch(), Watch()
    migrator.tell(Migrate(tenant, mailbox, watch))
    answer = watch.hear()
    assert isinstance(answer, Migrated)
    assert answer.mailbox is mailbox
    return answer


def test_a_file_is_made_when_the_answer_comes_and_only_once(
    harness: MailboxHarness, tmp_path: Path, migrations: Path
) -> None:
    """It can be opened at once; a second one under its name is refused, and the Migrator lives."""
    storage = storage_of(tmp_path, migrations)
    migrator = moved_in(harness, storage)
    ask(migrator, CreateFile(ACME.id), WAIT)
    storage.open(ACME).close()
    with pytest.raises(DatabaseProblem, match="there already"):
        ask(migrator, CreateFile(ACME.id), WAIT)
    assert ask(migrator, Ping(), WAIT) == PONG


def test_a_file_of_older_code_is_brought_to_head(
    harness: MailboxHarness, tmp_path: Path, migrations: Path
) -> None:
    """Before that it cannot be opened; a second time nothing is left to do."""
    storage_of(tmp_path, migrations).create(ACME.id)
    (migrations / "versions" / "0002_counts.py").write_text(SECOND)
    storage = storage_of(tmp_path, migrations)
    with pytest.raises(MigrationNeeded):
        storage.open(ACME)
    migrator = moved_in(harness, storage)
    for _ in range(2):
        assert migrated(migrator).error is None
        storage.open(ACME).close()


def test_a_migration_that_fails_is_an_answer_and_not_the_migrator_s_end(
    harness: MailboxHarness, tmp_path: Path, migrations: Path
) -> None:
    """The file is as it was; the next tenant's is migrated."""
    older = storage_of(tmp_path, migrations)
    globex = TenantRecord("globex", "b" * 32)
    for tenant in (ACME, globex):
        older.create(tenant.id)
    with closing(sqlite3.connect(older.path(ACME.id), isolation_level=None)) as file:
        file.execute("INSERT INTO marks (text) VALUES ('one too many')")
    before = older.path(ACME.id).read_bytes()
    (migrations / "versions" / "0002_counts.py").write_text(SECOND)
    migrator = moved_in(harness, storage_of(tmp_path, migrations))
    error = migrated(migrator).error
    assert isinstance(error, DatabaseProblem)
    assert str(older.path(ACME.id)) in str(error)
    assert older.path(ACME.id).read_bytes() == before
    assert migrated(migrator, globex).error is None


def test_a_file_that_is_not_there_is_an_answer(
    harness: MailboxHarness, tmp_path: Path, migrations: Path
) -> None:
    """And none is made."""
    storage = storage_of(tmp_path, migrations)
    assert isinstance(migrated(moved_in(harness, storage)).error, DatabaseProblem)
    assert not storage.path(ACME.id).exists()


def test_a_tenants_last_backup_is_made_when_the_answer_comes(
    harness: MailboxHarness, tmp_path: Path, migrations: Path
) -> None:
    """Also of a file that is older than the code; asked again, it answers the same."""
    storage = storage_of(tmp_path, migrations)
    storage.create(ACME.id)
    (migrations / "versions" / "0002_counts.py").write_text(SECOND)
    migrator = moved_in(harness, storage_of(tmp_path, migrations))
    backup = ask(migrator, Archive(ACME.id), WAIT)
    assert backup.parent == tmp_path / "data" / "backups"
    assert backup.exists()
    assert not storage.path(ACME.id).exists()
    assert ask(migrator, Archive(ACME.id), WAIT) == backup


def test_a_backup_that_cannot_be_made_is_an_answer_and_not_the_migrator_s_end(
    harness: MailboxHarness, tmp_path: Path, migrations: Path
) -> None:
    """The next tenant's is made."""
    storage = storage_of(tmp_path, migrations)
    storage.create(ACME.id)
    migrator = moved_in(harness, storage)
    with pytest.raises(DatabaseProblem, match="is missing"):
        ask(migrator, Archive("b" * 32), WAIT)
    assert ask(migrator, Archive(ACME.id), WAIT).exists()

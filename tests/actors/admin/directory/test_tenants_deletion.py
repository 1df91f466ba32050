"""Tenants whose grace is over leave for good: whatever restarts, fails or takes long meanwhile."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pykka
import pytest

from actors.admin.messages import (
    AddMember,
    CreateTenant,
    Delegate,
    DeleteTenant,
    EnrolTester,
    GrantSuper,
    IssueToken,
    ListTenants,
    PatchConfig,
    ResumeTenant,
    RevokeToken,
    SetLimits,
    SetSubscription,
    ShowTenant,
)
from actors.errors import DatabaseProblem, FailedPrecondition, NotFound
from actors.messages import Principal, Retire, Retired, TenantRecord
from actors.profiles import DEFAULT_PROFILE
from actors.runtime.futures import ReplyFuture, ask_async, resolve, resolve_with_error
from actors.runtime.mailbox import Mailbox
from actors.tenant.storage.files import Storage
from actors.tenant.storage.migrator import Archive, CreateFile, Migrator
from tests.actors.admin.directory_harness import DAY, START, DirectoryHarness, as_super
from tests.actors.mailbox_harness import MailboxHarness
from tests.actors.servers import INDEX

BACKUP = Path("backups/acme.db")


def doomed(directory: DirectoryHarness, name: str = "acme", days: float = 30) -> TenantRecord:
    """A tenant with a bit of everything, that is to be deleted."""
    directory.tenant(name)
    joan, admin = directory.member(name), directory.developer()
    directory.execute(Delegate(name, joan.person, frozenset({"config"})))
    directory.execute(RevokeToken(name, directory.with_token(name, joan.person).id))
    directory.execute(GrantSuper(name, admin.person, 60 * 24 * 7, "a look at it"))
    directory.execute(IssueToken(name, joan.person, "test", None, None), by=as_super(admin, name))
    directory.execute(PatchConfig(name, {"settings": {"a": 1}}, 0))
    directory.execute(SetSubscription(name, "mail", None, None))
    directory.execute(SetLimits(name, {"mailbox": 10}))
    directory.execute(EnrolTester(name, "notes.add"))
    directory.execute(DeleteTenant(name, days, "over"))
    return directory.known.tenants[name]


def retire(directory: DirectoryHarness) -> Retire:
    """What the supervisor is told, once."""
    (message,) = directory.supervisor.heard()
    assert isinstance(message, Retire)
    return message


def retired(directory: DirectoryHarness) -> ReplyFuture:
    """The supervisor has closed the file; the answer that is owed for the archive."""
    message = retire(directory)
    message.reply_to.tell(Retired(message.tenant))
    directory.wait_until_idle()
    tenant_id, answer = directory.archiving.pop()
    assert tenant_id == message.tenant.id
    return answer


def archived(directory: DirectoryHarness, answer: ReplyFuture) -> None:
    """The backup is made, and the Directory has been notified of it."""
    resolve(answer, BACKUP)
    directory.wait_until_idle()


def rows_about(directory: DirectoryHarness, tenant_id: str) -> dict[str, int]:
    """By table, how much of a tenant is in the file."""
    tables = ("people", "tokens", "grants", "configs", "subscriptions", "limits", "testers")
    with closing(sqlite3.connect(f"file:{directory.path}?mode=ro", uri=True)) as reader:
        found = {
            table: reader.execute(
                f"SELECT count(*) FROM {table} WHERE tenant_id = ?", (tenant_id,)
            ).fetchone()[0]
            for table in tables
        }
        query = "SELECT count(*) FROM tenants WHERE id = ?"
        return {**found, "tenants": reader.execute(query, (tenant_id,)).fetchone()[0]}


def test_after_its_grace_a_tenant_is_closed_archived_and_forgotten(
    directory: DirectoryHarness,
) -> None:
    """In that order, each when the one before is done; the record names the backup."""
    directory.tenant("globex")
    acme = doomed(directory)
    assert all(rows_about(directory, acme.id).values())
    directory.now += 30 * DAY - 1
    directory.sweep()
    assert directory.supervisor.heard() == []
    directory.now += 1
    directory.sweep()
    directory.recorded()  # the grant has expired as well
    answer = retired(directory)
    assert directory.known.tenants["acme"] == acme
    archived(directory, answer)
    assert not any(rows_about(directory, acme.id).values())
    assert set(directory.known.tenants) == {"globex"}
    assert {each.tenant for each in directory.known.principals.values()} == {"globex", None}
    assert directory.fresh_view() == directory.known
    assert directory.profiles.of(acme.id) is DEFAULT_PROFILE
    (entry,) = directory.recorded()
    assert (entry.action, entry.capacity, entry.outcome) == ("tenants.deleted", "machine", "ok")
    assert (entry.tenant, entry.tenant_id, entry.message) == ("acme", acme.id, "acme.db")


def test_its_grants_and_tokens_are_told_to_be_over(directory: DirectoryHarness) -> None:
    """One change, that names the tenant, what was good, and nothing that was not."""
    acme = doomed(directory, days=1)
    live = set(directory.known.grants)
    digests = set(directory.known.principals) - {
        digest for digest, each in directory.known.principals.items() if each.tenant is None
    }
    directory.now += DAY
    directory.sweep()
    answer = retired(directory)
    resolve(answer, BACKUP)
    change = directory.subscriber.hear()
    assert change.forgotten == (acme,)
    assert set(change.ended) == live
    assert set(change.revoked) == digests
    directory.wait_until_idle()


def test_a_name_is_free_again_with_another_id(directory: DirectoryHarness) -> None:
    """Nothing of the one before is the new one's."""
    acme = doomed(directory, days=0)
    directory.sweep()
    archived(directory, retired(directory))
    again = directory.execute(CreateTenant("acme", "Eve", None, token=True))["tenant"]
    assert again["id"] != acme.id
    shown = directory.ask(ShowTenant("acme"))
    assert (shown["people"], shown["tokens"], shown["config_revision"]) == (1, 1, 0)


def test_it_is_begun_once_however_often_is_swept(directory: DirectoryHarness) -> None:
    """While it is under way, at each of its stages."""
    doomed(directory, days=0)
    directory.sweep()
    directory.sweep()
    answer = retired(directory)
    directory.sweep()
    assert directory.supervisor.heard() == []
    archived(directory, answer)
    directory.sweep()
    assert directory.supervisor.heard() == []
    assert [entry.action for entry in directory.recorded()] == ["tenants.deleted"]


def test_the_directory_serves_while_a_large_tenant_is_archived(directory: DirectoryHarness) -> None:
    """The answer to the archive comes when it comes."""
    doomed(directory, days=0)
    directory.sweep()
    answer = retired(directory)
    directory.tenant("globex")
    assert directory.ask(ShowTenant("acme"))["tenant"]["status"] == "deleting"
    archived(directory, answer)
    with pytest.raises(NotFound):
        directory.ask(ShowTenant("acme"))


@pytest.mark.parametrize("stage", ["over", "swept", "closed", "restarted", "clock set back"])
def test_once_the_grace_is_over_nothing_calls_it_off(
    directory: DirectoryHarness, stage: str
) -> None:
    """The file may have gone already: a tenant that was resumed then would have lost everything."""
    doomed(directory)
    directory.now += 30 * DAY
    if stage != "over":
        directory.sweep()
    if stage == "closed":
        retired(directory)
    if stage in ("restarted", "clock set back"):
        directory.now = START if stage == "clock set back" else directory.now
        directory.restart()
    error = directory.refusal(ResumeTenant("acme"))
    assert isinstance(error, FailedPrecondition)
    assert "grace period is over" in str(error)
    assert isinstance(directory.refusal(AddMember("acme", "x", None)), FailedPrecondition)


@pytest.mark.parametrize("problem", [DatabaseProblem("no space"), pykka.ActorDeadError("gone")])
def test_what_cannot_be_archived_stays_and_is_tried_again(
    directory: DirectoryHarness, problem: Exception
) -> None:
    """At the next sweep; nothing of it is forgotten."""
    acme = doomed(directory, days=0)
    directory.sweep()
    resolve_with_error(retired(directory), problem)
    directory.wait_until_idle()
    assert all(rows_about(directory, acme.id).values())
    assert directory.known.tenants["acme"] == acme
    assert directory.recorded() == []
    directory.sweep()
    archived(directory, retired(directory))
    assert not any(rows_about(directory, acme.id).values())


@pytest.mark.parametrize("stage", ["closing", "archiving"])
def test_the_next_incarnation_begins_again(directory: DirectoryHarness, stage: str) -> None:
    """What the one before was owed comes to nothing, or to the same; it is recorded once."""
    acme = doomed(directory, days=0)
    directory.sweep()
    first = retire(directory) if stage == "closing" else retired(directory)
    directory.restart()
    if isinstance(first, Retire):
        first.reply_to.tell(Retired(first.tenant))
    else:
        resolve(first, BACKUP)
    directory.wait_until_idle()
    assert directory.archiving == []
    assert all(rows_about(directory, acme.id).values())
    directory.sweep()
    archived(directory, retired(directory))
    assert not any(rows_about(directory, acme.id).values())
    directory.sweep()
    assert directory.supervisor.heard() == []
    assert [entry.action for entry in directory.recorded()] == ["tenants.deleted"]


def test_an_answer_that_comes_late_forgets_nobody_twice(directory: DirectoryHarness) -> None:
    """An incarnation ago, and its tenant's name is another's by now."""
    doomed(directory, days=0)
    directory.sweep()
    late = retired(directory)
    directory.restart()
    directory.sweep()
    archived(directory, retired(directory))
    directory.tenant("acme")
    directory.changes()
    archived(directory, late)
    assert directory.changes() == []
    assert directory.ask(ShowTenant("acme"))["people"] == 1


def test_several_leave_at_once(directory: DirectoryHarness) -> None:
    """Each at its own pace; those whose grace goes on stay."""
    gone = [doomed(directory, name, days=0) for name in ("acme", "globex")]
    stays = doomed(directory, "initech", days=1)
    directory.sweep()
    told = directory.supervisor.heard()
    assert {message.tenant for message in told} == set(gone)
    for message in told:
        message.reply_to.tell(Retired(message.tenant))
    directory.wait_until_idle()
    for _, answer in reversed(directory.archiving):
        archived(directory, answer)
    assert [each["name"] for each in directory.ask(ListTenants("", 50, None))["tenants"]] == [
        "initech"
    ]
    assert directory.known.tenants == {"initech": stays}


class DirectoryWithFiles(DirectoryHarness):
    """With a real Migrator, who makes real files and takes them away."""

    def __init__(self, harness: MailboxHarness, path: Path) -> None:
        self.storage = Storage(path.parent, INDEX.parent / "migrations", 1024**3)
        self.migrator: Mailbox = harness.mailbox("migrator")
        Migrator.start(self.migrator, self.storage)
        super().__init__(harness, path)

    def _create_file(self, tenant_id: str) -> None:
        ask_async(self.migrator, CreateFile(tenant_id)).future.get(timeout=10)

    def _archive(self, tenant_id: str) -> ReplyFuture:
        return ask_async(self.migrator, Archive(tenant_id)).future


@pytest.fixture
def stored(harness: MailboxHarness, empty: Path, tmp_path: Path) -> DirectoryWithFiles:
    """A Directory whose tenants have files."""
    made = DirectoryWithFiles(harness, Path(shutil.copy(empty, tmp_path / "directory.db")))
    made.wait_until_idle()
    return made


def leave(stored: DirectoryWithFiles) -> None:
    """All the way: closed, archived by the Migrator, forgotten."""
    stored.sweep()
    message = retire(stored)
    message.reply_to.tell(Retired(message.tenant))
    while not (change := stored.subscriber.hear()).forgotten:
        pass
    stored.known.apply([change])
    stored.wait_until_idle()


def test_the_file_becomes_a_backup(stored: DirectoryWithFiles) -> None:
    """A whole one, under the name that the record gives."""
    stored.tenant()
    record = stored.known.tenants["acme"]
    path = stored.storage.path(record.id)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("INSERT INTO marks (text) VALUES ('mine')")
    stored.execute(DeleteTenant("acme", 0, "over"))
    leave(stored)
    assert not path.exists()
    (entry,) = stored.recorded()
    backup = stored.path.parent / "backups" / str(entry.message)
    with closing(sqlite3.connect(f"file:{backup}?mode=ro", uri=True)) as reader:
        assert reader.execute("SELECT text FROM marks").fetchall() == [("mine",)]


def test_a_file_that_was_archived_before_a_crash_is_archived_still(
    stored: DirectoryWithFiles,
) -> None:
    """The server fell between the archive and what the Directory would have done next."""
    stored.tenant()
    record = stored.known.tenants["acme"]
    stored.execute(DeleteTenant("acme", 0, "over"))
    stored.sweep()
    retire(stored)
    backup = stored.storage.archive(record.id)
    stored.restart()
    leave(stored)
    (entry,) = stored.recorded()
    assert entry.message == backup.name
    with pytest.raises(NotFound):
        stored.ask(ShowTenant("acme"))


def test_a_person_of_a_gone_tenant_orders_nothing(directory: DirectoryHarness) -> None:
    """Nor of the next tenant of that name."""
    ada: Principal = directory.tenant()
    directory.execute(DeleteTenant("acme", 0, "over"))
    directory.sweep()
    archived(directory, retired(directory))
    directory.tenant("acme")
    assert directory.refusal(AddMember("acme", "x", None), by=ada).code == "aborted"

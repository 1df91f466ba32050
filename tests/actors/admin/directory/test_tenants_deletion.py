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
from actors.profiles import UNREMARKABLE
from actors.runtime.futures import Answer, asked, settle, settle_with_error
from actors.runtime.mailbox import Mailbox
from actors.tenant.storage.files import Storage
from actors.tenant.storage.migrator import Archive, CreateFile, Migrator
from tests.actors.admin.directory_harness import DAY, START, TownHall, as_super
from tests.actors.mailbox_harness import House
from tests.actors.servers import INDEX

BACKUP = Path("backups/acme.db")


def doomed(town: TownHall, name: str = "acme", days: float = 30) -> TenantRecord:
    """A tenant with a bit of everything, that is to be deleted."""
    town.tenant(name)
    joan, admin = town.member(name), town.developer()
    town.order(Delegate(name, joan.person, frozenset({"config"})))
    town.order(RevokeToken(name, town.with_token(name, joan.person).id))
    town.order(GrantSuper(name, admin.person, 60 * 24 * 7, "a look at it"))
    town.order(IssueToken(name, joan.person, "test", None, None), by=as_super(admin, name))
    town.order(PatchConfig(name, {"settings": {"a": 1}}, 0))
    town.order(SetSubscription(name, "mail", None, None))
    town.order(SetLimits(name, {"mailbox": 10}))
    town.order(EnrolTester(name, "notes.add"))
    town.order(DeleteTenant(name, days, "over"))
    return town.known.tenants[name]


def retire(town: TownHall) -> Retire:
    """What the supervisor is told, once."""
    (message,) = town.supervisor.heard()
    assert isinstance(message, Retire)
    return message


def retired(town: TownHall) -> Answer:
    """The supervisor has closed the file; the answer that is owed for the archive."""
    message = retire(town)
    message.reply_to.tell(Retired(message.tenant))
    town.settled()
    tenant_id, answer = town.archiving.pop()
    assert tenant_id == message.tenant.id
    return answer


def archived(town: TownHall, answer: Answer) -> None:
    """The backup is made, and the Directory has heard of it."""
    settle(answer, BACKUP)
    town.settled()


def rows_about(town: TownHall, tenant_id: str) -> dict[str, int]:
    """By table, how much of a tenant is in the file."""
    tables = ("people", "tokens", "grants", "configs", "subscriptions", "limits", "testers")
    with closing(sqlite3.connect(f"file:{town.path}?mode=ro", uri=True)) as reader:
        found = {
            table: reader.execute(
                f"SELECT count(*) FROM {table} WHERE tenant_id = ?", (tenant_id,)
            ).fetchone()[0]
            for table in tables
        }
        query = "SELECT count(*) FROM tenants WHERE id = ?"
        return {**found, "tenants": reader.execute(query, (tenant_id,)).fetchone()[0]}


def test_after_its_grace_a_tenant_is_closed_archived_and_forgotten(town: TownHall) -> None:
    """In that order, each when the one before is done; the record names the backup."""
    town.tenant("globex")
    acme = doomed(town)
    assert all(rows_about(town, acme.id).values())
    town.now += 30 * DAY - 1
    town.sweep()
    assert town.supervisor.heard() == []
    town.now += 1
    town.sweep()
    town.recorded()  # the grant has expired as well
    answer = retired(town)
    assert town.known.tenants["acme"] == acme
    archived(town, answer)
    assert not any(rows_about(town, acme.id).values())
    assert set(town.known.tenants) == {"globex"}
    assert {each.tenant for each in town.known.principals.values()} == {"globex", None}
    assert town.everything() == town.known
    assert town.profiles.of(acme.id) is UNREMARKABLE
    (entry,) = town.recorded()
    assert (entry.action, entry.capacity, entry.outcome) == ("tenants.deleted", "machine", "ok")
    assert (entry.tenant, entry.tenant_id, entry.message) == ("acme", acme.id, "acme.db")


def test_its_grants_and_tokens_are_told_to_be_over(town: TownHall) -> None:
    """One change, that names the tenant, what was good, and nothing that was not."""
    acme = doomed(town, days=1)
    live = set(town.known.grants)
    digests = set(town.known.principals) - {
        digest for digest, each in town.known.principals.items() if each.tenant is None
    }
    town.now += DAY
    town.sweep()
    answer = retired(town)
    settle(answer, BACKUP)
    change = town.heard.hear()
    assert change.forgotten == (acme,)
    assert set(change.ended) == live
    assert set(change.revoked) == digests
    town.settled()


def test_a_name_is_free_again_with_another_id(town: TownHall) -> None:
    """Nothing of the one before is the new one's."""
    acme = doomed(town, days=0)
    town.sweep()
    archived(town, retired(town))
    again = town.order(CreateTenant("acme", "Eve", None, token=True))["tenant"]
    assert again["id"] != acme.id
    shown = town.ask(ShowTenant("acme"))
    assert (shown["people"], shown["tokens"], shown["config_revision"]) == (1, 1, 0)


def test_it_is_begun_once_however_often_is_swept(town: TownHall) -> None:
    """While it is under way, at each of its stages."""
    doomed(town, days=0)
    town.sweep()
    town.sweep()
    answer = retired(town)
    town.sweep()
    assert town.supervisor.heard() == []
    archived(town, answer)
    town.sweep()
    assert town.supervisor.heard() == []
    assert [entry.action for entry in town.recorded()] == ["tenants.deleted"]


def test_the_directory_serves_while_a_large_tenant_is_archived(town: TownHall) -> None:
    """The answer to the archive comes when it comes."""
    doomed(town, days=0)
    town.sweep()
    answer = retired(town)
    town.tenant("globex")
    assert town.ask(ShowTenant("acme"))["tenant"]["status"] == "deleting"
    archived(town, answer)
    with pytest.raises(NotFound):
        town.ask(ShowTenant("acme"))


@pytest.mark.parametrize("stage", ["over", "swept", "closed", "restarted", "clock set back"])
def test_once_the_grace_is_over_nothing_calls_it_off(town: TownHall, stage: str) -> None:
    """The file may have gone already: a tenant that was resumed then would have lost everything."""
    doomed(town)
    town.now += 30 * DAY
    if stage != "over":
        town.sweep()
    if stage == "closed":
        retired(town)
    if stage in ("restarted", "clock set back"):
        town.now = START if stage == "clock set back" else town.now
        town.restart()
    error = town.refusal(ResumeTenant("acme"))
    assert isinstance(error, FailedPrecondition)
    assert "grace is over" in str(error)
    assert isinstance(town.refusal(AddMember("acme", "x", None)), FailedPrecondition)


@pytest.mark.parametrize("problem", [DatabaseProblem("no space"), pykka.ActorDeadError("gone")])
def test_what_cannot_be_archived_stays_and_is_tried_again(
    town: TownHall, problem: Exception
) -> None:
    """At the next sweep; nothing of it is forgotten."""
    acme = doomed(town, days=0)
    town.sweep()
    settle_with_error(retired(town), problem)
    town.settled()
    assert all(rows_about(town, acme.id).values())
    assert town.known.tenants["acme"] == acme
    assert town.recorded() == []
    town.sweep()
    archived(town, retired(town))
    assert not any(rows_about(town, acme.id).values())


@pytest.mark.parametrize("stage", ["closing", "archiving"])
def test_the_next_incarnation_begins_again(town: TownHall, stage: str) -> None:
    """What the one before was owed comes to nothing, or to the same; it is recorded once."""
    acme = doomed(town, days=0)
    town.sweep()
    first = retire(town) if stage == "closing" else retired(town)
    town.restart()
    if isinstance(first, Retire):
        first.reply_to.tell(Retired(first.tenant))
    else:
        settle(first, BACKUP)
    town.settled()
    assert town.archiving == []
    assert all(rows_about(town, acme.id).values())
    town.sweep()
    archived(town, retired(town))
    assert not any(rows_about(town, acme.id).values())
    town.sweep()
    assert town.supervisor.heard() == []
    assert [entry.action for entry in town.recorded()] == ["tenants.deleted"]


def test_an_answer_that_comes_late_forgets_nobody_twice(town: TownHall) -> None:
    """An incarnation ago, and its tenant's name is another's by now."""
    doomed(town, days=0)
    town.sweep()
    late = retired(town)
    town.restart()
    town.sweep()
    archived(town, retired(town))
    town.tenant("acme")
    town.changes()
    archived(town, late)
    assert town.changes() == []
    assert town.ask(ShowTenant("acme"))["people"] == 1


def test_several_leave_at_once(town: TownHall) -> None:
    """Each at its own pace; those whose grace goes on stay."""
    gone = [doomed(town, name, days=0) for name in ("acme", "globex")]
    stays = doomed(town, "initech", days=1)
    town.sweep()
    told = town.supervisor.heard()
    assert {message.tenant for message in told} == set(gone)
    for message in told:
        message.reply_to.tell(Retired(message.tenant))
    town.settled()
    for _, answer in reversed(town.archiving):
        archived(town, answer)
    assert [each["name"] for each in town.ask(ListTenants("", 50, None))["tenants"]] == ["initech"]
    assert town.known.tenants == {"initech": stays}


class Cellar(TownHall):
    """With a real Migrator, who makes real files and takes them away."""

    def __init__(self, house: House, path: Path) -> None:
        self.storage = Storage(path.parent, INDEX.parent / "migrations", 1024**3)
        self.migrator: Mailbox = house.mailbox("migrator")
        Migrator.start(self.migrator, self.storage)
        super().__init__(house, path)

    def _create_file(self, tenant_id: str) -> None:
        asked(self.migrator, CreateFile(tenant_id)).answer.get(timeout=10)

    def _archive(self, tenant_id: str) -> Answer:
        return asked(self.migrator, Archive(tenant_id)).answer


@pytest.fixture
def cellar(house: House, empty: Path, tmp_path: Path) -> Cellar:
    """A Directory whose tenants have files."""
    made = Cellar(house, Path(shutil.copy(empty, tmp_path / "directory.db")))
    made.settled()
    return made


def leave(cellar: Cellar) -> None:
    """All the way: closed, archived by the Migrator, forgotten."""
    cellar.sweep()
    message = retire(cellar)
    message.reply_to.tell(Retired(message.tenant))
    while not (change := cellar.heard.hear()).forgotten:
        pass
    cellar.known.hear([change])
    cellar.settled()


def test_the_file_becomes_a_backup(cellar: Cellar) -> None:
    """A whole one, under the name that the record gives."""
    cellar.tenant()
    record = cellar.known.tenants["acme"]
    path = cellar.storage.path(record.id)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("INSERT INTO marks (text) VALUES ('mine')")
    cellar.order(DeleteTenant("acme", 0, "over"))
    leave(cellar)
    assert not path.exists()
    (entry,) = cellar.recorded()
    backup = cellar.path.parent / "backups" / str(entry.message)
    with closing(sqlite3.connect(f"file:{backup}?mode=ro", uri=True)) as reader:
        assert reader.execute("SELECT text FROM marks").fetchall() == [("mine",)]


def test_a_file_that_was_archived_before_a_crash_is_archived_still(cellar: Cellar) -> None:
    """The server fell between the archive and what the Directory would have done next."""
    cellar.tenant()
    record = cellar.known.tenants["acme"]
    cellar.order(DeleteTenant("acme", 0, "over"))
    cellar.sweep()
    retire(cellar)
    backup = cellar.storage.archive(record.id)
    cellar.restart()
    leave(cellar)
    (entry,) = cellar.recorded()
    assert entry.message == backup.name
    with pytest.raises(NotFound):
        cellar.ask(ShowTenant("acme"))


def test_a_person_of_a_gone_tenant_orders_nothing(town: TownHall) -> None:
    """Nor of the next tenant of that name."""
    ada: Principal = town.tenant()
    town.order(DeleteTenant("acme", 0, "over"))
    town.sweep()
    archived(town, retired(town))
    town.tenant("acme")
    assert town.refusal(AddMember("acme", "x", None), by=ada).code == "aborted"

"""The Directory as an actor: what it tells and when, what it does not take, and a file that fails."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from actors.admin import messages as m
from actors.admin.connector_messages import TryPatch
from actors.admin.directory.actor import Directory, DirectoryPeers, DirectorySettings
from actors.admin.directory.checks import expectations
from actors.admin.directory.ledger import migrations as ledger
from actors.admin.directory.store import COMMANDS, QUERIES
from actors.admin.secrets import Keyring
from actors.errors import Unavailable
from actors.host.clocks import MonotonicWallClock
from actors.messages import DirectoryChanged, Retired, TenantRecord, TokensUsed
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.actor import ask, stop
from actors.runtime.mailbox import Crashed, Mailbox, Stopped
from tests.actors.admin.directory_harness import (
    ACTIONS,
    CONSOLE,
    DAY,
    DirectoryHarness,
    receipt,
    table,
)
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch

FINE: Final = "fine"
LOST: Final = "lost"
"""The commit reports failure, and nothing of it is on disk."""
KEPT: Final = "kept"
"""The commit reports failure, and all of it is on disk."""

JOAN = m.AddMember("acme", "Joan", None)


# What it takes


def test_every_question_and_command_has_a_result_to_be_held_to() -> None:
    """Each is one of the two; what only an actor asks for is no result."""
    inside = {TryPatch, *expectations.QUERIES, *ledger.QUERIES, *ledger.COMMANDS}
    assert {*QUERIES, *COMMANDS} - inside == set(ACTIONS)
    assert not {*QUERIES} & {*COMMANDS}


@pytest.mark.parametrize("command", sorted(COMMANDS, key=str))
def test_a_command_comes_as_an_order(directory: DirectoryHarness, command: type) -> None:
    """By itself it would be no one's: not done, and the Directory goes on."""
    with pytest.raises(TypeError, match=command.__name__):
        ask(directory.mailbox, command(*command._fields), WAIT)  # type: ignore[attr-defined]  # NamedTuples
    assert directory.ask(m.ListTenants("", 50, None))["tenants"] == []


@pytest.mark.parametrize("command", [m.ListDevelopers(), "no command", None])
def test_what_is_no_command_cannot_be_ordered(directory: DirectoryHarness, command: object) -> None:
    """It is the asker's defect."""
    with pytest.raises(TypeError, match=type(command).__name__):
        ask(directory.mailbox, m.Execute(command, CONSOLE, None), WAIT)


# What it tells


def test_at_first_there_is_nobody(harness: MailboxHarness, empty: Path, tmp_path: Path) -> None:
    """Subscribers are notified of it, and that it is all there is."""
    directory = DirectoryHarness(harness, Path(shutil.copy(empty, tmp_path / "directory.db")))
    assert directory.subscriber.hear() == DirectoryChanged(complete=True)


def test_who_has_just_started_is_told_everything(directory: DirectoryHarness) -> None:
    """Tenants, good tokens and live grants, as they were told one by one."""
    for name in ("acme", "globex"):
        directory.tenant(name)
        directory.member(name)
    directory.owner("config")
    directory.super_admin()
    directory.execute(m.RevokeToken("acme", directory.member().id))
    directory.execute(m.SuspendTenant("globex", "unpaid"))
    assert directory.fresh_view() == directory.known
    assert len(directory.known.principals) == 6
    assert len(directory.known.grants) == 1


def test_every_subscriber_hears_of_a_change_before_it_is_answered(
    harness: MailboxHarness, empty: Path, tmp_path: Path
) -> None:
    """And anyone who is notified of it finds the snapshot changed already."""
    profiles = Profiles()
    seen: deque[tuple[str, int]] = deque()

    class Subscriber(Watch):
        """Looks at the snapshots at once."""

        def tell(self, message: Any) -> None:
            for tenant in message.tenants:
                seen.append((tenant.status, profiles.of(tenant.id).config.revision))

    path = Path(shutil.copy(empty, tmp_path / "directory.db"))
    nobody = Watch()
    mailbox: Mailbox = harness.mailbox("directory")
    peers = DirectoryPeers(
        lambda _: None,
        lambda _: pytest.fail("nothing is deleted"),
        [Subscriber(), Subscriber()],
        nobody,
        nobody,
    )
    settings = DirectorySettings(path, Keyring(), MonotonicWallClock())
    Directory.start(mailbox, settings, peers, profiles, RoutingSnapshot(table()))
    for command in (
        m.CreateTenant("acme", "Ada", None, token=False),
        m.PatchConfig("acme", {"settings": {"a": 1}}, 0),
        m.SuspendTenant("acme", "unpaid"),
    ):
        ask(mailbox, m.Execute(command, CONSOLE, None), WAIT)
        if isinstance(command, m.CreateTenant):
            assert list(seen) == [("active", 0)] * 2
    assert list(seen)[2:] == [("suspended", 1)] * 2


def test_the_next_incarnation_finds_everything_and_tells_it(directory: DirectoryHarness) -> None:
    """After a message that it does not know; all it told before has gone with it."""
    directory.tenant()
    directory.super_admin()
    before = directory.fresh_view()
    directory.changes()
    directory.mailbox.tell("a message that it does not know")
    failed = directory.harness.watch.hear()
    assert isinstance(failed, Crashed)
    assert isinstance(failed.error, TypeError)
    directory.mailbox.take_up_to(1)
    directory.open()
    directory.wait_until_idle()
    assert directory.fresh_view() == directory.known == before


def test_what_ended_while_nobody_ran_is_part_of_all_there_is(directory: DirectoryHarness) -> None:
    """One thing is told at a start, and it is complete: a change by itself would pass for everything."""
    directory.tenant()
    directory.super_admin()
    directory.with_token("acme", directory.member().person, days=0.01)
    directory.now += DAY
    (change,) = directory.restart()
    assert change.complete
    assert (len(change.tenants), len(change.tokens), change.grants) == (1, 3, ())


# A file that fails


class Disk(deque[str]):
    """What becomes of the next commits, in their order; afterwards all is fine."""

    closed = False
    """While True, the file can neither be opened nor used."""
    syncs = True
    """While False, nothing can be brought into the file, though all can be read."""


class OnDisk(sqlite3.Connection):
    """The driver's connection, on a disk that fails as planned."""

    disk = Disk()

    def cursor(self, *arguments: Any) -> Any:
        """There is none while the disk is gone."""
        self._require(not self.disk.closed)
        return super().cursor(*arguments)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """The same, for what is not SQLAlchemy's."""
        is_possible = self.disk.syncs or "wal_checkpoint" not in arguments[0]
        self._require(is_possible and not self.disk.closed)
        return super().execute(*arguments)

    def _require(self, is_possible: bool) -> None:
        if not is_possible:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    def commit(self) -> None:
        """Fail if its time has come."""
        fate = self.disk.popleft() if self.disk else FINE
        super().rollback() if fate == LOST else super().commit()
        if fate != FINE:
            raise sqlite3.OperationalError("disk I/O error")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk on which every connection made from now on works."""
    plan = Disk()
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        if plan.closed:
            raise sqlite3.OperationalError("unable to open database file")
        found = connect(*arguments, factory=OnDisk, **options)
        assert isinstance(found, OnDisk)
        found.disk = plan
        return found

    monkeypatch.setattr("sqlite3.connect", connected)
    return plan


@pytest.fixture
def shaky(disk: Disk, directory: DirectoryHarness) -> DirectoryHarness:
    """A Directory on that disk, with a tenant."""
    directory.tenant()
    return directory


def names(directory: DirectoryHarness) -> list[str]:
    """Of everybody in acme."""
    return sorted(each["name"] for each in directory.ask(m.ListMembers("acme", "", 200))["members"])


@pytest.mark.parametrize("fate", [LOST, KEPT])
def test_a_commit_that_fails_is_unknown_to_its_caller_and_known_to_nobody_wrongly(
    shaky: DirectoryHarness, disk: Disk, fate: str
) -> None:
    """The file is read again, everybody told what is in it; the same order again has its effect once."""
    joan = shaky.member()
    shaky.changes()
    disk.append(fate)
    revoked = m.RevokeToken("acme", joan.id)
    with pytest.raises(
        Unavailable, match=r"disk I/O error.*send the request again with the same id"
    ) as told:
        shaky.done(revoked, CONSOLE, receipt())
    assert told.value.refusal.retry_after_ms
    (change,) = shaky.changes()
    assert change.complete
    is_good = joan in shaky.known.principals.values()
    assert is_good == (fate == LOST)
    assert shaky.fresh_view() == shaky.known
    assert shaky.done(revoked, CONSOLE, receipt()).replayed == (fate == KEPT)
    assert joan not in shaky.known.principals.values()


def test_a_disk_that_is_gone_for_a_while_ends_nobody(shaky: DirectoryHarness, disk: Disk) -> None:
    """Orders and questions are refused as long, and what is told is dropped; then all is as before."""
    before = shaky.fresh_view()
    disk.append(LOST)
    disk.closed = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            shaky.execute(JOAN)
        with pytest.raises(Unavailable):
            names(shaky)
        for told in (
            m.PurgeExpired(),
            TokensUsed({"t_1": 1.0}),
            Retired(TenantRecord("acme", "a" * 32)),
        ):
            shaky.mailbox.tell(told)
    disk.closed = False
    shaky.execute(JOAN)
    assert names(shaky) == ["Ada", "Joan"]
    assert shaky.fresh_view() == shaky.known == before
    assert shaky.harness.watch.heard() == []


@pytest.mark.parametrize("fate", [LOST, KEPT])
def test_what_a_failed_commit_left_does_not_count_until_it_is_synced(
    shaky: DirectoryHarness, disk: Disk, fate: str
) -> None:
    """Nor does anything else that is to be written; questions are answered. The same order is done once."""
    disk.append(fate)
    disk.syncs = False
    for _ in range(2):
        with pytest.raises(Unavailable, match="it is not known whether this was done"):
            shaky.done(JOAN, CONSOLE, receipt())
        with pytest.raises(Unavailable, match="it is not known whether this was done"):
            shaky.execute(m.AddMember("acme", "Carol", None))
        assert "Ada" in names(shaky)
    disk.syncs = True
    assert shaky.done(JOAN, CONSOLE, receipt()).replayed == (fate == KEPT)
    assert names(shaky) == ["Ada", "Joan"]
    assert shaky.fresh_view() == shaky.known
    assert shaky.harness.watch.heard() == []


def test_what_a_killed_server_left_does_not_count_until_it_is_synced(
    shaky: DirectoryHarness, disk: Disk
) -> None:
    """The next one starts all the same, and tells what there is as soon as that is known."""
    disk.syncs = False
    stop(shaky.mailbox, WAIT)
    assert isinstance(shaky.harness.watch.hear(), Stopped)
    shaky.changes()
    shaky.open()
    with pytest.raises(Unavailable):
        names(shaky)
    assert shaky.changes() == []
    disk.syncs = True
    assert names(shaky) == ["Ada"]
    assert shaky.fresh_view() == shaky.known
    assert shaky.harness.watch.heard() == []


def remove(path: Path) -> None:
    """As one who cleans up."""
    path.unlink()


def put_back_a_copy(path: Path) -> None:
    """As one who restores a backup under a running server."""
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").rename(path)


@pytest.mark.parametrize("name", ["directory.db", "directory.db-wal"])
@pytest.mark.parametrize("lose", [remove, put_back_a_copy])
def test_a_file_that_was_removed_or_replaced_takes_nothing_on(
    directory: DirectoryHarness, lose: Callable[[Path], None], name: str
) -> None:
    """It would be gone with the server. Questions are answered, and with the file back all is as before."""
    directory.tenant()
    path = directory.path.with_name(name)
    path.with_suffix(".kept").hardlink_to(path)
    lose(path)
    for _ in range(2):
        with pytest.raises(Unavailable, match=f"{name} was removed or replaced.*nothing was done"):
            directory.execute(JOAN)
        directory.mailbox.tell(m.PurgeExpired())
        assert names(directory) == ["Ada"]
    path.with_suffix(".kept").replace(path)
    directory.execute(JOAN)
    assert names(directory) == ["Ada", "Joan"]
    assert directory.harness.watch.heard() == []


def test_a_file_that_is_not_there_is_not_made_anew(directory: DirectoryHarness) -> None:
    """By no incarnation: it would let no one in."""
    directory.path.unlink()
    stop(directory.mailbox, WAIT)
    assert isinstance(directory.harness.watch.hear(), Stopped)
    directory.open()
    assert isinstance(directory.harness.watch.hear(), Crashed)
    assert not directory.path.exists()


@pytest.mark.parametrize(
    "trouble", [OSError(errno.ENOSPC, "", "x.new"), sqlite3.OperationalError()]
)
def test_a_tenant_whose_file_finds_no_room_is_not_made(
    directory: DirectoryHarness, trouble: Exception
) -> None:
    """The caller is told so, and that it may help to wait."""
    if isinstance(trouble, sqlite3.Error):
        trouble.sqlite_errorcode = sqlite3.SQLITE_FULL
    directory.trouble = trouble
    refusal = directory.refusal(m.CreateTenant("acme", "Ada", None, token=False))
    assert "database cannot be created" in str(refusal)
    assert refusal.refusal.code == "unavailable"
    assert refusal.refusal.retry_after_ms
    directory.trouble = None
    directory.tenant()


def test_uses_that_cannot_be_written_are_lost_and_nothing_else(
    shaky: DirectoryHarness, disk: Disk
) -> None:
    """A full disk must not end the Directory once a minute."""
    (ada,) = shaky.known.principals.values()
    for _ in range(3):
        disk.append(LOST)
        shaky.mailbox.tell(TokensUsed({ada.id: shaky.now}))
        shaky.wait_until_idle()
    shaky.mailbox.tell(TokensUsed({ada.id: shaky.now}))
    (token,) = shaky.ask(m.ListTokens("acme", None, "", 50))["tokens"]
    assert token["last_used_at"] == "2030-03-17T17:46:00Z"
    assert shaky.harness.watch.heard() == []


def test_what_cannot_be_marked_as_over_keeps_nobody_from_starting(
    shaky: DirectoryHarness, disk: Disk
) -> None:
    """The next sweep marks it; channels know themselves when a token ends."""
    short = shaky.with_token("acme", shaky.member().person, days=1)
    shaky.now += DAY
    disk.append(LOST)
    shaky.restart()
    assert short in shaky.known.principals.values()
    shaky.sweep()
    assert short not in shaky.known.principals.values()


def test_a_tenant_whose_forgetting_failed_is_forgotten_next_time(
    shaky: DirectoryHarness, disk: Disk
) -> None:
    """Its file has gone by then; the archive is found."""
    shaky.execute(m.DeleteTenant("acme", 0, "over"))
    for fate in (LOST, FINE):
        shaky.sweep()
        (message,) = shaky.supervisor.heard()
        message.reply_to.tell(Retired(message.tenant))
        shaky.wait_until_idle()
        _, answer = shaky.archiving.pop()
        disk.append(fate)
        answer.set(Path("acme.db"))
        shaky.wait_until_idle()
        assert ("acme" in shaky.known.tenants) == (fate == LOST)

"""Random orders by random people: what holds whatever is ordered, refused, swept and restarted."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from actors.access import AREAS, PLATFORM_ROLES
from actors.admin import messages as m
from actors.admin.connector_messages import ConfigureConnector
from actors.admin.directory.config import merge_patch
from actors.admin.directory.store import prepare_directory
from actors.admin.secrets import Keyring
from actors.errors import Aborted, ActionError
from actors.messages import DirectoryChanged, Principal, Retired
from actors.runtime.futures import resolve
from tests.actors.admin.directory_harness import (
    CONSOLE,
    KEY,
    DirectoryHarness,
    SubscriberView,
    as_super,
)
from tests.actors.mailbox_harness import MailboxHarness

NAMES = ("acme", "globex")

tenants = st.sampled_from(NAMES)
areas = st.frozensets(st.sampled_from(AREAS))
functions = st.sampled_from(("a", "a.b"))
NEEDLE = b"hunter2-XYZZY"
hosts = st.sampled_from(("mail.example.com", "mail.example.org"))
secrets = st.sampled_from(("hunter2-XYZZY-1", "hunter2-XYZZY-2", None))
which = st.integers(0, 50)
"""Who, of all who were ever there."""


class Witness(SubscriberView):
    """Looks at every single change that it receives, not only at what it has in the end."""

    def apply(self, changes: Any) -> None:
        """One by one."""
        for change in changes:
            super().apply([change])
            self._look(change)

    def _look(self, change: DirectoryChanged) -> None:
        owners = {
            (each.tenant, each.person)
            for each in self.principals.values()
            if each.role == "admin owner"
        }
        most = Counter(tenant for tenant, _ in owners)
        assert all(count == 1 for count in most.values()), f"{change} makes a second admin owner"
        for grant in self.grants.values():
            assert grant.tenant in self.tenants


class RandomOrders(RuleBasedStateMachine):
    """A Directory with two tenants and developers, and everybody who was ever there."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.harness = MailboxHarness()
        path = Path(self.folder.name) / "directory.db"
        self.directory = DirectoryHarness(self.harness, Path(shutil.copy(self.template, path)))
        self.directory.known = Witness()
        self.ever: list[Principal] = []
        """As they were told at some time: some of them have lost what they had."""
        self.tested: dict[tuple[str, str], str] = {}
        """By a tenant's id and a function: since when it is a tester."""
        self.settings: dict[tuple[str, str], dict[str, Any]] = {}
        """By the tenant's id and the connector, as they should be."""
        self.keys = [KEY]
        """That ever were, the newest first."""

    def teardown(self) -> None:
        """No one stays behind."""
        self.harness.empty()
        self.folder.cleanup()

    def execute(self, command: Any, by: Principal) -> bool:
        """Whether it was done; the refusals are right or wrong elsewhere."""
        try:
            self.directory.execute(command, by)
        except ActionError:
            return False
        finally:
            self._note()
        return True

    def someone(self, number: int) -> Principal:
        return self.ever[number % len(self.ever)]

    def _note(self) -> None:
        self.directory.changes()
        self.ever += [
            each for each in self.directory.known.principals.values() if each not in self.ever
        ]

    def _enrolments(self) -> dict[tuple[str, str], str]:
        """As another reader of the file sees them at this moment."""
        with closing(sqlite3.connect(f"file:{self.directory.path}?mode=ro", uri=True)) as reader:
            found = reader.execute("SELECT tenant_id, function, enrolled_at FROM testers")
            return {(tenant_id, function): at for tenant_id, function, at in found}

    # What happens

    @initialize()
    def found(self) -> None:
        """Two tenants, each with an owner and a member; two developer admins and a developer."""
        for name in NAMES:
            self.directory.tenant(name)
            self.directory.owner(*AREAS, tenant=name)
            self.directory.member(name)
        for role in ("developer admin", "developer admin", "developer"):
            self.directory.developer(role)
        self._note()

    @rule(tenant=tenants, giver=which, taker=which)
    def transfer(self, tenant: str, giver: int, taker: int) -> None:
        """It counts if its giver is the admin owner at this moment, and never otherwise."""
        by, to = self.someone(giver), self.someone(taker).person
        if by.role != "admin owner":
            by = CONSOLE
        owners = (
            self.directory.admin_owners(tenant) if tenant in self.directory.known.tenants else []
        )
        if self.execute(m.TransferOwnership(tenant, to), by):
            assert by is CONSOLE or [by.person] == owners
            assert self.directory.admin_owners(tenant) == [to]

    @rule(tenant=tenants, giver=which, person=which, areas=areas)
    def delegate(self, tenant: str, giver: int, person: int, areas: frozenset[str]) -> None:
        """Or widen, or narrow."""
        self.execute(m.Delegate(tenant, self.someone(person).person, areas), self.someone(giver))

    @rule(
        command=st.sampled_from((m.WithdrawOwner, m.RemoveMember)),
        tenant=tenants,
        giver=which,
        person=which,
    )
    def take_away(self, command: Any, tenant: str, giver: int, person: int) -> None:
        """From members, owners, admin owners."""
        by = self.someone(giver) if giver % 3 else CONSOLE
        self.execute(command(tenant, self.someone(person).person), by)

    @rule(tenant=tenants)
    def join(self, tenant: str) -> None:
        """Somebody new, with a token."""
        with suppress(ActionError):
            self.directory.member(tenant)
        self._note()

    @rule(giver=which, person=which, days=st.none() | st.floats(0.01, 2))
    def issue(self, giver: int, person: int, days: float | None) -> None:
        """A token more, by anyone."""
        holder = self.someone(person)
        wanted = m.IssueToken(holder.tenant, holder.person, "more", None, days)
        self.execute(wanted, self.someone(giver) if giver % 3 else CONSOLE)

    @rule(token=which)
    def revoke(self, token: int) -> None:
        """Any that ever was."""
        holder = self.someone(token)
        self.execute(m.RevokeToken(holder.tenant, holder.id), CONSOLE)

    @rule(tenant=tenants, giver=which, person=which, minutes=st.floats(1, 3000))
    def grant(self, tenant: str, giver: int, person: int, minutes: float) -> None:
        """Never to himself."""
        by, to = self.someone(giver), self.someone(person).person
        if self.execute(m.GrantSuper(tenant, to, minutes, "a look"), by):
            assert by.person != to

    @rule(tenant=tenants, person=which)
    def act_as_super_admin(self, tenant: str, person: int) -> None:
        """It counts with a grant that holds, and never without."""
        by = as_super(self.someone(person), tenant)
        now, grants = self.directory.now, self.directory.known.grants.values()
        holds = any(
            grant.person == by.person and grant.tenant == tenant and grant.until > now
            for grant in grants
        )
        try:
            self.directory.execute(m.AddMember(tenant, "x", None), by)
        except Aborted:
            return
        except ActionError:
            pass  # its tenant is to be deleted, say
        assert holds

    @rule(tenant=tenants, giver=which, person=which)
    def issue_as_super_admin(self, tenant: str, giver: int, person: int) -> None:
        """A token that ends with his grant."""
        wanted = m.IssueToken(tenant, self.someone(person).person, "spare", None, None)
        self.execute(wanted, as_super(self.someone(giver), tenant))

    @rule(tenant=tenants, giver=which, function=functions)
    def enrol(self, tenant: str, giver: int, function: str) -> None:
        """For the first time, or again, which is the first time's still."""
        by = CONSOLE if giver % 3 else self.someone(giver)
        if self.execute(m.EnrolTester(tenant, function), by):
            place = (self.directory.known.tenants[tenant].id, function)
            self.tested.setdefault(place, self._enrolments()[place])

    @precondition(lambda self: self.tested)
    @rule(giver=which, tester=which)
    def withdraw_tester(self, giver: int, tester: int) -> None:
        """Any that ever was, but for those that were withdrawn: their tenants may be gone."""
        by = CONSOLE if giver % 3 else self.someone(giver)
        tenant_id, function = sorted(self.tested)[tester % len(self.tested)]
        names = {tenant.id: tenant.name for tenant in self.directory.known.tenants.values()}
        command = m.WithdrawTester(names.get(tenant_id, "gone"), function)
        if self.execute(command, by):
            del self.tested[tenant_id, function]

    @rule(person=which, role=st.sampled_from(sorted(PLATFORM_ROLES)))
    def change_developer(self, person: int, role: str) -> None:
        """Up or down."""
        self.execute(m.ChangeDeveloper(self.someone(person).person, role), CONSOLE)

    @rule(person=which)
    def remove_developer(self, person: int) -> None:
        """No matter who it is."""
        self.execute(m.RemoveDeveloper(self.someone(person).person), CONSOLE)

    @rule(
        tenant=tenants,
        command=st.sampled_from(
            (
                lambda tenant: m.SuspendTenant(tenant, "x"),
                m.ResumeTenant,
                lambda tenant: m.DeleteTenant(tenant, 1, "x"),
            )
        ),
    )
    def administer(self, tenant: str, command: Any) -> None:
        """A tenant as a whole."""
        self.execute(command(tenant), CONSOLE)

    @precondition(lambda self: set(self.directory.known.tenants) != set(NAMES))
    @rule()
    def found_again(self) -> None:
        """Under a name that is free again."""
        for name in set(NAMES) - set(self.directory.known.tenants):
            self.directory.tenant(name)
        self._note()

    @rule(
        tenant=tenants,
        giver=which,
        connector=st.sampled_from(("mail", "webhook")),
        settings=st.none() | st.fixed_dictionaries({"host": hosts}, optional={"password": secrets}),
    )
    def configure(
        self, tenant: str, giver: int, connector: str, settings: dict[str, Any] | None
    ) -> None:
        """Set something for a connector, change it, remove it."""
        by = self.someone(giver) if giver % 3 else CONSOLE
        command = ConfigureConnector(tenant, connector, settings)
        if self.execute(command, by):
            place = (self.directory.known.tenants[tenant].id, connector)
            before = self.settings.pop(place, {})
            if settings is not None:
                if settings["host"] != before.get("host"):
                    before.pop("password", None)  # a secret is not sent to another host
                self.settings[place] = merge_patch(before, settings)

    # What time does

    @rule(hours=st.floats(-30, 30))
    def pass_time(self, hours: float) -> None:
        """Or set the machine's clock back."""
        self.directory.now += hours * 3600

    @rule()
    def sweep(self) -> None:
        """And see a deletion through that was begun."""
        self.directory.sweep()
        for message in self.directory.supervisor.heard():
            message.reply_to.tell(Retired(message.tenant))
        self.directory.wait_until_idle()
        while self.directory.archiving:
            resolve(self.directory.archiving.pop()[1], Path("backup.db"))
        self.directory.wait_until_idle()

    @rule()
    def restart(self) -> None:
        """The whole server."""
        self.directory.restart()

    @rule()
    def rotate(self) -> None:
        """A new key in front at one start, the old one gone at the next."""
        self.keys.insert(0, bytes([len(self.keys), *range(31)]))
        self.directory.keyring = Keyring(self.keys)
        self.directory.restart()
        self.directory.keyring = Keyring(self.keys[:1])
        self.directory.restart()

    # What always holds

    @invariant()
    def every_tenant_has_one_admin_owner(self) -> None:
        """As another reader of the file sees it at this moment."""
        with closing(sqlite3.connect(f"file:{self.directory.path}?mode=ro", uri=True)) as reader:
            query = (
                "SELECT tenants.name, count(people.id) FROM tenants LEFT JOIN people ON "
                "people.tenant_id = tenants.id AND people.role = 'admin owner' AND removed_at IS NULL "
                "GROUP BY tenants.id"
            )
            found = reader.execute(query).fetchall()
        assert all(count == 1 for _, count in found), found

    @invariant()
    def no_token_outlives_the_grant_it_was_issued_by(self) -> None:
        """Nor do those that were issued with it."""
        with closing(sqlite3.connect(f"file:{self.directory.path}?mode=ro", uri=True)) as reader:
            query = (
                "SELECT tokens.id FROM tokens JOIN grants ON grants.id = tokens.grant_id "
                "WHERE tokens.revoked_at IS NULL AND (grants.ended_at IS NOT NULL "
                "OR tokens.expires_at IS NULL OR tokens.expires_at > grants.until)"
            )
            assert reader.execute(query).fetchall() == []

    @invariant()
    def who_was_enrolled_is_a_tester_until_that_is_withdrawn(self) -> None:
        """Since the first time, in the file and for the one who serves him; or until the tenant is gone."""
        ids = {tenant.id for tenant in self.directory.known.tenants.values()}
        wanted = {place: at for place, at in self.tested.items() if place[0] in ids}
        assert self._enrolments() == wanted
        for id_ in ids:
            tests = {function for tenant_id, function in wanted if tenant_id == id_}
            assert self.directory.profiles.of(id_).tests == tests

    @invariant()
    def connectors_read_what_was_set_and_no_file_shows_it(self) -> None:
        """Of every tenant that is there, and of no other."""
        there = {tenant.id: name for name, tenant in self.directory.known.tenants.items()}
        told = {
            (id_, each.connector): (dict(each.settings), each.problem)
            for id_ in there
            for each in self.directory.profiles.of(id_).connectors.values()
        }
        kept = {place: each for place, each in self.settings.items() if place[0] in there}
        assert told == {place: (settings, None) for place, settings in kept.items()}
        for path in self.directory.path.parent.iterdir():
            assert NEEDLE not in path.read_bytes()

    @invariant()
    def the_platform_has_a_developer_admin(self) -> None:
        """From the first one on."""
        people = self.directory.ask(m.ListDevelopers())["developers"]
        assert not people or "developer admin" in [each["role"] for each in people]

    @invariant()
    def who_was_told_bit_by_bit_knows_what_there_is(self) -> None:
        """No token, no grant and no tenant more or less than who is told everything now."""
        assert vars(self.directory.fresh_view()) == vars(self.directory.known)


def test_random_orders(tmp_path: Path) -> None:
    """Hypothesis finds the order of things that breaks what always holds, if there is one."""
    RandomOrders.template = tmp_path / "empty.db"
    prepare_directory(RandomOrders.template)
    run_state_machine_as_test(
        RandomOrders,
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""A Directory on a real file, with a clock and neighbours that the test holds in its hand."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from actors.access import ADMIN_OWNER, DEVELOPER_ADMIN, SUPER_ADMIN
from actors.admin import messages as m
from actors.admin import request_messages as r
from actors.admin.connector_messages import ConfigureConnector, ShowConnector
from actors.admin.directory.actor import Directory, DirectoryPeers, DirectorySettings
from actors.admin.directory.store import prepare_directory
from actors.admin.intent_messages import LiftSuspension, ListSuspended
from actors.admin.secrets import Keyring
from actors.errors import ActionError
from actors.host.clocks import MonotonicWallClock
from actors.index.parser import read_index
from actors.log.messages import AuditEntry
from actors.messages import DirectoryChanged, Grant, Principal, PublishAll, Receipt, TenantRecord
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.table import RoutingTable
from actors.runtime.actor import Ping, ask, stop
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Stopped
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch
from tests.actors.servers import INDEX
from tests.raw_client import Map

SECRETS_INDEX = Path(__file__).parents[2] / "secrets" / "registry.toml"

START = 1_900_000_000.0
"""When every test begins, in seconds since the epoch: 2030-03-17T17:46:40Z."""

DAY = 24 * 3600.0

KEY = bytes(range(32))
"""What settings of connectors are encrypted with, at first."""

CONSOLE = Principal(id="console", tenant=None, role="console")

ACTIONS = {
    m.CreateTenant: "tenants.create",
    m.ListTenants: "tenants.list",
    m.ShowTenant: "tenants.show",
    m.SuspendTenant: "tenants.suspend",
    m.ResumeTenant: "tenants.resume",
    m.DeleteTenant: "tenants.delete",
    m.ListOwners: "owners.list",
    m.Delegate: "owners.delegate",
    m.WithdrawOwner: "owners.withdraw",
    m.TransferOwnership: "owners.transfer",
    m.ListMembers: "members.list",
    m.AddMember: "members.add",
    m.ChangeMember: "members.change",
    m.RemoveMember: "members.remove",
    m.ListTokens: "tokens.list",
    m.IssueToken: "tokens.issue",
    m.RevokeToken: "tokens.revoke",
    ListSuspended: "intent.list",
    LiftSuspension: "intent.clear",
    m.ShowConfig: "config.show",
    m.PatchConfig: "config.patch",
    m.ListConfigs: "config.history",
    m.RevertConfig: "config.revert",
    m.ListSubscriptions: "subscriptions.list",
    m.SetSubscription: "subscriptions.set",
    m.EndSubscription: "subscriptions.end",
    ShowConnector: "connectors.settings",
    ConfigureConnector: "connectors.configure",
    m.ShowLimits: "limits.show",
    m.SetLimits: "limits.set",
    m.ListTesters: "functions.testers",
    m.EnrolTester: "functions.enrol",
    m.WithdrawTester: "functions.withdraw",
    r.SubmitRequest: "requests.submit",
    r.ListRequests: "requests.list",
    r.ShowRequest: "requests.show",
    r.VoteRequest: "requests.vote",
    r.LinkRequest: "requests.link",
    r.AnswerRequest: "requests.answer",
    r.PrioritiseRequest: "requests.prioritise",
    r.PublishRequest: "requests.publish",
    r.CloseRequest: "requests.close",
    r.ReopenRequest: "requests.reopen",
    m.ListSupers: "supers.list",
    m.GrantSuper: "supers.grant",
    m.WithdrawSuper: "supers.withdraw",
    m.ListDevelopers: "developers.list",
    m.AddDeveloper: "developers.add",
    m.ChangeDeveloper: "developers.change",
    m.RemoveDeveloper: "developers.remove",
}
"""Whose result schema holds for what is answered to each question and command."""


@functools.cache
def table() -> RoutingTable:
    """The engine's own actions among others, and connectors that take secrets."""
    connectors = read_index(SECRETS_INDEX).connectors
    return RoutingTable.build(read_index(INDEX), "local-dev")._replace(connectors=connectors)


class SubscriberView:
    """What a subscriber knows by what it was told: written without a look at the channels' own."""

    def __init__(self) -> None:
        self.tenants: dict[str, TenantRecord] = {}
        self.principals: dict[bytes, Principal] = {}
        self.grants: dict[str, Grant] = {}

    def apply(self, changes: Iterable[DirectoryChanged]) -> None:
        """Take in what came, in its order."""
        for change in changes:
            if change.complete:
                for known in (self.tenants, self.principals, self.grants):
                    known.clear()
            for tenant in change.forgotten:
                self.tenants.pop(tenant.name, None)
            for id_ in change.ended:
                self.grants.pop(id_, None)
            for digest in change.revoked:
                self.principals.pop(digest, None)
            self.tenants |= {tenant.name: tenant for tenant in change.tenants}
            self.principals |= dict(change.tokens)
            self.grants |= {grant.id: grant for grant in change.grants}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SubscriberView) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Known({vars(self)})"


class DirectoryHarness:
    """Asks and orders, and looks that each result has the shape that the registry promises."""

    def __init__(self, harness: MailboxHarness, path: Path) -> None:
        self.harness = harness
        self.path = path
        self.now = START
        self.subscriber = Watch()
        """A subscriber."""
        self.supervisor = Watch()
        self.audit = Watch()
        self.profiles = Profiles()
        self.snapshot = RoutingSnapshot(table())
        self.keyring = Keyring([KEY])
        """Of the next incarnation."""
        self.known = SubscriberView()
        self.files: list[str] = []
        """Tenants whose files were made."""
        self.trouble: Exception | None = None
        """What the making of a file raises."""
        self.archiving: list[tuple[str, ReplyFuture]] = []
        """Tenants that are to be archived, with the answers that the test owes."""
        self._ids = itertools.count()
        if not path.exists():
            prepare_directory(path)
        self.mailbox = harness.mailbox("directory")
        self.open()

    def open(self) -> None:
        """Let an incarnation in."""
        settings = DirectorySettings(self.path, self.keyring, MonotonicWallClock(lambda: self.now))
        peers = DirectoryPeers(
            self._create_file, self._archive, [self.subscriber], self.supervisor, self.audit
        )
        Directory.start(self.mailbox, settings, peers, self.profiles, self.snapshot)

    def restart(self) -> list[DirectoryChanged]:
        """The next incarnation, as after a stop of the whole server; what it tells at first."""
        stop(self.mailbox, WAIT)
        assert isinstance(self.harness.watch.hear(), Stopped)
        self.changes()
        self.open()
        ask(self.mailbox, Ping(), WAIT)
        return self.changes()

    def wait_until_idle(self) -> None:
        """Wait until it has dealt with all it was told by now, and take in what it told."""
        self.ask(m.ListDevelopers())

    def sweep(self) -> None:
        """As each minute."""
        self.mailbox.tell(m.PurgeExpired())
        self.wait_until_idle()

    # Asking

    def ask(self, question: Any) -> Map:
        """The answer to a question."""
        result = ask(self.mailbox, question, WAIT)
        self.changes()
        return _checked(question, result)

    def execute(self, command: Any, by: Principal = CONSOLE, receipt: Receipt | None = None) -> Map:
        """The result of an order."""
        return _checked(command, self.done(command, by, receipt).result)

    def done(self, command: Any, by: Principal, receipt: Receipt | None) -> m.CommandDone:
        """The same, with whether it was done before."""
        done = ask(self.mailbox, m.Execute(command, by, receipt), WAIT)
        assert isinstance(done, m.CommandDone)
        self.changes()
        return done

    def refusal(self, command: Any, by: Principal = CONSOLE) -> ActionError:
        """Why an order is refused; what is refused is told to no one."""
        self.changes()
        try:
            result = ask(self.mailbox, m.Execute(command, by, None), WAIT)
        except ActionError as error:
            assert self.changes() == []
            return error
        raise AssertionError(f"{command} was not refused: {result}")

    def changes(self) -> list[DirectoryChanged]:
        """What the subscriber has received since, which it then knows."""
        found = self.subscriber.heard()
        self.known.apply(found)
        return found

    def fresh_view(self) -> SubscriberView:
        """What one knows who has just been told all there is."""
        fresh, later = SubscriberView(), Watch()
        self.mailbox.tell(PublishAll(later))
        change = later.hear()
        assert change.complete
        fresh.apply([change])
        self.changes()
        return fresh

    def recorded(self) -> list[AuditEntry]:
        """What was given to the audit log since."""
        return [message.entry for message in self.audit.heard()]

    # People

    def tenant(self, name: str = "acme") -> Principal:
        """A tenant that was just made: its admin owner."""
        made = self.execute(m.CreateTenant(name, "Ada", "ada@example.org", token=True))
        return self.principal(made["token"]["id"])

    def member(self, tenant: str = "acme") -> Principal:
        """Someone with a token."""
        person = self.execute(m.AddMember(tenant, "Joan", None))["member"]["id"]
        return self.with_token(tenant, person)

    def owner(self, *areas: str, tenant: str = "acme") -> Principal:
        """Someone to whom these areas are delegated."""
        member = self.member(tenant)
        self.execute(m.Delegate(tenant, member.person, frozenset(areas)))
        return self.principal(member.id)

    def developer(self, role: str = DEVELOPER_ADMIN) -> Principal:
        """Someone of the platform."""
        made = self.execute(m.AddDeveloper("Grace", None, role))
        return self.with_token(None, made["developer"]["id"])

    def super_admin(self, tenant: str = "acme", minutes: float = 60) -> Principal:
        """A developer admin in the role that a grant gives him there."""
        admin = self.developer()
        self.execute(m.GrantSuper(tenant, admin.person, minutes, "a look at it"))
        return as_super(admin, tenant)

    def with_token(self, tenant: str | None, person: str, **more: Any) -> Principal:
        """Whom a new token stands for."""
        wanted = {"label": "test", "scope": None, "days": None, **more}
        issued = self.execute(m.IssueToken(tenant, person, **wanted))
        return self.principal(issued["token"]["id"])

    def principal(self, token: str) -> Principal:
        """Whom the subscriber takes the bearer of this token for."""
        return next(each for each in self.known.principals.values() if each.id == token)

    def admin_owners(self, tenant: str = "acme") -> list[str]:
        """Their ids: one, always."""
        owners = self.ask(m.ListOwners(tenant))["owners"]
        return [owner["id"] for owner in owners if owner["role"] == ADMIN_OWNER]

    # Neighbours

    def _create_file(self, tenant_id: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.files.append(tenant_id)

    def _archive(self, tenant_id: str) -> ReplyFuture:
        answer = ReplyFuture()
        self.archiving.append((tenant_id, answer))
        return answer


def as_super(admin: Principal, tenant: str = "acme") -> Principal:
    """As the console sends a developer admin's order on the tenant of his grant."""
    return replace(admin, role=SUPER_ADMIN, tenant=tenant)


def receipt(id_: str = "first", caller: str = "t_1", digest: bytes = b"a" * 32) -> Receipt:
    """Of one request."""
    return Receipt(caller, id_, digest)


def _checked(message: Any, result: Any) -> Map:
    route = table().routes[ACTIONS[type(message)]]
    assert isinstance(result, dict)
    adds = (
        {"unserved": None} if isinstance(message, m.ShowTenant) else {}
    )  # the console, from elsewhere
    route.result.check({**result, **adds})
    return result

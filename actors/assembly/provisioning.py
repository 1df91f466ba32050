"""Administration by the process itself, on behalf of the person who started it: recorded like any command.

Tenants and tokens made while no server runs: for benchmarks, load tests and moving in from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from actors.access import ADMIN_OWNER, AREAS, DEVELOPER_ADMIN, OWNER
from actors.admin.console.call import LocalCall
from actors.admin.directory import tenants
from actors.admin.directory.people import add_member
from actors.admin.directory.repository import CommandEnvironment, DirectoryTransaction
from actors.admin.directory.store import DirectoryStore, prepare_directory
from actors.admin.directory.tokens import issue
from actors.admin.messages import AddMember, CreateTenant, IssueToken
from actors.admin.secrets import Keyring
from actors.errors import NotFound
from actors.host.clocks import MonotonicWallClock
from actors.host.files import write_private
from actors.host.process import lock_data, unlock_data
from actors.index.parser import read_index
from actors.log.audit.journal import AuditFiles
from actors.log.messages import ACTION, AuditEntry
from actors.messages import Principal, TenantRecord
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Mailbox
from actors.tenant.storage.files import Storage

ASK_SECONDS = 30.0
"""Seconds that the console may take to reply."""

TOKEN_FILE = "admin.token"  # noqa: S105 - a name, not a token
"""In the data directory: the first developer admin's token."""

TOKEN_DUE = ".admin.token.due"  # noqa: S105 - a name, too
"""Exists from before the first admin is made until their token is in its file."""


class IssuedToken(NamedTuple):
    """A token that has just been made."""

    id: str
    text: str
    """The token itself, which is kept nowhere."""


class LocalAdmin:
    """Administration in capacity `console`: a person who may start the server may do all of it."""

    def __init__(self, console: Mailbox) -> None:
        self._console = console

    def ask(self, action: str, tenant: str | None = None, /, **params: Any) -> dict[str, Any]:
        """Do one administrative action and wait; raises its refusal, an ActionError."""
        answer = ReplyFuture()
        self._console.tell(LocalCall(action, tenant, params, answer))
        result: dict[str, Any] = answer.get(timeout=ASK_SECONDS)
        return result

    def create_tenant(self, name: str, owner: str = "admin owner") -> TenantRecord:
        """Make a tenant and its admin owner, who gets no token yet; AlreadyExists, InvalidArgument."""
        made = self.ask("tenants.create", name=name, owner={"name": owner}, token=False)
        return _record(made["tenant"])

    def find_tenant(self, name: str) -> TenantRecord | None:
        """Return the tenant of that name, or None."""
        try:
            return _record(self.ask("tenants.show", name)["tenant"])
        except NotFound:
            return None

    def issue_token(self, tenant: str, role: str, label: str) -> IssuedToken:
        """A token of the admin owner, or of a new member or owner of every area, named by the label."""
        if role == ADMIN_OWNER:
            person = self._admin_owner(tenant)
        else:
            person = self.ask("members.add", tenant, name=label)["member"]["id"]
        if role == OWNER:
            self.ask("owners.delegate", tenant, person=person, areas=list(AREAS))
        return _issued(self.ask("tokens.issue", tenant, person=person, label=label))

    def make_first_admin(self, data: Path) -> bool:
        """Where the platform has no developer admin: make one, and leave the token in a file. True if so.

        Where an earlier start was ended in between, its token is left.
        """
        due = data / TOKEN_DUE
        is_there = bool(self._admins())
        if is_there and not due.exists():
            return False
        write_private(due, "")
        if not is_there:
            self.ask("developers.add", name="first developer admin", role=DEVELOPER_ADMIN)
        self._write_token_file(data, self._oldest_admin(), "made at the first start")
        due.unlink()
        return True

    def replace_admin_token(self, data: Path) -> None:
        """Leave a new token of the oldest developer admin in the file: the one before was lost."""
        self._write_token_file(data, self._oldest_admin(), "made with --admin-token")

    def _admins(self) -> list[dict[str, Any]]:
        people = self.ask("developers.list")["developers"]
        return [person for person in people if person["role"] == DEVELOPER_ADMIN]

    def _oldest_admin(self) -> dict[str, Any]:
        return min(self._admins(), key=lambda person: (person["created_at"], person["id"]))

    def _write_token_file(self, data: Path, person: Mapping[str, Any], label: str) -> None:
        issued = _issued(self.ask("developers.issue", person=person["id"], label=label))
        write_private(data / TOKEN_FILE, issued.text + "\n")

    def _admin_owner(self, tenant: str) -> str:
        owners = self.ask("owners.list", tenant)["owners"]
        return next(str(one["id"]) for one in owners if one["role"] == ADMIN_OWNER)


def _record(tenant: Mapping[str, Any]) -> TenantRecord:
    return TenantRecord(tenant["name"], tenant["id"], tenant["status"])


def _issued(result: Mapping[str, Any]) -> IssuedToken:
    return IssuedToken(result["token"]["id"], result["text"])


DATABASE_BYTES = 1024**3

CONSOLE = Principal(id="console", tenant=None, role="console")
"""A person who may write the data directory may do all of this."""


def create_tenants(
    data: Path, names: Sequence[str], registry: Path | None = None, *, owners: bool = False
) -> dict[str, str]:
    """Make these tenants and a member's token for each; SettingsError while a server uses `data`.

    With `owners` the tokens are the admin owners'.

    The tables are those of `registry`, by default the index of this repository. One record in the audit log
    says what was made, also where a name is refused: those before it are made.
    """
    with ExitStack() as afterwards:
        afterwards.callback(unlock_data, lock_data(data))
        index = read_index(registry or Path(__file__).parents[2] / "registry.toml")
        storage = Storage(data, index.storage.migrations, DATABASE_BYTES)
        prepare_directory(data / "directory.db")
        directory = DirectoryStore(
            data / "directory.db",
            CommandEnvironment(
                storage.create, lambda: index.config, dict, Keyring(), MonotonicWallClock()
            ),
        )
        afterwards.callback(directory.close)
        made: dict[str, str] = {}
        try:
            for name in names:
                made[name] = directory.run(partial(_make, name, owners))
        finally:  # also where a name is refused after others were made
            _record_creation(data, list(made))
        return made


def _make(name: str, owner: bool, transaction: DirectoryTransaction) -> str:
    made = tenants.create(
        transaction, CreateTenant(name, "admin owner", None, token=owner), CONSOLE
    )
    if owner:
        return str(made["token"]["text"])
    member = add_member(transaction, AddMember(name, "seeded", None), CONSOLE)["member"]["id"]
    wanted = IssueToken(name, member, "seeded", scope=None, days=None)
    return str(issue(transaction, wanted, CONSOLE)["text"])


def _record_creation(data: Path, names: Sequence[str]) -> None:
    if not names:
        return
    journal = AuditFiles(data / "audit")
    try:
        journal.append(
            AuditEntry(
                kind=ACTION,
                action="tenants.seed",
                capacity=CONSOLE.role,
                params={"count": len(names), "first": names[0]},
                outcome="ok",
            )
        )
    finally:
        journal.close()

"""The Directory: tenants, people, tokens, grants, config and limits, in a database that it alone owns.

The other actors work from the changes that it publishes: each channel holds the hashes of all tokens in
memory, so that authentication costs no message and no disk access, and reads config and limits from one
snapshot per tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from actors.admin.directory import suspensions, tokens
from actors.admin.directory import tenants as tenancy
from actors.admin.directory.publisher import ChangePublisher
from actors.admin.directory.repository import CommandEnvironment
from actors.admin.directory.requests.links import ServedIndex, follow, is_behind
from actors.admin.directory.session import RETRY_MS, StoreSession, end_expired
from actors.admin.directory.store import QUERIES, DirectoryStore
from actors.admin.directory.tenants import Archived, StartArchive, TenantDeletions
from actors.admin.intent_messages import SuspendToken, TokenSuspended
from actors.admin.messages import CommandDone, Execute, PurgeExpired
from actors.admin.secrets import Keyring
from actors.errors import DatabaseProblem, Unavailable
from actors.host.clocks import MonotonicWallClock, RetentionClock
from actors.host.disk_errors import ERRORS, error_text, is_passing, is_trouble
from actors.log.messages import ACTION, Append, AuditEntry
from actors.messages import IndexPublished, PublishAll, Retired, TokensUsed
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

FIRE_AND_FORGET: Final = (
    PublishAll, TokensUsed, SuspendToken, PurgeExpired, Retired, Archived, IndexPublished,
)  # fmt: skip
"""Messages whose sender does not wait for an answer."""

READ_ONLY: Final = (PublishAll, *QUERIES)
"""Messages that change nothing."""


class DirectorySettings(NamedTuple):
    """The Directory's file, its keys and its clocks."""

    path: Path
    keyring: Keyring
    epoch: MonotonicWallClock
    age: RetentionClock | None = None
    """Decides what is old enough to be removed, and is stored once a minute; None for `epoch`."""


class DirectoryPeers(NamedTuple):
    """Whom the Directory asks and tells."""

    create_file: Callable[[str], object]
    """Creates the file of the tenant of this id, and waits for it."""
    archive: StartArchive
    subscribers: Sequence[Mailbox]
    """Get what the Directory publishes."""
    supervisor: Mailbox
    audit: Mailbox


class Directory(Actor):
    """Owns directory.db from on_start until it stops."""

    def __init__(
        self,
        mailbox: Mailbox,
        settings: DirectorySettings,
        peers: DirectoryPeers,
        profiles: Profiles,
        snapshot: RoutingSnapshot,
    ) -> None:
        """The Directory alone writes `profiles`; the others read them."""
        super().__init__(mailbox)
        self._path = settings.path
        self._age = settings.age
        self._audit = peers.audit
        self._profiles = profiles
        self._snapshot = snapshot
        self._deletions = TenantDeletions(mailbox, peers.supervisor, peers.archive)
        self._publisher = ChangePublisher(peers.subscribers, profiles, snapshot)
        self._session = StoreSession(
            settings.path,
            _environment(settings, peers, snapshot),
            lambda: self._publisher.publish_all(self._store),
            self._record_ended,
        )
        self._add_handlers(
            {
                Execute: self._execute,
                PublishAll: self._send_snapshot,
                TokensUsed: self._record_uses,
                SuspendToken: self._suspend,
                PurgeExpired: self._purge_expired,
                IndexPublished: self._follow_index,
                Retired: lambda message: self._deletions.archive(message.tenant),
                Archived: self._on_archived,
                **dict.fromkeys(QUERIES, self._answer_query),
            }
        )

    def on_start(self) -> None:
        """Open the file, end what has expired meanwhile, and send the subscribers a snapshot.

        A temporary disk problem does not stop the Directory: the next message opens the file.
        """
        try:
            self._session.open()
        except ERRORS as error:
            if not (is_passing(error) and self._path.is_file()):
                raise
            log.error("directory.db cannot be opened", path=str(self._path), exc_info=error)

    def on_stop(self) -> None:
        """Close the file."""
        if self._age is not None:
            self._age.note()
        self._session.close()

    def on_failure(self, *_: Any) -> None:
        """Close the file; the next incarnation opens it again."""
        self._session.close()

    def on_receive(self, message: Any) -> Any:
        """Handle an Execute, a query, or one of FIRE_AND_FORGET."""
        is_told = isinstance(message, FIRE_AND_FORGET)
        if not isinstance(message, PublishAll):
            self._publisher.expire()
        try:
            self._session.make_ready(writes=type(message) not in READ_ONLY)
            return super().on_receive(message)
        except Unavailable as displaced:
            if not is_told:
                raise
            log.error("directory.db could not be written", error=str(displaced))
        except ERRORS as error:
            if not is_trouble(error):
                raise
            refusal = self._session.refusal(error)
            if not is_told:
                raise refusal from error
        return None

    @property
    def _store(self) -> DirectoryStore:
        return self._session.store

    # Queries and commands

    def _answer_query(self, query: Any) -> Any:
        return self._store.ask(query)

    def _execute(self, message: Execute) -> CommandDone:
        done, transaction = self._store.execute(message)
        self._publisher.publish_changes(self._store, transaction)
        return done

    def _send_snapshot(self, message: PublishAll) -> None:
        self._publisher.send_snapshot(self._store, message.mailbox)

    def _follow_index(self, message: IndexPublished) -> None:
        """Most tables change nothing for any request, and nothing is written then."""
        table = message.table
        served = ServedIndex(table.described, table.environment, message.release)
        if self._store.read(lambda transaction: is_behind(transaction, served)):
            self._store.run(lambda transaction: follow(transaction, served))

    def _record_uses(self, message: TokensUsed) -> None:
        self._store.run(lambda transaction: tokens.record_uses(transaction, message.at))

    def _suspend(self, message: SuspendToken) -> None:
        transaction = self._store.run(lambda now: suspensions.suspend(now, message))
        self._publisher.publish_changes(self._store, transaction)
        message.reply_to.tell(TokenSuspended(message.token))

    # Timers

    def _purge_expired(self, _: PurgeExpired) -> None:
        if self._age is not None:
            self._age.note()
        transaction, ended = self._store.run(end_expired)
        self._publisher.publish_changes(self._store, transaction)
        self._record_ended(ended)
        self._deletions.begin(self._store.run(tenancy.mark_due))
        self._follow_index(IndexPublished(self._snapshot.current))

    def _on_archived(self, message: Archived) -> None:
        """The tenant's file is archived: remove the tenant from this one."""
        backup = self._deletions.end(message)
        if backup is None:
            return
        tenant = message.tenant
        change = self._store.run(lambda transaction: tenancy.purge(transaction, tenant))
        self._profiles.forget(tenant.id)
        self._publisher.publish(self._store, change)
        self._record("tenants.deleted", tenant.name, tenant.id, None, backup.name)

    def _record_ended(self, ended: Sequence[Any]) -> None:
        for grant in ended:
            self._record("supers.expired", grant.tenant, grant.tenant_id, grant.person_id, grant.id)

    def _record(
        self, action: str, tenant: str, tenant_id: str, person: str | None, message: str
    ) -> None:
        self._audit.tell(
            Append(
                AuditEntry(
                    kind=ACTION,
                    action=action,
                    capacity="machine",
                    person=person,
                    tenant=tenant,
                    tenant_id=tenant_id,
                    outcome="ok",
                    message=message,
                )
            )
        )


def _environment(
    settings: DirectorySettings, peers: DirectoryPeers, snapshot: RoutingSnapshot
) -> CommandEnvironment:
    """Return what commands work with."""
    return CommandEnvironment(
        create_file=lambda tenant_id: _create_tenant_file(peers.create_file, tenant_id),
        schemas=lambda: snapshot.current.config,
        connectors=lambda: snapshot.current.connectors,
        keyring=settings.keyring,
        epoch=settings.epoch,
        age=None if settings.age is None else settings.age.now,
    )


def _create_tenant_file(create_file: Callable[[str], object], tenant_id: str) -> None:
    """Create a tenant's file. Raise Unavailable if that may succeed later."""
    try:
        create_file(tenant_id)
    except (DatabaseProblem, *ERRORS) as error:
        if not is_passing(error):
            raise
        raise Unavailable(
            f"the tenant's database cannot be created ({error_text(error)}), so nothing was done: check the "
            "disk, and send the request again",
            retry_after_ms=RETRY_MS,
        ) from error

"""The Directory: tenants, people, tokens, grants, config and limits, in a database that it alone owns.

The other actors work from the changes that it publishes: each channel holds the hashes of all tokens in
memory, so that authentication costs no message and no disk access, and reads config and limits from one
snapshot per tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import select

from actors.admin.directory import (
    connector_settings,
    grants,
    idempotency,
    repository,
    suspensions,
    tokens,
)
from actors.admin.directory import tenants as tenancy
from actors.admin.directory.profiles import read_profiles
from actors.admin.directory.repository import CommandEnvironment, DirectoryTransaction
from actors.admin.directory.requests.links import Served, follow, is_behind
from actors.admin.directory.store import QUERIES, DirectoryStore
from actors.admin.directory.tables import tenants
from actors.admin.directory.tenants import Archived, StartArchive, TenantDeletions
from actors.admin.intent_messages import SuspendToken, TokenSuspended
from actors.admin.messages import CommandDone, Execute, PurgeExpired
from actors.admin.secrets import Keyring
from actors.errors import DatabaseProblem, Unavailable
from actors.host.clocks import MonotonicWallClock, RetentionClock
from actors.host.disk import ERRORS, TROUBLE, error_text, is_passing, is_trouble
from actors.log.messages import ACTION, Append, AuditEntry
from actors.messages import DirectoryChanged, IndexPublished, PublishAll, Retired, TokensUsed
from actors.profiles import Profile, Profiles
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

RETRY_MS = 1000
"""Retry interval in refusals while the file cannot be used, in milliseconds."""


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
        self._age = age = settings.age
        self._environment = CommandEnvironment(
            create_file=lambda tenant_id: _create_tenant_file(peers.create_file, tenant_id),
            schemas=lambda: snapshot.current.config,
            connectors=lambda: snapshot.current.connectors,
            keyring=settings.keyring,
            epoch=settings.epoch,
            age=None if age is None else age.now,
        )
        self._subscribers = peers.subscribers
        self._audit = peers.audit
        self._profiles = profiles
        self._snapshot = snapshot
        self._deletions = TenantDeletions(mailbox, peers.supervisor, peers.archive)
        self._open_store: DirectoryStore | None = None
        self._is_in_doubt = False
        """Whether a transaction has failed and the file was not made durable since."""
        self._latest: DirectoryChanged | None = None
        """The snapshot published last; None once anything but a snapshot was asked for."""
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
            self._open()
        except ERRORS as error:
            if not (is_passing(error) and self._path.is_file()):
                raise
            log.error("directory.db cannot be opened", path=str(self._path), exc_info=error)

    def on_stop(self) -> None:
        """Close the file."""
        if self._age is not None:
            self._age.note()
        self._close()

    def on_failure(self, *_: Any) -> None:
        """Close the file; the next incarnation opens it again."""
        self._close()

    def on_receive(self, message: Any) -> Any:
        """Handle an Execute, a query, or one of FIRE_AND_FORGET."""
        is_told = isinstance(message, FIRE_AND_FORGET)
        if not isinstance(message, PublishAll):
            self._latest = None
        try:
            self._make_ready(writes=type(message) not in READ_ONLY)
            return super().on_receive(message)
        except Unavailable as displaced:
            if not is_told:
                raise
            log.error("directory.db could not be written", error=str(displaced))
        except ERRORS as error:
            if not is_trouble(error):
                raise
            refusal = self._refusal(error)
            if not is_told:
                raise refusal from error
        return None

    # The file

    @property
    def _store(self) -> DirectoryStore:
        assert self._open_store is not None
        return self._open_store

    def _open(self) -> None:
        """Open the file. The snapshot includes what expired: an earlier change would pass for a snapshot."""
        self._open_store = DirectoryStore(self._path, self._environment)
        self._is_in_doubt = False
        ended = self._end_expired_at_start()
        self._reencrypt()
        self._publish_all()
        self._record_ended(ended)

    def _publish_all(self) -> None:
        profiles = self._store.read(lambda transaction: dict(read_profiles(transaction)))
        _log_unreadable(profiles)
        self._profiles.replace(profiles)
        self._latest = self._store.read(repository.snapshot)
        self._publish(self._latest)

    def _make_ready(self, *, writes: bool) -> None:
        """Open the file, or make it durable. If that fails, queries read what was synced last."""
        if self._open_store is None:
            self._open()
        elif self._is_in_doubt:
            try:
                self._make_durable()
            except ERRORS:
                if writes:
                    raise

    def _make_durable(self) -> None:
        """A commit that reports failure may be on disk all the same: publish what the file holds now."""
        self._store.make_durable()
        self._is_in_doubt = False
        self._publish_all()

    def _end_expired_at_start(self) -> Sequence[Any]:
        """A file that cannot be written may still be readable, and the next sweep tries again."""
        try:
            return self._store.run(_end_expired)[1]
        except TROUBLE as error:
            self._is_in_doubt = True
            log.error("expiry failed", exc_info=error)
            return ()

    def _reencrypt(self) -> None:
        """Encrypt with the first key, so that a replaced key can be removed."""
        if self._is_in_doubt:
            return
        try:
            count = self._store.run(connector_settings.reencrypt)
        except TROUBLE as error:  # a file that cannot be written may still be readable
            self._is_in_doubt = True
            log.error("re-encryption of connector settings failed", exc_info=error)
            return
        if count:
            log.info("connector settings re-encrypted with the first key", count=count)

    def _close(self) -> None:
        if self._open_store is not None:
            self._open_store.close()
            self._open_store = self._latest = None

    def _refusal(self, error: Exception) -> Unavailable:
        """Return the refusal after the file failed. The file is made durable or reopened, now or later."""
        log.error("directory.db could not be used", path=str(self._path), exc_info=error)
        self._is_in_doubt = True
        try:
            self._make_ready(writes=True)
        except ERRORS as again:
            log.error("directory.db recovery failed", path=str(self._path), exc_info=again)
            if self._is_unreadable():
                self._close()
        return Unavailable(
            f"directory.db could not be used ({error_text(error)}), so it is not known whether this was "
            "done: check its disk, and send the request again with the same id",
            retry_after_ms=RETRY_MS,
        )

    def _is_unreadable(self) -> bool:
        """Return whether the open connection cannot read. Then the file is reopened, which syncs it first."""
        if self._open_store is None:
            return False
        try:
            self._store.read(lambda transaction: transaction.one(select(tenants.c.id).limit(1)))
        except ERRORS:
            return True
        return False

    # Queries and commands

    def _answer_query(self, query: Any) -> Any:
        return self._store.ask(query)

    def _execute(self, message: Execute) -> CommandDone:
        done, transaction = self._store.execute(message)
        self._publish_changes(transaction)
        return done

    def _publish_changes(self, transaction: DirectoryTransaction) -> None:
        """Publish profiles first: subscribers may read them as soon as they receive the change."""
        changed = transaction.changes.profiles
        if changed:
            for tenant_id, profile in self._store.read(
                lambda now: list(read_profiles(now, *changed))
            ):
                self._profiles.publish(tenant_id, profile)
        change = self._store.read(transaction.changes.to_message)
        if change != DirectoryChanged():
            self._publish(change)

    def _send_snapshot(self, message: PublishAll) -> None:
        """At a start each subscriber asks for what all of them have just been sent: it is read once."""
        if self._latest is None:
            self._latest = self._store.read(repository.snapshot)
        message.mailbox.tell(self._latest)

    def _follow_index(self, message: IndexPublished) -> None:
        """Most tables change nothing for any request, and nothing is written then."""
        table = message.table
        served = Served(table.described, table.environment, message.release)
        if self._store.read(lambda transaction: is_behind(transaction, served)):
            self._store.run(lambda transaction: follow(transaction, served))

    def _record_uses(self, message: TokensUsed) -> None:
        self._store.run(lambda transaction: tokens.record_uses(transaction, message.at))

    def _suspend(self, message: SuspendToken) -> None:
        transaction = self._store.run(lambda now: suspensions.suspend(now, message))
        self._publish_changes(transaction)
        message.reply_to.tell(TokenSuspended(message.token))

    def _publish(self, change: DirectoryChanged) -> None:
        if change.complete or change.tenants or change.forgotten:
            self._snapshot.tenants = self._store.run(repository.count_active)
        for subscriber in self._subscribers:
            subscriber.tell(change)

    # Timers

    def _purge_expired(self, _: PurgeExpired) -> None:
        if self._age is not None:
            self._age.note()
        transaction, ended = self._store.run(_end_expired)
        self._publish_changes(transaction)
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
        self._publish(change)
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


def _log_unreadable(profiles: Mapping[str, Profile]) -> None:
    """Log once, with one example: a missing key is usually missing for many tenants."""
    lost = [
        f"{each.connector} of tenant {tenant_id} {each.problem}"
        for tenant_id, profile in profiles.items()
        for each in profile.connectors.values()
        if each.problem is not None
    ]
    if lost:
        log.error("connector settings unreadable", count=len(lost), first=lost[0])


def _end_expired(transaction: DirectoryTransaction) -> tuple[DirectoryTransaction, Sequence[Any]]:
    """End what has expired. Return the transaction and the grants that ended."""
    tokens.end_expired(transaction)
    idempotency.expire(transaction)
    return transaction, grants.end_expired(transaction)

"""Publishes what the Directory's file holds: profiles, and changes or snapshots to its subscribers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from actors.admin.directory import repository
from actors.admin.directory.profiles import read_profiles
from actors.admin.directory.repository import DirectoryTransaction
from actors.admin.directory.store import DirectoryStore
from actors.messages import DirectoryChanged
from actors.profiles import Profile, Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()


class ChangePublisher:
    """Alone writes the profiles that all other actors read."""

    def __init__(
        self, subscribers: Sequence[Mailbox], profiles: Profiles, snapshot: RoutingSnapshot
    ) -> None:
        """`snapshot` gets the number of active tenants."""
        self._subscribers = subscribers
        self._profiles = profiles
        self._snapshot = snapshot
        self._latest: DirectoryChanged | None = None
        """The snapshot published last; None once the file may have changed."""

    def expire(self) -> None:
        """Have the next snapshot read from the file."""
        self._latest = None

    def publish_all(self, store: DirectoryStore) -> None:
        """Publish all profiles, and a snapshot to all subscribers."""
        profiles = store.read(lambda transaction: dict(read_profiles(transaction)))
        _log_unreadable(profiles)
        self._profiles.replace(profiles)
        self._latest = store.read(repository.snapshot)
        self.publish(store, self._latest)

    def publish_changes(self, store: DirectoryStore, transaction: DirectoryTransaction) -> None:
        """Publish profiles first: subscribers may read them as soon as they receive the change."""
        changed = transaction.changes.profiles
        if changed:
            for tenant_id, profile in store.read(lambda now: list(read_profiles(now, *changed))):
                self._profiles.publish(tenant_id, profile)
        change = store.read(transaction.changes.to_message)
        if change != DirectoryChanged():
            self.publish(store, change)

    def publish(self, store: DirectoryStore, change: DirectoryChanged) -> None:
        """Send one change to all subscribers."""
        if change.complete or change.tenants or change.forgotten:
            self._snapshot.tenants = store.run(repository.count_active)
        for subscriber in self._subscribers:
            subscriber.tell(change)

    def send_snapshot(self, store: DirectoryStore, mailbox: Mailbox) -> None:
        """At a start each subscriber asks for what all of them have just been sent: it is read once."""
        if self._latest is None:
            self._latest = store.read(repository.snapshot)
        mailbox.tell(self._latest)


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

"""How the actors of administration are started: directory, migrations, bad intent, the admin channel."""

from __future__ import annotations

from actors.admin.console.actor import AdminConsole
from actors.admin.directory.actor import Directory, DirectoryPeers, DirectorySettings
from actors.admin.intent_messages import Sweep
from actors.admin.intent_monitor import SWEEP_SECONDS, IntentMonitor, IntentPeers
from actors.admin.messages import PurgeExpired
from actors.admin.rollout.actor import Rollout
from actors.admin.secrets import Keyring
from actors.edge.channel import FLUSH_SECONDS, ChannelInputs, FlushUses
from actors.host.clocks import RetentionClock
from actors.registry.shared import Shared
from actors.runtime.actor import ask
from actors.runtime.futures import ask_async
from actors.runtime.lifecycle import StartChild, supervised
from actors.tenant.storage.migrator import Archive, CreateFile

PURGE_SECONDS = 60.0
"""Seconds between two sweeps of what has expired in the Directory."""

CREATE_SECONDS = 30.0
"""Seconds that the Directory waits for a new tenant's file."""


def children(shared: Shared, keyring: Keyring, age: RetentionClock) -> list[StartChild]:
    """Return the actors of administration; `age` decides what is old enough to be removed."""
    actors = shared.actors
    rollout = supervised(actors.rollout, lambda box: Rollout.start(box, actors), essential=False)
    return [
        _directory(shared, keyring, age),
        rollout,
        _intent_monitor(shared),
        _console(shared),
    ]


def _directory(shared: Shared, keyring: Keyring, age: RetentionClock) -> StartChild:
    actors = shared.actors
    peers = DirectoryPeers(
        create_file=lambda id_: ask(actors.migrator, CreateFile(id_), CREATE_SECONDS),
        archive=lambda id_: ask_async(actors.migrator, Archive(id_)).future,
        subscribers=[actors.router, actors.console, actors.waker],
        supervisor=actors.supervisor,
        audit=actors.audit_log,
    )
    path = shared.settings.data / "directory.db"
    return supervised(
        actors.directory,
        lambda box: Directory.start(
            box,
            DirectorySettings(path, keyring, shared.epoch(), age),
            peers,
            shared.profiles,
            shared.snapshot,
        ),
        (PURGE_SECONDS, PurgeExpired()),
    )


def _intent_monitor(shared: Shared) -> StartChild:
    actors = shared.actors
    peers = IntentPeers(actors.directory, actors.audit_log, actors.router)
    return supervised(
        actors.intent_monitor,
        lambda box: IntentMonitor.start(
            box, peers, shared.snapshot, shared.slowdowns, epoch=shared.now
        ),
        (SWEEP_SECONDS, Sweep()),
        essential=False,
    )


def _console(shared: Shared) -> StartChild:
    actors = shared.actors
    return supervised(
        actors.console,
        lambda box: AdminConsole.start(
            box, ChannelInputs.of(shared, box), actors, shared.settings.log_hide
        ),
        (FLUSH_SECONDS, FlushUses()),
    )

"""All connectors by name: their mailboxes, and the one place that starts their actors.

A connector's actor starts when it is first needed: by a tenant's call, by a reader of its journal, or at the
server's start if it has a journal. So connectors that functions.reload adds can be called at once.
A connector that is no longer in the index stays until the server stops: it completes running calls and
refuses new ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pykka
import structlog

from actors.connectors.actor import DEFAULT_POLICY, ConnectorActor, ConnectorPolicy, DrainConnector
from actors.connectors.engine.journal import CallJournal
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.futures import ReplyFuture
from actors.runtime.lifecycle import ChildSpec, StartChild, is_alive, try_stop
from actors.runtime.mailbox import AsyncioMailbox, Mailbox

log = structlog.get_logger()

CLOSING_SECONDS = 10.0
"""Longest time for a connector to close and to write its journal after its calls have ended."""


class SwitchboardSettings(NamedTuple):
    """What all connectors of a server have in common."""

    directory: Path
    """Holds the journals."""
    policy: ConnectorPolicy = DEFAULT_POLICY
    age: Callable[[], float] = time.time
    """Seconds since the epoch by which journals are swept."""


class Connectors(Mapping[str, Mailbox]):
    """Mailboxes by connector name. The threads of all tenants and of the console read it."""

    def __init__(
        self,
        settings: SwitchboardSettings,
        snapshot: RoutingSnapshot,
        profiles: Profiles,
        supervisor: Mailbox,
        built_in: Mapping[str, Mailbox],
    ) -> None:
        """`built_in` are the engine's own connectors by name."""
        self._settings = settings
        self._snapshot = snapshot
        self._profiles = profiles
        self._supervisor = supervisor
        self._built_in = dict(built_in)
        self._started: dict[str, Mailbox] = {}

    def __getitem__(self, name: str) -> Mailbox:
        """Raise KeyError for a connector that the index does not have and did not have."""
        found = self._built_in.get(name)
        if found is None:  # and not `or`: a mailbox without mail is false
            found = self._started.get(name)
        if found is not None:
            return found
        if name not in self._snapshot.current.connectors:
            raise KeyError(name)
        return self._start(name)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._built_in, **self._started, **self._snapshot.current.connectors})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def open_journals(self) -> None:
        """Start the connectors that have a journal, so that old calls are deleted without new calls."""
        for path in sorted(self._settings.directory.glob("*.db")):
            self._start(path.stem)

    @property
    def awake(self) -> tuple[Mailbox, ...]:
        """Mailboxes of the connectors that have started."""
        return tuple(self._started.values())

    def close(self, until: float) -> None:
        """Drain and stop all connectors. Calls that still run at `until` (time.monotonic()) are cancelled."""
        asked = [(mailbox, _drain(mailbox, until)) for mailbox in self.awake if is_alive(mailbox)]
        limit = max(until, time.monotonic()) + CLOSING_SECONDS
        for mailbox, answer in asked:
            try:
                answer.get(timeout=max(limit - time.monotonic(), 0.0))
            except (pykka.Timeout, pykka.ActorDeadError):
                log.error("a connector stopped with work undone", actor=mailbox.name)
            try_stop(mailbox)

    def _start(self, name: str) -> Mailbox:
        """If two threads start the same connector, the second one uses the first one's mailbox."""
        mailbox = AsyncioMailbox(f"connector {name}", self._supervisor)
        found = self._started.setdefault(name, mailbox)
        if found is mailbox:
            directory, policy, age = self._settings
            journal = CallJournal(directory / f"{name}.db", policy.hide, age)
            given: tuple[Any, ...] = (name, self._snapshot, self._profiles, journal, policy)
            spec = ChildSpec(
                mailbox.name, lambda box: ConnectorActor.start(box, *given), essential=False
            )
            self._supervisor.tell(StartChild(spec, mailbox))
        return found


def _drain(mailbox: Mailbox, until: float) -> ReplyFuture:
    answer = ReplyFuture()
    mailbox.tell(DrainConnector(until, answer))
    return answer

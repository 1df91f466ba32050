"""The switchboard: which mailbox answers for which connector, and the one place that makes them.

A connector's actor is made when it is first asked for: by a tenant's call, by somebody who reads its journal,
or at the start where it has one. So connectors that functions.reload adds are there at once. One that the
index has no more stays until the server stops: it ends what it has begun, and answers that it is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pykka
import structlog

from actors.connectors.actor import DEFAULT_POLICY, ConnectorActor, ConnectorPolicy, Drain
from actors.connectors.engine.journal import CallJournal
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.futures import ReplyFuture
from actors.runtime.lifecycle import ChildSpec, is_alive, try_stop
from actors.runtime.mailbox import AsyncioMailbox, Mailbox

log = structlog.get_logger()

CLOSING_SECONDS = 10.0
"""Longest that a connector may take, after its calls have ended, to close and to write its journal."""


class Connectors(Mapping[str, Mailbox]):
    """By the connector's name. Read by all tenants' threads, and by the console."""

    def __init__(
        self,
        directory: Path,
        snapshot: RoutingSnapshot,
        profiles: Profiles,
        supervisor: Mailbox,
        adopt: Callable[[ChildSpec, Mailbox], object],
        built_in: Mapping[str, Mailbox],
        policy: ConnectorPolicy = DEFAULT_POLICY,
        age: Callable[[], float] = time.time,
    ) -> None:
        """`directory` holds the journals, `built_in` are actors of the engine's own, each by its name.

        `age` says the seconds since the epoch by which journals are swept.
        """
        self._directory = directory
        self._snapshot = snapshot
        self._profiles = profiles
        self._supervisor = supervisor
        self._adopt = adopt
        self._policy = policy
        self._age = age
        self._built_in = dict(built_in)
        self._started: dict[str, Mailbox] = {}

    def __getitem__(self, name: str) -> Mailbox:
        """KeyError for a connector that the index does not have, and did not have."""
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

    def register(self, name: str, mailbox: Mailbox) -> None:
        """Let this mailbox answer for the connector from now on, whatever the index says of it."""
        self._built_in[name] = mailbox

    def open_journals(self) -> None:
        """Make those that have a journal, so that it is swept although nobody calls."""
        for path in sorted(self._directory.glob("*.db")):
            self._start(path.stem)

    @property
    def awake(self) -> tuple[Mailbox, ...]:
        """Those that have been made."""
        return tuple(self._started.values())

    def close(self, until: float) -> None:
        """Have all of them end what is under way, cancelled at `until` (time.monotonic()), and leave."""
        asked = [(mailbox, _drain(mailbox, until)) for mailbox in self.awake if is_alive(mailbox)]
        limit = max(until, time.monotonic()) + CLOSING_SECONDS
        for mailbox, answer in asked:
            try:
                answer.get(timeout=max(limit - time.monotonic(), 0.0))
            except (pykka.Timeout, pykka.ActorDeadError):
                log.error("a connector stopped with work undone", actor=mailbox.name)
            try_stop(mailbox)

    def _start(self, name: str) -> Mailbox:
        """Of two threads that make the same one, one finds it made: nothing has begun in the other's."""
        mailbox = AsyncioMailbox(f"connector {name}", self._supervisor)
        found = self._started.setdefault(name, mailbox)
        if found is mailbox:
            journal = CallJournal(self._directory / f"{name}.db", self._policy.hide, self._age)
            given: tuple[Any, ...] = (name, self._snapshot, self._profiles, journal, self._policy)
            spec = ChildSpec(
                mailbox.name, lambda box: ConnectorActor.start(box, *given), essential=False
            )
            self._adopt(spec, mailbox)
        return found


def _drain(mailbox: Mailbox, until: float) -> ReplyFuture:
    answer = ReplyFuture()
    mailbox.tell(Drain(until, answer))
    return answer

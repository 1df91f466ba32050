"""What the Supervisor shows of the actors that it started: a row for each, and one by its name.

A row is made from plain attributes of a mailbox, which other threads change meanwhile: each is right at some
moment of the answer. No actor is asked, so that one that blocks is shown as well.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from actors.errors import FailedPrecondition, NotFound
from actors.expectations import Expected, ShowDigest, digest_of, require_same
from actors.messages import ListResidents, ListUnserved, Passivate
from actors.runtime.actor import Handlers, Inspect, RestartRequested, Terminated
from actors.runtime.lifecycle import ChildSpec, ChildState
from actors.runtime.mailbox import Mailbox
from actors.supervision.rejecting import RejectingActor
from actors.supervision.residency import ResidentSet

ENGINE, CONNECTOR, TENANT = "engine", "connector", "tenant"

NEVER_RESTARTED = frozenset({"supervisor", "console"})
"""The Supervisor has no supervisor, and through the console comes the answer."""


class ListActors(NamedTuple):
    """Ask: one page of actors, as a map with `actors` and `total`."""

    sort: str
    """A key of ORDERS."""
    kind: str | None
    prefix: str
    limit: int


class CountTurns(NamedTuple):
    """From the Clock: a period is over, for which turns are counted."""


class FindActor(NamedTuple):
    """Ask: one actor by its name. Answered by FoundActor, or NotFound."""

    name: str


class RestartActor(NamedTuple):
    """Ask: have an actor end and be started again, with its mail in order.

    NotFound, FailedPrecondition; Aborted if it is another incarnation than expected.
    """

    name: str
    by: str
    why: str
    expected: Expected | None = None


class PassivateActor(NamedTuple):
    """Ask: have a tenant's actor answer its mail and leave. The errors are those of RestartActor."""

    name: str
    expected: Expected | None = None


class FoundActor(NamedTuple):
    """One actor."""

    row: Mapping[str, Any]
    mailbox: Mailbox
    has_incarnation: bool
    """Whether an actor would answer a question; a tenant's that is not resident would be started by it."""


class Inspection:
    """The Supervisor's view of its children, for people. For the Supervisor alone."""

    def __init__(
        self, children: Mapping[Mailbox, ChildState], residents: ResidentSet, own: Mailbox
    ) -> None:
        self._children = children
        self._own = own
        self._itself = ChildState(ChildSpec(own.name, lambda _: None))
        self._itself.started_at = time.monotonic()
        self._turns: dict[Mailbox, int] = {}
        self._turns_before: dict[Mailbox, int] = {}
        """Turns of each mailbox at the end of the last period, and of the one before it."""
        self.handlers: Handlers = {
            Inspect: lambda _: residents.snapshot(),
            ListResidents: lambda _: residents.members(),
            ListUnserved: lambda _: residents.unserved(),
            CountTurns: lambda _: self.count_turns(),
            ListActors: self._list,
            FindActor: lambda message: self._found(message.name),
            RestartActor: self._restart,
            PassivateActor: self._passivate,
            ShowDigest: lambda message: {"digest": self._digest(message)},
        }

    def count_turns(self) -> None:
        """Note how many turns each had since the period before: what `turns` shows."""
        self._turns_before = self._turns
        self._turns = {box: box.turns for box in self._children}
        self._turns[self._own] = self._own.turns

    def _turns_lately(self, mailbox: Mailbox) -> int:
        return self._turns.get(mailbox, 0) - self._turns_before.get(mailbox, 0)

    def _list(self, message: ListActors) -> dict[str, Any]:
        wanted = [box for box in (self._own, *self._children) if self._is_wanted(box, message)]
        chosen = heapq.nsmallest(message.limit, wanted, key=self._order(message.sort))
        return {"actors": [self._row(box) for box in chosen], "total": len(wanted)}

    def _is_wanted(self, mailbox: Mailbox, message: ListActors) -> bool:
        is_kind = message.kind is None or self._kind(mailbox) == message.kind
        return is_kind and mailbox.name.startswith(message.prefix)

    def _order(self, sort: str) -> Callable[[Mailbox], Any]:
        """What matters comes first: long mailboxes, many turns, many restarts, the youngest."""
        keys: dict[str, Callable[[Mailbox], Any]] = {
            "mailbox": lambda box: -len(box),
            "turns": lambda box: -self._turns_lately(box),
            "restarts": lambda box: -self._child(box).crashes,
            "age": lambda box: -self._child(box).started_at,
            "name": lambda _: 0,
        }
        key = keys[sort]
        return lambda box: (key(box), self._kind(box), box.name)

    def _row(self, mailbox: Mailbox) -> dict[str, Any]:
        child, now = self._child(mailbox), time.monotonic()
        return {
            "actor": mailbox.name,
            "parent": None if mailbox is self._own else self._own.name,
            "kind": self._kind(mailbox),
            "state": self._state(mailbox, child),
            "mailbox": len(mailbox),
            "turns": self._turns_lately(mailbox),
            "restarts": child.crashes,
            "age_seconds": round(now - child.started_at, 1) if mailbox.incarnation else None,
            "idle_seconds": round(now - mailbox.last_turn, 1) if mailbox.last_turn else None,
        }

    def _state(self, mailbox: Mailbox, child: ChildState) -> str:
        if child.is_backing_off:
            return "waits to be restarted"
        if isinstance(mailbox.incarnation, RejectingActor | Terminated):
            return "rejects"
        if mailbox.incarnation is None:
            return "not resident" if child.tenant is not None else "stopped"
        return "runs" if mailbox.is_scheduled else "idle"

    def _kind(self, mailbox: Mailbox) -> str:
        if self._child(mailbox).tenant is not None:
            return TENANT
        return CONNECTOR if mailbox.name.startswith("connector ") else ENGINE

    def _child(self, mailbox: Mailbox) -> ChildState:
        return self._children.get(mailbox) or self._itself

    def _found(self, name: str) -> FoundActor:
        mailbox = self._named(name)
        if mailbox is None:
            raise NotFound(f"there is no actor {name!r}; actors.list lists those there are")
        incarnation = mailbox.incarnation
        alive = not (incarnation is None or isinstance(incarnation, Terminated))
        return FoundActor(self._row(mailbox), mailbox, alive)

    def _named(self, name: str) -> Mailbox | None:
        """The engine's own come first: `tenant log` is one of them, and `log` may be a tenant."""
        tenant = None
        for mailbox in (self._own, *self._children):
            record = self._child(mailbox).tenant
            if record is None and mailbox.name == name:
                return mailbox
            if record is not None and name in (record.name, mailbox.name):
                tenant = mailbox
        return tenant

    def _restart(self, message: RestartActor) -> dict[str, Any]:
        found = self._found(message.name)
        name = found.mailbox.name
        if name in NEVER_RESTARTED:
            raise FailedPrecondition(f"{name} cannot be restarted by itself: restart the server")
        if not found.has_incarnation:
            raise FailedPrecondition(f"{name} has no incarnation: its next message starts one")
        self._require_expected(message.expected)
        found.mailbox.tell(RestartRequested(message.by, message.why))
        return {"actor": name, "was": found.row["state"]}

    def _passivate(self, message: PassivateActor) -> dict[str, Any]:
        found = self._found(message.name)
        if self._kind(found.mailbox) != TENANT:
            raise FailedPrecondition(f"{found.mailbox.name} is no tenant: only tenants leave")
        self._require_expected(message.expected)
        if found.has_incarnation:
            found.mailbox.tell(Passivate())
        return {"actor": found.mailbox.name, "was": found.row["state"]}

    def _digest(self, about: ShowDigest) -> str:
        """Of the incarnation that an action would end; NotFound."""
        found = self._found(str(about.params.get("actor")))
        child = self._child(found.mailbox)
        seen = [found.mailbox.name, child.started_at, child.crashes, found.has_incarnation]
        return digest_of(about._replace(tenant_id=None), seen)

    def _require_expected(self, expected: Expected | None) -> None:
        if expected is not None:
            require_same(expected, self._digest(ShowDigest(expected.action, expected.params, None)))

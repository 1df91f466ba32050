"""A Supervisor with all it needs, for tests: guests in place of tenants, and a clock that runs ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pykka

from actors.messages import (
    FindTenant,
    Migrate,
    Migrated,
    Passivate,
    PassivationDeclined,
    TenantRecord,
)
from actors.runtime.actor import Actor, Ping, ask, stop
from actors.runtime.clock import Once
from actors.runtime.lifecycle import ChildSpec, StartChild
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import Dispatcher
from actors.supervision.messages import TenantPool
from actors.supervision.supervisor import Supervisor
from tests.actors.mailbox_harness import WAIT, Watch


class Guest(Actor):
    """Lives where a tenant would: opens and closes, leaves when told to, and does what its mail says."""

    def __init__(self, mailbox: Mailbox, record: TenantRecord, harness: SupervisorHarness) -> None:
        super().__init__(mailbox)
        self._name = record.name
        self._hotel = harness
        self._turn: deque[Any] = deque()

    def on_start(self) -> None:
        """Take as long as the harness says, and fail, or open."""
        self._hotel.opening()
        for trouble in self._hotel.troubles.get(self._name, ()):
            raise trouble
        self._hotel.opened(self._name)

    def on_stop(self) -> None:
        """Close."""
        self._hotel.closed(self._name)

    def on_failure(self, *_: Any) -> None:
        """Close."""
        self._hotel.closed(self._name)

    def handle(self, mail: deque[Any]) -> None:
        """Remember what else is in this turn."""
        self._turn = mail
        super().handle(mail)

    def on_receive(self, message: Any) -> Any:
        """Raise it, call it, or record it; leave on Passivate unless more mail is there."""
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message()
        if not isinstance(message, Passivate):
            self._hotel.seen.put((self._name, message))
        elif self._may_stay(message) and (len(self._turn) > 1 or not self.mailbox.empty()):
            assert self.mailbox.supervisor is not None
            self.mailbox.supervisor.tell(PassivationDeclined(self.mailbox))
        else:
            self._stop()
        return None

    def _may_stay(self, message: Passivate) -> bool:
        return self._hotel.stubborn or not message.insist

    def dead_letter(self, message: Any, error: BaseException) -> list[Any]:
        """Say so."""
        self._hotel.seen.put((self._name, ("buried", error)))
        return super().dead_letter(message, error)


class FakeMigrator(Actor):
    """Answers every Migrate as the harness says."""

    def __init__(self, mailbox: Mailbox, harness: SupervisorHarness) -> None:
        super().__init__(mailbox)
        self._hotel = harness

    def on_receive(self, message: Any) -> None:
        """Cure the guest's trouble, or not."""
        assert isinstance(message, Migrate)
        self._hotel.migrating()
        self._hotel.migrations.put(message.tenant.name)
        troubles = self._hotel.troubles[message.tenant.name]
        error = self._hotel.migration_error
        if error is None and troubles:
            troubles.popleft()
        message.reply_to.tell(Migrated(message.mailbox, error))


class RunningAhead(Mailbox):
    """In the Clock's place: what is asked for later is told at once, and how much later is recorded."""

    __slots__ = ("held", "holding", "waits")

    def __init__(self) -> None:
        super().__init__("clock", lambda _: None)
        self.waits: deque[float] = deque()
        self.holding = False
        """True to keep what is asked for in `held` instead, for the test to let go."""
        self.held: SimpleQueue[Once] = SimpleQueue()

    def tell(self, message: Any) -> None:
        """After, and nothing else."""
        assert isinstance(message, Once)
        self.waits.append(message.seconds)
        if self.holding:
            self.held.put(message)
        else:
            message.to.tell(message.message)


class Traced(Mailbox):
    """The Supervisor's mailbox, of which a test may read a copy of all that it is told."""

    __slots__ = ("told",)

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__("supervisor", dispatcher.schedule)
        self.told: SimpleQueue[Any] = SimpleQueue()

    def tell(self, message: Any) -> None:
        """Deliver it."""
        self.told.put(message)
        super().tell(message)

    put = tell

    def hear(self, message: object) -> None:
        """Wait until it has been told this."""
        while self.told.get(timeout=WAIT) != message:
            pass


class SupervisorHarness:
    """The Supervisor and its guests; `close` stops them all and looks that no one stayed behind."""

    def __init__(
        self, cap: int = 100, idle_seconds: float = 3600.0, clock: Mailbox | None = None
    ) -> None:
        self.cap = cap
        self.seen: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.troubles: dict[str, deque[BaseException]] = {}
        """For each guest, what its on_start raises: the first of them, until it is taken away."""
        self.stubborn = False
        """True where guests to whom mail has come stay, also if they are told to go."""
        self.opening: Callable[[], object] = lambda: None
        """What a guest does before it is open, and the migrator before it answers: a Gate's turn, say."""
        self.migrating = self.opening
        self.migrations: SimpleQueue[str] = SimpleQueue()
        self.migration_error: Exception | None = None
        self.given_up: SimpleQueue[tuple[str, BaseException]] = SimpleQueue()
        self.relieved: SimpleQueue[None] = SimpleQueue()
        self.rooms: set[str] = set()
        self.overfull: deque[set[str]] = deque()
        self.life: SimpleQueue[str] = SimpleQueue()
        self._registered = set(pykka.ActorRegistry.get_all())
        self._family = Dispatcher("family", threads=2)
        self._guests = Dispatcher("guests", threads=4)
        self._children: list[Mailbox] = []
        self.supervisor = Traced(self._family)
        self.clock = RunningAhead() if clock is None else clock  # an empty mailbox is falsy
        self.migrator = self.child_mailbox("migrator")
        tenants = TenantPool(
            start=lambda record, mailbox: Guest.start(mailbox, record, self),
            schedule=self._guests.schedule,
            grow=lambda: self.relieved.put(None),
            mail=1000,
            resident_cap=cap,
            idle_seconds=idle_seconds,
        )
        Supervisor.start(
            self.supervisor,
            self.clock,
            self.migrator,
            tenants,
            lambda name, error: self.given_up.put((name, error)),
        )
        self.adopt(ChildSpec("migrator", lambda box: FakeMigrator.start(box, self)), self.migrator)

    def child_mailbox(self, name: str) -> Mailbox:
        """A mailbox for a child that is no tenant."""
        mailbox = Mailbox(name, self._family.schedule, supervisor=self.supervisor)
        self._children.append(mailbox)
        return mailbox

    def adopt(self, spec: ChildSpec, mailbox: Mailbox) -> None:
        """Have the Supervisor start a child."""
        self.supervisor.tell(StartChild(spec, mailbox))

    def address(self, name: str) -> Mailbox:
        """The mailbox of the guest of that name."""
        reader = Watch()
        self.supervisor.tell(FindTenant(TenantRecord(name, f"id of {name}"), reader))
        mailbox: Mailbox = reader.hear().mailbox
        return mailbox

    def settled(self) -> None:
        """Wait until the Supervisor has dealt with all it was told by now."""
        ask(self.supervisor, Ping(), WAIT)

    def opened(self, name: str) -> None:
        """A guest has come in."""
        self.rooms.add(name)
        if len(self.rooms) > self.cap:
            self.overfull.append(set(self.rooms))
        self.life.put(f"+{name}")

    def closed(self, name: str) -> None:
        """A guest has gone."""
        if name in self.rooms:
            self.rooms.discard(name)
            self.life.put(f"-{name}")

    def close(self) -> None:
        """Stop everything at once, without ceremony."""
        if self.supervisor.incarnation is not None:
            stop(self.supervisor, WAIT)
        assert self._guests.stop()
        assert self._family.stop()
        for ref in set(pykka.ActorRegistry.get_all()) - self._registered:
            pykka.ActorRegistry.unregister(ref)

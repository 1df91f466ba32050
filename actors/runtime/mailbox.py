"""A mailbox: the address of an actor, which outlives each incarnation of it.

The law of this file: a mailbox runs on at most one thread at a time. Only the holder of its one token may run
the mailbox or attach an incarnation to it; every other thread may only append mail and try to take the token.
A deque with one element is that token: `pop` and `append` are atomic, so no lock is needed. When an actor
crashes or is passivated, its mail stays, in order, for the next incarnation.

An AsyncioMailbox runs its actor's turns on an asyncio loop, in a thread of its own. Other threads schedule it
by `call_soon_threadsafe`. The loop starts with the first incarnation, outlives crashes, and ends when the
actor is stopped. If an error ends the loop itself (SystemExit in a library's callback), the loop is run
again, with all that was scheduled on it, and the actor crashes instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol


class Incarnation(Protocol):
    """One life of an actor, attached to its mailbox from its start to its stop or crash."""

    def turn(self) -> None:
        """Handle some of the mail. Called by one thread at a time; never raises."""
        ...


class MailWaiting(NamedTuple):
    """To the supervisor: mail waits and no incarnation is attached. Carries the mailbox's token."""

    mailbox: Mailbox


class Crashed(NamedTuple):
    """To the supervisor: the incarnation ended with an error. Carries the mailbox's token."""

    mailbox: Mailbox
    error: BaseException
    message: Any
    """The PoisonMessage that was being handled; None if the error came between messages."""


class Stopped(NamedTuple):
    """To the supervisor: the incarnation stopped or was passivated as requested. Carries the mailbox's token.

    If the incarnation released the token instead, a supervisor that wants to replace it could find neither
    token nor mail, and MailWaiting could arrive before the tenant counts as stopped.
    """

    mailbox: Mailbox


class PoisonMessage(NamedTuple):
    """A message that was being handled when its actor crashed, requeued in its place."""

    message: Any
    failures: int
    """How often its actor has crashed while handling it."""


class Mailbox:
    """A bounded queue that rejects at once when it is full, and schedules itself to be run."""

    __slots__ = (
        "_items",
        "_schedule",
        "_token",
        "closing",
        "in_hand",
        "incarnation",
        "last_turn",
        "limit",
        "name",
        "supervisor",
        "turns",
    )

    def __init__(
        self,
        name: str,
        schedule: Callable[[Mailbox], None],
        *,
        supervisor: Mailbox | None = None,
        limit: int = 10_000,
    ) -> None:
        self.name = name
        self.limit = limit
        """Messages from outside that may wait; the engine's own messages are never rejected."""
        self.supervisor = supervisor
        self.incarnation: Incarnation | None = None
        self.last_turn = 0.0
        """time.monotonic() of the last turn, in seconds; passivation is decided by it."""
        self.turns = 0
        """How many turns there were; for people who look into the running server."""
        self.closing: float | None = None
        """time.monotonic() after which requests that have not begun are rejected; None while serving."""
        self.in_hand: deque[Any] = deque()
        """Messages of the current turn that are not handled yet. For the incarnation alone."""
        self._items: deque[Any] = deque()
        self._token: deque[None] = deque()  # empty: the thread that makes a mailbox holds its token
        self._schedule = schedule

    def __repr__(self) -> str:
        return f"<Mailbox {self.name}: {len(self._items)} waiting>"

    def __len__(self) -> int:
        return len(self._items)

    def tell(self, message: Any) -> None:
        """Append a message of the engine's own. Never rejected; never waits; from any thread."""
        self._items.append(message)
        self.schedule()

    put = tell  # Pykka's name for it: ActorRef.tell and ask put an Envelope

    def enqueue_first(self, message: Any) -> None:
        """Put a message of the engine's own ahead of the mail that waits. A running turn is not affected."""
        self._items.appendleft(message)
        self.schedule()

    def try_enqueue(self, message: Any) -> bool:
        """Append a message from outside; return False if the mailbox is full. Call `schedule` afterwards."""
        if len(self._items) >= self.limit:
            return False
        self._items.append(message)
        return True

    def schedule(self) -> None:
        """Have the mailbox run soon, unless its token is taken: it is running, scheduled or held."""
        if self.try_take():
            self._schedule(self)

    def try_take(self) -> bool:
        """Take the token if it is free; return whether the caller holds it now, to attach or to release."""
        try:
            self._token.pop()
        except IndexError:
            return False
        return True

    @property
    def is_scheduled(self) -> bool:
        """Whether it runs, waits for a thread, or is held by the Supervisor. For any thread."""
        return not self._token

    def get(self) -> Any:
        """Remove and return the oldest message; IndexError if none waits. For the incarnation only."""
        return self._items.popleft()

    def empty(self) -> bool:
        """Return True if no mail waits."""
        return not self._items

    def take_up_to(self, most: int) -> list[Any]:
        """Remove and return up to `most` messages, oldest first. For the incarnation only."""
        items = self._items
        return [items.popleft() for _ in range(min(most, len(items)))]

    def requeue(self, messages: Iterable[Any]) -> None:
        """Put messages back at the front, in their order. For the incarnation only."""
        self._items.extendleft(reversed(list(messages)))
        self.in_hand.clear()

    def left(self) -> list[Any]:
        """A copy of what the incarnation has in hand, and of what waits. For any thread."""
        return [*self.in_hand.copy(), *self._items.copy()]

    def run(self) -> None:
        """Run one turn of the incarnation; without one, send the supervisor MailWaiting. Needs the token."""
        incarnation = self.incarnation
        if incarnation is None:
            if self.supervisor is not None:
                self.supervisor.tell(MailWaiting(self))
            return
        incarnation.turn()

    def attach(self, incarnation: Incarnation) -> None:
        """Attach a new incarnation and schedule its first turn. Needs the token."""
        self.incarnation = incarnation
        self._schedule(self)

    def release(self) -> None:
        """Hand the token back; if mail has come meanwhile, schedule the mailbox again. Needs the token."""
        self._token.append(None)
        if self._items:  # a sender could not schedule it while the token was taken
            self.schedule()


class AsyncioMailbox(Mailbox):
    """A mailbox on an asyncio loop, for an actor that does its work in coroutines."""

    __slots__ = ("_ends", "_error", "_loop", "_thread")

    def __init__(self, name: str, supervisor: Mailbox | None = None) -> None:
        super().__init__(name, lambda _: self._call_soon(), supervisor=supervisor)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._ends = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; there from the first incarnation on."""
        assert self._loop is not None
        return self._loop

    @property
    def thread(self) -> threading.Thread | None:
        """The thread of the loop; None before the first incarnation and after the last one."""
        return self._thread

    def attach(self, incarnation: Incarnation) -> None:
        """Attach a new incarnation; it keeps the loop of one that crashed."""
        if self._thread is None:
            self._ends = False
            self._loop = loop = asyncio.new_event_loop()
            # Daemon: a connector that never returns must not keep a stopped process alive.
            self._thread = threading.Thread(
                target=self._run_loop, args=(loop,), name=self.name, daemon=True
            )
            self._thread.start()
        super().attach(incarnation)

    def stop(self) -> None:
        """End the loop after this turn. For the incarnation only."""
        self._ends, self._thread = True, None
        self.loop.stop()

    def take_loop_error(self) -> BaseException | None:
        """Return the error that ended the loop since the last call, or None. For the incarnation only."""
        error, self._error = self._error, None
        return error

    def _call_soon(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed: no incarnation will follow
                self._loop.call_soon_threadsafe(self.run)

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ends:
            try:
                loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - the loop of this connector must run on
                self._error = error
                self.schedule()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

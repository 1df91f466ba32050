"""A mailbox: the address of an actor, which outlives each incarnation living in it.

The law of this file: a mailbox is on at most one thread at a time. Whoever holds its one token may run
it or adopt a new incarnation into it; everybody else may only append mail and try to take the token. A deque
with one element is that token: `pop` and `append` are atomic, so no lock is needed. An actor that fails or
is passivated leaves; the mail stays, in order, for the next incarnation.

A mailbox whose incarnation takes its turns on an asyncio loop, in a thread of its own.

What is told from other threads gets there by `call_soon_threadsafe`. The loop comes with the first
incarnation, outlives failures, and ends when the incarnation is stopped. Where something ends the loop itself
(SystemExit in a library's callback), it is run again, with all that was scheduled, and the incarnation fails
instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol


class Incarnation(Protocol):
    """What lives in a mailbox: an incarnation of an actor."""

    def turn(self) -> None:
        """Handle some of the mail; called by one thread at a time. Never raises."""
        ...


class MailWaiting(NamedTuple):
    """To the supervisor: there is mail and nobody in. The mailbox's token comes with this message."""

    mailbox: Mailbox


class Crashed(NamedTuple):
    """To the supervisor: the incarnation is gone after an error. The mailbox's token comes with it."""

    mailbox: Mailbox
    error: BaseException
    message: Any
    """The message that was being handled, at the front of the mailbox; None where it was none."""


class Stopped(NamedTuple):
    """To the supervisor: the incarnation stopped or was passivated as asked. The token comes with this, too.

    Were it handed back at the same time, a supervisor that wants the incarnation replaced could find neither
    token nor mail, and mail could be told as MailWaiting before the place counts as left.
    """

    mailbox: Mailbox


class PoisonMessage(NamedTuple):
    """A message that was being handled when its actor failed, put back in its place."""

    message: Any
    failures: int
    """How many incarnations it has taken with it."""


class Mailbox:
    """A bounded queue that refuses at once, and schedules itself on whoever runs actors."""

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
        """Messages from outside that may wait; messages of the engine itself are never refused."""
        self.supervisor = supervisor
        self.incarnation: Incarnation | None = None
        self.last_turn = 0.0
        """time.monotonic() of the last turn, in seconds: what passivation goes by."""
        self.closing: float | None = None
        """time.monotonic() after which the incarnation refuses what it has not begun; None while serving."""
        self.in_hand: deque[Any] = deque()
        """What the incarnation has taken in its turn and not dealt with yet: the incarnation's own."""
        self._items: deque[Any] = deque()
        self._token: deque[None] = deque()  # made empty: whoever makes a mailbox holds its token
        self._schedule = schedule

    def __repr__(self) -> str:
        return f"<Mailbox {self.name}: {len(self._items)} waiting>"

    def __len__(self) -> int:
        return len(self._items)

    def tell(self, message: Any) -> None:
        """Append a message of the engine's own; never refused, never waits."""
        self._items.append(message)
        self.schedule()

    put = tell  # pykka's name for it: ActorRef.tell and ask put an Envelope

    def enqueue_first(self, message: Any) -> None:
        """Put a message of the engine's own before what waits; behind what a turn has taken already."""
        self._items.appendleft(message)
        self.schedule()

    def try_enqueue(self, message: Any) -> bool:
        """Append a message from outside; False where the mailbox is full. Call `schedule` afterwards."""
        if len(self._items) >= self.limit:
            return False
        self._items.append(message)
        return True

    def schedule(self) -> None:
        """Have the mailbox run soon, unless it is running, scheduled or held already."""
        try:
            self._token.pop()
        except IndexError:
            return
        self._schedule(self)

    def get(self) -> Any:
        """The oldest message. For the incarnation only; IndexError where there is none."""
        return self._items.popleft()

    def empty(self) -> bool:
        """True where no mail waits."""
        return not self._items

    def take_up_to(self, most: int) -> list[Any]:
        """Up to `most` messages, oldest first. For the incarnation only."""
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
        """One turn of the incarnation; where there is none, the supervisor is told. Needs the token."""
        incarnation = self.incarnation
        if incarnation is None:
            if self.supervisor is not None:
                self.supervisor.tell(MailWaiting(self))
            return
        incarnation.turn()

    def attach(self, incarnation: Incarnation) -> None:
        """Let a new incarnation live here and give it a turn. Needs the token."""
        self.incarnation = incarnation
        self._schedule(self)

    def release(self) -> None:
        """Hand the token back; where mail has come meanwhile, run again. Needs the token."""
        self._token.append(None)
        if self._items:  # whoever told it while the token was away could not wake the mailbox
            self.schedule()


class AsyncioMailbox(Mailbox):
    """For an actor that does its work in coroutines."""

    __slots__ = ("_ends", "_error", "_loop", "_thread")

    def __init__(self, name: str, supervisor: Mailbox | None = None) -> None:
        super().__init__(name, lambda _: self._call_soon(), supervisor=supervisor)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._ends = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """There from the first incarnation on."""
        assert self._loop is not None
        return self._loop

    @property
    def thread(self) -> threading.Thread | None:
        """Where it runs; None before the first incarnation, and after the last one."""
        return self._thread

    def attach(self, incarnation: Incarnation) -> None:
        """Let a new incarnation live here, on the loop of the one before where that only failed."""
        if self._thread is None:
            self._ends = False
            self._loop = loop = asyncio.new_event_loop()
            # Daemon: what a connector never returns from must not keep a stopped process alive.
            self._thread = threading.Thread(
                target=self._run_loop, args=(loop,), name=self.name, daemon=True
            )
            self._thread.start()
        super().attach(incarnation)

    def stop(self) -> None:
        """For the incarnation only: the loop ends after this turn."""
        self._ends, self._thread = True, None
        self.loop.stop()

    def take_loop_error(self) -> BaseException | None:
        """For the incarnation only: what has ended the loop since it was last asked."""
        error, self._error = self._error, None
        return error

    def _call_soon(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed: nobody will live here any more
                self._loop.call_soon_threadsafe(self.run)

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ends:
            try:
                loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - the loop of this connector has to go on
                self._error = error
                self.schedule()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

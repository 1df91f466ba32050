"""An actor that runs in a mailbox: Pykka's actor, with its loop replaced by turns.

What Pykka does on an error, and what is done here instead:

- a `tell` that raises kills the actor and drops its mail: the mail stays, and the supervisor is notified;
- an `on_start` that raises runs no hook: the supervisor is notified;
- SystemExit in one actor stops every actor: it is a failure of that actor alone, like any other exception;
- a reply that is set twice leaves a dead actor that claims to be alive: the second reply is dropped.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import Any, NamedTuple

import pykka
from pykka import ActorDeadError, ActorRef, ActorRegistry, Future
from pykka._envelope import Envelope
from pykka.messages import _ActorStop  # the message of `stop`: it has no public name

from actors.runtime.futures import ReplyFuture, resolve, resolve_with_error
from actors.runtime.mailbox import Crashed, Mailbox, PoisonMessage, Stopped

MOST_PER_TURN = 256
"""Messages in one turn: enough to fill a commit, few enough to be fair to the other actors."""

MAX_DELIVERIES = 2
"""Times that a message is handled while its actor crashes. Then `dead_letter` takes it out of the mailbox."""


PONG = "pong"

Handlers = dict[type, Callable[[Any], Any]]


class Ping(NamedTuple):
    """Ask whether an actor is alive. Every actor answers PONG."""


class Inspect(NamedTuple):
    """Ask for the snapshot that an actor gives of itself, for people. Every actor answers with a map."""


class RestartRequested(NamedTuple):
    """To any actor, from a person: end, and be started again with the mail that waits."""

    by: str
    why: str


class RestartedByPerson(Exception):
    """An incarnation ended because a person wanted it to."""


class Actor(pykka.Actor):
    """One incarnation of an actor.

    Subclasses call `_add_handlers`; `on_start`, `on_stop` and `on_failure` are optional.
    """

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__()
        self.actor_inbox = mailbox
        self._actor_ref = ActorRef(self)  # again: the first one has the placeholder inbox
        self.mailbox = mailbox
        self._handlers: Handlers = {
            Inspect: lambda _: self.snapshot(),
            RestartRequested: self._end_as_requested,
        }
        self._started = False
        self.at = 0

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        """Return a placeholder: Pykka calls this before __init__ has the actor's own mailbox."""
        return Mailbox("placeholder", lambda _: None)

    @staticmethod
    def _create_future() -> ReplyFuture:
        return ReplyFuture()

    def _start_actor_loop(self) -> None:
        self.mailbox.attach(self)

    def turn(self) -> None:
        """Handle up to MOST_PER_TURN messages, then release the mailbox. For the thread that runs it."""
        mail = self.mailbox.in_hand = deque[Any]()
        try:
            if not self._started:
                self._started = True
                self.on_start()
            mail.extend(self.mailbox.take_up_to(MOST_PER_TURN))
            self.mailbox.last_turn = time.monotonic()
            self.mailbox.turns += 1
            self.handle(mail)
        except BaseException as error:  # noqa: BLE001 - one actor's SystemExit must not stop the others
            self._crash(error, mail)
        else:
            self._end_turn(mail)

    def handle(self, mail: deque[Any]) -> None:
        """Handle a turn's mail and remove each message that is handled; the rest is requeued.

        On an exception, `self.at` is the index of the message at fault among those that are left.
        """
        self.at = 0
        while mail and not self.actor_stopped.is_set():
            self._handle(mail[0])
            mail.popleft()

    def handle_runs(
        self, mail: deque[Any], kind: type, take: Callable[[list[Any]], object]
    ) -> None:
        """Handle a turn's mail as `handle` does, but give `take` each run of one kind at once."""
        self.at = 0
        while mail and not self.actor_stopped.is_set():
            run = list(takewhile(lambda message: type(message) is kind, mail))
            if run:
                take(run)
            else:
                self._handle(mail[0])
            for _ in range(len(run) or 1):
                mail.popleft()

    def _add_handlers(self, handlers: Handlers) -> None:
        """Say which method of the actor, or of what it owns, takes messages of which type."""
        self._handlers.update(handlers)

    def on_receive(self, message: Any) -> Any:
        """Return what the handler of the message's type returns; TypeError if there is none."""
        handler = self._handlers.get(type(message))
        if handler is None:
            raise TypeError(
                f"the {type(self).__name__} has no handler for {type(message).__name__}"
            )
        return handler(message)

    def snapshot(self) -> dict[str, Any]:
        """Return what people may see of the actor's state: plain values, made in its own turn."""
        return {}

    def dead_letter(self, message: Any, error: BaseException) -> list[Any]:
        """Return what replaces a message whose actor has crashed MAX_DELIVERIES times while handling it.

        Here nothing replaces it. An asker gets the error, wrapped if it would end the asker as well.
        """
        if not isinstance(error, Exception):
            error = ActorDeadError(f"{self.mailbox.name} ended on this message: {error!r}")
        if (answer := reply_to(message)) is not None:
            resolve_with_error(answer, error)
        return []

    def _end_as_requested(self, message: RestartRequested) -> None:
        raise RestartedByPerson(f"restarted by {message.by}: {message.why}")

    def _end_turn(self, mail: deque[Any]) -> None:
        self.mailbox.requeue(mail)
        if self.actor_stopped.is_set():
            self._vacate()
        else:
            self.mailbox.release()

    def _handle(self, message: Any) -> None:
        if isinstance(message, PoisonMessage):
            message = message.message
        if not isinstance(message, Envelope):
            self.on_receive(message)
        elif isinstance(message.message, _ActorStop):
            self._stop()
            if message.reply_to is not None:
                resolve(message.reply_to, None)
        else:
            self._answer(message)

    def _answer(self, envelope: Any) -> None:
        if envelope.reply_to is None:
            self._handle_receive(envelope.message)
            return
        try:
            message = envelope.message
            answer = PONG if isinstance(message, Ping) else self._handle_receive(message)
        except Exception as error:  # noqa: BLE001 - the asker gets it; the actor runs on
            resolve_with_error(envelope.reply_to, error)
        else:
            resolve(envelope.reply_to, answer)

    def _vacate(self) -> None:
        """Stop as requested. Mail that came meanwhile stays in the mailbox for the supervisor."""
        self.mailbox.incarnation = None
        self._notify_supervisor(Stopped(self.mailbox))

    def _notify_supervisor(self, news: Stopped | Crashed) -> None:
        """Send the mailbox's token to the supervisor with the news; without one, terminate the mailbox."""
        if self.mailbox.supervisor is None:
            terminate(self.mailbox)
        else:
            self.mailbox.supervisor.tell(news)

    def _crash(self, error: BaseException, mail: deque[Any]) -> None:
        """Stop after an error. The mail stays; the failure of the message at fault is counted."""
        poison = self._count_failure(mail, error) if self.at < len(mail) else None
        self.mailbox.requeue(mail)
        self.mailbox.incarnation = None
        ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except BaseException as again:  # noqa: BLE001 - the clean-up may fail too; the first error says more
            error.add_note(f"on_failure failed too: {again!r}")
        self._notify_supervisor(Crashed(self.mailbox, error, poison))

    def _count_failure(self, mail: deque[Any], error: BaseException) -> PoisonMessage:
        poison = count_failure(mail[self.at])
        del mail[self.at]
        if isinstance(error, RestartedByPerson):
            return poison
        is_last = poison.failures >= MAX_DELIVERIES
        replacement = self._try_dead_letter(poison.message, error) if is_last else [poison]
        for message in replacement:
            mail.insert(self.at, message)
        return poison

    def _try_dead_letter(self, message: Any, error: BaseException) -> list[Any]:
        try:
            return self.dead_letter(message, error)
        except BaseException as again:  # noqa: BLE001 - the supervisor must be notified in any case
            error.add_note(f"dead_letter failed too: {again!r}")
            return []


class Terminated:
    """Stands in a mailbox that gets no incarnation again: drops its mail, and fails every ask."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def turn(self) -> None:
        """Drop all mail."""
        while not self._mailbox.empty():
            self.drop(self._mailbox.get())
        self._mailbox.release()

    def drop(self, message: Any) -> None:
        """Drop one message as Pykka does: a stop has succeeded, any other ask raises ActorDeadError."""
        if (answer := reply_to(message)) is None:
            return
        if isinstance(message, Envelope) and isinstance(message.message, _ActorStop):
            resolve(answer, None)
        else:
            resolve_with_error(answer, ActorDeadError(f"{self._mailbox.name} has stopped"))


def terminate(mailbox: Mailbox) -> None:
    """Let no further incarnation into this mailbox. Needs the mailbox's token."""
    mailbox.incarnation = Terminated(mailbox)
    mailbox.incarnation.turn()


def reply_to(message: Any) -> Future[Any] | None:
    """Return the future of the reply to a message; None if it was told, not asked."""
    if isinstance(message, PoisonMessage):
        message = message.message
    return message.reply_to if isinstance(message, Envelope) else None


def count_failure(message: Any) -> PoisonMessage:
    """Return the message with one more failure counted."""
    if isinstance(message, PoisonMessage):
        return PoisonMessage(message.message, message.failures + 1)
    return PoisonMessage(message, 1)


def ask(mailbox: Mailbox, message: Any, timeout: float) -> Any:
    """Ask the actor in a mailbox and wait for its reply. For the wiring, and for asks down the tree.

    Raises pykka.Timeout after `timeout` seconds, and any exception that the actor raised.
    """
    answer = ReplyFuture()
    mailbox.tell(Envelope(message, reply_to=answer))
    return answer.get(timeout=timeout)


def stop(mailbox: Mailbox, timeout: float) -> None:
    """Have the actor handle the mail it has and stop; wait up to `timeout` seconds (pykka.Timeout)."""
    ask(mailbox, _ActorStop(), timeout)

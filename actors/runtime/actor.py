"""An actor that lives in a mailbox: Pykka's, with its loop replaced by turns.

What Pykka does on an error, and what is done here instead:

- a `tell` that raises kills the actor and drops its mail: the mail stays, the supervisor is told;
- `on_start` that raises runs no hook: the supervisor is told;
- SystemExit in one actor stops every actor: it is a failure of that one like any other;
- an answer set twice leaves a dead actor that says it is alive: the second answer is dropped.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, NamedTuple

import pykka
from pykka import ActorDeadError, ActorRef, ActorRegistry, Future
from pykka._envelope import Envelope
from pykka.messages import _ActorStop  # its own name for `stop`: there is no public one

from actors.runtime.futures import ReplyFuture, resolve, resolve_with_error
from actors.runtime.mailbox import Crashed, Mailbox, PoisonMessage, Stopped

MOST_PER_TURN = 256
"""Messages in one turn: enough to fill a commit, few enough to be fair to the other actors."""

MAX_DELIVERIES = 2
"""Incarnations a message may take with it before it is set aside."""


PONG = "pong"


class Ping(NamedTuple):
    """Ask: are you there? Every actor answers PONG."""


class Actor(pykka.Actor):
    """One incarnation. Subclasses implement `on_receive`, and `on_start`, `on_stop`, `on_failure`."""

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__()
        self.actor_inbox = mailbox
        self._actor_ref = ActorRef(self)  # again: the first one was made with the placeholder inbox
        self.mailbox = mailbox
        self._started = False
        self.at = 0

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        """Pykka asks before __init__ can say which mailbox; this one is thrown away."""
        return Mailbox("placeholder", lambda _: None)

    @staticmethod
    def _create_future() -> ReplyFuture:
        return ReplyFuture()

    def _start_actor_loop(self) -> None:
        self.mailbox.attach(self)

    def turn(self) -> None:
        """Handle some of the mail, then hand the mailbox on. Called by the dispatcher."""
        mail = self.mailbox.in_hand = deque[Any]()
        try:
            if not self._started:
                self._started = True
                self.on_start()
            mail.extend(self.mailbox.take_up_to(MOST_PER_TURN))
            self.mailbox.last_turn = time.monotonic()
            self.handle(mail)
        except BaseException as error:  # noqa: BLE001 - one actor's SystemExit must not stop the others
            self._crash(error, mail)
        else:
            self._end_turn(mail)

    def handle(self, mail: deque[Any]) -> None:
        """Deal with a turn's mail, taking out what is dealt with; what is left is put back.

        On an exception, `self.at` says which of what is left was at fault.
        """
        self.at = 0
        while mail and not self.actor_stopped.is_set():
            self._handle(mail[0])
            mail.popleft()

    def dead_letter(self, message: Any, error: BaseException) -> list[Any]:
        """What to put in the place of a message that took MAX_DELIVERIES incarnations with it.

        Nothing, here; an asker gets the error, and not as one that would end the asker as well.
        """
        if not isinstance(error, Exception):
            error = ActorDeadError(f"{self.mailbox.name} ended on this message: {error!r}")
        if (answer := reply_to(message)) is not None:
            resolve_with_error(answer, error)
        return []

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
            self._settle(message, None)
        else:
            self._answer(message)

    def _answer(self, envelope: Any) -> None:
        if envelope.reply_to is None:
            self._handle_receive(envelope.message)
            return
        try:
            message = envelope.message
            answer = PONG if isinstance(message, Ping) else self._handle_receive(message)
        except Exception as error:  # noqa: BLE001 - the asker gets it; the actor goes on
            resolve_with_error(envelope.reply_to, error)
        else:
            resolve(envelope.reply_to, answer)

    def _settle(self, envelope: Any, value: Any) -> None:
        if envelope.reply_to is not None:
            resolve(envelope.reply_to, value)

    def _vacate(self) -> None:
        """Leave as asked. Mail that came meanwhile stays for the supervisor to deal with."""
        self.mailbox.incarnation = None
        self._notify_supervisor(Stopped(self.mailbox))

    def _notify_supervisor(self, news: Stopped | Crashed) -> None:
        """Hand the token on with the news; where nobody supervises, nobody will live here again."""
        if self.mailbox.supervisor is None:
            terminate(self.mailbox)
        else:
            self.mailbox.supervisor.tell(news)

    def _crash(self, error: BaseException, mail: deque[Any]) -> None:
        """Leave after a failure: the mail stays, the message at fault marked or set aside."""
        poison = self._count_failure(mail, error) if self.at < len(mail) else None
        self.mailbox.requeue(mail)
        self.mailbox.incarnation = None
        self._unregister()
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except BaseException as again:  # noqa: BLE001 - cleaning up may fail too; the first error tells more
            error.add_note(f"on_failure failed too: {again!r}")
        self._notify_supervisor(Crashed(self.mailbox, error, poison))

    def _count_failure(self, mail: deque[Any], error: BaseException) -> PoisonMessage:
        poison = count_failure(mail[self.at])
        del mail[self.at]
        replacement = (
            [poison]
            if poison.failures < MAX_DELIVERIES
            else self._try_dead_letter(poison.message, error)
        )
        for message in replacement:
            mail.insert(self.at, message)
        return poison

    def _try_dead_letter(self, message: Any, error: BaseException) -> list[Any]:
        try:
            return self.dead_letter(message, error)
        except BaseException as again:  # noqa: BLE001 - the supervisor must be told whatever happens
            error.add_note(f"dead_letter failed too: {again!r}")
            return []

    def _unregister(self) -> None:
        ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()


class Terminated:
    """Lives in a mailbox that no actor will enter again: drops its mail and tells those who ask."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def turn(self) -> None:
        """Drop all there is."""
        while not self._mailbox.empty():
            self.drop(self._mailbox.get())
        self._mailbox.release()

    def drop(self, message: Any) -> None:
        """As Pykka does at an actor's end: a stop is done already, anything else meets a dead actor."""
        if (answer := reply_to(message)) is None:
            return
        if isinstance(message, Envelope) and isinstance(message.message, _ActorStop):
            resolve(answer, None)
        else:
            resolve_with_error(answer, ActorDeadError(f"{self._mailbox.name} has stopped"))


def terminate(mailbox: Mailbox) -> None:
    """Nobody will live here again. Needs the mailbox's token."""
    mailbox.incarnation = Terminated(mailbox)
    mailbox.incarnation.turn()


def reply_to(message: Any) -> Future[Any] | None:
    """Where the answer to a message goes; None where nobody asked."""
    if isinstance(message, PoisonMessage):
        message = message.message
    return message.reply_to if isinstance(message, Envelope) else None


def count_failure(message: Any) -> PoisonMessage:
    """The message, with one more death to its account."""
    if isinstance(message, PoisonMessage):
        return PoisonMessage(message.message, message.failures + 1)
    return PoisonMessage(message, 1)


def ask(mailbox: Mailbox, message: Any, timeout: float) -> Any:
    """Ask the incarnation of a mailbox and wait; for the wiring and for asks down the tree.

    Raises pykka.Timeout after `timeout` seconds, and whatever the actor raised.
    """
    answer = ReplyFuture()
    mailbox.tell(Envelope(message, reply_to=answer))
    return answer.get(timeout=timeout)


def stop(mailbox: Mailbox, timeout: float) -> None:
    """Have the incarnation handle the mail it has and leave; waits until it has."""
    ask(mailbox, _ActorStop(), timeout)

"""Asking and stopping actors that may be gone: for the wiring, when the system stops."""

from __future__ import annotations

import pykka
import structlog

from actors.actor import Gone, ask, stop
from actors.future import Answer
from actors.mailbox import Mailbox

log = structlog.get_logger()

STOP_SECONDS = 5.0
"""How long the wiring waits for an actor when it stops."""


def try_asking(mailbox: Mailbox, message: object) -> bool:
    """Ask an actor that may be gone; False where it did not answer."""
    if not is_there(mailbox):
        return False
    try:
        ask(mailbox, message, STOP_SECONDS)
    except (pykka.Timeout, pykka.ActorDeadError):
        log.error("actor did not answer", actor=mailbox.name)
        return False
    return True


def try_finishing(
    mailbox: Mailbox, message: object, done: Answer, seconds: float = STOP_SECONDS
) -> bool:
    """Let an actor end what it has begun, while all whom it asks are still there; `done` is set then.

    False where that has not happened after so many seconds.
    """
    if not is_there(mailbox):
        return True
    mailbox.tell(message)
    try:
        done.get(timeout=seconds)
    except (pykka.Timeout, pykka.ActorDeadError):
        log.error("an actor stopped with work undone", actor=mailbox.name)
        return False
    return True


def try_stopping(mailbox: Mailbox) -> None:
    """Have it leave; one that does not is logged."""
    try:
        if is_there(mailbox):
            stop(mailbox, STOP_SECONDS)
    except pykka.Timeout:
        log.error("actor did not stop", actor=mailbox.name)


def is_there(mailbox: Mailbox) -> bool:
    """False where nobody will answer: the actor was given up."""
    return not (mailbox.occupant is None or isinstance(mailbox.occupant, Gone))

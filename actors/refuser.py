"""An occupant that answers `unavailable`: lives in the mailbox of a tenant that cannot be served now."""

from __future__ import annotations

from collections import deque
from typing import Any

import structlog

from actors.actor import Actor
from actors.answers import refuse
from actors.mailbox import Mailbox
from actors.messages import DeadLetter, Passivate, Work
from transport.message import Refusal

log = structlog.get_logger()


class Refuser(Actor):
    """Refuses every request with one refusal, at once, until it is passivated.

    With `once` it leaves by itself after one turn, so that its leaving says: all that came is answered.
    """

    def __init__(self, mailbox: Mailbox, refusal: Refusal, *, once: bool = False) -> None:
        super().__init__(mailbox)
        self._refusal = refusal
        self._once = once

    def handle(self, mail: deque[Any]) -> None:
        """Answer a turn's mail."""
        super().handle(mail)
        if self._once:
            self._stop()

    def on_receive(self, message: Any) -> None:
        """Answer a request; leave when told to; other mail of the engine is let go with a note."""
        if isinstance(message, Work):
            refuse(message, self._refusal)
        elif isinstance(message, DeadLetter):
            refuse(message.work, self._refusal)
        elif isinstance(message, Passivate):
            self._stop()
        else:
            log.warning("mail dropped", mailbox=self.mailbox.name, message=type(message).__name__)

"""An occupant that answers `unavailable`: lives in the mailbox of a tenant that cannot be served now."""

from __future__ import annotations

from typing import Any

import structlog

from actors.actor import Actor
from actors.answers import refuse
from actors.mailbox import Mailbox
from actors.messages import DeadLetter, Passivate, Work
from transport.message import Refusal

log = structlog.get_logger()


class Refuser(Actor):
    """Refuses every request with one refusal, at once, until it is passivated."""

    def __init__(self, mailbox: Mailbox, refusal: Refusal) -> None:
        super().__init__(mailbox)
        self._refusal = refusal

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

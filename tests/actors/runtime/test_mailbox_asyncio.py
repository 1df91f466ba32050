"""A mailbox on a loop: turns in its thread, whatever ends the loop, and an end of its own."""

from __future__ import annotations

import sys
import threading
from queue import SimpleQueue
from typing import Any

import pytest

from actors.runtime.actor import Actor, stop
from actors.runtime.mailbox import AsyncioMailbox, Crashed, Stopped
from tests.actors.mailbox_harness import WAIT, Watch


class Writer(Actor):
    """Writes down in which thread it receives what."""

    mailbox: AsyncioMailbox

    def __init__(self, mailbox: AsyncioMailbox, heard: SimpleQueue[Any]) -> None:
        super().__init__(mailbox)
        self._heard = heard

    def handle(self, mail: Any) -> None:
        """Fails where the loop was ended."""
        error = self.mailbox.take_loop_error()
        if error is not None:
            self.at = len(mail)
            raise error
        super().handle(mail)

    def on_receive(self, message: Any) -> None:
        """Keep it."""
        self._heard.put((message, threading.current_thread()))

    def on_stop(self) -> None:
        """End the loop."""
        self.mailbox.stop()


def test_turns_are_taken_on_the_loop_until_the_occupant_is_stopped() -> None:
    heard: SimpleQueue[Any] = SimpleQueue()
    watch = Watch()
    mailbox = AsyncioMailbox("connector echo", watch)
    mailbox.tell("before anybody lives there")
    Writer.start(mailbox, heard)
    thread = heard.get(timeout=WAIT)[1]
    mailbox.tell("after")
    assert heard.get(timeout=WAIT) == ("after", thread)
    stop(mailbox, WAIT)
    assert isinstance(watch.hear(), Stopped)
    thread.join(WAIT)
    assert not thread.is_alive()
    mailbox.tell("too late")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_loop_fails_the_occupant_and_no_message(error: type[BaseException]) -> None:
    heard: SimpleQueue[Any] = SimpleQueue()
    watch = Watch()
    mailbox = AsyncioMailbox("connector echo", watch)
    Writer.start(mailbox, heard)
    mailbox.tell("first")
    thread = heard.get(timeout=WAIT)[1]
    mailbox.loop.call_soon_threadsafe(sys.exit if error is SystemExit else _interrupt)
    failed = watch.hear()
    assert isinstance(failed, Crashed)
    assert isinstance(failed.error, error)
    assert failed.message is None
    mailbox.tell("second")
    Writer.start(mailbox, heard)
    assert heard.get(timeout=WAIT) == ("second", thread)
    stop(mailbox, WAIT)


def _interrupt() -> None:
    raise KeyboardInterrupt

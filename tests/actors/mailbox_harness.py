"""Mailboxes for tests, whose supervisor is the test itself: it waits for news and lets in who it likes."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

import pykka

from actors.runtime.actor import stop
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import Dispatcher

WAIT = 10.0
"""Seconds after which a test gives up on an event that should come at once."""


class Watch(Mailbox):
    """A supervisor's mailbox from which a test reads what its children report."""

    __slots__ = ("_news",)

    def __init__(self) -> None:
        super().__init__("watch", lambda _: None)
        self._news: SimpleQueue[Any] = SimpleQueue()

    def tell(self, message: Any) -> None:
        """Keep it for the test."""
        self._news.put(message)

    def try_enqueue(self, message: Any) -> bool:
        """Keep it, too."""
        self.tell(message)
        return True

    def hear(self) -> Any:
        """The next report, when it comes."""
        return self._news.get(timeout=WAIT)

    def heard(self) -> list[Any]:
        """What has been reported by now."""
        found = []
        try:
            while True:
                found.append(self._news.get_nowait())
        except Empty:
            return found


class MailboxHarness:
    """Makes mailboxes on a pool of its own, and checks that no actor and no thread is left behind."""

    def __init__(self, threads: int = 2) -> None:
        self.watch = Watch()
        self.dispatcher = Dispatcher("harness", threads=threads)
        self._before = set(pykka.ActorRegistry.get_all())
        self._mailboxes: list[Mailbox] = []

    def mailbox(self, name: str = "child", *, supervised: bool = True, **options: Any) -> Mailbox:
        """A mailbox that no actor has yet, and whose token is held."""
        supervisor = self.watch if supervised else None
        mailbox = Mailbox(name, self.dispatcher.schedule, supervisor=supervisor, **options)
        self._mailboxes.append(mailbox)
        return mailbox

    def empty(self) -> None:
        """Stop every actor and every thread; fails where an actor stays registered."""
        for mailbox in self._mailboxes:
            if mailbox.incarnation is not None:
                stop(mailbox, WAIT)
        assert self.dispatcher.stop()
        assert set(pykka.ActorRegistry.get_all()) <= self._before


class Gate:
    """An incarnation that keeps its thread until it is opened."""

    def __init__(self) -> None:
        self._entered: SimpleQueue[None] = SimpleQueue()
        self._key: SimpleQueue[None] = SimpleQueue()

    def turn(self) -> None:
        """Block."""
        self._entered.put(None)
        self._key.get(timeout=WAIT)

    def block(self, schedule: Callable[[Mailbox], None]) -> None:
        """Occupy a thread, and wait until it is."""
        Mailbox("gate", schedule).attach(self)
        self.entered()

    def entered(self) -> None:
        """Wait until a thread is kept."""
        self._entered.get(timeout=WAIT)

    def open(self) -> None:
        """Let the thread go on."""
        self._key.put(None)

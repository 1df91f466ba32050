"""A mailbox whose occupant takes its turns on an asyncio loop, in a thread of its own.

What is told from other threads gets there by `call_soon_threadsafe`. The loop comes with the first
incarnation, outlives failures, and ends when the occupant is stopped. Where something ends the loop itself
(SystemExit in a library's callback), it is run again, with all that was scheduled, and the occupant fails
instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading

from actors.mailbox import Mailbox, Occupant


class LoopMailbox(Mailbox):
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

    def adopt(self, occupant: Occupant) -> None:
        """Let a new incarnation live here, on the loop of the one before where that only failed."""
        if self._thread is None:
            self._ends = False
            self._loop = loop = asyncio.new_event_loop()
            # Daemon: what a connector never returns from must not keep a stopped process alive.
            self._thread = threading.Thread(
                target=self._live, args=(loop,), name=self.name, daemon=True
            )
            self._thread.start()
        super().adopt(occupant)

    def silence(self) -> None:
        """For the occupant only: the loop ends after this turn."""
        self._ends, self._thread = True, None
        self.loop.stop()

    def crash(self) -> BaseException | None:
        """For the occupant only: what has ended the loop since it was last asked."""
        error, self._error = self._error, None
        return error

    def _call_soon(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed: nobody will live here any more
                self._loop.call_soon_threadsafe(self.run)

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ends:
            try:
                loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - the loop of this connector has to go on
                self._error = error
                self.wake()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

"""What a tenant does with its functions that may wait: their stretches in the turn, and their ends."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from actors.runtime.mailbox import Mailbox
from actors.tenant.gate import DISPLACED, STRETCH_LOST, Gate
from actors.tenant.held import Apart
from actors.tenant.parked import Parked
from actors.tenant.parking import Arrived, Parking
from actors.tenant.place import Displaced
from actors.tenant.stretch import Stretch, Stretches
from transport.message import Refusal

STOPPING = "the server is stopping"


class Waiting:
    """One tenant's. Each stretch is a transaction; after its commit the reply leaves, or the call."""

    def __init__(self, mailbox: Mailbox, gate: Gate, parking: Parking) -> None:
        """`mailbox` is the tenant's, which says when the server closes."""
        self._mailbox = mailbox
        self._gate = gate
        self._parking = parking

    def begin(self, apart: Apart) -> Stretch:
        """The first stretch of a request, in a transaction that is begun; `conclude` comes next."""
        return self._stretches.begin(apart)

    def arrived(self, message: Arrived) -> None:
        """Go on with a function; an answer that comes too late is nobody's any more."""
        function = self._parking.take(message)
        if function is None:
            return
        if function.deadline <= time.monotonic():
            self._close([(function, function.overdue())])
            return
        self._gate.begin()
        stretch = self._stretches.go_on(function)
        if stretch.held is not None:
            self._parking.end(function)
        self.conclude(stretch)

    def conclude(self, stretch: Stretch) -> None:
        """Commit a stretch; then the reply leaves, or the call."""
        if stretch.held is not None:
            self._gate.commit([stretch.held])
            return
        function, call = stretch.function, stretch.call
        assert function is not None
        assert call is not None
        if self._is_on_disk(stretch, function):
            function.mark = stretch.mark
            self._parking.park(function, call)

    def overdue(self) -> None:
        """Close those whose deadline is over, and once the server has to close, all of them."""
        closing = self._mailbox.closing
        if closing is not None and closing <= time.monotonic():
            self.cancel(STOPPING)
        else:
            self._close((each, each.overdue()) for each in self._parking.overdue())
        self._parking.watch()

    def cancel(self, cause: str, retry_after_ms: int | None = 1000) -> None:
        """Close all of them; whoever has nothing on disk may be sent again."""
        self._close(
            (function, function.cancelled(cause, retry_after_ms=retry_after_ms))
            for function in self._parking
        )

    def abandon(self, cause: str) -> None:
        """Close all of them where the database is not to be touched any more; the marks there stay."""
        for function in self._parking:
            self._parking.end(function)
            self._stretches.abandon(function)
            refusal = function.halfway(function.cancelled(cause, retry_after_ms=1000))
            self._gate.refuse(function.work, refusal)

    @property
    def _stretches(self) -> Stretches:
        """On the database that is open now."""
        return Stretches(self._gate.serving, self._parking)

    def _is_on_disk(self, stretch: Stretch, function: Parked) -> bool:
        """Commit; where that fails and the stretch is lost, its function is closed, and has called nobody."""
        try:
            self._gate.flush(wrote=stretch.wrote)
        except Displaced:
            self._parking.end(function)
            self._stretches.abandon(function)
            self._gate.refuse(function.work, function.halfway(DISPLACED))
            raise
        except sqlite3.Error as error:
            self._gate.failed(error, 1)
            if not self._is_kept(stretch, function):
                is_first = function.mark is None or self._gate.doubt
                self._close([(function, self._gate.lost(error) if is_first else STRETCH_LOST)])
                return False
        return True

    def _is_kept(self, stretch: Stretch, function: Parked) -> bool:
        """A stretch that wrote nothing has left no mark to tell, and counts as lost."""
        if self._gate.doubt or not stretch.wrote or stretch.mark is None:
            return False
        return self._gate.stored(function.work) == stretch.mark.packed()

    def _close(self, ended: Iterable[tuple[Parked, Refusal]]) -> None:
        """Refuse these, in one transaction."""
        closing = list(ended)
        if not closing:
            return
        self._gate.begin()
        for function, _ in closing:
            self._parking.end(function)
        stretches = self._stretches
        self._gate.commit([stretches.close(*each) for each in closing])

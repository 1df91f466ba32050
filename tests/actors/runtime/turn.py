"""An actor's turn that is one call, for tests of the threads that run turns."""

from __future__ import annotations

from collections.abc import Callable


class Turn:
    """An incarnation whose turn is one call."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def turn(self) -> None:
        """Call it."""
        self._call()

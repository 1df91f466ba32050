"""Seconds since the epoch, as far as access depends on them: they never go back."""

from __future__ import annotations

import time
from collections.abc import Callable


class Epoch:
    """One actor's view of the wall clock: when the machine's is set back, it stands until that has caught up.

    What has expired stays expired, then; what was granted lasts as much longer as the clock was set back, and
    never longer than that.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._latest = clock()

    def now(self) -> float:
        """Seconds since the epoch; never less than it said before."""
        self._latest = max(self._latest, self._clock())
        return self._latest

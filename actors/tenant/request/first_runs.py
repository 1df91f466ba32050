"""First runs: what was counted, charged and logged of a turn's requests when they were first served.

A turn may be served more than once before its commit (actors/tenant/request/turn.py). To the outside that is
once: a call is counted as started once, a function is charged for its first run, a request that had begun in
time is not too late, and a request is set aside and logged once.
"""

from __future__ import annotations

from actors.routing.health import FailureDetector, Running


class FirstRuns:
    """Belongs to the tenant's turn alone. Requests are known by their position in its mail."""

    __slots__ = ("_calls", "_charged", "_set_aside", "at", "is_repeated")

    def __init__(self) -> None:
        self.at = 0
        """The position of the request that is served now."""
        self.is_repeated = False
        """Whether the turn is served again."""
        self._calls: dict[tuple[int, FailureDetector], Running] = {}
        self._charged: set[int] = set()
        self._set_aside: set[int] = set()

    def clear(self, at: int) -> None:
        """Forget everything: another turn begins, and none of its requests is served yet."""
        self.at = at
        self._calls.clear()
        if self.is_repeated or self._charged or self._set_aside:
            self.is_repeated = False
            self._charged.clear()
            self._set_aside.clear()

    def start(self, detector: FailureDetector, tenant_id: str, trace_id: str) -> Running:
        """Start a call of the current request; one that was counted before keeps its number."""
        key = self.at, detector
        if self.is_repeated and (first := self._calls.get(key)) is not None:
            return detector.restart(first)
        running = self._calls[key] = detector.start(tenant_id, trace_id)
        return running

    def has_begun(self) -> bool:
        """Whether a function was called for the current request when the turn was served before."""
        return self.is_repeated and any(at == self.at for at, _ in self._calls)

    @property
    def is_charged(self) -> bool:
        """Whether the function of the current request was charged for."""
        return self.at in self._charged

    def charge(self) -> None:
        """Count the function of the current request as charged for."""
        self._charged.add(self.at)

    @property
    def is_set_aside(self) -> bool:
        """Whether the current request was set aside."""
        return self.at in self._set_aside

    def set_aside(self) -> None:
        """Count the current request as set aside."""
        self._set_aside.add(self.at)

"""A function that may wait, from its first stretch to its answer."""

from __future__ import annotations

from typing import Final

from actors.messages import Work
from actors.routing.route import Route
from actors.runtime.futures import Answer, Stepper
from actors.tenant.calls import Calls
from actors.tenant.lease import Lease
from actors.tenant.mark import Mark
from actors.tenant.sends import Sends
from actors.tenant.sqltext import KnownText
from transport.message import DEADLINE_EXCEEDED, UNAVAILABLE, Refusal

NOTHING_KEPT: Final = "nothing of it was committed"


class Parked:
    """One of them. It ends on the version that it began with, whatever is served by then."""

    __slots__ = (
        "awaits", "began", "calls", "digest", "known", "lease", "mark", "route", "sends", "stepper",
        "wait", "work",
    )  # fmt: skip

    def __init__(
        self,
        work: Work,
        route: Route,
        digest: bytes,
        known: KnownText,
        began: float,
        stepper: Stepper,
        lease: Lease,
        calls: Calls,
        sends: Sends,
    ) -> None:
        self.work = work
        self.route = route
        self.digest = digest
        """Of the request's content; empty for a read, whose id is not remembered."""
        self.known = known
        """The SQL text of the code that it is part of."""
        self.began = began
        """time.monotonic() in seconds."""
        self.stepper = stepper
        self.lease = lease
        self.calls = calls
        self.sends = sends
        self.mark: Mark | None = None
        """What is on disk of it; None as long as nothing is."""
        self.awaits: Answer | None = None
        """None before its first wait."""
        self.wait = 0
        """Number of the wait that it is in, or was in last."""

    @property
    def id(self) -> tuple[str, str]:
        """Under which its reply will stand: the caller, and the request's id."""
        return self.work.principal.caller, self.work.request.id

    @property
    def deadline(self) -> float:
        """time.monotonic() after which nobody waits for it, in seconds."""
        return self.work.received + self.work.request.timeout_ms / 1000

    def overdue(self) -> Refusal:
        """Why it is closed once the deadline is over."""
        timeout = self.work.request.timeout_ms
        return self.cancelled(
            f"not finished within {timeout} ms, and closed while it waited", DEADLINE_EXCEEDED
        )

    def cancelled(
        self, cause: str, code: str = UNAVAILABLE, retry_after_ms: int | None = None
    ) -> Refusal:
        """Why it is closed, and that nothing is on disk of it, where that is so; else see `halfway`."""
        if self.mark is None:
            return Refusal(code, f"{cause}; {NOTHING_KEPT}", retry_after_ms=retry_after_ms)
        return Refusal(code, cause)

    def halfway(self, refusal: Refusal) -> Refusal:
        """The refusal as it is stored where something is on disk: it stays, so there is no trying again."""
        return refusal if self.mark is None else self.mark.on(refusal)

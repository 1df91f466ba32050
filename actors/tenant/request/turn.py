"""A turn of requests: they are served in one transaction, and their replies are held for its commit.

Requests are served without savepoints at first: most succeed, and at each savepoint SQLite writes out what
full-text indexes have buffered. If a request fails after it may have written, the transaction is rolled back
before any refusal is made, and the turn is served again from its first request, now with a savepoint around
each. The same happens if the replies cannot be stored or the indexes not be written at the end, so that a
full quota is the refusal of the request that met it.

SQLite may also end a transaction by itself: a full quota, an interrupted write, an I/O error. The request at
fault is settled with its refusal then, and the others are served again, since none of them was answered yet.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from actors.messages import TenantRequest
from actors.tenant.request.outcome import NeedsOwnTransaction, NeedsSavepoints
from actors.tenant.request.pending import HeldReply, is_request
from actors.tenant.request.unit_of_work import UnitOfWork
from transport.frames import HEAVY_BYTES
from transport.message import INTERNAL, NOT_SUBSCRIBED, Refusal

MOST_CAREFUL_TURNS: Final = 256
"""Turns with savepoints, at the most, until one is tried without."""

SLICE_SECONDS: Final = 0.002
"""Seconds after which a turn looks whether its requests are heavy."""

HEAVY_REQUESTS: Final = 2
"""Requests in a slice, at the most, that are heavy: others that wait compute after them.

Light requests are served together, for HAND_ON_AFTER if others wait: each hand-over between threads costs
as much as one of them.
"""

MADE_ONCE: Final = frozenset({INTERNAL, NOT_SUBSCRIBED})
"""Codes of refusals that are not made again when the turn is: they were logged, or a function worded them."""


def careful_turns(repeated: int) -> int:
    """Return how many turns have savepoints from the start, after so many turns in a row were served again.

    Pure. A turn that is served again costs twice, so a tenant whose requests keep failing after they have
    written does not pay for the attempt each time.
    """
    return min(4 ** (repeated - 1), MOST_CAREFUL_TURNS) if repeated else 0


class SavepointPolicy:
    """Whether the next turn of one tenant has savepoints from the start."""

    __slots__ = ("_careful", "_repeated")

    def __init__(self) -> None:
        self._careful = 0
        self._repeated = 0

    @property
    def is_careful(self) -> bool:
        """Whether to use savepoints."""
        return self._careful > 0

    def ended(self, *, repeated: bool) -> None:
        """Count a turn that wrote or had savepoints; `repeated` if it was served again, with savepoints."""
        if repeated:
            self._repeated += 1
            self._careful = careful_turns(self._repeated)
        elif self._careful:
            self._careful -= 1
        else:
            self._repeated = 0


class Turn:
    """Serves the requests at the head of a tenant's mail, up to other mail or the end of its time."""

    __slots__ = (
        "_ends",
        "_is_careful",
        "_mail",
        "_policy",
        "_reached",
        "_runs",
        "_settled",
        "_unit_of_work",
    )

    def __init__(
        self, unit_of_work: UnitOfWork, policy: SavepointPolicy, mail: Sequence[Any], ends: float
    ) -> None:
        """`ends` is time.monotonic() in seconds; the first request is served even if that has passed."""
        self._unit_of_work = unit_of_work
        self._policy = policy
        self._mail = mail
        self._ends = ends
        self._is_careful = policy.is_careful
        self._reached = (
            0  # how far it was served before: a repetition goes as far, whatever the time
        )
        self._runs = unit_of_work.handler.first_runs
        self._settled: dict[int, HeldReply] = {}

    @property
    def at(self) -> int:
        """The position in the mail of the request that is served now, or was last."""
        return self._runs.at

    def serve(self) -> list[HeldReply]:
        """Return the replies to be committed; all that they depend on is in the transaction.

        Raises NeedsOwnTransaction, with the transaction begun and nothing done in it, if the first request
        needs it for itself.
        """
        self._runs.clear(at=len(self._mail))  # what fails before the first is no request's fault
        was_careful = self._is_careful
        while (pending := self._attempt()) is None:
            self._reached = max(self._reached, self.at)
            self._runs.is_repeated = True
        repeated = self._is_careful and not was_careful
        if self._is_careful or any(one.wrote for one in pending):
            self._policy.ended(repeated=repeated)
        return pending

    def _attempt(self) -> list[HeldReply] | None:
        """Serve the requests once. Return None if they have to be served again; all is rolled back then."""
        unit_of_work = self._unit_of_work
        unit_of_work.begin(savepoints=self._is_careful)
        unit_of_work.handler.stored.begin(self._mail, at_once=not self._is_careful)
        unit_of_work.handler.screening.begin(self._mail)
        try:
            pending = self._serve_each()
            if pending is not None:
                unit_of_work.complete(pending)
        except NeedsSavepoints:
            unit_of_work.database.rollback()
            self._is_careful = True
            return None
        return pending

    def _serve_each(self) -> list[HeldReply] | None:
        unit_of_work, runs, settled = self._unit_of_work, self._runs, self._settled
        database = unit_of_work.database
        handle, conclude = unit_of_work.handler.handle, unit_of_work.conclude
        offer, hand_on = unit_of_work.compute.offer, unit_of_work.compute.hand_on
        pending: list[HeldReply] = []
        now = slice_began = time.monotonic()
        slice_at = 0
        for at, message in enumerate(self._mail):
            is_plain = type(message) is TenantRequest  # nearly all are, and a call for each costs
            if not (is_plain or is_request(message)) or (
                pending and now > self._ends and at > self._reached
            ):
                break
            if is_heavy := is_plain and message.size > HEAVY_BYTES:
                unit_of_work.compute.release()  # others would wait until they may steal it
            runs.at = at
            answer = settled.get(at)
            if answer is None:
                try:
                    answer = conclude(handle(message, now))
                except NeedsOwnTransaction:
                    if not pending:
                        raise
                    break
                now = answer.ended
                if is_heavy or now - slice_began > SLICE_SECONDS:
                    if is_heavy or at - slice_at < HEAVY_REQUESTS:
                        offer()
                    else:
                        hand_on()
                    now = time.monotonic()
                    slice_began, slice_at = now, at + 1
                if answer.refusal is not None and self._is_final(answer.refusal):
                    settled[at] = answer
            if not database.in_transaction:
                settled[at] = answer
                return None
            pending.append(answer)
        return pending

    def _is_final(self, refusal: Refusal) -> bool:
        """Whether a refusal holds if the turn is served again. A dead letter has to be written again."""
        return refusal.code in MADE_ONCE and not self._runs.is_set_aside

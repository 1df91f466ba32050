"""The table `tenantry_outbox`: what functions have sent, until it is done or given up.

A row is `waiting` until the connector has answered; then it is gone, or where somebody is to hear of it,
`answered` or `failed` until he has; `dead` is what was given up, until a person sends it again. `next_at`
says when something is to be done with it; it is null for the dead, and for an ordered one behind another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from actors.tenant import outbox_text as text
from transport.fit import fit_map


def packed(value: Mapping[str, Any]) -> bytes:
    """As it stands in the outbox: JSON, for people to read; ValueError, TypeError of what is none."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


class Sent(NamedTuple):
    """One delivery, as a function asked for it."""

    key: str
    operation: str
    params: bytes
    """As JSON, made at once: the function may go on changing the map."""
    then: str | None
    ordered: bool


WAITING: Final = "waiting"
ANSWERED: Final = "answered"
FAILED: Final = "failed"
DEAD: Final = "dead"


FURTHEST: Final = 24 * 3600.0
"""Seconds that a due time may lie ahead. One further off is of a clock that was wrong, and is due."""


class OutboxRow(NamedTuple):
    """One delivery. Times are in seconds since the epoch."""

    id: int
    key: str
    """Idempotency key: the same for every attempt, over restarts, too."""
    operation: str
    params: bytes
    """As JSON."""
    then_action: str | None
    ordered: int
    sent_by: str
    """`Principal.id` of whoever called the function that sent it."""
    trace_id: str
    created_at: float
    state: str
    attempts: int
    """That were answered; one that a crash has cut off is not counted."""
    next_at: float | None
    last_error: str | None
    outcome: bytes | None
    """As JSON, once there is one: {"ok": …, "result" or "error": …}."""
    tellings: int
    """How often `then_action` has been told in vain."""
    revived: int
    """How often a person has brought it back from the dead letters."""

    @property
    def told_as(self) -> str:
        """Id of the request that tells `then_action`: its idempotency key."""
        return f"{self.key}-{self.revived}" if self.revived else self.key


class OutboxTable:
    """In one open database; every method belongs to the tenant's turn. Errors are the driver's own."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Any) -> None:
        """`execute` is the driver connection's."""
        self._execute = execute

    def put(self, sent: Iterable[Sent], by: str, trace_id: str, now: float) -> None:
        """In the transaction of the function that sent it."""
        for each in sent:
            values = (each.key, each.operation, each.params, each.then, int(each.ordered))
            self._execute(text.PUT, (*values, by, trace_id, now))

    def get(self, id_: int) -> OutboxRow | None:
        """None where it is done."""
        found = self._execute(text.GET, (id_,)).fetchone()
        return found and OutboxRow(*found)

    def due(self, now: float, most: int) -> list[OutboxRow]:
        """Those that something is to be done with, the longest due first."""
        return [OutboxRow(*row) for row in self._execute(text.DUE, (now, now + FURTHEST, most))]

    def first(self) -> float | None:
        """When the first is due; None where nothing is to be done."""
        found: float | None = self._execute(text.FIRST).fetchone()[0]
        return found

    def first_after(self, now: float) -> float | None:
        """When the first is due that is not due yet."""
        found: float | None = self._execute(text.FIRST_AFTER, (now, now + FURTHEST)).fetchone()[0]
        return found

    def remove(self, id_: int) -> None:
        """It is done, and nobody is to hear of it."""
        self._execute(text.REMOVE, (id_,))

    def postpone(self, id_: int, until: float, error: str) -> None:
        """An attempt has failed, and another may help."""
        self._execute(text.POSTPONE, (id_, until, error))

    def conclude(
        self, id_: int, outcome: Mapping[str, Any], *, tell_at: float | None, error: str | None
    ) -> None:
        """There will be no other attempt; without `tell_at` nobody is to hear of it, and it is dead."""
        state = DEAD if tell_at is None else ANSWERED if outcome["ok"] else FAILED
        self._execute(text.CONCLUDE, (id_, state, tell_at, packed(fit_map(outcome)), error))

    def advance(self, operation: str, now: float) -> None:
        """One of an order is done: the next becomes due."""
        self._execute(text.ADVANCE, (operation, now))

    def tell_later(self, id_: int, until: float, error: str) -> None:
        """`then_action` could not be served, and may be later."""
        self._execute(text.TELL_LATER, (id_, until, error))

    def bury(self, id_: int, error: str) -> None:
        """Leave it to people."""
        self._execute(text.BURY, (id_, error))

    def told(self, id_: int) -> bool:
        """`then_action` has heard; False where it had before, and then what it did now must not stay."""
        gone: int = self._execute(text.TOLD_OF_SUCCESS, (id_,)).rowcount
        return gone == 1 or self._execute(text.TOLD_OF_FAILURE, (id_,)).rowcount == 1

    def page(self, *, dead: bool, connector: str | None, after: int, limit: int) -> list[OutboxRow]:
        """In the order of sending: the dead, or all others."""
        found = self._execute(text.PAGE, (int(dead), after, connector, limit))
        return [OutboxRow(*row) for row in found]

    def revive(self, now: float, id_: int | None, connector: str | None) -> int:
        """Bring dead ones back, one or all of a connector; how many it were."""
        found: int = self._execute(text.REVIVE, (now, id_, connector)).rowcount
        return found

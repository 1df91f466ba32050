"""The table `tenantry_outbox`: what functions have sent, until it is done or given up.

A row is `waiting` until the connector has answered; then it is gone, or where somebody is to hear of it,
`answered` or `failed` until he has; `dead` is what was given up, until a person sends it again. `next_at`
says when something is to be done with it; it is null for the dead, and for an ordered one behind another.

The engine's own SQL for the outbox; marked for the same reason as the rest (engine_text.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from actors.log.redaction import SUMMARY
from actors.tenant.database.guard import engine_sql
from transport.fit import fit_map

COLUMNS: Final = (
    "id, key, operation, params, then_action, ordered, sent_by, trace_id, created_at, state, attempts, "
    "next_at, last_error, outcome, tellings, revived"
)

PUT: Final = engine_sql(
    "INSERT INTO tenantry_outbox "
    "(key, operation, params, then_action, ordered, sent_by, trace_id, created_at, state, next_at) "
    "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting', CASE WHEN ?5 = 1 AND EXISTS ("
    "SELECT 1 FROM tenantry_outbox WHERE operation = ?2 AND ordered = 1 AND state = 'waiting'"
    ") THEN NULL ELSE ?8 END"
)
"""An ordered one behind another has no time of its own: it becomes due when the one before is done."""

GET: Final = engine_sql(f"SELECT {COLUMNS} FROM tenantry_outbox WHERE id = ?")  # noqa: S608 - constants
DUE: Final = engine_sql(
    f"SELECT {COLUMNS} FROM tenantry_outbox "  # noqa: S608 - constants
    "WHERE next_at <= ?1 OR next_at > ?2 ORDER BY next_at, id LIMIT ?3"
)
FIRST: Final = engine_sql("SELECT min(next_at) FROM tenantry_outbox WHERE next_at IS NOT NULL")
FIRST_AFTER: Final = engine_sql(
    "SELECT min(next_at) FROM tenantry_outbox WHERE next_at > ?1 AND next_at <= ?2"
)

REMOVE: Final = engine_sql("DELETE FROM tenantry_outbox WHERE id = ?")
POSTPONE: Final = engine_sql(
    "UPDATE tenantry_outbox SET attempts = attempts + 1, next_at = ?2, last_error = ?3 WHERE id = ?1"
)
FINISH: Final = engine_sql(
    "UPDATE tenantry_outbox SET state = ?2, attempts = attempts + 1, next_at = ?3, outcome = ?4, "
    "last_error = ?5 WHERE id = ?1"
)
RELEASE_NEXT: Final = engine_sql(
    "UPDATE tenantry_outbox SET next_at = ?2 WHERE next_at IS NULL AND id = ("
    "SELECT min(id) FROM tenantry_outbox WHERE operation = ?1 AND ordered = 1 AND state = 'waiting')"
)
RETRY_NOTIFICATION: Final = engine_sql(
    "UPDATE tenantry_outbox SET tellings = tellings + 1, next_at = ?2, last_error = ?3 WHERE id = ?1"
)
MARK_DEAD: Final = engine_sql(
    "UPDATE tenantry_outbox SET state = 'dead', next_at = NULL, last_error = ?2 WHERE id = ?1"
)
NOTIFIED_SUCCESS: Final = engine_sql(
    "DELETE FROM tenantry_outbox WHERE id = ? AND state = 'answered'"
)
NOTIFIED_FAILURE: Final = engine_sql(
    "UPDATE tenantry_outbox SET state = 'dead', next_at = NULL WHERE id = ? AND state = 'failed'"
)

MAX_SHOWN_BYTES: Final = 64 * 1024
"""Bytes of params, as JSON, that a page holds; of larger ones it says how large they are."""

SHOWN: Final = COLUMNS.replace(
    " params,",
    f" CASE WHEN length(params) <= {MAX_SHOWN_BYTES} THEN params "
    f"ELSE json_object('{SUMMARY}', length(params) || ' bytes') END,",
).replace(" outcome,", " NULL,")
"""What people look at: a page of mails with their attachments would be hundreds of megabytes."""

PAGE: Final = engine_sql(
    f"SELECT {SHOWN} FROM tenantry_outbox WHERE (state = 'dead') = ?1 AND id > ?2 "  # noqa: S608 - constants
    "AND (?3 IS NULL OR substr(operation, 1, length(?3) + 1) = ?3 || '.') ORDER BY id LIMIT ?4"
)
RETRY: Final = engine_sql(
    "UPDATE tenantry_outbox SET attempts = 0, tellings = 0, ordered = 0, next_at = ?1, "
    "revived = revived + 1, state = CASE WHEN json_extract(CAST(outcome AS TEXT), '$.ok') "
    "THEN 'answered' ELSE 'waiting' END WHERE state = 'dead' "
    "AND (?2 IS NULL OR id = ?2) AND (?3 IS NULL OR substr(operation, 1, length(?3) + 1) = ?3 || '.')"
)
"""What was done outside, and failed only where it was told, is told again and not done again."""


def encode(value: Mapping[str, Any]) -> bytes:
    """As it stands in the outbox: JSON, for people to read; ValueError, TypeError of what is none."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


class OutboxMessage(NamedTuple):
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


MAX_AHEAD: Final = 24 * 3600.0
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
    def callback_id(self) -> str:
        """Id of the request that tells `then_action`: its idempotency key."""
        return f"{self.key}-{self.revived}" if self.revived else self.key


class OutboxTable:
    """In one open database; every method belongs to the tenant's turn. Errors are the driver's own."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Any) -> None:
        """`execute` is the driver connection's."""
        self._execute = execute

    def put(self, sent: Iterable[OutboxMessage], by: str, trace_id: str, now: float) -> None:
        """In the transaction of the function that sent it."""
        for each in sent:
            values = (each.key, each.operation, each.params, each.then, int(each.ordered))
            self._execute(PUT, (*values, by, trace_id, now))

    def get(self, id_: int) -> OutboxRow | None:
        """None where it is done."""
        found = self._execute(GET, (id_,)).fetchone()
        return found and OutboxRow(*found)

    def due(self, now: float, most: int) -> list[OutboxRow]:
        """Those that something is to be done with, the longest due first."""
        return [OutboxRow(*row) for row in self._execute(DUE, (now, now + MAX_AHEAD, most))]

    def first(self) -> float | None:
        """When the first is due; None where nothing is to be done."""
        found: float | None = self._execute(FIRST).fetchone()[0]
        return found

    def first_after(self, now: float) -> float | None:
        """When the first is due that is not due yet."""
        found: float | None = self._execute(FIRST_AFTER, (now, now + MAX_AHEAD)).fetchone()[0]
        return found

    def remove(self, id_: int) -> None:
        """It is done, and nobody is to hear of it."""
        self._execute(REMOVE, (id_,))

    def postpone(self, id_: int, until: float, error: str) -> None:
        """An attempt has failed, and another may help."""
        self._execute(POSTPONE, (id_, until, error))

    def finish(
        self, id_: int, outcome: Mapping[str, Any], *, tell_at: float | None, error: str | None
    ) -> None:
        """There will be no other attempt; without `tell_at` nobody is to hear of it, and it is dead."""
        state = DEAD if tell_at is None else ANSWERED if outcome["ok"] else FAILED
        self._execute(FINISH, (id_, state, tell_at, encode(fit_map(outcome)), error))

    def release_next(self, operation: str, now: float) -> None:
        """One of an order is done: the next becomes due."""
        self._execute(RELEASE_NEXT, (operation, now))

    def retry_notification(self, id_: int, until: float, error: str) -> None:
        """`then_action` could not be served, and may be later."""
        self._execute(RETRY_NOTIFICATION, (id_, until, error))

    def mark_dead(self, id_: int, error: str) -> None:
        """Leave it to people."""
        self._execute(MARK_DEAD, (id_, error))

    def mark_notified(self, id_: int) -> bool:
        """`then_action` has heard; False where it had before, and then what it did now must not stay."""
        gone: int = self._execute(NOTIFIED_SUCCESS, (id_,)).rowcount
        return gone == 1 or self._execute(NOTIFIED_FAILURE, (id_,)).rowcount == 1

    def page(self, *, dead: bool, connector: str | None, after: int, limit: int) -> list[OutboxRow]:
        """In the order of sending: the dead, or all others."""
        found = self._execute(PAGE, (int(dead), after, connector, limit))
        return [OutboxRow(*row) for row in found]

    def retry(self, now: float, id_: int | None, connector: str | None) -> int:
        """Bring dead ones back, one or all of a connector; how many it were."""
        found: int = self._execute(RETRY, (now, id_, connector)).rowcount
        return found

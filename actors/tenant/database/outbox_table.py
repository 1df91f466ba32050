"""The table `tenantry_outbox`: deliveries that functions have sent, until they are done or given up.

A row is `waiting` until the connector has replied. Then it is removed, or if it names a `then` action,
`answered` or `failed` until that action has accepted the outcome. A row that was given up is `dead` until a
person retries it. `next_at` is when the row is due; it is null for dead rows, and for an ordered row behind
another one.

The engine's own SQL is tagged for the same reason as the rest (guard.py).
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
"""An ordered row behind another has no `next_at`: it becomes due when the one before is done."""

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
"""Bytes of params, as JSON, that a page shows; of larger params it shows the size."""

SHOWN: Final = COLUMNS.replace(
    " params,",
    f" CASE WHEN length(params) <= {MAX_SHOWN_BYTES} THEN params "
    f"ELSE json_object('{SUMMARY}', length(params) || ' bytes') END,",
).replace(" outcome,", " NULL,")
"""Columns of a page for people: mails with their attachments would make it hundreds of megabytes."""

PAGE: Final = engine_sql(
    f"SELECT {SHOWN} FROM tenantry_outbox WHERE (state = 'dead') = ?1 AND id > ?2 "  # noqa: S608 - constants
    "AND (?3 IS NULL OR substr(operation, 1, length(?3) + 1) = ?3 || '.') ORDER BY id LIMIT ?4"
)
THESE_DEAD: Final = (
    "WHERE state = 'dead' AND (?1 IS NULL OR id = ?1) "
    "AND (?2 IS NULL OR substr(operation, 1, length(?2) + 1) = ?2 || '.')"
)
DEAD_ONES: Final = engine_sql(
    f"SELECT id, revived FROM tenantry_outbox {THESE_DEAD} ORDER BY id"  # noqa: S608 - constants
)
RETRY: Final = engine_sql(
    "UPDATE tenantry_outbox SET attempts = 0, tellings = 0, ordered = 0, next_at = ?3, "  # noqa: S608 - constants
    "revived = revived + 1, state = CASE WHEN json_extract(CAST(outcome AS TEXT), '$.ok') "
    f"THEN 'answered' ELSE 'waiting' END {THESE_DEAD}"
)
"""A delivery that succeeded, and failed only in its notification, is notified again and not sent again."""


def encode(value: Mapping[str, Any]) -> bytes:
    """Return the stored form.

    JSON, for people to read. Raises ValueError or TypeError if it is no JSON value.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


class OutboxMessage(NamedTuple):
    """One delivery, as a function asked for it."""

    key: str
    operation: str
    params: bytes
    """As JSON, encoded at once, since the function may change the map later."""
    then: str | None
    ordered: bool


WAITING: Final = "waiting"
ANSWERED: Final = "answered"
FAILED: Final = "failed"
DEAD: Final = "dead"


MAX_AHEAD: Final = 24 * 3600.0
"""Seconds that a due time may lie ahead. One further ahead comes from a wrong clock, and is due."""


class OutboxRow(NamedTuple):
    """One delivery. Times are in seconds since the epoch."""

    id: int
    key: str
    """Idempotency key: the same for every attempt, also over restarts."""
    operation: str
    params: bytes
    """As JSON."""
    then_action: str | None
    ordered: int
    sent_by: str
    """`Principal.id` of the caller of the function that sent it."""
    trace_id: str
    created_at: float
    state: str
    attempts: int
    """Attempts that ended with an outcome; one that a crash cut off is not counted."""
    next_at: float | None
    last_error: str | None
    outcome: bytes | None
    """As JSON, once there is one: {"ok": …, "result" or "error": …}."""
    tellings: int
    """Failed notifications of `then_action`."""
    revived: int
    """How often a person has retried it after it was given up."""

    @property
    def callback_id(self) -> str:
        """Id of the request that notifies `then_action`: its idempotency key."""
        return f"{self.key}-{self.revived}" if self.revived else self.key


class OutboxTable:
    """The table in one open database.

    Every method belongs to the tenant's turn; errors are the driver's own.
    """

    __slots__ = ("_execute",)

    def __init__(self, execute: Any) -> None:
        """`execute` is that of the driver's connection."""
        self._execute = execute

    def put(self, sent: Iterable[OutboxMessage], by: str, trace_id: str, now: float) -> None:
        """Insert deliveries, in the transaction of the function that sent them."""
        for each in sent:
            values = (each.key, each.operation, each.params, each.then, int(each.ordered))
            self._execute(PUT, (*values, by, trace_id, now))

    def get(self, id_: int) -> OutboxRow | None:
        """Return a row, or None if it is done."""
        found = self._execute(GET, (id_,)).fetchone()
        return found and OutboxRow(*found)

    def due(self, now: float, most: int) -> list[OutboxRow]:
        """Return the due rows, the longest due first."""
        return [OutboxRow(*row) for row in self._execute(DUE, (now, now + MAX_AHEAD, most))]

    def first(self) -> float | None:
        """Return when the first row is due, or None."""
        found: float | None = self._execute(FIRST).fetchone()[0]
        return found

    def first_after(self, now: float) -> float | None:
        """Return when the first row is due that is not due yet, or None."""
        found: float | None = self._execute(FIRST_AFTER, (now, now + MAX_AHEAD)).fetchone()[0]
        return found

    def remove(self, id_: int) -> None:
        """Remove a row that is done and names no `then` action."""
        self._execute(REMOVE, (id_,))

    def postpone(self, id_: int, until: float, error: str) -> None:
        """Schedule another attempt after one that failed."""
        self._execute(POSTPONE, (id_, until, error))

    def finish(
        self, id_: int, outcome: Mapping[str, Any], *, tell_at: float | None, error: str | None
    ) -> None:
        """Store the outcome of the last attempt.

        Without `tell_at` there is no `then` action, and the row is dead.
        """
        state = DEAD if tell_at is None else ANSWERED if outcome["ok"] else FAILED
        self._execute(FINISH, (id_, state, tell_at, encode(fit_map(outcome)), error))

    def release_next(self, operation: str, now: float) -> None:
        """Make the next ordered row of an operation due, after one is done."""
        self._execute(RELEASE_NEXT, (operation, now))

    def retry_notification(self, id_: int, until: float, error: str) -> None:
        """Schedule another notification after one that failed."""
        self._execute(RETRY_NOTIFICATION, (id_, until, error))

    def mark_dead(self, id_: int, error: str) -> None:
        """Give a row up; only a person retries it."""
        self._execute(MARK_DEAD, (id_, error))

    def mark_notified(self, id_: int) -> bool:
        """Mark `then_action` as notified. False if it was before; its effects must then be rolled back."""
        gone: int = self._execute(NOTIFIED_SUCCESS, (id_,)).rowcount
        return gone == 1 or self._execute(NOTIFIED_FAILURE, (id_,)).rowcount == 1

    def page(self, *, dead: bool, connector: str | None, after: int, limit: int) -> list[OutboxRow]:
        """Return a page of rows in the order of sending: the dead, or all others."""
        found = self._execute(PAGE, (int(dead), after, connector, limit))
        return [OutboxRow(*row) for row in found]

    def dead(self, id_: int | None, connector: str | None) -> list[tuple[int, int]]:
        """Return the dead rows that `retry` would retry: their ids, and how often each was before."""
        found: list[tuple[int, int]] = self._execute(DEAD_ONES, (id_, connector)).fetchall()
        return found

    def retry(self, now: float, id_: int | None, connector: str | None) -> int:
        """Retry dead rows, one or all of a connector; return how many."""
        found: int = self._execute(RETRY, (id_, connector, now)).rowcount
        return found

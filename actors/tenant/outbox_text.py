"""The engine's own SQL for the outbox; marked for the same reason as the rest (engine_text.py)."""

from __future__ import annotations

from typing import Final

from actors.log.redaction import SUMMARY
from actors.tenant.engine_text import marked

COLUMNS: Final = (
    "id, key, operation, params, then_action, ordered, sent_by, trace_id, created_at, state, attempts, "
    "next_at, last_error, outcome, tellings, revived"
)

PUT: Final = marked(
    "INSERT INTO tenantry_outbox "
    "(key, operation, params, then_action, ordered, sent_by, trace_id, created_at, state, next_at) "
    "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting', CASE WHEN ?5 = 1 AND EXISTS ("
    "SELECT 1 FROM tenantry_outbox WHERE operation = ?2 AND ordered = 1 AND state = 'waiting'"
    ") THEN NULL ELSE ?8 END"
)
"""An ordered one behind another has no time of its own: it becomes due when the one before is done."""

GET: Final = marked(f"SELECT {COLUMNS} FROM tenantry_outbox WHERE id = ?")  # noqa: S608 - constants
DUE: Final = marked(
    f"SELECT {COLUMNS} FROM tenantry_outbox "  # noqa: S608 - constants
    "WHERE next_at <= ?1 OR next_at > ?2 ORDER BY next_at, id LIMIT ?3"
)
FIRST: Final = marked("SELECT min(next_at) FROM tenantry_outbox WHERE next_at IS NOT NULL")
FIRST_AFTER: Final = marked(
    "SELECT min(next_at) FROM tenantry_outbox WHERE next_at > ?1 AND next_at <= ?2"
)

REMOVE: Final = marked("DELETE FROM tenantry_outbox WHERE id = ?")
POSTPONE: Final = marked(
    "UPDATE tenantry_outbox SET attempts = attempts + 1, next_at = ?2, last_error = ?3 WHERE id = ?1"
)
CONCLUDE: Final = marked(
    "UPDATE tenantry_outbox SET state = ?2, attempts = attempts + 1, next_at = ?3, outcome = ?4, "
    "last_error = ?5 WHERE id = ?1"
)
ADVANCE: Final = marked(
    "UPDATE tenantry_outbox SET next_at = ?2 WHERE next_at IS NULL AND id = ("
    "SELECT min(id) FROM tenantry_outbox WHERE operation = ?1 AND ordered = 1 AND state = 'waiting')"
)
TELL_LATER: Final = marked(
    "UPDATE tenantry_outbox SET tellings = tellings + 1, next_at = ?2, last_error = ?3 WHERE id = ?1"
)
BURY: Final = marked(
    "UPDATE tenantry_outbox SET state = 'dead', next_at = NULL, last_error = ?2 WHERE id = ?1"
)
TOLD_OF_SUCCESS: Final = marked("DELETE FROM tenantry_outbox WHERE id = ? AND state = 'answered'")
TOLD_OF_FAILURE: Final = marked(
    "UPDATE tenantry_outbox SET state = 'dead', next_at = NULL WHERE id = ? AND state = 'failed'"
)

MOST_SHOWN: Final = 64 * 1024
"""Bytes of params, as JSON, that a page holds; of larger ones it says how large they are."""

SHOWN: Final = COLUMNS.replace(
    " params,",
    f" CASE WHEN length(params) <= {MOST_SHOWN} THEN params "
    f"ELSE json_object('{SUMMARY}', length(params) || ' bytes') END,",
).replace(" outcome,", " NULL,")
"""What people look at: a page of mails with their attachments would be hundreds of megabytes."""

PAGE: Final = marked(
    f"SELECT {SHOWN} FROM tenantry_outbox WHERE (state = 'dead') = ?1 AND id > ?2 "  # noqa: S608 - constants
    "AND (?3 IS NULL OR substr(operation, 1, length(?3) + 1) = ?3 || '.') ORDER BY id LIMIT ?4"
)
REVIVE: Final = marked(
    "UPDATE tenantry_outbox SET attempts = 0, tellings = 0, ordered = 0, next_at = ?1, "
    "revived = revived + 1, state = CASE WHEN json_extract(CAST(outcome AS TEXT), '$.ok') "
    "THEN 'answered' ELSE 'waiting' END WHERE state = 'dead' "
    "AND (?2 IS NULL OR id = ?2) AND (?3 IS NULL OR substr(operation, 1, length(?3) + 1) = ?3 || '.')"
)
"""What was done outside, and failed only where it was told, is told again and not done again."""

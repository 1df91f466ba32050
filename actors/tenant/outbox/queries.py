"""Administration of a tenant's outbox: lists of deliveries, and retries of those that were given up."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from actors.errors import Unavailable
from actors.expectations import ShowDigest, digest_of, require_same
from actors.host.clocks import rfc3339
from actors.messages import ListDeliveries, Redeliver
from actors.tenant.database.outbox_table import OutboxRow
from actors.tenant.request.sends import OutboxWriter
from actors.tenant.request.unit_of_work import UnitOfWork


def list_deliveries(unit_of_work: UnitOfWork, message: ListDeliveries) -> list[dict[str, Any]]:
    """Return one page of deliveries."""
    dead, connector, after, limit = message
    table = unit_of_work.database.outbox
    found = table.page(dead=dead, connector=connector, after=after, limit=limit)
    return [delivery_map(row) for row in found]


def redeliver(unit_of_work: UnitOfWork, outbox: OutboxWriter, message: Redeliver) -> int:
    """Retry dead deliveries; return how many. Aborted if they are not as expected.

    The flag is on disk before.
    """
    if message.expected is not None:
        about = ShowDigest(message.expected.action, message.expected.params, None)
        require_same(message.expected, digest_of_dead(unit_of_work, about)["digest"])
    outbox.flag.set()
    table = unit_of_work.database.outbox
    try:
        return unit_of_work.run_alone(
            lambda: table.retry(time.time(), message.id, message.connector)
        )
    except sqlite3.Error as error:
        raise Unavailable(
            f"it could not be written ({error}); ask for connectors.dead what is there",
            retry_after_ms=1000,
        ) from error


def digest_of_dead(unit_of_work: UnitOfWork, about: ShowDigest) -> dict[str, Any]:
    """Return the digest of the dead deliveries that a retry is about, and how often each was retried."""
    id_, connector = about.params.get("id"), about.params.get("connector")
    found = unit_of_work.database.outbox.dead(id_, connector)
    return {"digest": digest_of(about._replace(tenant_id=None), found)}


def delivery_map(row: OutboxRow) -> dict[str, Any]:
    """Return a row as `[shapes.delivery]` of the index declares it."""
    return {
        "id": row.id,
        "key": row.key,
        "operation": row.operation,
        "params": json.loads(row.params),
        "then": row.then_action,
        "ordered": bool(row.ordered),
        "by": row.sent_by,
        "trace_id": row.trace_id,
        "created_at": rfc3339(row.created_at),
        "state": row.state,
        "attempts": row.attempts,
        "next_at": row.next_at and rfc3339(row.next_at),
        "last_error": row.last_error,
    }

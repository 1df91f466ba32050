"""Files kept with tickets: in the tenant's bucket, and a row for each here.

The row is written once the file is there. Its name in the bucket is made of its content, so a request that
was cut off between the two and is sent again finds the same place.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import Select, bindparam, insert, select

from actors.tenant.context import Context
from actors.tenant.functions import cursor, missing, tickets
from actors.tenant.functions.tables import bound, ticket_attachments, timestamp
from actors.tenant.functions.ticket_views import EXISTS

ADD = (
    insert(ticket_attachments)
    .values(
        bound("ticket_id", "name", "content_type", "bytes", "object_key", "sent_by", "created_at")
    )
    .returning(ticket_attachments.c.id)
)
KEY = select(ticket_attachments.c.object_key).where(
    ticket_attachments.c.id == bindparam("attachment_id")
)
LIST: Select[Any] = (
    select(
        *(
            column
            for column in ticket_attachments.c
            if column.name not in ("ticket_id", "object_key")
        )
    )
    .where(ticket_attachments.c.ticket_id == bindparam("ticket_id"))
    .where(ticket_attachments.c.id > bindparam("after"))
    .order_by(ticket_attachments.c.id)
    .limit(bindparam("rows"))
)


async def attach(ctx: Context, params: Any) -> dict[str, Any]:
    """Put a file into the bucket, then note it on the ticket."""
    _require_ticket(ctx, params.id)
    key = f"tickets/{params.id}/{sha256(params.content.encode()).hexdigest()[:16]}/{params.name}"
    put = await ctx.call(
        "storage.put", key=key, content=params.content, content_type=params.content_type
    )
    binds = {
        "ticket_id": params.id,
        "name": params.name,
        "content_type": params.content_type,
        "bytes": put.bytes,
        "object_key": key,
        "sent_by": ctx.caller.id,
        "created_at": timestamp(ctx.now),
    }
    attachment_id = ctx.db.scalar(ADD, binds)
    tickets.note(ctx, params.id, "attached", params.name)
    return {"id": attachment_id, "bytes": put.bytes}


def listing(ctx: Context, params: Any) -> dict[str, Any]:
    """List the files kept with a ticket, oldest first."""
    _require_ticket(ctx, params.id)
    binds = {
        "ticket_id": params.id,
        "after": cursor.after("attachments", params.after),
        "rows": params.limit + 1,
    }
    return cursor.page("attachments", ctx.db.all(LIST, binds), params.limit)


async def link(ctx: Context, params: Any) -> dict[str, Any]:
    """Make a link by which one file can be read for a while."""
    key = ctx.db.scalar(KEY, {"attachment_id": params.id})
    if key is None:
        raise missing.attachment(params.id)
    made = await ctx.call("storage.link", key=key, seconds=params.seconds)
    return {"url": made.url, "expires_at": made.expires_at}


def _require_ticket(ctx: Context, ticket_id: int) -> None:
    if ctx.db.first(EXISTS, {"ticket_id": ticket_id}) is None:
        raise missing.ticket(ticket_id)

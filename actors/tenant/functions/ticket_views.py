"""Looking at tickets: the list, one with what was said, and the steps it took."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from sqlalchemy import Select, bindparam, select

from actors.tenant.context import Context
from actors.tenant.functions import cursor, missing
from actors.tenant.functions.tables import ticket_events, ticket_replies, tickets

FILTERS = ("state", "contact_id", "assignee")


def _listed(filters: tuple[str, ...]) -> Select[Any]:
    """Tickets of which the given columns are what is asked for, null included; newest first."""
    return (
        select(*(column for column in tickets.c if column.name != "body"))
        .where(tickets.c.id < bindparam("before"))
        .where(*(tickets.c[name].is_not_distinct_from(bindparam(name)) for name in filters))
        .order_by(tickets.c.id.desc())
        .limit(bindparam("rows"))
    )


LISTS = {
    filters: _listed(filters)
    for count in range(len(FILTERS) + 1)
    for filters in combinations(FILTERS, count)
}
"""A statement for each set of filters, so that each can use its index."""

GET = select(tickets).where(tickets.c.id == bindparam("ticket_id"))
EXISTS = select(tickets.c.id).where(tickets.c.id == bindparam("ticket_id"))
REPLIES: Select[Any] = (
    select(*(column for column in ticket_replies.c if column.name not in ("ticket_id", "mail_key")))
    .where(ticket_replies.c.ticket_id == bindparam("ticket_id"))
    .where(ticket_replies.c.id > bindparam("after"))
    .order_by(ticket_replies.c.id)
    .limit(bindparam("rows"))
)
EVENTS: Select[Any] = (
    select(*(column for column in ticket_events.c if column.name != "ticket_id"))
    .where(ticket_events.c.ticket_id == bindparam("ticket_id"))
    .where(ticket_events.c.id > bindparam("after"))
    .order_by(ticket_events.c.id)
    .limit(bindparam("rows"))
)


def listing(ctx: Context, params: Any) -> dict[str, Any]:
    """List the tickets, newest first; assignee null asks for those that nobody deals with."""
    filters = tuple(name for name in FILTERS if name in params.model_fields_set)
    binds = {name: getattr(params, name) for name in filters}
    binds |= {"before": cursor.before("tickets", params.after), "rows": params.limit + 1}
    return cursor.page("tickets", ctx.db.all(LISTS[filters], binds), params.limit)


def get(ctx: Context, params: Any) -> dict[str, Any]:
    """Show one ticket, with a page of the replies to it, oldest first."""
    ticket = ctx.db.first(GET, {"ticket_id": params.id})
    if ticket is None:
        raise missing.ticket(params.id)
    return {**ticket._asdict(), **_page(ctx, params, "replies", REPLIES)}


def history(ctx: Context, params: Any) -> dict[str, Any]:
    """List the steps that a ticket took, oldest first."""
    if ctx.db.first(EXISTS, {"ticket_id": params.id}) is None:
        raise missing.ticket(params.id)
    return _page(ctx, params, "events", EVENTS)


def _page(ctx: Context, params: Any, name: str, statement: Select[Any]) -> dict[str, Any]:
    binds = {
        "ticket_id": params.id,
        "after": cursor.after(name, params.after),
        "rows": params.limit + 1,
    }
    return cursor.page(name, ctx.db.all(statement, binds), params.limit)

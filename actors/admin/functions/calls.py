"""What connectors did for tenants: the recorded calls, and one of them once more without calling out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actors.access import PLATFORM_ROLES
from actors.admin.console.context import AdminContext
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from actors.host.clocks import rfc3339
from actors.log.redaction import SUMMARY
from actors.messages import FindCalls, ReplayCall
from actors.runtime.futures import PendingReply, ReplyFuture
from actors.runtime.mailbox import Mailbox
from actors.schema.source import did_you_mean

MOST_OF_TRACE = 50
"""Calls of one trace that are shown, each with all its forms."""

FORMS = ("inner_request", "outer_request", "outer_response", "inner_result")

BRIEF = (
    *("id", "at", "tenant", "operation", "version", "state", "reason", "outcome", "message"),
    *("queued_ms", "took_ms", "key", "trace_id"),
)

WITHHELD = {SUMMARY: "the tenant's own: shown to its owners, and to who is super admin on it"}
"""In place of what was sent and received, for the platform's people."""


async def trace(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """All about the calls of one request, or about one: as it went in, out, came back, and was answered."""
    wanted = {name: getattr(params, name) for name in ("trace_id", "key", "id")}
    if sum(value is not None for value in wanted.values()) != 1:
        raise InvalidArgument("say which: trace_id=…, key=… or id=…, and one of them only")
    calls = await _find(ctx, _of_id(ctx, params.id), MOST_OF_TRACE, **wanted)
    return {"calls": [_whole(ctx, each) for each in calls]}


async def recent(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """The latest, the newest first."""
    mailboxes = _all(ctx) if params.connector is None else [_one(ctx, params.connector)]
    calls = await _find(ctx, mailboxes, params.limit, outcome=params.outcome)
    return {"calls": [_brief(ctx, each) for each in calls]}


async def replay(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """What the version that is served now makes of it; no service is called."""
    tenant = ctx.require_tenant()
    if not params.dry:
        raise FailedPrecondition(
            "a recorded call is never sent again from here: what must not be lost is sent with ctx.send, and "
            "the tenant's outbox repeats it under the same key until it is done or given up"
        )
    (mailbox,) = _of_id(ctx, params.id)
    answer = ReplyFuture()
    mailbox.tell(ReplayCall(tenant.id, params.id, answer))
    found: dict[str, Any] = await PendingReply(answer)
    return found


async def _find(
    ctx: AdminContext, mailboxes: Iterable[Mailbox], limit: int, **wanted: Any
) -> list[dict[str, Any]]:
    """Of the tenant that was named; of all, where a developer named none."""
    tenant_id = ctx.tenant and ctx.tenant.id
    answers = []
    for mailbox in mailboxes:
        answers.append(ReplyFuture())
        mailbox.tell(FindCalls(tenant_id, limit, answers[-1], **wanted))
    found = [row for answer in answers for row in await PendingReply(answer)]
    return sorted(found, key=lambda row: row["at"], reverse=True)[:limit]


def _all(ctx: AdminContext) -> list[Mailbox]:
    """Those of the index: what is built in keeps no journal."""
    return [_one(ctx, name) for name in ctx.table.connectors]


def _one(ctx: AdminContext, name: str) -> Mailbox:
    connectors = ctx.table.connectors
    mailbox = ctx.actors.connectors.get(name) if name in connectors else None
    if mailbox is None:
        raise NotFound(f"the index has no connector {name!r}{did_you_mean(name, connectors)}")
    return mailbox


def _of_id(ctx: AdminContext, id_: str | None) -> list[Mailbox]:
    return _all(ctx) if id_ is None else [_one(ctx, id_.partition(":")[0])]


def _brief(ctx: AdminContext, row: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: row[name] for name in BRIEF}
    message = None if _is_of_platform(ctx) else row["message"]
    return {
        **found,
        "at": rfc3339(row["at"]),
        "message": message,
        "tries": len(row["attempts"]),
    }


def _whole(ctx: AdminContext, row: Mapping[str, Any]) -> dict[str, Any]:
    """To the platform's people without what is the tenant's own: what a service says may quote it, too."""
    is_withheld = _is_of_platform(ctx)
    attempts = [
        {**each, "at": rfc3339(each["at"]), "error": _error(each["error"], is_withheld)}
        for each in row["attempts"]
    ]
    forms = {form: WITHHELD if is_withheld and row[form] else row[form] for form in FORMS}
    return {"call": _brief(ctx, row), "attempts": attempts, "forms": forms}


def _error(text: str | None, is_withheld: bool) -> str | None:
    """Of which kind, at least."""
    return text.partition(":")[0] if text is not None and is_withheld else text


def _is_of_platform(ctx: AdminContext) -> bool:
    return ctx.caller.role in PLATFORM_ROLES

"""What a tenant's functions have sent: what waits, what was given up, and sending that again."""

from __future__ import annotations

from typing import Any

from actors.access import PLATFORM_ROLES
from actors.admin.console.context import AdminContext
from actors.errors import InvalidArgument, NotFound, Unavailable
from actors.log.redaction import ALL_SECRET, SUMMARY, redact
from actors.messages import FindTenant, ListDeliveries, Redeliver
from actors.runtime.futures import OneShotMailbox

Delivery = dict[str, Any]


async def outbox(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of what waits."""
    return await _page(ctx, params, dead=False)


async def dead(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of what was given up."""
    return await _page(ctx, params, dead=True)


async def retry(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One of them or all of a connector; NotFound where that one is not dead."""
    if (params.id is None) == (params.connector is None):
        raise InvalidArgument("say which: id=… or connector=…, and not both")
    count = await ask_tenant(ctx, Redeliver(params.id, params.connector, ctx.expected))
    if params.id is not None and count == 0:
        raise NotFound(f"{params.id} is no delivery that was given up: connectors.dead lists them")
    return {"deliveries": count}


async def _page(ctx: AdminContext, params: Any, *, dead: bool) -> dict[str, Any]:
    question = ListDeliveries(dead, params.connector, params.after, params.limit + 1)
    found: list[Delivery] = await ask_tenant(ctx, question)
    page = found[: params.limit]
    return {
        "deliveries": [_shown(each, ctx) for each in page],
        "next": page[-1]["id"] if len(found) > len(page) else None,
    }


async def ask_tenant(ctx: AdminContext, question: Any) -> Any:
    """The tenant itself, which is woken for it; suspended ones, too."""
    tenant, found = ctx.require_tenant(), OneShotMailbox()
    ctx.actors.supervisor.tell(FindTenant(tenant, found))
    mailbox = (await found.message()).mailbox
    answer = await ctx.ask(mailbox, question)
    if answer is None:  # an actor that rejects its mail at the moment has no answer
        raise Unavailable(f"tenant {tenant.name} cannot be asked now", retry_after_ms=30_000)
    return answer


def _shown(delivery: Delivery, ctx: AdminContext) -> Delivery:
    """Without secrets, large params in outline; to the platform's people without what is the tenant's own."""
    if ctx.caller.role in PLATFORM_ROLES:
        code, _, _ = (delivery["last_error"] or "").partition(":")
        return {**delivery, "params": None, "last_error": code or None}
    if delivery["params"].keys() == {SUMMARY}:  # too large to be read
        return delivery
    operation = ctx.table.operations.get(delivery["operation"])
    schema = ALL_SECRET if operation is None else operation.params.source
    return {**delivery, "params": redact(delivery["params"], schema)}

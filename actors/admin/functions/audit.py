"""The admin log, as its readers see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.access import PLATFORM_ROLES, TENANT_ROLES
from actors.admin.console.context import AdminContext, tenant_missing
from actors.log.messages import AskHead, ReadPage, Verify
from actors.log.redaction import SUMMARY

FIRST_TO_LAST = (
    *("seq", "at", "capacity", "person", "tenant", "action", "params", "outcome", "message"),
    *("kind", "request_id", "trace_id", "token", "tenant_id", "prev", "hash"),
)
"""A record's fields as people read them: what happened first, what proves it last."""


WITHHELD = {SUMMARY: "the tenant's own: shown to its owners, and to who is super admin on it"}
"""In place of the params of what no person of the platform may call."""


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of records: of the tenant that was named, of all where a developer named none."""
    if ctx.tenant is None and ctx.caller.role in TENANT_ROLES:
        raise tenant_missing(ctx.action)
    tenant_id = None if ctx.tenant is None else ctx.tenant.id
    page: dict[str, Any] = await ctx.ask(
        ctx.actors.audit_reader,
        ReadPage(params.before, params.limit, tenant_id, params.action, params.person),
    )
    return {**page, "records": [_shown(record, ctx) for record in page["records"]]}


def _shown(record: Mapping[str, Any], ctx: AdminContext) -> dict[str, Any]:
    """To the platform's people without what is a tenant's own: they see none of its data otherwise either."""
    found = {name: record[name] for name in FIRST_TO_LAST}
    if ctx.caller.role not in PLATFORM_ROLES or record["person"] == ctx.caller.person:
        return found
    route = ctx.table.routes.get(record["action"])
    is_of_platform = route is not None and not PLATFORM_ROLES.isdisjoint(route.rule.allowed)
    return found if is_of_platform or record["params"] is None else {**found, "params": WITHHELD}


async def verify(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Whether the chain holds, and where it breaks."""
    found: dict[str, Any] = await ctx.ask(ctx.actors.audit_reader, Verify(params.head))
    return found


async def head(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """What to keep elsewhere, so that a cut tail shows."""
    found: dict[str, Any] = await ctx.ask(ctx.actors.audit_log, AskHead())
    return found

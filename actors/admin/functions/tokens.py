"""Tokens of a tenant's people, and what stands on the ladder of bad intent."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext, scope_of
from actors.admin.intent_messages import (
    ClearStanding,
    LiftSuspension,
    ListStandings,
    ListSuspended,
)
from actors.admin.messages import IssueToken, ListTokens, RevokeToken


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of them, never their texts."""
    page: dict[str, Any] = await ctx.ask(
        ctx.actors.directory,
        ListTokens(ctx.tenant_name, params.person, params.after, params.limit),
    )
    return page


async def issue(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A new one, shown once."""
    scope = scope_of(params.scope, ctx.table)
    return await ctx.execute(
        IssueToken(ctx.tenant_name, params.person, params.label, scope, params.days)
    )


async def revoke(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Revoke a token; the next message with it is refused."""
    return await ctx.execute(RevokeToken(ctx.tenant_name, params.token))


async def list_standings(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Suspended tokens as the Directory has stored them, and what the monitor counts at this moment."""
    tenant = ctx.tenant
    suspended = ctx.ask(ctx.actors.directory, ListSuspended(tenant and tenant.name, params.limit))
    counted = ctx.ask(ctx.actors.intent_monitor, ListStandings(tenant and tenant.id, params.limit))
    current: dict[str, Any] = {each["id"]: each for each in await counted}
    stored = [current.pop(each["id"], each) for each in (await suspended)["standings"]]
    return {"standings": [*stored, *current.values()][: params.limit]}


async def clear_standing(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """The Directory first: it says whether the token is this tenant's, and the caller may."""
    done = await ctx.execute(LiftSuspension(ctx.tenant and ctx.tenant.name, params.token))
    counted = await ctx.ask(ctx.actors.intent_monitor, ClearStanding(params.token))
    return {**done, "was_counted": counted}

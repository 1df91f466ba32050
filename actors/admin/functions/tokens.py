"""Tokens of a tenant's people."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext, scope_of
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
    """One of them is good for nothing from now on."""
    return await ctx.execute(RevokeToken(ctx.tenant_name, params.token))

"""Who is super admin on a tenant."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.messages import GrantSuper, ListSupers, WithdrawSuper


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """Who is, and who was, and why."""
    found: dict[str, Any] = await ctx.ask(ctx.actors.directory, ListSupers(ctx.tenant_name))
    return found


async def grant(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Another person becomes one, for a time."""
    return await ctx.execute(
        GrantSuper(ctx.tenant_name, params.person, params.minutes, params.reason)
    )


async def withdraw(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A person is one no longer."""
    return await ctx.execute(WithdrawSuper(ctx.tenant_name, params.grant))

"""Figures of the messages that were answered: of one tenant, or of all for the platform's people."""

from __future__ import annotations

from typing import Any

from actors.access import TENANT_ROLES
from actors.admin.console.context import AdminContext, tenant_missing
from actors.log.messages import AskActionStats, AskStats, AskTenantStats


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """All messages together."""
    said: dict[str, Any] = await ctx.ask(ctx.actors.stats, AskStats(_whose(ctx)))
    return said


async def actions(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Each action by itself."""
    said: dict[str, Any] = await ctx.ask(
        ctx.actors.stats, AskActionStats(_whose(ctx), params.action)
    )
    return said


async def tenants(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """The busiest by themselves, whichever tenant was named."""
    said: dict[str, Any] = await ctx.ask(ctx.actors.stats, AskTenantStats())
    return said


def _whose(ctx: AdminContext) -> str | None:
    """The id of the tenant that was named; None for all, which only the platform's people may ask for."""
    if ctx.tenant is not None:
        return ctx.tenant.id
    if ctx.caller.role in TENANT_ROLES:
        raise tenant_missing(ctx.action)
    return None

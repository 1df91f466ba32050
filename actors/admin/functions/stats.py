"""Figures of the messages that were answered: of one tenant, or of all for the platform's people."""

from __future__ import annotations

from typing import Any

from actors.admin.context import AdminContext
from actors.log.messages import AskStats

SHOWN = ("since", "uptime_seconds", "figures", "events", "waiting")


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """All messages together."""
    return _only(await _ask(ctx), *SHOWN)


async def actions(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Each action by itself."""
    return _only(await _ask(ctx, params.action), "since", "actions")


async def tenants(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """The busiest by themselves, whichever tenant was named."""
    everything = await ctx.ask(ctx.actors.stats, AskStats(tenant_id=None, action=None))
    return _only(everything, "since", "tenants", "others")


async def _ask(ctx: AdminContext, action: str | None = None) -> dict[str, Any]:
    tenant_id = None if ctx.tenant is None else ctx.tenant.id
    said: dict[str, Any] = await ctx.ask(ctx.actors.stats, AskStats(tenant_id, action))
    return said


def _only(said: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: said[name] for name in names if name in said}

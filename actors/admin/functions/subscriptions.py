"""Which connectors a tenant may use, and for how long."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.messages import EndSubscription, ListSubscriptions, SetSubscription
from actors.errors import NotFound
from actors.schema.source import did_you_mean


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """All of them, those that are over included."""
    found: dict[str, Any] = await ctx.ask(ctx.actors.directory, ListSubscriptions(ctx.tenant_name))
    return found


async def set(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Subscribe, or set the days; NotFound for a connector that the index does not have."""
    connectors = ctx.table.connectors
    if params.connector not in connectors:
        raise NotFound(
            f"there is no connector {params.connector!r}{did_you_mean(params.connector, connectors)}"
        )
    return await ctx.execute(
        SetSubscription(
            ctx.tenant_name, params.connector, _seconds(params.since), _seconds(params.until)
        )
    )


async def end(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Over from now on; also for a connector that the index has no more."""
    return await ctx.execute(EndSubscription(ctx.tenant_name, params.connector))


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()

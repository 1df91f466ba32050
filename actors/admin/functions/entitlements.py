"""What a tenant may use: its limits, and the connectors it is subscribed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.messages import (
    EndSubscription,
    ListSubscriptions,
    SetLimits,
    SetSubscription,
    ShowLimits,
)
from actors.errors import InvalidArgument, NotFound
from actors.profiles import TenantLimits
from actors.schema.source import did_you_mean


async def show_limits(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """Return the tenant's limits."""
    shown: dict[str, Any] = await ctx.ask(ctx.actors.directory, ShowLimits(ctx.tenant_name))
    return shown


async def set_limits(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Set the limits that are named; null takes one away."""
    limits = {
        name: getattr(params, name) for name in params.model_fields_set & {*TenantLimits._fields}
    }
    if not limits:
        raise InvalidArgument(
            f"nothing to set: give at least one of {', '.join(TenantLimits._fields)}"
        )
    return await ctx.execute(SetLimits(ctx.tenant_name, limits))


async def list_subscriptions(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """Return all subscriptions, those that are over included."""
    found: dict[str, Any] = await ctx.ask(ctx.actors.directory, ListSubscriptions(ctx.tenant_name))
    return found


async def subscribe(ctx: AdminContext, params: Any) -> dict[str, Any]:
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


async def end_subscription(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """End a subscription now; also for a connector that the index has no more."""
    return await ctx.execute(EndSubscription(ctx.tenant_name, params.connector))


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()

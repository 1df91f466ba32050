"""What a tenant may use."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.messages import SetLimits, ShowLimits
from actors.errors import InvalidArgument
from actors.profiles import TenantLimits


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """Its limits."""
    shown: dict[str, Any] = await ctx.ask(ctx.actors.directory, ShowLimits(ctx.tenant_name))
    return shown


async def set(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Those that are named; null takes one away."""
    limits = {name: getattr(params, name) for name in params.model_fields_set}
    if not limits:
        raise InvalidArgument(
            f"nothing to set: give at least one of {', '.join(TenantLimits._fields)}"
        )
    return await ctx.execute(SetLimits(ctx.tenant_name, limits))

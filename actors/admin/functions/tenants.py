"""Tenants as a whole: made, shown, suspended, resumed, deleted."""

from __future__ import annotations

from typing import Any

from actors.admin.context import AdminContext
from actors.admin.messages import (
    CreateTenant,
    DeleteTenant,
    ListTenants,
    ResumeTenant,
    ShowTenant,
    SuspendTenant,
)


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of all of them."""
    page: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ListTenants(params.after, params.limit, params.status)
    )
    return page


async def create(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Make one, its database and its admin owner."""
    owner = params.owner
    return await ctx.order(CreateTenant(params.name, owner.name, owner.email, params.token))


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """One of them, in figures."""
    shown: dict[str, Any] = await ctx.ask(ctx.actors.directory, ShowTenant(ctx.tenant_name))
    return shown


async def suspend(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Refuse its callers for a while."""
    return await ctx.order(SuspendTenant(ctx.tenant_name, params.reason))


async def resume(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """Serve it again."""
    return await ctx.order(ResumeTenant(ctx.tenant_name))


async def delete(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Refuse its callers, and remove it after the grace."""
    return await ctx.order(DeleteTenant(ctx.tenant_name, params.grace_days, params.reason))

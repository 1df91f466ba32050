"""Tenants as a whole: made, shown, suspended, resumed, deleted."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from actors.access import TENANT_ROLES
from actors.admin.console.context import AdminContext
from actors.admin.messages import (
    CreateTenant,
    DeleteTenant,
    ListTenants,
    ResumeTenant,
    ShowTenant,
    SuspendTenant,
)
from actors.messages import ListUnserved, Unserved

MOST_LISTED = 200
"""Tenants that cannot be served; of further ones only the number is told."""


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of all of them."""
    page: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ListTenants(params.after, params.limit, params.status)
    )
    return page


async def create(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Make one, its database and its admin owner."""
    owner = params.owner
    return await ctx.execute(CreateTenant(params.name, owner.name, owner.email, params.token))


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """One of them, in figures, and whether it can be served now."""
    shown: dict[str, Any] = await ctx.ask(ctx.actors.directory, ShowTenant(ctx.tenant_name))
    out = await _out(ctx)
    mine = (_refused(ctx, each) for each in out if each.tenant.id == shown["tenant"]["id"])
    return {**shown, "unserved": next(mine, None)}


async def unserved(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """All that cannot be served now."""
    out = await _out(ctx)
    listed = [{"name": each.tenant.name, **_refused(ctx, each)} for each in out[:MOST_LISTED]]
    return {"tenants": listed, "more": len(out) - len(listed)}


async def _out(ctx: AdminContext) -> tuple[Unserved, ...]:
    found: tuple[Unserved, ...] = await ctx.ask(ctx.actors.supervisor, ListUnserved())
    return found


def _refused(ctx: AdminContext, found: Unserved) -> dict[str, Any]:
    """Its own people are told what its callers are; the operator, what is wrong."""
    until = ctx.now + timedelta(seconds=found.ends - time.monotonic())
    why = found.refusal.message if ctx.caller.role in TENANT_ROLES else found.cause
    return {"why": why, "until": until.isoformat(timespec="milliseconds")}


async def suspend(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Refuse its callers for a while."""
    return await ctx.execute(SuspendTenant(ctx.tenant_name, params.reason))


async def resume(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """Serve it again."""
    return await ctx.execute(ResumeTenant(ctx.tenant_name))


async def delete(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Refuse its callers, and remove it after the grace."""
    return await ctx.execute(DeleteTenant(ctx.tenant_name, params.grace_days, params.reason))

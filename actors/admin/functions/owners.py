"""The admin owner, and the owners he has delegated areas to."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.messages import Delegate, ListOwners, TransferOwnership, WithdrawOwner


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """All of them with their areas."""
    owners: dict[str, Any] = await ctx.ask(ctx.actors.directory, ListOwners(ctx.tenant_name))
    return owners


async def delegate(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Set what one person is an owner of."""
    areas = frozenset(params.areas)
    return await ctx.execute(Delegate(ctx.tenant_name, params.person, areas))


async def withdraw(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Make an owner a member."""
    return await ctx.execute(WithdrawOwner(ctx.tenant_name, params.person))


async def transfer(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Hand the tenant over."""
    return await ctx.execute(TransferOwnership(ctx.tenant_name, params.to))

"""The people of a tenant: the admin owner, the owners with what is delegated to each, and members."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.messages import (
    AddMember,
    ChangeMember,
    Delegate,
    ListMembers,
    ListOwners,
    RemoveMember,
    TransferOwnership,
    WithdrawOwner,
)
from actors.errors import InvalidArgument


async def list_owners(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
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


async def list_members(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of them."""
    page: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ListMembers(ctx.tenant_name, params.after, params.limit)
    )
    return page


async def add(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A person more, who has no token yet."""
    return await ctx.execute(AddMember(ctx.tenant_name, params.name, params.email))


async def change(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Another name or address; what is left out stays."""
    if params.name is None and params.email is None:
        raise InvalidArgument("nothing to change: give name, email or both")
    return await ctx.execute(
        ChangeMember(ctx.tenant_name, params.person, params.name, params.email)
    )


async def remove(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A person less; the tokens go with him."""
    return await ctx.execute(RemoveMember(ctx.tenant_name, params.person))

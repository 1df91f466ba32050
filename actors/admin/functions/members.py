"""The people of a tenant."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.messages import AddMember, ChangeMember, ListMembers, RemoveMember
from actors.errors import InvalidArgument


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
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

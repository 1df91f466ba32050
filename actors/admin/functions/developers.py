"""The platform's people and their tokens."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext, scope_of
from actors.admin.messages import (
    AddDeveloper,
    ChangeDeveloper,
    IssueToken,
    ListDevelopers,
    ListTokens,
    RemoveDeveloper,
    RevokeToken,
)


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """All of them."""
    found: dict[str, Any] = await ctx.ask(ctx.actors.directory, ListDevelopers())
    return found


async def add(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A person more, who has no token yet."""
    return await ctx.execute(AddDeveloper(params.name, params.email, params.role))


async def change(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Promote or demote."""
    return await ctx.execute(ChangeDeveloper(params.person, params.role))


async def remove(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A person less; tokens and grants go with him."""
    return await ctx.execute(RemoveDeveloper(params.person))


async def tokens(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of their tokens, never the texts."""
    page: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ListTokens(None, params.person, params.after, params.limit)
    )
    return page


async def issue(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A new token, shown once."""
    scope = scope_of(params.scope, ctx.table)
    return await ctx.execute(IssueToken(None, params.person, params.label, scope, params.days))


async def revoke(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Revoke a developer's token; the next message with it is refused."""
    return await ctx.execute(RevokeToken(None, params.token))

"""The platform's people and their tokens, and who of them is super admin on a tenant."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext, scope_of
from actors.admin.messages import (
    AddDeveloper,
    ChangeDeveloper,
    GrantSuper,
    IssueToken,
    ListDevelopers,
    ListSupers,
    ListTokens,
    RemoveDeveloper,
    RevokeToken,
    WithdrawSuper,
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


async def list_supers(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """Who is, and who was, and why."""
    found: dict[str, Any] = await ctx.ask(ctx.actors.directory, ListSupers(ctx.tenant_name))
    return found


async def grant_super(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Another person becomes one, for a time."""
    return await ctx.execute(
        GrantSuper(ctx.tenant_name, params.person, params.minutes, params.reason)
    )


async def withdraw_super(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A person is one no longer."""
    return await ctx.execute(WithdrawSuper(ctx.tenant_name, params.grant))

"""A tenant's config and its history."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.messages import ListConfigs, PatchConfig, RevertConfig, ShowConfig


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """As it is, or as it was."""
    shown: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ShowConfig(ctx.tenant_name, params.revision)
    )
    return shown


async def schema(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """What its parts may hold."""
    schemas = ctx.table.config
    return {"settings": schemas.settings.source, "whitelabel": schemas.whitelabel.source}


async def patch(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Changed by a patch that was made for this revision."""
    return await ctx.execute(PatchConfig(ctx.tenant_name, params.patch, params.revision))


async def history(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of revisions, the newest first."""
    page: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ListConfigs(ctx.tenant_name, params.before, params.limit)
    )
    return page


async def revert(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """What an old revision said, once more."""
    return await ctx.execute(RevertConfig(ctx.tenant_name, params.to, params.revision))

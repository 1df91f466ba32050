"""What a tenant sets for its connectors."""

from __future__ import annotations

from typing import Any

from actors.admin.connector_messages import ConfigureConnector, ShowConnector
from actors.admin.context import AdminContext


async def configure(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Changed by a patch; null removes everything."""
    return await ctx.order(ConfigureConnector(ctx.tenant_name, params.connector, params.settings))


async def settings(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """As they are, without the secrets."""
    shown: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ShowConnector(ctx.tenant_name, params.connector)
    )
    return shown

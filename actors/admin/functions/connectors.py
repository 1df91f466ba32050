"""What a tenant sets for its connectors."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from actors.admin.connector_messages import ConfigureConnector, ShowConnector, TryPatch
from actors.admin.console.context import AdminContext
from actors.errors import Unavailable, Unimplemented
from actors.messages import CheckSettings
from actors.runtime.futures import PendingReply, ReplyFuture


async def configure(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Changed by a patch; null removes everything. What cannot work is refused before."""
    if params.settings is not None:
        await _require_possible(ctx, params)
    return await ctx.execute(ConfigureConnector(ctx.tenant_name, params.connector, params.settings))


async def _require_possible(ctx: AdminContext, params: Any) -> None:
    """As the connector sees it; one that does not answer now, or is none any more, is not waited for."""
    name, mailbox = params.connector, ctx.actors.connectors.get(params.connector)
    if mailbox is None or ctx.tenant is None:
        return
    made = await ctx.ask(ctx.actors.directory, TryPatch(ctx.tenant_name, name, params.settings))
    answer = ReplyFuture()
    mailbox.tell(CheckSettings(ctx.tenant.id, made.settings, answer))
    with suppress(Unavailable, Unimplemented):
        await PendingReply(answer)


async def settings(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """As they are, without the secrets."""
    shown: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ShowConnector(ctx.tenant_name, params.connector)
    )
    return shown

"""What an action would change, as a digest that the action itself can be given."""

from __future__ import annotations

from typing import Any

from actors.admin.console.call import CONSOLE, ActingRole, require
from actors.admin.console.context import AdminContext
from actors.admin.functions.deliveries import ask_tenant
from actors.errors import InvalidArgument, PermissionDenied
from actors.expectations import ShowDigest
from transport.message import Problem


async def digest(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Return the digest. InvalidArgument for an action that the caller may not call, or not like this."""
    route = ctx.table.find(params.action, ctx.caller)
    try:
        if ctx.caller is not CONSOLE:
            require(route, ActingRole(ctx.caller, ctx.tenant))
    except PermissionDenied as denied:
        problem = Problem("params.action", str(denied))
        raise InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,)) from None
    route.read(params.params)
    about = ShowDigest(params.action, params.params, ctx.tenant and ctx.tenant.id)
    found: dict[str, Any] = await _answer(ctx, about)
    return found


async def _answer(ctx: AdminContext, about: ShowDigest) -> Any:
    """Ask the actor that would carry the action out."""
    if about.action == "connectors.retry":
        return await ask_tenant(ctx, about)
    if about.action in ("actors.passivate", "actors.restart"):
        return await ctx.ask(ctx.actors.supervisor, about)
    return await ctx.ask(ctx.actors.directory, about)

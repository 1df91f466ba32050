"""What an action would change, as a digest that the action itself can be given."""

from __future__ import annotations

from typing import Any

from actors.admin.console.call import ActingRole, require
from actors.admin.console.context import AdminContext
from actors.admin.expectation_messages import ShowDigest
from actors.errors import InvalidArgument, PermissionDenied
from transport.message import Problem


async def digest(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Return the digest. InvalidArgument for an action that the caller may not call."""
    try:
        require(ctx.table.find(params.action, ctx.caller), ActingRole(ctx.caller, ctx.tenant))
    except PermissionDenied as denied:
        problem = Problem("params.action", str(denied))
        raise InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,)) from None
    tenant_id = ctx.tenant and ctx.tenant.id
    found: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ShowDigest(params.action, params.params, tenant_id)
    )
    return found

"""Requests: what tenants wish for, from a sentence to the release that has it."""

from __future__ import annotations

from typing import Any

from actors.access import PLATFORM_ROLES
from actors.admin.console.context import AdminContext
from actors.admin.directory.requests.commands import WITHDRAWN
from actors.admin.functions.moves import owner_of
from actors.admin.request_messages import (
    AnswerRequest,
    CloseRequest,
    LinkRequest,
    ListRequests,
    PrioritiseRequest,
    PublishRequest,
    ReopenRequest,
    ShowRequest,
    SubmitRequest,
    VoteRequest,
)
from actors.errors import InvalidArgument, NotFound
from actors.index.entries import CONNECTOR, FUNCTION


async def submit(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Store a request of the caller's tenant. NotFound for an action that the index does not have."""
    name, actions = params.function, ctx.table.described.actions
    if name is not None and name not in actions:
        known = ctx.table.nearest(name, caller=ctx.caller)
        near = f"; did you mean {', '.join(known)}?" if known else ""
        raise NotFound(f"there is no action {name!r}{near}: leave it out if it is about a new one")
    return await ctx.execute(SubmitRequest(ctx.tenant_name, _text(params.text), name))


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Return a page: of the tenant, or of all for people of the platform who name none."""
    query = ListRequests(
        _tenant(ctx),
        params.published,
        params.state,
        params.function,
        params.priority,
        params.text,
        params.sort,
        params.after,
        params.limit,
    )
    found: dict[str, Any] = await ctx.ask(ctx.actors.directory, query)
    return found


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Return one request, with its history."""
    query = ShowRequest(_tenant(ctx), _number(params))
    found: dict[str, Any] = await ctx.ask(ctx.actors.directory, query)
    return found


async def vote(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Give the tenant's vote, or take it back."""
    return await ctx.execute(VoteRequest(ctx.tenant_name, _number(params), params.vote))


async def answer(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Add a text: an answer, or a word of the tenant's own people."""
    return await ctx.execute(AnswerRequest(_tenant(ctx), _number(params), _text(params.text)))


async def withdraw(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """End a request of the caller's tenant."""
    return await ctx.execute(CloseRequest(ctx.tenant_name, _number(params), WITHDRAWN, params.why))


async def link(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """State that a function or connector, or one version of it, serves a request."""
    kind = FUNCTION if params.function is not None else CONNECTOR
    owner = owner_of(ctx, params)
    version = owner.version(params.version) if params.version else None
    if params.version and version is None:
        known = ", ".join(str(each.number) for each in owner.versions) or "none yet"
        raise NotFound(f"{owner.name} has no version {params.version}; it has: {known}")
    return await ctx.execute(
        _link(ctx, params, kind, owner.name, version and version.state, linked=True)
    )


async def unlink(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Take such a statement back, also about what the index has no more."""
    if (params.function is None) == (params.connector is None):
        raise InvalidArgument("say which: function=… or connector=…, and not both")
    kind = FUNCTION if params.function is not None else CONNECTOR
    name = params.function or params.connector
    return await ctx.execute(_link(ctx, params, kind, name, None, linked=False))


async def prioritise(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Set the priority."""
    return await ctx.execute(PrioritiseRequest(_tenant(ctx), _number(params), params.priority))


async def publish(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Let every tenant read a title and vote; null takes that back."""
    return await ctx.execute(PublishRequest(_tenant(ctx), _number(params), params.title))


async def close(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """End a request, for a reason that its tenant reads."""
    return await ctx.execute(CloseRequest(_tenant(ctx), _number(params), params.state, params.why))


async def reopen(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Open a request again that has ended."""
    return await ctx.execute(ReopenRequest(_tenant(ctx), _number(params), params.why))


def _tenant(ctx: AdminContext) -> str | None:
    """The tenant that the caller is limited to; None for all."""
    if ctx.tenant is None and ctx.caller.role not in PLATFORM_ROLES | {"console"}:
        return ctx.tenant_name  # raises
    return ctx.tenant and ctx.tenant.name


def _number(params: Any) -> int:
    return int(params.request.removeprefix("R-"))


def _text(text: str) -> str:
    """Line ends as they are stored: browsers and Windows send others."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _link(
    ctx: AdminContext, params: Any, kind: str, name: str, state: str | None, *, linked: bool
) -> LinkRequest:
    return LinkRequest(
        _tenant(ctx),
        _number(params),
        kind,
        name,
        params.version or 0,
        state,
        ctx.table.environment,
        linked,
    )

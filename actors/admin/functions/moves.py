"""Moves of versions between states: made, taken in from the file, and told afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.admin.console.call import role_label
from actors.admin.console.context import AdminContext
from actors.admin.console.quiesce import quiesce
from actors.admin.messages import ListDevelopers
from actors.errors import (
    ActionError,
    CodeProblem,
    FailedPrecondition,
    IndexProblem,
    InvalidArgument,
    NotFound,
)
from actors.index.entries import CONNECTOR, FUNCTION, Action, Connector
from actors.log.messages import AUDIT, MOVE, SearchLogs
from actors.registry.messages import Move, Moved, Release, Reload, Reloaded
from actors.schema.source import did_you_mean
from transport.message import Problem

MOST_CHANGES = 500
"""Of an index that are told at once; what is taken in is all of it."""

MOST_BREAKS = 100
"""Of a release that are told."""

MOST_PAGES = 20
"""Of the admin log that are looked through for one page of a history."""

UNNAMED = "unnamed"
"""Stands in the admin log for a release that was given no name."""


async def move(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Move a version; answered once no request is served by what was served before."""
    order = _order(ctx, owner_of(ctx, params).name, params, params.why, await _who(ctx))
    moved: Moved = await ctx.ask(ctx.actors.registry, order)
    return {**_result(order, moved), "settled": await quiesce(ctx)}


async def release(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Make several moves or none; answered once no request is served by what was served before."""
    by, names = await _who(ctx), _names(ctx, params.moves)
    orders = tuple(
        _order(ctx, name, each, params.why, by)._replace(back=params.back)
        for name, each in zip(names, params.moves, strict=True)
    )
    asked = Release(orders, ctx.receipt, params.release or UNNAMED)
    done: tuple[Moved, ...] = await ctx.ask(ctx.actors.registry, asked)
    results = [_result(order, moved) for order, moved in zip(orders, done, strict=True)]
    return {"moves": results, "settled": await quiesce(ctx)}


def _names(ctx: AdminContext, moves: Any) -> list[str]:
    """The functions and connectors of the moves; a refusal has every one that is not there."""
    names, problems = [], []
    for at, each in enumerate(moves):
        try:
            names.append(owner_of(ctx, each).name)
        except ActionError as error:
            problems.append((error, Problem(f"params.moves.{at}", str(error))))
    if problems:
        first, _ = problems[0]
        raise type(first)(str(first), details=[problem for _, problem in problems])
    return names


def _order(ctx: AdminContext, name: str, params: Any, why: str, by: str) -> Move:
    return Move(
        name=name,
        version=params.version,
        to=params.to,
        why=why,
        by=by,
        capacity=role_label(ctx.caller),
        person=ctx.caller.person or None,
        kind=FUNCTION if params.function is not None else CONNECTOR,
        expected=params.expected,
        request=params.request,
        breaking=params.breaking,
        code=params.code,
        trace_id=ctx.trace_id,
        receipt=ctx.receipt,
    )


def _result(order: Move, moved: Moved) -> dict[str, Any]:
    return {
        order.kind: moved.name,
        "version": moved.version,
        "origin": moved.origin,
        "to": moved.to,
        "breaks": list(moved.breaks[:MOST_BREAKS]),
        "serving": dict(moved.served),
    }


async def reload(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Take in what functions.diff has shown."""
    taken: Reloaded = await ask_registry(ctx, Reload(params.digest))
    return {
        "digest": taken.digest,
        "changes": list(taken.changes[:MOST_CHANGES]),
        "settled": await quiesce(ctx),
    }


async def history(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Its moves, the newest first, from the admin log: also of one that the index has no more."""
    name = params.function or params.connector
    if name is None:
        raise InvalidArgument("say which: function=… or connector=…")
    return await find_moves(ctx, name, params.before, params.limit)


async def ask_registry(ctx: AdminContext, message: Any) -> Any:
    """What is wrong with the file or the code in it is for its author to mend: FailedPrecondition."""
    try:
        return await ctx.ask(ctx.actors.registry, message)
    except (IndexProblem, CodeProblem) as problem:
        raise FailedPrecondition(f"nothing was changed: {problem}") from problem


def owner_of(ctx: AdminContext, params: Any) -> Action | Connector:
    """Whom the params name; InvalidArgument unless that is one, NotFound with the nearest names."""
    index = ctx.table.described
    if (params.function is None) == (params.connector is None):
        raise InvalidArgument("say which: function=… or connector=…, and not both")
    name = params.function or params.connector
    owners: Mapping[str, Action | Connector] = (
        index.connectors if params.function is None else index.actions
    )
    if name not in owners:
        kind = CONNECTOR if params.function is None else FUNCTION
        raise NotFound(f"the index has no {kind} {name!r}{did_you_mean(name, owners)}")
    return owners[name]


async def find_moves(
    ctx: AdminContext, name: str, before: str | None, limit: int
) -> dict[str, Any]:
    """Looked for by the name: the admin log has far more than these."""
    found: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        page = await ctx.ask(
            ctx.actors.log_reader,
            SearchLogs(AUDIT, None, action="functions.move", text=name, before=before, limit=limit),
        )
        found += [
            _moved(record, each) for record in page["lines"] for each in _moves_of(record, name)
        ]
        before = page["next"]
        if before is None or len(found) >= limit:
            break
    return {"moves": found, "next": before}


def _moves_of(record: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The moves of this function or connector that a record has: one, or those of a release."""
    params = record["params"] or {}
    moves = params.get("moves", [params]) if record["kind"] == MOVE else []
    return [each for each in moves if name in (each.get(FUNCTION), each.get(CONNECTOR))]


def _moved(record: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": record["at"],
        "version": params["version"],
        "origin": params["from"],
        "to": params["to"],
        "why": params["why"],
        "by": record["person"] or record["capacity"],
        "request": params.get("request"),
        "breaking": params.get("breaking"),
        "traces": params.get("traces", []),
        "trace_id": record["trace_id"],
    }


async def _who(ctx: AdminContext) -> str:
    """For the file, which people read: a name where there is one."""
    if not ctx.caller.person:
        return ctx.caller.role
    everyone = await ctx.ask(ctx.actors.directory, ListDevelopers())
    names = (each["name"] for each in everyone["developers"] if each["id"] == ctx.caller.person)
    return next(names, ctx.caller.person)

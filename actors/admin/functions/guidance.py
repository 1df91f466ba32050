"""What a developer is told: all about one function, and what there is to do."""

from __future__ import annotations

from typing import Any

from actors.admin.console.context import AdminContext
from actors.errors import NotFound
from actors.guidance.instructions import context_api
from actors.guidance.instructions import instructions as text_of
from actors.guidance.tasks import FIRST_TO_LAST, WAITS_FOR, Task, counts, related, tasks
from actors.guidance.workplace import find_test, workplace
from actors.index.entries import CONNECTOR, FUNCTION, RESERVED, Action
from actors.schema.source import closest

MOST_CODE = 100
"""References of versions that are told, the newest first."""


async def instructions(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Everything its developer needs; NotFound for what no index of ours describes."""
    index = ctx.table.described
    action = _described(ctx, params.function)
    test = find_test(index, workplace(index, action))
    codes = [version.code for version in action.versions if version.code is not None]
    return {
        "function": action.name,
        "text": text_of(index, action, context_api(), test),
        "code": list(dict.fromkeys(codes))[:MOST_CODE],
        "related": list(related(index, action)),
    }


async def todo(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of what there is to do, the most useful first; and how many versions are in each state."""
    index = ctx.table.described
    found = [
        task
        for task in tasks(index)
        if params.state in (None, task.state) and task.place > _place(params.after)
    ]
    page = found[: params.limit]
    return {
        "tasks": [_told(task) for task in page],
        "counts": counts(index),
        "next": _mark(page[-1]) if len(found) > len(page) else None,
    }


def _described(ctx: AdminContext, name: str) -> Action:
    actions = ctx.table.described.actions
    if name in actions:
        return actions[name]
    if name in ctx.table.routes or name.startswith(RESERVED):
        raise NotFound(f"{name} is the engine's own: there is nothing to write for it")
    near = closest(name, actions)
    advice = f"did you mean {', '.join(near)}?" if near else "functions.list lists what there is"
    raise NotFound(f"the index has no function {name!r}; {advice}")


def _told(task: Task) -> dict[str, Any]:
    version = task.version
    return {
        "function": task.owner.name,
        "kind": FUNCTION if isinstance(task.owner, Action) else CONNECTOR,
        "version": task.number,
        "state": task.state,
        "before": version and version.before,
        "by": version and version.by,
        "request": version and version.request,
        "summary": task.owner.summary,
        "waits_for": WAITS_FOR[task.state],
        "next": list(task.moves),
    }


def _mark(task: Task) -> str:
    return f"{FIRST_TO_LAST.index(task.state)} {task.owner.name} {task.number}"


def _place(mark: str) -> tuple[int, str, int]:
    """Where the page before ended; before everything where there was none."""
    if not mark:
        return -1, "", 0
    state, name, number = mark.split(" ")
    return int(state), name, -int(number)

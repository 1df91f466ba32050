"""For developers: compare versions, run one dry, and show instructions and tasks."""

from __future__ import annotations

import difflib
from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.functions.moves import MOST_CHANGES, ask_registry
from actors.edge.admission import require_active
from actors.errors import CodeProblem, FailedPrecondition, NotFound
from actors.guidance.instructions import context_api
from actors.guidance.instructions import instructions as text_of
from actors.guidance.tasks import FIRST_TO_LAST, WAITS_FOR, Task, counts, related, tasks
from actors.guidance.workplace import find_test, workplace
from actors.index.code import Codebase
from actors.index.entries import CONNECTOR, FUNCTION, RESERVED, Action, Version
from actors.messages import DryRun, FindTenant
from actors.registry.messages import Diff, Difference, LoadVersion
from actors.routing.route import Route
from actors.runtime.futures import OneShotMailbox
from actors.schema.source import closest, did_you_mean

MOST_LINES = 2000
"""Of a difference that are shown."""


async def diff(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """The file against what is in force; or the code of two versions of one function."""
    if params.function is not None:
        return _code_difference(ctx, params)
    found: Difference = await ask_registry(ctx, Diff())
    return {
        "digest": found.digest,
        "changes": list(found.changes[:MOST_CHANGES]),
        "text": _truncated(found.text.splitlines(keepends=True)),
    }


async def dry_run(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """A version and the one that is served now, each on the same message; nothing of it stays."""
    tenant = ctx.require_tenant()
    require_active(tenant)
    trial: Route = await ctx.ask(ctx.actors.registry, LoadVersion(params.function, params.version))
    current = ctx.table.find(params.function)
    found = OneShotMailbox()
    ctx.actors.supervisor.tell(FindTenant(tenant, found))
    mailbox = (await found.message()).mailbox
    order = DryRun((trial, current), params.params, ctx.caller, ctx.trace_id)
    tried, now = await ctx.ask(mailbox, order)
    return {"tried": tried, "current": now, "same": tried.get("result") == now.get("result")}


def _code_difference(ctx: AdminContext, params: Any) -> dict[str, Any]:
    index = ctx.table.described
    action = index.actions.get(params.function)
    if action is None:
        raise NotFound(
            f"the index has no function {params.function!r}{did_you_mean(params.function, index.actions)}"
        )
    new = _chosen(action, params.version, 0)
    old = _chosen(action, params.against, 1)
    codebase = Codebase(index.root)
    lines = difflib.unified_diff(
        _lines(codebase, old), _lines(codebase, new), _title(action, old), _title(action, new)
    )
    return {"digest": index.digest, "changes": [], "text": _truncated(list(lines))}


def _chosen(action: Action, number: int | None, newest: int) -> Version:
    if number is None and len(action.versions) > newest:
        return action.versions[newest]
    found = None if number is None else action.version(number)
    if found is None:
        known = ", ".join(str(each.number) for each in action.versions) or "none yet"
        raise NotFound(f"{action.name} has no such version; it has: {known}")
    return found


def _lines(codebase: Codebase, version: Version) -> list[str]:
    if version.code is None:
        return []
    try:
        text = codebase.source(version.code).text
    except CodeProblem as problem:
        raise FailedPrecondition(str(problem)) from problem
    return text.decode(errors="replace").splitlines(keepends=True)


def _title(action: Action, version: Version) -> str:
    return f"{action.name} version {version.number} ({version.state}) {version.code or ''}"


def _truncated(lines: list[str]) -> str:
    rest = len(lines) - MOST_LINES
    return "".join(lines[:MOST_LINES]) + (f"… {rest} more lines\n" if rest > 0 else "")


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
        if params.state in (None, task.state) and task.place > _parse_cursor(params.after)
    ]
    page = found[: params.limit]
    return {
        "tasks": [_task_map(task) for task in page],
        "counts": counts(index),
        "next": _cursor(page[-1]) if len(found) > len(page) else None,
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


def _task_map(task: Task) -> dict[str, Any]:
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


def _cursor(task: Task) -> str:
    return f"{FIRST_TO_LAST.index(task.state)} {task.owner.name} {task.number}"


def _parse_cursor(mark: str) -> tuple[int, str, int]:
    """Where the page before ended; before everything where there was none."""
    if not mark:
        return -1, "", 0
    state, name, number = mark.split(" ")
    return int(state), name, -int(number)

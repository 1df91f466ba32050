"""Migrations of a running server: listed, tried on copies, run with a ledger, and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.migration_messages import (
    APPLY,
    DRY_RUN,
    RESTORE,
    RUNNING,
    BeginRun,
    Changes,
    FindRun,
    ListChanged,
    ListPending,
    ShowRun,
    under_way,
)
from actors.admin.rollout.actor import AskProgress, StartRun
from actors.errors import Aborted, CodeProblem, FailedPrecondition, NotFound
from actors.tenant.storage.migrator import CountRevisions, FindChanged, ReadFolder, ReadIndex
from actors.tenant.storage.upgrades import UpgradePlan
from transport.message import Problem

MOST_BREAKS = 1000
"""Of a folder of migrations that are listed."""

MOST_NAMED = 100
"""Tenants that a refusal names; of further ones only the number is told."""


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """The folder's revisions as they are on disk, and how many tenants stand at which."""
    plan = await _plan(ctx, params.release)
    _, counts = await _revisions(ctx)
    at = list(counts.values())
    revisions = [
        {
            "revision": name.partition(" ")[0],
            "file": f"{name.partition(' ')[2]}.py",
            "sha256": plan.scripts[f"{name.partition(' ')[2]}.py"],
            "tenants": at.count(number),
        }
        for number, name in enumerate(plan.migrations.names, 1)
    ]
    return {
        "digest": plan.digest,
        "revisions": revisions,
        "unmigrated": at.count(0),
        "unreadable": at.count(None),
        "pending": sum(1 for each in at if each is not None and each < plan.head),
        "breaks": list(plan.breaks[:MOST_BREAKS]),
    }


async def dry_run(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Migrate copies of all tenants' files; answered at once."""
    await _require_none_under_way(ctx)
    plan = await _plan(ctx, params.release)
    begun = await ctx.execute(BeginRun(DRY_RUN, _changes(plan), params.release))
    ctx.actors.rollout.tell(StartRun(begun["run"]))
    return {**begun, "digest": plan.digest, "breaks": list(plan.breaks[:MOST_BREAKS])}


async def status(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """How far a run is, and what it could not do; the latest, unless one is named."""
    shown: dict[str, Any] = await ctx.ask(ctx.actors.directory, ShowRun(params.run, params.limit))
    if shown["kind"] == DRY_RUN:
        done = await ctx.ask(ctx.actors.rollout, AskProgress(shown["run"]))
        ended = shown["total"] if shown["state"] != RUNNING else shown["done"]
        shown["done"] = ended if done is None else done
    return shown


async def apply(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Migrate all tenants, one after another; answered at once."""
    await _require_none_under_way(ctx)
    plan = await _plan(ctx, params.release)
    if plan.digest != params.digest:
        raise Aborted(
            f"the folder has other migrations by now, {plan.digest}: call migrations.dry_run, and apply the "
            "digest that it answers"
        )
    if plan.breaks and params.breaking is None:
        raise FailedPrecondition(
            "code that is served now would notice, while some tenants are migrated and others are not: "
            f"{'; '.join(plan.breaks[:5])}; make it a later migration, or say why it has to be: "
            'breaking="…"',
            details=[Problem("digest", each) for each in plan.breaks[:MOST_NAMED]],
        )
    begun = await ctx.execute(BeginRun(APPLY, _changes(plan), params.release))
    ctx.actors.rollout.tell(StartRun(begun["run"]))
    return begun


async def restore(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Put all copies from before an apply back, if nothing was written since; answered at once."""
    await _require_none_under_way(ctx)
    row = await ctx.ask(ctx.actors.directory, FindRun(params.run))
    if not row or row["kind"] != APPLY:
        raise NotFound(
            f"there is no apply {params.run}: migrations.list and migrations.status name them"
        )
    found = await ctx.ask(ctx.actors.directory, ListChanged(params.run))
    marks = {tenant.id: mark for tenant, mark in found["tenants"]}
    names, counts = await _revisions(ctx)
    changed = await ctx.ask(ctx.actors.migrator, FindChanged(tuple(marks.items())))
    made = [id_ for id_, at in counts.items() if (at or 0) > row["origin"] and id_ not in marks]
    if changed or made:
        raise _changed([names[each] for each in (*changed, *made)])
    plan = await _read(ctx, ReadFolder(Path(row["folder"]) if row["folder"] else None))
    changes = _changes(plan)._replace(origin=row["origin"])
    begun = await ctx.execute(BeginRun(RESTORE, changes, row["release"], of=params.run))
    ctx.actors.rollout.tell(StartRun(begun["run"]))
    return begun


async def _require_none_under_way(ctx: AdminContext) -> None:
    """Refuse at once: the folder is read behind the tenant that is migrated now, which may take long."""
    row = await ctx.ask(ctx.actors.directory, FindRun(None))
    if row:
        raise under_way(row["id"], row["kind"])


async def _revisions(ctx: AdminContext) -> tuple[dict[str, str], dict[str, int | None]]:
    """Return the names of all tenants, and how many revisions their files have; by their ids."""
    found = await ctx.ask(ctx.actors.directory, ListPending(None))
    names = {each.id: each.name for each in found["tenants"]}
    counts = await ctx.ask(ctx.actors.migrator, CountRevisions(tuple(names)))
    return names, counts


async def _plan(ctx: AdminContext, release: str | None) -> UpgradePlan:
    """Read the folder of the index that is served, or of a release beside it, as it is on disk."""
    return await _read(ctx, ReadIndex(ctx.table.described.path, release))


async def _read(ctx: AdminContext, message: ReadIndex | ReadFolder) -> UpgradePlan:
    try:
        plan: UpgradePlan = await ctx.ask(ctx.actors.migrator, message)
    except CodeProblem as problem:
        raise FailedPrecondition(str(problem)) from problem
    return plan


def _changes(plan: UpgradePlan) -> Changes:
    folder = plan.migrations.folder
    return Changes(str(folder or ""), plan.digest, plan.scripts, plan.origin, plan.head)


def _changed(names: list[str]) -> FailedPrecondition:
    told = ", ".join(sorted(names)[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return FailedPrecondition(
        f"{len(names)} tenants were made or written to since they were migrated, and would lose that: "
        f"{told}{more}; "
        "go on with the migrated tables and take only the functions back (functions.release), or write a "
        "migration that undoes what has to be undone",
        details=[
            Problem(name, "made or written to since its migration")
            for name in sorted(names)[:MOST_NAMED]
        ],
    )

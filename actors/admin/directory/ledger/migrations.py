"""The ledger of migrations: which run did what to which tenant, written before and after each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, case, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from actors.admin.directory.repository import (
    DirectoryTransaction,
    Result,
    actor_label,
    records,
)
from actors.admin.directory.tables import migration_runs, migrations, tenants
from actors.admin.migration_messages import (
    APPLY,
    DONE,
    DRY_RUN,
    FAILED,
    GONE,
    RESTORE,
    RESTORED,
    RUNNING,
    STARTED,
    STOPPED,
    BeginRun,
    Changes,
    EndRun,
    FindRun,
    ListChanged,
    ListPending,
    RecordSteps,
    ShowRun,
    TenantStep,
    under_way,
)
from actors.errors import FailedPrecondition, NotFound
from actors.messages import Principal

runs, ledger = migration_runs.c, migrations.c

MOST_ERROR = 1000
"""Characters of a reason that are kept."""

TAKEN_BACK = "it is being taken back"

CHANGED = (DONE, GONE)
"""States of tenants that a run has nothing more to do for."""


def begin(transaction: DirectoryTransaction, command: BeginRun, by: Principal) -> Result:
    """Begin a run; see BeginRun."""
    _require_alone(transaction)
    if command.kind == APPLY:
        _require_tried(transaction, command.changes.digest)
        _require_same_scripts(transaction, command.changes)
        stopped = _stopped(transaction, command.changes.digest)
        if stopped is not None:
            _set_state(transaction, stopped.id, RUNNING)
            return {"run": stopped.id, "total": _count_tenants(transaction)}
    if command.kind == RESTORE:
        _require_latest(transaction, command.of)
        assert command.of is not None
        _take_back(transaction, command.of, STOPPED, TAKEN_BACK)  # what a start then serves
    changes = command.changes
    total = _count_tenants(transaction)
    transaction.run(
        insert(migration_runs).values(
            kind=command.kind,
            of=command.of,
            release=command.release,
            folder=changes.folder,
            digest=changes.digest,
            scripts=json.dumps(dict(changes.scripts)),
            origin=changes.origin,
            head=changes.head,
            state=RUNNING,
            total=total,
            started_at=transaction.now_text,
            started_by=actor_label(by),
        )
    )
    return {"run": _latest(transaction).id, "total": total}


def record(transaction: DirectoryTransaction, command: RecordSteps, by: Principal) -> Result:
    """Write down what has become of tenants; a tenant's last step replaces those before."""
    del by
    run = _run(transaction, command.run)
    for step in command.steps:
        _record(transaction, run.id, step)
        if run.kind == RESTORE and step.state == DONE:
            mine = (ledger.run == run.of) & (ledger.tenant_id == step.tenant.id)
            transaction.run(update(migrations).where(mine).values(state=RESTORED))
    return {}


def _record(transaction: DirectoryTransaction, run: int, step: TenantStep) -> None:
    now = transaction.now_text
    ended = None if step.state == STARTED else now
    error = step.error and step.error[:MOST_ERROR]
    values: Result = {"state": step.state, "ended_at": ended, "error": error, "mark": step.mark}
    row = {"run": run, "tenant_id": step.tenant.id, "tenant": step.tenant.name}
    first = upsert(migrations).values(**row, **values, origin=step.origin, started_at=now)
    if step.state == STARTED:  # begun again after a kill, its file may have been migrated already
        was_begun = (ledger.state == STARTED) & ledger.origin.is_not(None)
        values |= {"origin": case((was_begun, ledger.origin), else_=step.origin)}
    mine = [ledger.run, ledger.tenant_id]
    transaction.run(first.on_conflict_do_update(index_elements=mine, set_=values))


def end(transaction: DirectoryTransaction, command: EndRun, by: Principal) -> Result:
    """End a run; see EndRun."""
    del by
    row = _run(transaction, command.run)
    _set_state(transaction, row.id, command.state, command.error, transaction.now_text)
    if row.kind == RESTORE and command.state in (DONE, STOPPED):
        became = RESTORED if command.state == DONE else STOPPED
        _take_back(transaction, row.of, became, command.error)
    return {}


# Queries


def show(transaction: DirectoryTransaction, query: ShowRun) -> Result:
    """Return a run as migrations.status answers it."""
    row = _latest(transaction) if query.run is None else _run(transaction, query.run)
    counted = select(ledger.state, func.count()).where(ledger.run == row.id)
    states: dict[str, int] = dict(map(tuple, transaction.all(counted.group_by(ledger.state))))
    scripts = list(json.loads(row.scripts))
    return {
        "run": row.id,
        "kind": row.kind,
        "release": row.release,
        "digest": row.digest,
        "state": row.state,
        "origin": scripts[row.origin - 1] if row.origin else None,
        "head": scripts[row.head - 1] if row.head else None,
        "total": row.total,
        "done": states.get(DONE, 0) + states.get(GONE, 0),
        "failed": [_failure(each) for each in _failures(transaction, row.id, query.limit)],
        "failures": states.get(FAILED, 0),
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "started_by": row.started_by,
        "error": row.error,
    }


def find(transaction: DirectoryTransaction, query: FindRun) -> Result:
    """Return the row of a run, or of the one that is under way."""
    which = runs.state == RUNNING if query.run is None else runs.id == query.run
    row = transaction.one(select(migration_runs).where(which))
    return {} if row is None else dict(row._mapping)


def list_pending(transaction: DirectoryTransaction, query: ListPending) -> Result:
    """Return the tenants that a run has not changed yet."""
    changed = select(ledger.tenant_id).where(ledger.run == query.run, ledger.state.in_(CHANGED))
    found = records(transaction, tenants.c.id.not_in(changed))
    return {"tenants": sorted(found, key=lambda each: each.id)}


def list_changed(transaction: DirectoryTransaction, query: ListChanged) -> Result:
    """Return the tenants that an apply has migrated and that were not put back, in the order of their ids.

    FailedPrecondition if it is not the latest.
    """
    _require_latest(transaction, query.run)
    head = select(runs.head).where(runs.id == query.run).scalar_subquery()
    migrated = select(ledger.tenant_id, ledger.mark).where(
        ledger.run == query.run, ledger.state == DONE, ledger.origin < head
    )
    marks: dict[str, str | None] = dict(map(tuple, transaction.all(migrated)))
    migrated_tenants = records(transaction, tenants.c.id.in_(marks))
    found = [(each, marks[each.id]) for each in sorted(migrated_tenants, key=lambda one: one.id)]
    return {"tenants": found}


QUERIES: Mapping[type, Callable[[DirectoryTransaction, Any], Result]] = MappingProxyType(
    {ShowRun: show, FindRun: find, ListPending: list_pending, ListChanged: list_changed}
)

COMMANDS: Mapping[type, Callable[[DirectoryTransaction, Any, Principal], Result]] = (
    MappingProxyType({BeginRun: begin, RecordSteps: record, EndRun: end})
)


# Rules


def _require_alone(transaction: DirectoryTransaction) -> None:
    row = transaction.one(select(migration_runs).where(runs.state == RUNNING))
    if row is not None:
        raise under_way(row.id, row.kind)


def _require_tried(transaction: DirectoryTransaction, digest: str) -> None:
    row = transaction.one(
        select(migration_runs)
        .where(runs.kind == DRY_RUN, runs.digest == digest)
        .order_by(runs.id.desc())
    )
    if row is None:
        raise FailedPrecondition(
            "there was no dry run of migrations with this digest: call migrations.dry_run, and apply the "
            "digest that it answers"
        )
    if row.state != DONE:
        raise FailedPrecondition(
            f"dry run {row.id} of these migrations has {row.state}: see migrations.status run={row.id}, "
            "mend what it lists, and call migrations.dry_run again"
        )


def _require_same_scripts(transaction: DirectoryTransaction, changes: Changes) -> None:
    """A database remembers the name of a script and not its text."""
    applied = transaction.all(
        select(migration_runs).where(runs.kind == APPLY, runs.state != RESTORED)
    )
    for row in applied:
        for name, digest in json.loads(row.scripts).items():
            if changes.scripts.get(name, digest) != digest:
                raise FailedPrecondition(
                    f"{name} has been edited since run {row.id} applied it: put it back as it was, and "
                    "write the change as the next migration"
                )


def _require_latest(transaction: DirectoryTransaction, run: int | None) -> None:
    latest = transaction.one(
        select(migration_runs).where(runs.kind == APPLY).order_by(runs.id.desc())
    )
    if latest is None or latest.id != run or latest.state not in (DONE, STOPPED):
        told = "there is none" if latest is None else f"that is run {latest.id}, {latest.state}"
        raise FailedPrecondition(
            f"only the latest apply can be taken back, once it is done or has stopped: {told}"
        )


def _stopped(transaction: DirectoryTransaction, digest: str) -> Row[Any] | None:
    """The latest apply, if it has stopped on its way to this digest."""
    latest = transaction.one(
        select(migration_runs).where(runs.kind == APPLY).order_by(runs.id.desc())
    )
    if latest is not None and (latest.digest, latest.state) == (digest, STOPPED):
        return latest
    return None


# Rows


def _run(transaction: DirectoryTransaction, run: int) -> Row[Any]:
    row = transaction.one(select(migration_runs).where(runs.id == run))
    if row is None:
        raise NotFound(
            f"there is no run {run} of migrations: migrations.list names the latest ones"
        )
    return row


def _latest(transaction: DirectoryTransaction) -> Row[Any]:
    row = transaction.one(select(migration_runs).order_by(runs.id.desc()).limit(1))
    if row is None:
        raise NotFound("there was no run of migrations yet: begin with migrations.dry_run")
    return row


def _set_state(
    transaction: DirectoryTransaction,
    run: int,
    state: str,
    error: str | None = None,
    ended_at: str | None = None,
) -> None:
    values = {"state": state, "error": error and error[:MOST_ERROR], "ended_at": ended_at}
    transaction.run(update(migration_runs).where(runs.id == run).values(**values))


def _take_back(transaction: DirectoryTransaction, run: int, state: str, error: str | None) -> None:
    """Set the state of a run that is taken back; when it ended, and why it failed, stays as it was."""
    text = error and error[:MOST_ERROR]
    has_failed = runs.error.is_not(None) & (runs.error != TAKEN_BACK)
    kept = case((has_failed, runs.error), else_=text)
    transaction.run(update(migration_runs).where(runs.id == run).values(state=state, error=kept))


def _count_tenants(transaction: DirectoryTransaction) -> int:
    return transaction.count(select(func.count()).select_from(tenants))


def _failures(transaction: DirectoryTransaction, run: int, limit: int) -> Any:
    query = select(migrations).where(ledger.run == run, ledger.state == FAILED)
    return transaction.all(query.order_by(ledger.tenant).limit(limit))


def _failure(row: Row[Any]) -> Result:
    return {"tenant": row.tenant, "reason": row.error, "at": row.ended_at}

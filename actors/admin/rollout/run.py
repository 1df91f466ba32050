"""One run over all tenants: a dry run, an apply, or a restore. Each await is another actor asked.

Each tenant is written down before it is touched and after, so a run that was cut short is gone on with from
the ledger: what is not written as done is done again, and a tenant's file is changed wholly or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog

from actors.admin.console.call import CONSOLE
from actors.admin.messages import Execute
from actors.admin.migration_messages import (
    DONE,
    DRY_RUN,
    FAILED,
    GONE,
    INTERRUPTED,
    STARTED,
    STOPPED,
    EndRun,
    ListChanged,
    ListPending,
    RecordSteps,
    TenantStep,
)
from actors.errors import NotFound, TenantryError, Unavailable
from actors.index.entries import MigrationScripts
from actors.messages import TenantRecord
from actors.registry.messages import MigrationsRun
from actors.registry.shared import Actors
from actors.runtime.clock import Once
from actors.runtime.futures import PendingReply, ReplyFuture, ask_async, resolve
from actors.runtime.mailbox import Mailbox
from actors.supervision.pausing import Pause, Unpause
from actors.tenant.storage.migrator import CountRevisions, PutBack, Serve, TryUpgrade, Upgrade
from actors.tenant.storage.upgrades import Revisions, Upgraded, UpgradePlan

log = structlog.get_logger()

RETRY_SECONDS = 2.0
"""Seconds after which the ledger is written again where the disk did not take it."""


class Work(NamedTuple):
    """What a run is to do."""

    run: int
    plan: UpgradePlan
    """For a restore, of the run that is taken back."""
    origin: int
    """Revisions of the application that are served without the run."""
    of: int | None = None
    """The run that is taken back."""


class Stopping(Exception):
    """The server stops: the run stays as it is in the ledger, and the next server goes on with it."""


class _Alarm(Mailbox):
    """Receives a message from the Clock, and resolves a future."""

    __slots__ = ("_rings",)

    def __init__(self, rings: ReplyFuture) -> None:
        super().__init__("alarm", lambda _: None)
        self._rings = rings

    def tell(self, message: object) -> None:
        resolve(self._rings, message)


class Run:
    """One run. `done` and `total` are for status questions."""

    def __init__(self, actors: Actors, work: Work) -> None:
        self._actors = actors
        self.work = work
        self.done = 0

    # Dry run

    async def dry_run(self) -> None:
        """Migrate a copy of every tenant's file; all that fail are listed."""
        failed: list[TenantStep] = []
        for tenant in await self._pending():
            try:
                await ask_async(self._actors.migrator, TryUpgrade(tenant.id, self.work.plan))
            except Exception as error:  # noqa: BLE001 - a migration is foreign code: whatever it raises is a finding
                failed.append(TenantStep(tenant, FAILED, error=_reason(error)))
            self.done += 1
        if failed:
            await self._record(failed)
        await self._execute(EndRun(self.work.run, FAILED if failed else DONE))

    # Apply

    async def apply(self) -> None:
        """Migrate every tenant; the first that fails ends it, and stays as it was."""
        work = self.work
        await self._serve(Revisions(work.origin, work.plan.head))
        while pending := await self._pending():
            for tenant in pending:
                step = await self._changed(tenant, Upgrade(tenant.id, work.plan))
                if step.state == FAILED:
                    await self._stop(step)
                    return
        await self._execute(EndRun(work.run, DONE))
        await self._serve(Revisions(last=work.plan.head))
        self._tell_registry(work.plan.head)

    # Restore

    async def restore(self) -> None:
        """Put every tenant's copy from before the migration back; the first that cannot be ends it."""
        work = self.work
        assert work.of is not None
        await self._serve(Revisions(work.origin, work.plan.head))
        found = await ask_async(self._actors.directory, ListChanged(work.of))
        for tenant, mark in found["tenants"]:
            step = await self._changed(tenant, PutBack(tenant.id, mark or "", work.plan.head))
            if step.state == FAILED:
                await self._stop(step)
                return
        if ahead := await self._ahead(await self._every_tenant()):
            words = f"{', '.join(ahead)}: made at the revision that is taken back; apply it again"
            await self._execute(EndRun(work.run, STOPPED, words))
            return
        await self._execute(EndRun(work.run, DONE))
        await self._serve(Revisions(work.origin, work.origin))
        self._tell_registry(work.origin)

    # One tenant

    async def _changed(self, tenant: TenantRecord, order: Upgrade | PutBack) -> TenantStep:
        """Have a tenant's file changed while it is closed; its requests wait meanwhile."""
        counts = await ask_async(self._actors.migrator, CountRevisions((tenant.id,)))
        await self._record([TenantStep(tenant, STARTED, origin=counts[tenant.id])])
        try:
            await self._pause(tenant)
            step = _step(tenant, await ask_async(self._actors.migrator, order))
        except NotFound:
            step = TenantStep(tenant, GONE, error="the tenant was deleted meanwhile")
        except Stopping:
            raise
        except Exception as error:  # noqa: BLE001 - a migration is foreign code: whatever it raises is its failure
            step = TenantStep(tenant, FAILED, error=_reason(error))
        await self._conclude(step)
        self.done += 1
        return step

    async def _pause(self, tenant: TenantRecord) -> None:
        closed = ReplyFuture()
        self._actors.supervisor.tell(Pause(tenant, closed))
        try:
            await PendingReply(closed)
        except Unavailable as error:
            raise Stopping from error

    async def _conclude(self, step: TenantStep) -> None:
        """Write down what has become of the tenant, and serve it again: in this order, if the disk takes it.

        Otherwise its callers would wait for the disk of the ledger.
        """
        message = RecordSteps(self.work.run, (step,))
        try:
            await self._try_execute(message)
        except Unavailable:
            self._unpause(step.tenant)
            await self._execute(message)
        self._unpause(step.tenant)

    def _unpause(self, tenant: TenantRecord) -> None:
        self._actors.supervisor.tell(Unpause(tenant.id))

    async def _stop(self, step: TenantStep) -> None:
        log.error(
            "migration of a tenant failed; the run has stopped",
            run=self.work.run,
            tenant=step.tenant.name,
            tenant_id=step.tenant.id,
            error=step.error,
        )
        await self._execute(EndRun(self.work.run, STOPPED, f"{step.tenant.name}: {step.error}"))

    # The ledger

    async def _ahead(self, tenants: Sequence[TenantRecord]) -> list[str]:
        """Return the names of tenants that are beyond what is served without the run."""
        ids = tuple(each.id for each in tenants)
        counts = await ask_async(self._actors.migrator, CountRevisions(ids))
        return [each.name for each in tenants if (counts[each.id] or 0) > self.work.origin]

    async def _every_tenant(self) -> Sequence[TenantRecord]:
        return await self._list(None)

    async def _pending(self) -> Sequence[TenantRecord]:
        return await self._list(self.work.run)

    async def _list(self, run: int | None) -> Sequence[TenantRecord]:
        found = await ask_async(self._actors.directory, ListPending(run))
        pending: Sequence[TenantRecord] = found["tenants"]
        return pending

    async def _record(self, steps: Sequence[TenantStep]) -> None:
        await self._execute(RecordSteps(self.work.run, tuple(steps)))

    async def _execute(self, command: Any) -> None:
        """Have the Directory execute a command, however often its disk has to be asked."""
        while True:
            try:
                await self._try_execute(command)
            except Unavailable as error:
                log.error("the ledger of migrations cannot be written", error=str(error))
            else:
                return
            rings = ReplyFuture()
            self._actors.clock.tell(Once(RETRY_SECONDS, _Alarm(rings), None))
            await PendingReply(rings)

    async def _try_execute(self, command: Any) -> None:
        await ask_async(self._actors.directory, Execute(command, CONSOLE, None))

    def _tell_registry(self, revisions: int) -> None:
        """So that functions.diff says no more that these are new."""
        scripts = list(self.work.plan.scripts)[:revisions]
        storage = MigrationScripts(self.work.plan.migrations.folder, tuple(sorted(scripts)))
        self._actors.registry.tell(MigrationsRun(storage))

    async def _serve(self, revisions: Revisions) -> None:
        await ask_async(self._actors.migrator, Serve(self.work.plan, revisions))


async def end_run(actors: Actors, run: int, kind: str, error: Exception | None) -> None:
    """End a run that cannot go on: an apply or a restore has stopped, a dry run was interrupted."""
    state = INTERRUPTED if kind == DRY_RUN else STOPPED
    ended = EndRun(run, state, _reason(error) if error is not None else None)
    await ask_async(actors.directory, Execute(ended, CONSOLE, None))


def _step(tenant: TenantRecord, answer: Any) -> TenantStep:
    if isinstance(answer, Upgraded):
        return TenantStep(tenant, DONE, mark=answer.mark)
    return TenantStep(tenant, DONE)


def _reason(error: Exception) -> str:
    """In words, on one line; of a defect the type as well."""
    known = isinstance(error, TenantryError)
    return " ".join((str(error) if known else f"{type(error).__name__}: {error}").split())

"""The Rollout: has one run at a time over all tenants, and goes on with it after a restart."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from actors.admin.migration_messages import APPLY, DRY_RUN, FindRun
from actors.admin.rollout.run import Run, Stopping, Work, end_run
from actors.errors import CodeProblem
from actors.registry.shared import Actors
from actors.runtime.actor import Actor
from actors.runtime.futures import Awaiting, CoroutineDriver, Raised, ReplyFuture, ask_async
from actors.runtime.in_flight import InFlight, ReplyArrived
from actors.runtime.mailbox import Mailbox
from actors.supervision.pausing import Unpause
from actors.tenant.storage.migrator import ReadFolder

log = structlog.get_logger()


class StartRun(NamedTuple):
    """Tell: begin the run with this number of the ledger, unless one is under way."""

    run: int


class AskProgress(NamedTuple):
    """Ask: how many tenants of a run this incarnation has been through; None if the run is not under way."""

    run: int


class Rollout(Actor):
    """Steps the coroutine of the run that is under way; asked questions between two steps."""

    def __init__(self, mailbox: Mailbox, actors: Actors) -> None:
        super().__init__(mailbox)
        self._actors = actors
        self._in_flight = InFlight[CoroutineDriver](mailbox)
        self._run: Run | None = None
        self._next: int | None = None
        """A run that was to begin while another coroutine was under way."""
        self._add_handlers(
            {
                StartRun: lambda message: self._begin(message.run),
                AskProgress: self._progress,
                ReplyArrived: self._on_reply,
            }
        )

    def snapshot(self) -> dict[str, Any]:
        """Return which run is under way."""
        return {"run": self._run and self._run.work.run, "done": self._run and self._run.done}

    def on_start(self) -> None:
        """Go on with the run that an earlier incarnation, or an earlier server, has left."""
        self._actors.supervisor.tell(Unpause(None))
        self._begin(None)

    def _progress(self, message: AskProgress) -> int | None:
        if self._run is None or self._run.work.run != message.run:
            return None
        return self._run.done

    def _begin(self, run: int | None) -> None:
        if len(self._in_flight):
            self._next = run
        else:
            self._step(CoroutineDriver(self._serve(run)))

    async def _serve(self, number: int | None) -> None:
        """Do the run of this number, or the one that is not finished."""
        row = await ask_async(self._actors.directory, FindRun(number))
        if not row:
            return
        if number is None and row["kind"] == DRY_RUN:
            await end_run(self._actors, row["id"], DRY_RUN, None)
            return
        try:
            await self._do(row)
        except Stopping:
            raise
        except Exception as error:  # a migration is foreign code: whatever it raises ends its run
            log.error("migrations: run cannot go on", run=row["id"], exc_info=error)
            await end_run(self._actors, row["id"], row["kind"], error)

    async def _do(self, row: dict[str, Any]) -> None:
        read = ReadFolder(Path(row["folder"]) if row["folder"] else None)
        plan = await ask_async(self._actors.migrator, read)
        if plan.digest != row["digest"]:
            raise CodeProblem(f"{row['folder']} was edited since: put it back as it was")
        run = self._run = Run(self._actors, Work(row["id"], plan, row["origin"], row["of"]))
        log.info("migrations: run begins", run=row["id"], kind=row["kind"])
        await _work(run, row["kind"])
        log.info("migrations: run ended", run=row["id"], done=run.done)

    # Stepping

    def _on_reply(self, message: ReplyArrived) -> None:
        found = self._in_flight.resume(message)
        if found is not None:
            self._step(*found)

    def _step(self, driver: CoroutineDriver, arrived: ReplyFuture | None = None) -> None:
        step = driver.step(arrived)
        if isinstance(step, Awaiting):
            self._in_flight.suspend(driver, step.awaited)
            return
        self._in_flight.end(driver)
        self._run = None
        if isinstance(step, Raised) and not isinstance(step.error, Stopping):
            log.error("migrations: the ledger cannot be read", exc_info=step.error)
        if (following := self._next) is not None:
            self._next = None
            self._begin(following)


def _work(run: Run, kind: str) -> Coroutine[Any, Any, None]:
    if kind == DRY_RUN:
        return run.dry_run()
    return run.apply() if kind == APPLY else run.restore()

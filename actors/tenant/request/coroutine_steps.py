"""Async functions of a tenant: their steps, each in a transaction of its own, and their ends.

A step is the work of a coroutine from one wait to the next, all or nothing. It does not share a transaction
with other messages: if SQLite ends a shared transaction, all messages in it are served again, and a coroutine
cannot be.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec.structs import replace

from actors.errors import Aborted
from actors.runtime.futures import CoroutineDriver, Raised, Returned, Step
from actors.runtime.in_flight import ReplyArrived
from actors.runtime.mailbox import Mailbox
from actors.tenant.context import Context
from actors.tenant.database.placement import FileReplaced
from actors.tenant.database.statements import ScopedDatabase
from actors.tenant.request.connector_calls import AWAITABLE, ConnectorCall, ConnectorCalls
from actors.tenant.request.function_calls import ReadOnlyViolation
from actors.tenant.request.handler import RequestHandler
from actors.tenant.request.idempotency import Progress, request_fingerprint
from actors.tenant.request.outcome import NeedsOwnTransaction, Outcome
from actors.tenant.request.pending import HeldReply
from actors.tenant.request.sends import Sends
from actors.tenant.request.suspended import SuspendedCall, SuspendedCalls
from actors.tenant.request.unit_of_work import FILE_REPLACED, STEP_LOST, UnitOfWork
from transport.message import Refusal


class StepResult(NamedTuple):
    """The result of one step, to be committed: a reply, or a connector call that leaves after the commit."""

    pending: HeldReply | None
    suspended: SuspendedCall | None = None
    call: ConnectorCall | None = None
    progress: Progress | None = None
    """Progress of the function once this step is committed."""
    wrote: bool = False


class CoroutineSteps:
    """Runs steps of one tenant's coroutines, on one open database.

    Never raises: a failure becomes a reply.
    """

    def __init__(self, handler: RequestHandler, suspended_calls: SuspendedCalls) -> None:
        self._environment = handler.environment
        self._database = handler.database
        self._calls = handler.calls
        self._failures = handler.failures
        self._replies = handler.replies
        self._stored_replies = handler.stored
        self._suspended_calls = suspended_calls

    def begin(self, signal: NeedsOwnTransaction) -> StepResult:
        """Run the first step of a request, or return the stored reply of its id, or a refusal."""
        work, route, began = signal.work, signal.route, time.monotonic()
        try:
            if route.writes:
                self._database.durability.require_known()
            digest = request_fingerprint(route.name, work.request.params) if route.writes else b""
            if route.writes:
                earlier = self._stored_replies.find_or_running(work, route, digest)
                if earlier is not None:
                    return StepResult(
                        self._replies.write(Outcome(work, route, began, stored=earlier))
                    )
            self._suspended_calls.require_capacity()
        except BaseException as error:  # noqa: BLE001 - as for every request, a failure is its answer
            return StepResult(self._replies.refuse(Outcome(work, route, began, error=error)))
        return self.resume(self._function(signal, digest))

    def resume(self, suspended: SuspendedCall) -> StepResult:
        """Run the next step: the first one, or the one after the awaited reply."""
        self._environment.refresh()
        self._calls.running = None
        try:
            with self._database.savepoint:
                return self._advance(suspended)
        except BaseException as error:  # noqa: BLE001 - whatever a function raises is its own failure
            refusal = self._failures.refusal_of(self._failed(suspended, error))
            return StepResult(self.close(suspended, refusal))

    def close(self, suspended: SuspendedCall, refusal: Refusal) -> HeldReply:
        """Close a call and refuse it. If a step was committed, the refusal is stored as its final reply."""
        self._environment.refresh()
        self.abandon(suspended)
        if not self._database.in_transaction:  # SQLite may have ended it by itself
            self._database.begin()
        refusal = suspended.with_progress(refusal)
        pending = self._replies.refuse(
            suspended.outcome(refusal=refusal, running=self._calls.running)
        )
        return pending if suspended.progress is None else self._stored(suspended, pending)

    def abandon(self, suspended: SuspendedCall) -> None:
        """Close the coroutine, so that it cleans up without its database. An error in that is logged."""
        with self._calls.start(suspended.route, suspended.work):
            error = suspended.stepper.close()
        if error is not None:
            self._failures.refusal_of(self._failed(suspended, error))

    def _failed(self, suspended: SuspendedCall, error: BaseException) -> Outcome:
        return suspended.outcome(error=error, running=self._calls.running)

    def _function(self, signal: NeedsOwnTransaction, digest: bytes) -> SuspendedCall:
        work, route, environment = signal.work, signal.route, self._environment
        table, require_subscribed = environment.table, environment.require_subscribed
        scoped = ScopedDatabase()
        calls = ConnectorCalls(route.action, table.operations, require_subscribed)
        sends = Sends(route.action, table, require_subscribed)
        context = Context(
            scoped,
            environment.record.name,
            work.principal,
            route.name,
            environment.now(),
            work.trace_id,
            environment.config,
            calls,
            sends,
        )
        assert route.function is not None
        coroutine = route.function(context, signal.params)
        return SuspendedCall(
            work=work,
            route=route,
            digest=digest,
            allowed_sql=self._database.allowed_sql,
            began=time.monotonic(),
            stepper=CoroutineDriver(coroutine, ConnectorCall, AWAITABLE),
            scoped=scoped,
            calls=calls,
            sends=sends,
        )

    def _advance(self, suspended: SuspendedCall) -> StepResult:
        database, route = self._database, suspended.route
        before = database.changes
        step = self._step(suspended)
        if isinstance(step, Raised):
            try:
                raise step.error
            finally:
                del step  # or its traceback would hold it, and it its traceback
        self._calls.put(suspended.sends, suspended.work)
        wrote = database.changes != before
        if wrote and not route.writes:
            raise ReadOnlyViolation(f'{route.name} has effect = "read" in the index, and wrote')
        if isinstance(step, Returned):
            return StepResult(self._returned(suspended, step.value))
        progress = self._record_progress(suspended) if wrote else suspended.progress
        return StepResult(None, suspended, step.awaited, progress, wrote)

    def _step(self, suspended: SuspendedCall) -> Step:
        scope = self._database.function_scope(
            suspended.work.request.params,
            suspended.deadline,
            read_only=not suspended.route.writes,
            allowed_sql=suspended.allowed_sql,
        )
        running = self._calls.start(suspended.route, suspended.work)
        with running, scope as database, suspended.scoped.scope(database):
            return self._charge_cpu(suspended)

    def _charge_cpu(self, suspended: SuspendedCall) -> Step:
        measured, awaited = self._environment.cpu_budget, suspended.awaiting
        if measured is None:
            return suspended.stepper.step(awaited)
        with measured if awaited is None else measured.resumption():
            return suspended.stepper.step(awaited)

    def _returned(self, suspended: SuspendedCall, result: Any) -> HeldReply:
        work, route = suspended.work, suspended.route
        suspended.calls.require_awaited()
        route.result.check(result)
        body = self._replies.encode(suspended.outcome(result=result))
        if route.writes:
            self._record(suspended, body)
            self._calls.accept_callback(work)
        return HeldReply(work, body, route.writes, route, None, suspended.began, time.monotonic())

    def _record_progress(self, suspended: SuspendedCall) -> Progress:
        progress = Progress.advance(suspended.progress, time.time())
        self._record(suspended, progress.encode())
        return progress

    def _record(self, suspended: SuspendedCall, content: bytes) -> None:
        """Store progress or the reply. Before the first step, another request may have used the id."""
        caller, id_ = suspended.id
        if suspended.progress is not None:
            self._database.replies.update(caller, id_, content, self._database.age())
        elif self._database.replies.find(*suspended.work.whose) is None:
            self._database.replies.store(
                caller, id_, suspended.digest, content, self._database.age()
            )
        else:
            raise Aborted(
                f"id {id_!r} was used by another request while this one waited; nothing was kept"
            )

    def _stored(self, suspended: SuspendedCall, pending: HeldReply) -> HeldReply:
        """Store the refusal. If there is no room for it, the stored progress stays and says the same."""
        caller, id_ = suspended.id
        try:
            self._database.replies.update(caller, id_, pending.body, self._database.age())
        except sqlite3.Error:
            if not self._database.in_transaction:
                self._database.begin()
        return replace(pending, wrote=True)


STOPPING = "the server is stopping"


class AsyncExecution:
    """Runs one tenant's async calls.

    Each step is a transaction; the reply or the call leaves after its commit.
    """

    def __init__(
        self, mailbox: Mailbox, unit_of_work: UnitOfWork, suspended_calls: SuspendedCalls
    ) -> None:
        """`mailbox` is the tenant's; its `closing` is when the server closes."""
        self._mailbox = mailbox
        self._unit_of_work = unit_of_work
        self._suspended_calls = suspended_calls

    def begin(self, signal: NeedsOwnTransaction) -> StepResult:
        """Run the first step of a request, in a transaction that is begun; call `finish` next."""
        return self._steps.begin(signal)

    def on_reply(self, message: ReplyArrived) -> None:
        """Resume the call that waits for this reply; a reply after its end is dropped."""
        suspended = self._suspended_calls.resume(message)
        if suspended is None:
            return
        if suspended.deadline <= time.monotonic():
            self._close([(suspended, suspended.overdue())])
            return
        self._unit_of_work.begin()
        step_result = self._steps.resume(suspended)
        if step_result.pending is not None:
            self._suspended_calls.end(suspended)
        self.finish(step_result)

    def finish(self, step_result: StepResult) -> None:
        """Commit a step; then send the reply or the connector call."""
        if step_result.pending is not None:
            self._unit_of_work.commit([step_result.pending])
            return
        suspended, call = step_result.suspended, step_result.call
        assert suspended is not None
        assert call is not None
        if self._is_on_disk(step_result, suspended):
            suspended.progress = step_result.progress
            self._suspended_calls.add(suspended, call)

    def on_deadline(self) -> None:
        """Close calls whose deadline has passed; close all of them when the server has to close."""
        closing = self._mailbox.closing
        if closing is not None and closing <= time.monotonic():
            self.cancel(STOPPING)
        else:
            self._close((each, each.overdue()) for each in self._suspended_calls.overdue())
        self._suspended_calls.arm_timer()

    def cancel(self, cause: str, retry_after_ms: int | None = 1000) -> None:
        """Cancel every suspended call. Calls without a committed step may be retried."""
        self._close(
            (suspended, suspended.cancelled(cause, retry_after_ms=retry_after_ms))
            for suspended in self._suspended_calls
        )

    def abandon(self, cause: str) -> None:
        """Close every suspended call without the database; stored progress stays there."""
        for suspended in self._suspended_calls:
            self._suspended_calls.end(suspended)
            self._steps.abandon(suspended)
            refusal = suspended.with_progress(suspended.cancelled(cause, retry_after_ms=1000))
            self._unit_of_work.gate.refuse(suspended.work, refusal)

    @property
    def _steps(self) -> CoroutineSteps:
        """Steps on the database that is open now."""
        return CoroutineSteps(self._unit_of_work.handler, self._suspended_calls)

    def _is_on_disk(self, step_result: StepResult, suspended: SuspendedCall) -> bool:
        """Commit a step. If the commit fails and the step is lost, close its function; no call has left."""
        try:
            self._unit_of_work.flush(wrote=step_result.wrote)
        except FileReplaced:
            self._suspended_calls.end(suspended)
            self._steps.abandon(suspended)
            self._unit_of_work.gate.refuse(suspended.work, suspended.with_progress(FILE_REPLACED))
            raise
        except sqlite3.Error as error:
            self._unit_of_work.on_commit_failed(error, 1)
            if not self._is_committed(step_result, suspended):
                is_first = suspended.progress is None or self._unit_of_work.durability.is_unknown
                self._close(
                    [
                        (
                            suspended,
                            self._unit_of_work.commit_refusal(error) if is_first else STEP_LOST,
                        )
                    ]
                )
                return False
        return True

    def _is_committed(self, step_result: StepResult, suspended: SuspendedCall) -> bool:
        """Whether a step whose commit failed is on disk.

        One that wrote nothing left no progress, and counts as lost.
        """
        if (
            self._unit_of_work.durability.is_unknown
            or not step_result.wrote
            or step_result.progress is None
        ):
            return False
        return (
            self._unit_of_work.handler.replies.stored_content(suspended.work)
            == step_result.progress.encode()
        )

    def _close(self, ended: Iterable[tuple[SuspendedCall, Refusal]]) -> None:
        """Refuse these calls, in one transaction."""
        closing = list(ended)
        if not closing:
            return
        self._unit_of_work.begin()
        for suspended, _ in closing:
            self._suspended_calls.end(suspended)
        steps = self._steps
        self._unit_of_work.commit([steps.close(*each) for each in closing])

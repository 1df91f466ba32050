"""The request handler: from a message to an outcome, which is worded, encoded and stored elsewhere.

The way of one message: routing table → version; access; params; id stored already? → function. It runs inside
the turn's transaction (actors/tenant/request/turn.py): a message that fails takes back its own effects and
those of no other message.
"""

from __future__ import annotations

import time
from typing import Any

import structlog

from actors import replies
from actors.access import DATA
from actors.errors import DeadlineExceeded, Unavailable, Unimplemented
from actors.messages import DeadLetter, TenantRequest
from actors.routing.route import Route, require
from actors.runtime.mailbox import Mailbox, PoisonMessage
from actors.screening.turn import TurnScreening
from actors.tenant.request.environment import TenantEnvironment
from actors.tenant.request.failures import FailureReporter
from actors.tenant.request.first_runs import FirstRuns
from actors.tenant.request.function_calls import FunctionCalls
from actors.tenant.request.idempotency import request_fingerprint
from actors.tenant.request.outcome import NeedsOwnTransaction, Outcome
from actors.tenant.request.reply_writer import ReplyWriter
from actors.tenant.request.sends import OutboxWriter
from actors.tenant.request.stored_replies import StoredReplies
from actors.tenant.request.suspended import SuspendedCalls
from actors.watchdog.running import ENDED_PROCESS

log = structlog.get_logger()


class RequestHandler:
    """Handles one tenant's requests, one at a time, on one open database."""

    def __init__(
        self,
        environment: TenantEnvironment,
        mailbox: Mailbox,
        suspended_calls: SuspendedCalls,
        outbox: OutboxWriter,
    ) -> None:
        """`mailbox` is the tenant's; its `closing` is when the server closes."""
        self.environment = environment
        self.database = environment.database
        self.first_runs = FirstRuns()
        self.calls = FunctionCalls(environment, outbox, self.first_runs)
        self.failures = FailureReporter(environment, self.calls)
        self.stored = StoredReplies(environment, suspended_calls)
        self.replies = ReplyWriter(environment, self.failures, self.stored)
        self.screening = TurnScreening(environment.to_screen)
        self._mailbox = mailbox
        self.uses_savepoints = True
        """Whether a savepoint is begun before each function."""
        self._chosen: Route | None = None

    def handle(self, message: Any, began: float) -> Outcome:
        """Handle a request, a dead letter, or a request that crashed the tenant before.

        `began` is time.monotonic(). With `uses_savepoints`, one is open afterwards if a function was called.
        Raises NeedsOwnTransaction, with nothing done, for a request whose function may wait.
        """
        self._chosen = self.calls.running = None
        if type(message) is not TenantRequest:
            if isinstance(message, PoisonMessage):
                message = message.message
            if isinstance(message, DeadLetter):
                return self._set_aside(message, began)
        try:
            return self._handle(message, began)
        except NeedsOwnTransaction:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a function raises is its own failure
            running = self.calls.running
            return Outcome(message, self._chosen, began, error=error, running=running)

    def _handle(self, work: TenantRequest, began: float) -> Outcome:
        environment = self.environment
        environment.refresh()
        route = self._chosen = environment.version(work.request.action, work.principal)
        now, timeout_ms, closing = time.monotonic(), work.request.timeout_ms, self._mailbox.closing
        if (now - work.received) * 1000 > timeout_ms and not self.first_runs.has_begun():
            raise DeadlineExceeded(f"not begun within {timeout_ms} ms; nothing was done")
        if closing is not None and now > closing and not self.first_runs.has_begun():
            raise Unavailable("the server is stopping; nothing was done", retry_after_ms=1000)
        require(route, work.principal, route.rule.channel or DATA)
        running_calls = environment.snapshot.running_calls
        if running_calls.deadly and running_calls.is_deadly(environment.record.id, work):
            return self._set_aside(DeadLetter(work, ENDED_PROCESS), began)
        params, watched = route.read(work.request.params, self.screening)
        if watched:
            self.failures.log_watched(work, watched)
        if route.function is None:
            return Outcome(work, route, began, self._dummy_result(route))
        if route.is_async:
            raise NeedsOwnTransaction(work, route, params)
        if not route.writes:
            if self.uses_savepoints:
                self.database.begin_savepoint()
            return Outcome(work, route, began, self.calls.read(work, route, params))
        self.database.durability.require_known()
        digest = request_fingerprint(route.name, work.request.params)
        stored = self.stored.find(work, route, digest)
        if stored is not None:
            return Outcome(work, route, began, stored=stored)
        if self.uses_savepoints:
            self.database.begin_savepoint()
        return Outcome(work, route, began, self.calls.call(work, route, params), digest)

    def _dummy_result(self, route: Route) -> Any:
        if route.taken_out:
            raise Unavailable(
                f"{route.name}: version {route.version} keeps failing and was taken out, and no other is "
                "served until its developers move one"
            )
        if route.example is None:
            raise Unimplemented(
                f"{route.name}: {replies.NOT_IMPLEMENTED_TEXT}; no version is served in "
                f"{self.environment.table.environment}"
            )
        return route.example

    def _set_aside(self, letter: DeadLetter, began: float) -> Outcome:
        """Make a dead letter of a request. Its refusal says no more than that of a defect."""
        (work, reason), environment = letter, self.environment
        route = environment.table.routes.get(work.request.action)
        outcome = Outcome(work, route, began, refusal=replies.INTERNAL_REFUSAL)
        is_repeated = self.first_runs.is_set_aside
        if not is_repeated:
            if environment.snapshot.running_calls.is_buried(environment.record.id, work):
                return outcome
            self.first_runs.set_aside()
        self.database.add_dead_letter(work.principal.id, work.request, reason, time.time())
        if is_repeated:
            return outcome
        log.error("message set aside", reason=reason, **self.failures.log_fields(work))
        if route is not None and route.detector is not None:
            with self.calls.start(route, work) as running:
                environment.snapshot.report_failure(route, running)
        return outcome

"""Calls of functions: counted, recorded, within the scope of the tenant's database and its CPU budget."""

from __future__ import annotations

from typing import Any

from actors.errors import Aborted, DatabaseProblem
from actors.messages import TenantRequest
from actors.routing.health import Running
from actors.routing.route import Route
from actors.runtime.rate_limit import CpuBudget
from actors.tenant.context import Context
from actors.tenant.request.callback import MACHINE, delivery_row
from actors.tenant.request.environment import TenantEnvironment
from actors.tenant.request.first_runs import FirstRuns
from actors.tenant.request.sends import OutboxWriter, Sends
from actors.watchdog.running import RecordedCall


class ReadOnlyViolation(Exception):
    """A function of a `read` action changed the database; it was rolled back."""


class FunctionCalls:
    """Calls one tenant's functions, one at a time, within the transaction that is open."""

    def __init__(
        self, environment: TenantEnvironment, outbox: OutboxWriter, first_runs: FirstRuns
    ) -> None:
        self.running: Running | None = None
        """The call that began last; None before the first of a request."""
        self._environment = environment
        self._first_runs = first_runs
        self._database = environment.database
        self._outbox = outbox

    def call(self, work: TenantRequest, route: Route, params: Any) -> Any:
        """Call a function that does not wait; return its result, checked.

        What it sent is in the outbox then. Raises whatever the function raises.
        """
        environment, database, request = self._environment, self._database, work.request
        deadline = work.received + request.timeout_ms / 1000
        scope = database.function_scope(request.params, deadline, read_only=not route.writes)
        sends = Sends(route.action, environment.table, environment.require_subscribed)
        call = self._start_in_turn(route, work)
        function: Any = route.function
        budget = environment.cpu_budget
        call.begin()
        try:
            fields = (
                scope.functions,
                environment.record.name,
                work.principal,
                route.name,
                environment.now(),
                work.trace_id,
                environment.profile.config,
                None,
                sends,
            )
            context = tuple.__new__(Context, fields)
            if budget is None:
                result = function(context, params)
            else:
                result = self._invoke_within(budget, function, context, params)
        finally:
            scope.leave()
            call.end()
        route.result.check(result)
        if not sends.is_empty or work.principal is MACHINE:
            self.put(sends, work)
            self.accept_callback(work)
        return result

    def read(self, work: TenantRequest, route: Route, params: Any) -> Any:
        """As `call`, of a function that may only read. Raises ReadOnlyViolation if it has written."""
        before = self._database.changes
        result = self.call(work, route, params)
        if self._database.changes != before:
            raise ReadOnlyViolation(f'{route.name} has effect = "read" in the index, and wrote')
        return result

    def start(self, route: Route, work: TenantRequest) -> RecordedCall:
        """Count a call of this version as started; the returned context manager counts its end."""
        assert route.detector is not None  # there is one wherever there is a function
        environment = self._environment
        tenant = environment.record
        self.running = running = route.detector.start(tenant.id, work.trace_id)
        return RecordedCall(environment.snapshot.running_calls, running, route, tenant, work)

    def _start_in_turn(self, route: Route, work: TenantRequest) -> RecordedCall:
        """As `start`, but a call that was counted when the turn was served before is not counted again."""
        assert route.detector is not None
        environment = self._environment
        tenant = environment.record
        running = self._first_runs.start(route.detector, tenant.id, work.trace_id)
        self.running = running
        return RecordedCall(environment.snapshot.running_calls, running, route, tenant, work)

    def put(self, sends: Sends, work: TenantRequest) -> None:
        """Put what a function has sent into the outbox, in its transaction.

        Raises DatabaseProblem if that has ended, which a function can hide by catching the error.
        """
        if not self._database.in_transaction:
            raise DatabaseProblem("a function went on after an error that ended its transaction")
        self._outbox.put(self._database.outbox, sends, work)

    def accept_callback(self, work: TenantRequest) -> None:
        """Mark a callback's outcome as notified; raise Aborted if that was done before."""
        if work.principal is MACHINE and not self._database.outbox.mark_notified(
            delivery_row(work)
        ):
            raise Aborted("this outcome was told before; nothing was done")

    def _invoke_within(
        self, budget: CpuBudget, function: Any, context: Context, params: Any
    ) -> Any:
        first_runs = self._first_runs
        if first_runs.is_charged:
            return function(context, params)
        with budget:
            first_runs.charge()
            return function(context, params)

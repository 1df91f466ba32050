"""A dry run: versions of a function on a real message and the tenant's own database, all rolled back."""

from __future__ import annotations

import time
import traceback
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from actors.errors import ActionError
from actors.messages import DryRun
from actors.routing.route import Route
from actors.runtime.futures import CoroutineDriver, Raised, Returned
from actors.tenant.context import Context
from actors.tenant.database.constants import static_fragments
from actors.tenant.database.guard import AllowedSql
from actors.tenant.request.connector_calls import (
    AWAITABLE,
    ConnectorCall,
    ConnectorCalls,
)
from actors.tenant.request.environment import TenantEnvironment
from actors.tenant.request.sends import Sends
from transport.message import INTERNAL

SECONDS = 10.0
"""Seconds after which a statement of a dry run is interrupted."""

MOST_STATEMENTS = 100
"""Statements of one version that are shown."""

LONGEST_STATEMENT = 2000
"""Characters of a statement that are shown, its values filled in."""

Account = dict[str, Any]


class DryRunner:
    """Runs versions on one message, between two turns, while no transaction is open."""

    def __init__(self, environment: TenantEnvironment) -> None:
        self._environment = environment
        self._database = environment.database

    def run(self, message: DryRun) -> list[Account]:
        """Return what each version does by itself. No version sees the effects of another."""
        return [self._account(route, message) for route in message.routes]

    def _account(self, route: Route, message: DryRun) -> Account:
        statements: list[str] = []
        allowed_sql = AllowedSql(static_fragments([route.module] if route.module else []))
        before, began = self._database.changes, time.perf_counter()
        with self._rolled_back():
            outcome = self._outcome(route, message, allowed_sql, statements)
            seconds = time.perf_counter() - began
            rows = self._database.changes - before
        return {
            **route.meta,
            **outcome,
            "statements": [each[:LONGEST_STATEMENT] for each in statements[:MOST_STATEMENTS]],
            "statement_count": len(statements),
            "rows": rows,
            "ms": round(seconds * 1000, 3),
        }

    @contextmanager
    def _rolled_back(self) -> Iterator[None]:
        """Roll back the transaction as well as the savepoint: an error may have ended either."""
        self._database.begin()
        self._database.begin_savepoint()
        try:
            yield
        finally:
            self._database.rollback()

    def _outcome(
        self, route: Route, message: DryRun, allowed_sql: AllowedSql, statements: list[str]
    ) -> Account:
        try:
            result = self._result(route, message, allowed_sql, statements)
        except ActionError as error:
            return {"ok": False, "error": error.refusal.as_map()}
        except BaseException as error:  # noqa: BLE001 - whatever a function raises is what is asked for
            return {"ok": False, "error": self._failure(route, error)}
        if isinstance(result, ConnectorCall):
            return {"ok": True, "waits_for": result.operation.name}
        return {"ok": True, "result": result}

    def _result(
        self, route: Route, message: DryRun, allowed_sql: AllowedSql, statements: list[str]
    ) -> Mapping[str, Any] | ConnectorCall:
        params = route.params.parse(message.params)
        if route.function is None:
            return dict(route.example or {})
        with (
            self._database.trace(statements),
            self._database.function_scope(
                message.params,
                time.monotonic() + SECONDS,
                read_only=not route.writes,
                allowed_sql=allowed_sql,
            ) as functions,
        ):
            context = Context(
                functions,
                self._environment.record.name,
                message.principal,
                route.name,
                self._environment.now(),
                message.trace_id,
                self._environment.config,
                self._calls(route) if route.is_async else None,
                Sends(route.action, self._environment.table, self._environment.require_subscribed),
            )
            result = route.function(context, params)
            if route.is_async:
                result = _first_step(result)
        if not isinstance(result, ConnectorCall):
            route.result.check(result)
        return result  # type: ignore[no-any-return]  # a function returns anything; it was checked

    def _calls(self, route: Route) -> ConnectorCalls:
        environment = self._environment
        return ConnectorCalls(
            route.action, environment.table.operations, environment.require_subscribed
        )

    def _failure(self, route: Route, error: BaseException) -> Account:
        """Describe an error to the function's author: its kind and message, and the line."""
        allowed_sql = self._database.classify(error)
        if allowed_sql is not None:
            return allowed_sql.as_map()
        return {
            "code": INTERNAL,
            "message": f"{type(error).__name__}: {error}{_place(route, error)}",
        }


def _first_step(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the coroutine's result, or the call that it waits for. No call leaves from here."""
    stepper = CoroutineDriver(coroutine, ConnectorCall, AWAITABLE)
    step = stepper.step()
    if isinstance(step, Raised):
        raise step.error
    if isinstance(step, Returned):
        return step.value
    stepper.close()
    return step.awaited


def _place(route: Route, error: BaseException) -> str:
    file = route.module and route.module.__file__
    stack = traceback.extract_tb(error.__traceback__)
    lines = [each.lineno for each in stack if each.filename == file]
    return f" (line {lines[-1]})" if lines else ""

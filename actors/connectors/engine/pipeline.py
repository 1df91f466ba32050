"""The pipeline of one call: version → outer request → attempts → inner result, checked → answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import structlog

from actors.connectors.contract import Connector, Delivery, Permanent, Settings, Transient
from actors.connectors.engine.calls import OperationCall
from actors.connectors.engine.instances import InstancePool, parse_settings, tenant_settings
from actors.connectors.engine.journal_entry import Row, redactor_for, replay
from actors.connectors.engine.retry import CircuitOpen, RetryPolicy
from actors.errors import (
    ActionError,
    ConnectorFailed,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    Unavailable,
    Unimplemented,
)
from actors.index.entries import Operation
from actors.log.events import SecretParams
from actors.log.redaction import NO_NAMES
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot, select_healthy
from actors.replies import NOT_IMPLEMENTED_TEXT
from actors.routing.health import Running
from actors.routing.route import ConnectorRoute
from actors.schema.validation import dotted
from actors.screening.fields import MOST_FINDINGS, FieldScreen, field_screen

log = structlog.get_logger()

RETRY_MS: Final = 5000
"""Milliseconds after which callers may retry if the service gives no time itself."""

STOPPING: Final = "the connector was stopped, and it is not known whether this was done"


class CallPipeline:
    """Runs the calls of one connector, many at once, on its loop."""

    def __init__(
        self,
        name: str,
        snapshot: RoutingSnapshot,
        profiles: Profiles,
        instances: InstancePool,
        retries: RetryPolicy,
        hide: frozenset[str] = NO_NAMES,
    ) -> None:
        """`hide` are further names of secrets."""
        self._name = name
        self._snapshot = snapshot
        self._profiles = profiles
        self._instances = instances
        self._retries = retries
        self._hide = hide
        self._screens: dict[str, tuple[Any, FieldScreen | None]] = {}

    async def serve(self, call: OperationCall) -> None:
        """Answer the call with its result or an error. Raises only CancelledError."""
        try:
            call.succeed(await self._result(call))
        except ActionError as error:
            call.fail(error, error.code)
        except asyncio.CancelledError:
            self.stop(call)
            raise

    def describe(self, call: OperationCall) -> None:
        """Set the schemas of the call from the index: the journal redacts by them."""
        operation = self._snapshot.current.operations.get(call.request.operation)
        if operation is not None:
            call.schemas = (operation.params.source, operation.result.source)

    def stop(self, call: OperationCall) -> None:
        """Answer a call that was cancelled: its outcome is unknown."""
        error = Unavailable(STOPPING, retry_after_ms=1000)
        call.fail(error, error.code)

    def route(self, tenant_id: str) -> ConnectorRoute:
        """Return the route that serves this tenant now; Unimplemented or Unavailable if there is none."""
        table = self._snapshot.current
        route = table.connector_routes.get(self._name)
        if route is None:
            raise Unimplemented(f"connector {self._name}: the index has none any more")
        found = select_healthy(route, tenant_id)
        if found.taken_out:
            raise Unavailable(
                f"connector {self._name}: version {route.version} keeps failing and was taken out, and no "
                "other is served until its developers move one"
            )
        if found.make is None and not found.is_dummy:
            raise Unimplemented(
                f"connector {self._name}: {NOT_IMPLEMENTED_TEXT}; no version is served in {table.environment}"
            )
        return found

    def replay(self, tenant_id: str, row: Row) -> dict[str, Any]:
        """Make both forms of a recorded call again with the version that serves the tenant now."""
        route = self.route(tenant_id)
        if route.make is None:
            raise FailedPrecondition(f"{self._name} is a dummy here: it transforms nothing")
        settings = tenant_settings(self._profiles, tenant_id, self._name).settings
        with self._instances.borrow(route.make) as connector:
            return replay(row, route, connector, settings, self._hide)

    def check(self, tenant_id: str, settings: Mapping[str, Any]) -> None:
        """Check settings as far as possible without a call of the service; InvalidArgument."""
        route = self.route(tenant_id)
        if route.make is None:
            return
        try:
            with self._instances.borrow(route.make) as connector:
                check = getattr(connector, "check", None)
                if check is not None:
                    check(parse_settings(settings, route.connector.settings))
        except Permanent as problem:
            raise InvalidArgument(f"these settings cannot work: {problem}") from None
        except Exception as error:  # noqa: BLE001 - a defect of the connector: a call will say so
            log.error("settings unchecked", connector=self._name, error=type(error).__name__)

    async def _result(self, call: OperationCall) -> Mapping[str, Any]:
        name = call.request.operation
        route = self.route(call.tenant_id)
        operation = route.connector.operations.get(name)
        if operation is None:
            raise Unimplemented(f"{name} is no operation of connector {self._name} any more")
        call.served = route.meta
        if call.is_expired():
            raise DeadlineExceeded(f"{name} was not begun: the request's timeout_ms is over")
        if route.make is None:
            return operation.result.example()
        assert route.detector is not None
        running = route.detector.track(call.tenant_id, call.request.trace_id)
        try:
            return await self._run(call, operation, route)
        except CircuitOpen as error:
            raise _unavailable(f"{name}: {error}", error.seconds) from None
        except Transient as error:
            said = self._error_text(call, error)
            if call.is_expired():
                raise DeadlineExceeded(f"{said}; the request's timeout_ms is over") from error
            raise _unavailable(said, error.retry_after_s) from error
        except Permanent as error:
            raise FailedPrecondition(self._error_text(call, error)) from error
        except ActionError:
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise self._log_defect(call, route, running, error) from error

    async def _run(
        self, call: OperationCall, operation: Operation, route: ConnectorRoute
    ) -> Mapping[str, Any]:
        assert route.make is not None
        with self._instances.borrow(route.make) as connector:
            delivery, settings = call.delivery, self._settings(call, route)
            outer = call.outer = _require_json(
                connector.outer(delivery, call.request.params, settings)
            )
            call.response = await self._retries.exchange(
                call, lambda: _exchange(connector, delivery, outer, settings)
            )
            result = connector.inner(delivery, call.response)
            operation.result.check(result)
            self._screen(call, operation, result)
            return result

    def _screen(self, call: OperationCall, operation: Operation, result: Mapping[str, Any]) -> None:
        """Log what an action would reject of a service's answer; the function gets it as it is.

        A service is chosen by the tenant, and what it says is data; a function that hands it on decides.
        """
        made_for = (operation, self._snapshot.current.described.screening)
        known, screen = self._screens.get(operation.name, (None, None))
        if known is None or any(a is not b for a, b in zip(known, made_for, strict=True)):
            screen = field_screen(operation.name, operation.result.source, made_for[1])
            self._screens[operation.name] = (made_for, screen)
        found = [] if screen is None else screen.find(result)
        if found:
            log.warning(
                "answer would be rejected",
                connector=self._name,
                action=operation.name,
                tenant=call.request.tenant.name,
                tenant_id=call.tenant_id,
                trace_id=call.request.trace_id,
                fields=sorted({dotted(each.place) for each in found})[:MOST_FINDINGS],
                rules=sorted({each.rule.id for each in found}),
            )

    def _error_text(self, call: OperationCall, error: Exception) -> str:
        """Return the error's text, redacted: a service may quote secrets, and callers read it."""
        text = redactor_for(call, self._hide).redact_text(str(error))
        return f"{call.request.operation}: {text}"

    def _settings(self, call: OperationCall, route: ConnectorRoute) -> Settings:
        """Return the tenant's settings. The call has them before any error text is made, for redaction."""
        schema = route.connector.settings
        call.settings_schema = schema.source
        stated = tenant_settings(self._profiles, call.tenant_id, self._name)
        call.settings, call.revision = stated.settings, stated.revision
        return parse_settings(call.settings, schema)

    def _log_defect(
        self, call: OperationCall, route: ConnectorRoute, running: Running, error: BaseException
    ) -> ConnectorFailed:
        request = call.request
        log.error(
            "connector failed",
            connector=self._name,
            operation=request.operation,
            version=route.version,
            tenant=request.tenant.name,
            tenant_id=request.tenant.id,
            trace_id=request.trace_id,
            exc_info=error,
            confidential=SecretParams({"params": request.params, "settings": call.settings}, None),
        )
        self._snapshot.report_failure(route, running)
        return ConnectorFailed(
            f"{request.operation}: a defect of the connector; the trace id finds it in the error log"
        )


async def _exchange(
    connector: Connector, delivery: Delivery, outer: Mapping[str, Any], settings: Settings
) -> Mapping[str, Any]:
    """Send the request; a connection that fails or ends early is Transient, not a defect of the connector."""
    try:
        return await connector.exchange(delivery, outer, settings)
    except (OSError, EOFError, MemoryError) as error:
        raise Transient(f"{type(error).__name__}: {error}") from error


def _unavailable(said: str, seconds: float | None) -> Unavailable:
    retry_after_ms = RETRY_MS if seconds is None else max(round(seconds * 1000), 1)
    return Unavailable(said, retry_after_ms=retry_after_ms)


def _require_json(value: Any) -> Mapping[str, Any]:
    """Return the value if the journal can record it; TypeError if it is not a JSON map."""
    if not isinstance(value, Mapping):
        raise TypeError(f"outer() has to give a map, not {type(value).__name__}")
    json.dumps(value, default=_encode_default)
    return value


def _encode_default(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"outer() has to give JSON values, not {type(value).__name__}")

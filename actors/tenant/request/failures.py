"""Failures of requests: the refusal that each error stands for; defects are logged and counted here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
from msgspec.structs import replace

from actors import replies
from actors.errors import ActionError, Rejected
from actors.index.code import describe_error
from actors.log.events import SecretParams
from actors.messages import TenantRequest
from actors.screening.fields import Finding
from actors.tenant.database.errors import NOT_COUNTED
from actors.tenant.request.connector_calls import NotEntitled, user_message
from actors.tenant.request.environment import TenantEnvironment
from actors.tenant.request.function_calls import FunctionCalls
from actors.tenant.request.outcome import Outcome
from transport.message import Refusal

log = structlog.get_logger()


class FailureReporter:
    """Makes refusals of one tenant's failures."""

    def __init__(self, environment: TenantEnvironment, calls: FunctionCalls) -> None:
        self._environment = environment
        self._calls = calls

    def refusal_of(self, outcome: Outcome) -> Refusal:
        """Return the refusal of a request that ended with an error, in its function or before."""
        error = outcome.error
        assert error is not None
        if isinstance(error, NotEntitled):
            return error.refusal._replace(user_message=self._user_message(outcome.work, error))
        if isinstance(error, Rejected):
            log.warning("input rejected", **self.log_fields(outcome.work), rules=list(error.rules))
        refusal = vars(error).get("refusal") if isinstance(error, ActionError) else None
        return refusal if isinstance(refusal, Refusal) else self.explain_defect(outcome)

    def explain_defect(self, outcome: Outcome) -> Refusal:
        """Return the code of an expected error; log and count any other one as a defect."""
        work, route, error = outcome.work, outcome.route, outcome.error
        assert error is not None
        if (known := self._environment.database.classify(error)) is not None:
            return known
        log.error(
            "function failed",
            **self.log_fields(work),
            version=route and route.version,
            exc_info=error,
            confidential=self._hide(work),
        )
        if route is not None and not isinstance(error, NOT_COUNTED):
            self._environment.snapshot.report_failure(route, outcome.running)
        if self._environment.snapshot.shows_defects:
            folder = self._environment.snapshot.current.described.root
            return replies.INTERNAL_REFUSAL._replace(message=describe_error(error, folder))
        return replies.INTERNAL_REFUSAL

    def log_watched(self, work: TenantRequest, findings: list[Finding]) -> None:
        """Log the rules that would have rejected an input if they were in the state block."""
        rules = sorted({each.rule.id for each in findings})
        log.warning("input would be rejected", **self.log_fields(work), rules=rules)

    def log_fields(self, work: TenantRequest) -> dict[str, str]:
        """Return a request's fields of log lines."""
        record = self._environment.record
        names = {"tenant": record.name, "tenant_id": record.id}
        return {**names, "action": work.request.action, "trace_id": work.trace_id}

    def _user_message(self, work: TenantRequest, error: NotEntitled) -> str | None:
        environment = self._environment
        ask = partial(self._ask, work)
        return user_message(error, environment.profile, environment.table, ask)

    def _ask(
        self, work: TenantRequest, action: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Call the action that the index names for callers without a subscription. It may only read."""
        route = self._environment.version(action, work.principal)
        parsed = route.params.parse(params)
        if route.function is None or route.is_async:
            return route.example or {}
        asked = replace(work, request=work.request.model_copy(update={"params": dict(params)}))
        database = self._environment.database
        database.begin_savepoint()
        try:
            result: Mapping[str, Any] = self._calls.call(
                asked, replace(route, writes=False), parsed
            )
        finally:
            database.rollback_to()
        return result

    def _hide(self, work: TenantRequest) -> SecretParams:
        route = self._environment.table.routes.get(work.request.action)
        return SecretParams(work.request.params, route and route.params.source)

"""The output gate of one tenant: replies, and their log lines, leave through it after their commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.intent.signals import OK, outcome_of_code
from actors.intent.suspicions import Suspicion, SuspicionClient
from actors.log.lines import RequestLogClient, refused_line
from actors.log.messages import FROM_TENANT
from actors.messages import Replies, TenantRecord, TenantRequest
from actors.replies import encode_refusal
from actors.tenant.request.pending import HeldReply, log_lines
from transport.message import Refusal


class OutputGate:
    """Belongs to the tenant's turn alone."""

    def __init__(
        self,
        record: TenantRecord,
        request_log: RequestLogClient | None,
        suspicions: SuspicionClient,
    ) -> None:
        """`request_log` gets a line for each request that was answered; None disables it."""
        self._record = record
        self._request_log = request_log
        self._suspicions = suspicions

    def release(self, pending: Iterable[HeldReply]) -> None:
        """Send replies, and write their lines to the tenant's log."""
        request_log = self._request_log
        now = 0.0 if request_log is None else request_log.clock()
        outlets: dict[Any, list[Any]] = {}
        for one in pending:
            work = one.work
            outlets.setdefault(work.outlet, []).append((work.peer, one.body))
            if one.refusal is not None or (one.route is not None and one.route.is_watched):
                self._suspect(one)
        for outlet, frames in outlets.items():
            outlet.tell(Replies(frames))
        if request_log is not None:
            request_log.tell(self._record, log_lines(pending, now))
        self._suspicions.flush()

    def _suspect(self, one: HeldReply) -> None:
        """Note what a signal may count: once, whatever is sent again."""
        work, refusal, route = one.work, one.refusal, one.route
        if one.replayed:
            return
        outcome = OK if refusal is None else refusal.code
        outcome = outcome_of_code(outcome, is_action_known=route is not None)
        request, caller, connection = work.request, work.principal, work.peer.routing_id
        self._suspicions.add(
            Suspicion(outcome, request, caller, self._record, work.trace_id, connection)
        )

    def refuse(self, work: TenantRequest, refusal: Refusal) -> None:
        """Send a refusal at once, for a request that no turn will answer."""
        body = encode_refusal(work, refusal)
        work.outlet.tell(Replies([(work.peer, body)]))
        if self._request_log is not None:
            now = self._request_log.clock()
            line = refused_line(FROM_TENANT, now, work, refusal, None, len(body))
            self._request_log.tell(self._record, (line,))

    def close(self) -> None:
        """Log how many lines were dropped."""
        if self._request_log is not None:
            self._request_log.close()

"""The request handler: from a message to an encoded reply that waits for its commit.

The way of one message: routing table → version; access; params; id stored already? → SAVEPOINT → function →
RELEASE; a read has no savepoint. It runs inside the turn's transaction (actors/tenant/actor.py): a message
that fails takes back its own effects and those of no other message.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from actors import replies
from actors.access import DATA
from actors.errors import (
    Aborted,
    ActionError,
    DeadlineExceeded,
    Unavailable,
    Unimplemented,
    id_reused,
)
from actors.index.entries import Operation
from actors.log.events import SecretParams
from actors.messages import DeadLetter, DryRun, Principal, TenantRecord, TenantRequest
from actors.profiles import DEFAULT_PROFILE, Config, Profile, Profiles
from actors.registry.snapshot import RoutingSnapshot, select_healthy
from actors.routing.health import Running
from actors.routing.route import Route, require
from actors.routing.table import RoutingTable
from actors.runtime.mailbox import Mailbox, PoisonMessage
from actors.runtime.rate_limit import CpuBudget, cpu_budget
from actors.tenant.context import Context
from actors.tenant.database.database import TenantDatabase
from actors.tenant.database.errors import NOT_COUNTED
from actors.tenant.request.callback import MACHINE, delivery_row
from actors.tenant.request.connector_calls import NotEntitled, require_subscribed, user_message
from actors.tenant.request.dry_run import DryRunner
from actors.tenant.request.idempotency import progress_in, request_fingerprint
from actors.tenant.request.pending import NeedsOwnTransaction, PendingReply, tripped_refusal
from actors.tenant.request.sends import OutboxWriter, Sends
from actors.tenant.request.suspended import SuspendedCalls
from actors.tenant.storage.files import Storage
from actors.watchdog.running import ENDED_PROCESS, RecordedCall
from transport import codec
from transport.message import ABORTED, Refusal

log = structlog.get_logger()

RETRY_UNDER_WAY_MS: Final = 1000
"""`retry_after_ms` of a request whose first delivery is still running."""


class ReadOnlyViolation(Exception):
    """A function of a `read` action changed the database; it was rolled back."""


class RequestHandler:
    """Serves one tenant's requests, one at a time, on one open database."""

    def __init__(
        self,
        record: TenantRecord,
        mailbox: Mailbox,
        storage: Storage,
        snapshot: RoutingSnapshot,
        profiles: Profiles,
        database: TenantDatabase,
        suspended_calls: SuspendedCalls,
        outbox: OutboxWriter,
    ) -> None:
        self.database = database
        self.outbox = outbox
        self._suspended_calls = suspended_calls
        self._record = record
        self._mailbox = mailbox
        self._storage = storage
        self._snapshot = snapshot
        self._profiles = profiles
        self._profile = DEFAULT_PROFILE
        self._function_time: CpuBudget | None = None
        self._began = 0.0
        self._chosen: Route | None = None
        self._running: Running | None = None
        self._adopt_table(snapshot.current)

    def serve(self, message: Any, began: float) -> PendingReply:
        """Serve a request, a dead letter, or a request that crashed the tenant before; return its reply.

        `began` is time.monotonic(); a batch passes the end of the message before. Raises
        NeedsOwnTransaction, with nothing done, for a request whose function may wait.
        """
        self._began = began
        self._chosen = self._running = None
        if isinstance(message, PoisonMessage):
            message = message.message
        if isinstance(message, DeadLetter):
            return self._dead_letter(message)
        try:
            return self._served(message)
        except NeedsOwnTransaction:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a function raises is its own failure
            return self.pending_refusal(message, self.refusal_for(message, error))

    def refusal_for(self, work: TenantRequest, error: BaseException) -> Refusal:
        """Return the refusal of a request that ended with this error, in its function or before."""
        if isinstance(error, NotEntitled):
            return error.refusal._replace(user_message=self._localise(work, error))
        refusal = vars(error).get("refusal") if isinstance(error, ActionError) else None
        return refusal if isinstance(refusal, Refusal) else self._explain_defect(work, error)

    def require_subscribed(self, operation: Operation) -> None:
        """Raise NotSubscribed if the tenant may not use this operation now."""
        require_subscribed(operation, self._profiles.of(self._record.id), self._table)

    def start_running(self, route: Route, work: TenantRequest) -> RecordedCall:
        """Count a call of this version as started; the returned context manager counts its end."""
        assert route.detector is not None  # there is one wherever there is a function
        self._chosen = route
        running = self._running = route.detector.start(self._record.id, work.trace_id)
        return RecordedCall(self._snapshot.running_calls, running, route, self._record, work)

    def dry_run(self, message: DryRun) -> list[dict[str, Any]]:
        """Run versions on a message between two turns, and roll all of it back."""
        runner = DryRunner(
            self.database,
            self._record.name,
            self._profile.config,
            self._table,
            self.require_subscribed,
        )
        return runner.run(message)

    def pending_refusal(self, work: TenantRequest, refusal: Refusal) -> PendingReply:
        """Encode a refusal in the tenant's words. One that no reply can hold is a defect."""
        refusal = replies.localise(refusal, self._profile.config)
        try:
            body = replies.encode_refusal(work, refusal, as_it_is=True)
        except codec.EncodeError as error:
            refusal = replies.localise(self._explain_defect(work, error), self._profile.config)
            body = replies.encode_refusal(work, refusal)
        route = self._chosen or self._table.routes.get(work.request.action)
        return PendingReply(work, body, False, route, refusal, self._began, time.monotonic())

    def replace_reply(self, pending: PendingReply, refusal: Refusal) -> PendingReply:
        """Return a refusal in place of a reply whose commit failed."""
        refusal = replies.localise(refusal, self._profile.config)
        body = replies.encode_refusal(pending.work, refusal)
        return pending._replace(body=body, wrote=False, refusal=refusal, replayed=False)

    def find_stored(self, work: TenantRequest, route: Route, digest: bytes) -> PendingReply | None:
        """Return the outcome of an earlier write with this id, or None."""
        stored = self.database.find_reply(*work.whose)
        if stored is None:
            function = self._suspended_calls.find(work)
            stored = (function.digest, b"") if function else None
        return None if stored is None else self._replay(work, route, digest, stored)

    def refresh_profile(self) -> None:
        """Adopt the profile published last; each request does so first."""
        profile = self._profiles.of(self._record.id)
        if profile is not self._profile:
            self._refresh(profile)

    @property
    def tenant(self) -> TenantRecord:
        """The tenant whose requests are served."""
        return self._record

    @property
    def config(self) -> Config:
        """The config adopted last."""
        return self._profile.config

    @property
    def function_time(self) -> CpuBudget | None:
        """The CPU budget of functions; None if they have no limit."""
        return self._function_time

    @property
    def table(self) -> RoutingTable:
        """The routing table in use."""
        return self._table

    def require_unique_callback(self, work: TenantRequest) -> None:
        """Mark a callback's outcome as notified; raise Aborted if that was done before."""
        if work.principal is MACHINE and not self.database.outbox.mark_notified(delivery_row(work)):
            raise Aborted("this outcome was told before; nothing was done")

    def _pending_reply(
        self, work: TenantRequest, body: bytes, route: Route, *, wrote: bool, replayed: bool = False
    ) -> PendingReply:
        return PendingReply(work, body, wrote, route, None, self._began, time.monotonic(), replayed)

    def _served(self, work: TenantRequest) -> PendingReply:
        self.refresh_profile()
        route = self._route(work)
        running_calls = self._snapshot.running_calls
        if running_calls.deadly and running_calls.is_deadly(self._record.id, work):
            return self._dead_letter(DeadLetter(work, ENDED_PROCESS))
        params = route.params.parse(work.request.params)
        if route.function is None:
            return self._dummy_reply(work, route)
        if route.is_async:
            raise NeedsOwnTransaction(work, route, params)
        if not route.writes:
            return self._pending_reply(work, self._read(work, route, params), route, wrote=False)
        self.database.durability.require_known()
        digest = request_fingerprint(route.name, work.request.params)
        stored = self.database.find_reply(*work.whose)
        if stored is None:
            return self._pending_reply(
                work, self._write(work, route, params, digest), route, wrote=True
            )
        return self._replay(work, route, digest, stored)

    def _replay(
        self, work: TenantRequest, route: Route, digest: bytes, stored: tuple[bytes, bytes]
    ) -> PendingReply:
        """Answer from what this id has: a stored reply, progress, or a call that is still running."""
        if stored[0] != digest:
            raise id_reused(work.request.id)
        if self._suspended_calls.find(work) is not None:
            raise Unavailable(
                f"id {work.request.id!r} is still worked on; send it again, and it gets the reply",
                retry_after_ms=RETRY_UNDER_WAY_MS,
            )
        if (progress := progress_in(stored[1])) is not None:
            raise Aborted(
                progress.annotate(Refusal(ABORTED, f"{route.name} was not finished")).message
            )
        body = replies.encode_stored(work, stored[1])
        pending = self._pending_reply(work, body, route, wrote=True, replayed=True)
        return pending._replace(refusal=codec.parse_reply(body).error)

    def _route(self, work: TenantRequest) -> Route:
        """Return the version to run, if this caller may run it now."""
        request = work.request
        if self._snapshot.current is not self._table:
            self._adopt_table(self._snapshot.current)
        route = self._chosen = self._version(request.action, work.principal)
        waited = time.monotonic() - work.received
        if waited * 1000 > request.timeout_ms:
            raise DeadlineExceeded(f"not begun within {request.timeout_ms} ms; nothing was done")
        if self._mailbox.closing is not None and time.monotonic() > self._mailbox.closing:
            raise Unavailable("the server is stopping; nothing was done", retry_after_ms=1000)
        require(route, work.principal, route.rule.channel or DATA)
        return route

    def _version(self, action: str, caller: Principal) -> Route:
        """Return the version for this tenant: a tester's own first, and none that was taken out."""
        route = self._table.find(action, caller)
        if action in self._profile.tests:
            route = self._table.testers.get(action, route)
        detector = route.detector
        if detector is None or not (detector.is_tripped or detector.by_tenant):
            return route
        return select_healthy(route, self._record.id)

    def _refresh(self, profile: Profile) -> None:
        """Adopt a profile between two messages; everything after uses its config and its limits."""
        before, now = self._profile.limits, profile.limits
        if now.database_bytes != before.database_bytes:
            self.database.limit_size(now.database_bytes or self._storage.database_bytes)
        if now.function_ms_per_second != before.function_ms_per_second:
            self._function_time = cpu_budget(self._record.name, now.function_ms_per_second)
        self._profile = profile

    def _adopt_table(self, table: RoutingTable) -> None:
        """Adopt a routing table between two messages, when no function is running."""
        self._table = table
        self.database.allowed_sql = self._storage.allowed_sql(table.modules)

    def _dummy_reply(self, work: TenantRequest, route: Route) -> PendingReply:
        if route.taken_out:
            raise tripped_refusal(route)
        if route.example is None:
            raise Unimplemented(
                f"{route.name}: {replies.NOT_IMPLEMENTED_TEXT}; no version is served in "
                f"{self._table.environment}"
            )
        body = replies.encode_result(work, route, route.example, replies.NOT_IMPLEMENTED_TEXT)
        return self._pending_reply(work, body, route, wrote=False)

    def _read(self, work: TenantRequest, route: Route, params: Any) -> bytes:
        database = self.database
        before = database.changes
        with database.read_scope():
            result = self._run(work, route, params)
            if database.changes != before:
                raise ReadOnlyViolation(f'{route.name} has effect = "read" in the index, and wrote')
            return replies.encode_result(work, route, result)

    def _write(self, work: TenantRequest, route: Route, params: Any, digest: bytes) -> bytes:
        with self.database.savepoint():
            body = replies.encode_result(work, route, self._run(work, route, params))
            self.database.store_reply(
                work.principal.caller, work.request.id, digest, body, self.database.age()
            )
            self.require_unique_callback(work)
            return body

    def _run(self, work: TenantRequest, route: Route, params: Any) -> Any:
        request = work.request
        deadline = work.received + request.timeout_ms / 1000
        scope = self.database.function_scope(request.params, deadline, read_only=not route.writes)
        sends = Sends(route.action, self._table, self.require_subscribed)
        with self.start_running(route, work), scope as functions:
            context = Context(
                functions,
                self._record.name,
                work.principal,
                route.name,
                datetime.now(UTC),
                work.trace_id,
                self._profile.config,
                None,
                sends,
            )
            result = self._invoke(route.function, context, params)
        route.result.check(result)
        self.outbox.put(self.database.outbox, sends, work)
        return result

    def _invoke(self, function: Any, context: Context, params: Any) -> Any:
        if self._function_time is None:
            return function(context, params)
        with self._function_time:
            return function(context, params)

    def _localise(self, work: TenantRequest, error: NotEntitled) -> str | None:
        """Ask the action that the index names; keep the selected version of the request itself."""
        before, run = (self._chosen, self._running), partial(self._ask_user_message, work)
        try:
            return user_message(error, self._profile, self._table, run)
        finally:
            self._chosen, self._running = before

    def _ask_user_message(
        self, work: TenantRequest, action: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        route = self._version(action, work.principal)
        parsed = route.params.parse(params)
        if route.function is None or route.is_async:
            return route.example or {}
        asked = work._replace(request=work.request.model_copy(update={"params": dict(params)}))
        with self.database.savepoint():
            result: Mapping[str, Any] = self._run(asked, route._replace(writes=False), parsed)
        return result

    def _explain_defect(self, work: TenantRequest, error: BaseException) -> Refusal:
        """Return the code of an expected error; log and count anything else as a defect."""
        if (known := self.database.classify(error)) is not None:
            return known
        log.error(
            "function failed",
            **self._log_fields(work),
            version=self._chosen and self._chosen.version,
            exc_info=error,
            confidential=self._hide(work),
        )
        if self._chosen is not None and not isinstance(error, NOT_COUNTED):
            self._snapshot.report_failure(self._chosen, self._running)
        return replies.INTERNAL_REFUSAL

    def _log_fields(self, work: TenantRequest) -> dict[str, str]:
        names = {"tenant": self._record.name, "tenant_id": self._record.id}
        return {**names, "action": work.request.action, "trace_id": work.trace_id}

    def _hide(self, work: TenantRequest) -> SecretParams:
        route = self._table.routes.get(work.request.action)
        return SecretParams(work.request.params, route and route.params.source)

    def _dead_letter(self, letter: DeadLetter) -> PendingReply:
        work, reason = letter
        request = work.request
        if self._snapshot.running_calls.is_buried(self._record.id, work):
            return self.pending_refusal(work, replies.INTERNAL_REFUSAL)
        self.database.add_dead_letter(work.principal.id, request, reason, time.time())
        log.error("message set aside", reason=reason, **self._log_fields(work))
        self._count_crash(work)
        return self.pending_refusal(work, replies.INTERNAL_REFUSAL)

    def _count_crash(self, work: TenantRequest) -> None:
        route = self._chosen = self._table.routes.get(work.request.action)
        if route is not None and route.detector is not None:
            with self.start_running(route, work) as running:
                self._snapshot.report_failure(route, running)

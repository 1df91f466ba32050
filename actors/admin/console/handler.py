"""Serving one call on the admin channel, from who may to what the log says.

The way of one call: tenant and capacity → route → rule, scope → a super admin's intent on disk → function, or
the tenant itself → outcome on disk → reply. The functions here are stepped: each await is an actor asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from msgspec.structs import replace

from actors.admin.console.audit import OK, RETRY_MS, AuditWriter
from actors.admin.console.call import CONSOLE, ActingRole, AdminCall, require, resolve_role
from actors.admin.console.context import AdminContext, command_fingerprint, tenant_missing
from actors.edge.admission import queue_full, require_active
from actors.edge.authentication import Authenticator
from actors.errors import Aborted, ActionError, InvalidArgument, NotFound, Unavailable
from actors.expectations import EXPECTED, Expected
from actors.log.events import SecretParams
from actors.messages import FindTenant, Receipt
from actors.registry.shared import Actors
from actors.registry.snapshot import RoutingSnapshot
from actors.replies import INTERNAL_REFUSAL, encode_result
from actors.routing.route import Route
from actors.routing.table import RoutingTable
from actors.runtime.futures import OneShotMailbox
from actors.schema.schema import ResultProblem
from transport import codec
from transport.fit import fit_map
from transport.message import Reply

log = structlog.get_logger()


class InternalError(ActionError):
    """Not expected; the trace id finds it in the error log."""


INTERNAL_ERROR = InternalError(INTERNAL_REFUSAL.message)
"""What callers hear of any."""


UNRECORDED = Unavailable(
    "it is not confirmed yet: its audit record could not be written; send it again with the same id, and it "
    "has its effect once",
    retry_after_ms=RETRY_MS,
)
"""Of what was done: a power cut could still take the record, and the caller would rely on it."""


class Succeeded(NamedTuple):
    """What the engine itself has done."""

    result: Mapping[str, Any]
    replayed: bool
    body: bytes
    """The packed reply; empty for what the process itself asks."""

    @property
    def outcome(self) -> tuple[str, str | None]:
        """Code and message for the log."""
        return OK, "replayed" if self.replayed else None


class Refused(NamedTuple):
    """What was not done, or failed."""

    error: ActionError

    @property
    def outcome(self) -> tuple[str, str | None]:
        """Code and message for the log."""
        refusal = self.error.refusal
        return refusal.code, refusal.logged


class Forwarded(NamedTuple):
    """What a tenant has answered."""

    body: bytes
    reply: Reply

    @property
    def outcome(self) -> tuple[str, str | None]:
        """Code and message for the log."""
        error = self.reply.error
        if error is not None:
            return error.code, error.message
        return OK, "replayed" if self.reply.meta.get("replayed") else None


Outcome = Succeeded | Refused | Forwarded


class AdminCallHandler:
    """The console's work on calls; it is the console who steps it and who answers."""

    def __init__(
        self,
        actors: Actors,
        snapshot: RoutingSnapshot,
        authenticator: Authenticator,
        audit: AuditWriter,
    ) -> None:
        self._actors = actors
        self._snapshot = snapshot
        self._authenticator = authenticator
        self._audit = audit

    async def handle(self, call: AdminCall) -> Outcome:
        """Do it or refuse it, and have that written down."""
        outcome = await self._try_handle(call)
        call.outcome_entry = call.outcome(*outcome.outcome)
        await self._audit.after(call.outcome_entry)
        is_done = outcome.outcome[0] == OK and call.route is not None and call.route.writes
        if is_done and self._audit.is_pending(call.outcome_entry):
            return Refused(UNRECORDED)
        return outcome

    async def _try_handle(self, call: AdminCall) -> Outcome:
        try:
            return await self._handle(call)
        except ActionError as error:
            return Refused(error)
        except Exception as error:
            log.error(
                "admin action failed",
                action=call.action,
                tenant=call.about and call.about.name,
                tenant_id=call.about and call.about.id,
                trace_id=call.trace_id,
                exc_info=error,
                confidential=SecretParams(call.params, call.route and call.route.params.source),
            )
            return Refused(INTERNAL_ERROR)

    async def _handle(self, call: AdminCall) -> Outcome:
        table = self._snapshot.current
        acting = self._resolve_role(call)
        route = call.route = table.find(call.action, acting.principal)
        if call.caller is not CONSOLE:
            require(route, acting)
        is_ours = route.is_administrative
        params = route.read(call.params)[0] if is_ours else None
        await self._audit.require_writable(writes=route.writes)
        if acting.is_super:
            await self._audit.before(call.intent())
            call.intent_logged = True
            self._recheck(call, acting)
        if is_ours:
            return await self._run(call, route, self._context(call, acting, table), params)
        return await self._forward(call, acting)

    def _resolve_role(self, call: AdminCall) -> ActingRole:
        """The tenant is known to the log also where the capacity is refused: a caller's own."""
        call.about = self._authenticator.tenant(call.caller.tenant or call.tenant or "")
        if call.caller is CONSOLE:
            call.acting_role = self._local_role(call)
        else:
            call.acting_role = resolve_role(self._authenticator, call.caller, call.tenant)
        return call.acting_role

    def _recheck(self, call: AdminCall, acting: ActingRole) -> None:
        """The disk may have taken long: Aborted where the capacity that is on record has ended meanwhile."""
        assert call.work is not None
        caller = self._authenticator.authenticate(call.work.request.token)
        now = resolve_role(self._authenticator, caller, call.tenant)
        if (now.principal, now.until) != (acting.principal, acting.until):
            raise Aborted(
                f"{call.caller.person} is no longer {acting}, so nothing was done: see supers.list, and "
                "ask again if you still may"
            )

    def _local_role(self, call: AdminCall) -> ActingRole:
        if call.tenant is not None and call.about is None:
            raise NotFound(f"there is no tenant {call.tenant!r}")
        return ActingRole(CONSOLE, call.about)

    def _context(self, call: AdminCall, acting: ActingRole, table: RoutingTable) -> AdminContext:
        return AdminContext(
            tenant=acting.tenant,
            caller=acting.principal,
            action=call.action,
            now=datetime.now(UTC),
            trace_id=call.trace_id,
            table=table,
            actors=self._actors,
            receipt=_receipt(call, acting),
            expected=_expected(call),
        )

    async def _run(
        self, call: AdminCall, route: Route, ctx: AdminContext, params: Any
    ) -> Succeeded:
        assert (
            route.function is not None
        )  # the engine's own actions are served in every environment
        call.start()
        result = _checked(route, await route.function(ctx, params))
        return Succeeded(result, ctx.replayed, _encode(call, route, result, ctx.replayed))

    async def _forward(self, call: AdminCall, acting: ActingRole) -> Forwarded:
        """A tenant's own action: its actor does it, in its database."""
        tenant = acting.tenant
        if tenant is None:
            raise tenant_missing(call.action)
        if call.work is None:
            raise InvalidArgument(f"{call.action} is the tenant's own: it is called with a token")
        require_active(tenant)
        found = OneShotMailbox()
        self._actors.supervisor.tell(FindTenant(tenant, found))
        address = (await found.message()).mailbox
        outlet = OneShotMailbox()
        call.start()
        if not address.try_enqueue(replace(call.work, principal=acting.principal, outlet=outlet)):
            raise queue_full(tenant, address.limit)
        address.schedule()
        ((_, body),) = (await outlet.message()).frames
        return Forwarded(body, codec.parse_reply(body))


def _receipt(call: AdminCall, acting: ActingRole) -> Receipt | None:
    """By the tenant's id: another tenant may come by the name of one that is deleted."""
    if call.request_id is None:
        return None
    tenant = acting.tenant and acting.tenant.id
    digest = command_fingerprint(call.action, tenant, call.params)
    return Receipt(call.caller.caller, call.request_id, digest, call.caller.id)


def _expected(call: AdminCall) -> Expected | None:
    """A move's `expected` is a state, which the Registry checks."""
    digest = call.params.get(EXPECTED)
    return None if digest is None else Expected(call.action, call.params, digest)


def _checked(route: Route, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """A result that fits its schema; what was stored may hold text that is none."""
    try:
        route.result.check(result)
    except ResultProblem:
        result = fit_map(result)
        route.result.check(result)
    return result


def _encode(call: AdminCall, route: Route, result: Mapping[str, Any], replayed: bool) -> bytes:
    if call.work is None:
        return b""
    meta = {**route.meta, "replayed": True} if replayed else route.meta
    route = replace(route, meta=meta)
    try:
        return encode_result(call.work, route, result)
    except codec.EncodeError:  # what was stored breaks the rules of the wire
        return encode_result(call.work, route, fit_map(result))

"""Serving one call on the admin channel, from who may to what the log says.

The way of one call: tenant and capacity → route → rule, scope → a super admin's intent on disk → function, or
the tenant itself → outcome on disk → reply. The functions here are stepped: each await is an actor asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from actors.access import ADMIN
from actors.admin.console.audit import OK, RETRY_MS, Recorder
from actors.admin.console.call import CONSOLE, Call, Capacity, capacity_of, require
from actors.admin.console.context import Actors, AdminContext, command_fingerprint, unnamed
from actors.edge.admission import queue_full, require_active
from actors.edge.authentication import Authenticator
from actors.errors import Aborted, ActionError, InvalidArgument, NotFound, Unavailable
from actors.log.events import Confidential
from actors.messages import FindTenant, Receipt
from actors.registry.snapshot import RoutingSnapshot
from actors.replies import A_DEFECT, success
from actors.routing.route import Route
from actors.routing.table import RoutingTable
from actors.runtime.futures import OneShotMailbox
from actors.schema.schema import ResultProblem
from transport import codec
from transport.fit import fit_map
from transport.message import Reply

log = structlog.get_logger()


class Defect(ActionError):
    """Not expected; the trace id finds it in the error log."""


DEFECT = Defect(A_DEFECT.message)
"""What callers hear of any."""


UNRECORDED = Unavailable(
    "it is not confirmed yet: its audit record could not be written; send it again with the same id, and it "
    "has its effect once",
    retry_after_ms=RETRY_MS,
)
"""Of what was done: a power cut could still take the record, and the caller would rely on it."""


class Served(NamedTuple):
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
        return refusal.code, refusal.message


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


Outcome = Served | Refused | Forwarded


class Serving:
    """The console's work on calls; it is the console who steps it and who answers."""

    def __init__(
        self,
        actors: Actors,
        snapshot: RoutingSnapshot,
        authenticator: Authenticator,
        recorder: Recorder,
    ) -> None:
        self._actors = actors
        self._snapshot = snapshot
        self._authenticator = authenticator
        self._recorder = recorder

    async def serve(self, call: Call) -> Outcome:
        """Do it or refuse it, and have that written down."""
        outcome = await self._attempt(call)
        call.concluded = call.outcome(*outcome.outcome)
        await self._recorder.after(call.concluded)
        is_done = outcome.outcome[0] == OK and call.route is not None and call.route.writes
        if is_done and self._recorder.is_kept(call.concluded):
            return Refused(UNRECORDED)
        return outcome

    async def _attempt(self, call: Call) -> Outcome:
        try:
            return await self._do(call)
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
                confidential=Confidential(call.params, call.route and call.route.params.source),
            )
            return Refused(DEFECT)

    async def _do(self, call: Call) -> Outcome:
        table = self._snapshot.current
        capacity = self._capacity(call)
        route = call.route = table.find(call.action, capacity.principal)
        if call.caller is not CONSOLE:
            require(route, capacity)
        is_ours = route.built_in and route.rule.channel == ADMIN
        params = route.params.parse(call.params) if is_ours else None
        await self._recorder.allow(writes=route.writes)
        if capacity.is_super:
            await self._recorder.ahead(call.intent())
            call.intended = True
            self._require_still(call, capacity)
        if is_ours:
            return await self._run(call, route, self._context(call, capacity, table), params)
        return await self._hand_on(call, capacity)

    def _capacity(self, call: Call) -> Capacity:
        """The tenant is known to the log also where the capacity is refused: a caller's own."""
        call.about = self._authenticator.tenant(call.caller.tenant or call.tenant or "")
        if call.caller is CONSOLE:
            call.capacity = self._console(call)
        else:
            call.capacity = capacity_of(self._authenticator, call.caller, call.tenant)
        return call.capacity

    def _require_still(self, call: Call, capacity: Capacity) -> None:
        """The disk may have taken long: Aborted where the capacity that is on record has ended meanwhile."""
        assert call.work is not None
        caller = self._authenticator.authenticate(call.work.request.token)
        now = capacity_of(self._authenticator, caller, call.tenant)
        if (now.principal, now.until) != (capacity.principal, capacity.until):
            raise Aborted(
                f"{call.caller.person} is no longer {capacity}, so nothing was done: see supers.list, and "
                "ask anew if you still may"
            )

    def _console(self, call: Call) -> Capacity:
        if call.tenant is not None and call.about is None:
            raise NotFound(f"there is no tenant {call.tenant!r}")
        return Capacity(CONSOLE, call.about)

    def _context(self, call: Call, capacity: Capacity, table: RoutingTable) -> AdminContext:
        return AdminContext(
            tenant=capacity.tenant,
            caller=capacity.principal,
            action=call.action,
            now=datetime.now(UTC),
            trace_id=call.trace_id,
            table=table,
            actors=self._actors,
            receipt=_receipt(call, capacity),
        )

    async def _run(self, call: Call, route: Route, ctx: AdminContext, params: Any) -> Served:
        assert (
            route.function is not None
        )  # the engine's own actions are served in every environment
        call.begin()
        result = _checked(route, await route.function(ctx, params))
        return Served(result, ctx.replayed, _packed(call, route, result, ctx.replayed))

    async def _hand_on(self, call: Call, capacity: Capacity) -> Forwarded:
        """A tenant's own action: its actor does it, in its database."""
        tenant = capacity.tenant
        if tenant is None:
            raise unnamed(call.action)
        if call.work is None:
            raise InvalidArgument(f"{call.action} is the tenant's own: it is called with a token")
        require_active(tenant)
        found = OneShotMailbox()
        self._actors.supervisor.tell(FindTenant(tenant, found))
        address = (await found.message()).mailbox
        outlet = OneShotMailbox()
        call.begin()
        if not address.try_enqueue(call.work._replace(principal=capacity.principal, outlet=outlet)):
            raise queue_full(tenant, address.limit)
        address.schedule()
        ((_, body),) = (await outlet.message()).frames
        return Forwarded(body, codec.parse_reply(body))


def _receipt(call: Call, capacity: Capacity) -> Receipt | None:
    """By the tenant's id: another tenant may come by the name of one that is deleted."""
    if call.request_id is None:
        return None
    tenant = capacity.tenant and capacity.tenant.id
    digest = command_fingerprint(call.action, tenant, call.params)
    return Receipt(call.caller.caller, call.request_id, digest, call.caller.id)


def _checked(route: Route, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """A result that fits its schema; what was stored may hold text that is none."""
    try:
        route.result.check(result)
    except ResultProblem:
        result = fit_map(result)
        route.result.check(result)
    return result


def _packed(call: Call, route: Route, result: Mapping[str, Any], replayed: bool) -> bytes:
    if call.work is None:
        return b""
    meta = {**route.meta, "replayed": True} if replayed else route.meta
    route = route._replace(meta=meta)
    try:
        return success(call.work, route, result)
    except codec.EncodeError:  # what was stored breaks the rules of the wire
        return success(call.work, route, fit_map(result))

"""The Router: reads the data channel, authenticates callers and forwards requests to tenants.

A caller without a valid token can neither wake nor create an actor: every look-up here is in the router's own
tables, which the Directory publishes.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any, NamedTuple

from actors.access import ADMIN, DATA, Rule
from actors.edge.administration import AdministrationGate
from actors.edge.admission import Admission, queue_full, require_active
from actors.edge.allowance import UNAUTHENTICATED_SENDERS, Allowance, turned_away
from actors.edge.authentication import unauthenticated, unknown_tenant
from actors.edge.channel import (
    FLUSH_SECONDS,
    Channel,
    ChannelInputs,
    ChannelMailbox,
    Draining,
    FlushUses,
)
from actors.edge.forwarding import Forwarding
from actors.edge.payers import Payers
from actors.edge.rejections import Attempt, AttemptCounter, RejectionLog
from actors.errors import ActionError, Unavailable
from actors.log.lines import RequestLogClient
from actors.log.messages import Append, AuditEntry, Count
from actors.messages import (
    ACTIVE,
    ANYONE,
    DirectoryChanged,
    Peer,
    Principal,
    TenantAddress,
    TenantRecord,
    TenantRequest,
)
from actors.registry.shared import Shared
from actors.replies import encode_refusal, localise, new_trace_id, refusal_bytes
from actors.routing.route import Route, require
from actors.runtime.lifecycle import StartChild, supervised
from actors.runtime.mailbox import Mailbox
from actors.settings import UNLIMITED, Rates
from transport import codec
from transport.frames import HEAVY_BYTES, Frame
from transport.message import UNAUTHENTICATED, Refusal
from transport.request import parser
from transport.request.id_recovery import recover_id
from transport.request.model import Request
from transport.router_socket import RouterSocket

UNAUTHENTICATED_COUNT = "router.unauthenticated"
"""Name of a count in the figures: refusals of unauthenticated callers."""

REFUSED_COUNT = "router.refused"
"""Name of a count in the figures: refusals of callers of no tenant, which no tenant's log holds."""

INVALID_COUNT = "router.invalid"
"""Name of a count in the figures: messages that were no request."""

TURNED_AWAY_COUNT = "router.turned_away"
"""Name of a count in the figures: messages not parsed, because their payer owed time for refusals."""


REFUSING_SECONDS = 0.002
"""Seconds for which a turn goes on after its first refusal: a flood's fill turns, and others' wait."""

COUNT_SECONDS = 0.25
"""Seconds between two reports of counts while some payer owes time."""

HURRY_SECONDS = 0.1
"""Seconds after a refusal for which others may compute between two turns."""


class RouterMailbox(ChannelMailbox):
    """The data channel's socket as a mailbox."""

    __slots__ = ("admissions",)

    def __init__(self, name: str, socket: RouterSocket, supervisor: Mailbox | None) -> None:
        super().__init__(name, socket, supervisor)
        self.admissions: dict[str, Admission] = {}
        """Admissions by tenant id. Kept here because they outlive an incarnation."""


class RouterPeers(NamedTuple):
    """Whom the Router forwards to."""

    supervisor: Mailbox
    """Finds the mailboxes of tenants."""
    console: Mailbox
    """Answers the engine's own actions that both channels serve."""


class RouterLogs(NamedTuple):
    """What the Router reports to."""

    audit: Mailbox
    requests: RequestLogClient | None = None
    """Gets a line for each rejection; None for no lines."""
    stats: Mailbox | None = None
    """Gets the counts of rejections; None for no counts."""


class Router(Channel):
    """Authenticates callers and forwards requests; never blocks on another actor."""

    mailbox: RouterMailbox

    def __init__(
        self,
        mailbox: RouterMailbox,
        given: ChannelInputs,
        peers: RouterPeers,
        logs: RouterLogs,
        rates: Rates = UNLIMITED,
    ) -> None:
        super().__init__(mailbox, given)
        self._administration = AdministrationGate(peers.console)
        self._audit = logs.audit
        self._forwarding = Forwarding(mailbox, peers.supervisor, mailbox.admissions, rates.tenant)
        self._payers = Payers(self._authenticator, given.snapshot, given.limits.body_bytes)
        self._allowance = Allowance(rates)
        self._is_charged = False
        self._hurried_until = 0.0
        self._counted = NO_ADMISSION
        """Admission of the caller's tenant, if the last message was counted for one."""
        self._attempt_counter = AttemptCounter()
        self._rejection_log = None if logs.requests is None else RejectionLog(logs.requests)
        self._stats = logs.stats
        self._counts: Counter[str] = Counter()
        self._next_count = 0.0
        """time.monotonic() at which they may be written."""
        self._handlers[TenantAddress] = self._on_address

    def handle(self, mail: deque[Any]) -> None:
        """Handle all mail before waking any tenant, so that more messages share one commit."""
        self._allowance.begin_turn()
        self.mailbox.socket.is_hurried = time.monotonic() < self._hurried_until
        try:
            super().handle(mail)
        finally:
            self._forwarding.wake()
            self._log_rejections()

    # Allowance

    def _frame(self, frame: Frame) -> None:
        """Read a message, unless its payer owes time.

        Charged are refusals, requests of unauthenticated callers, and system actions: the processor time that
        they took, since on a busy machine most of the time is other threads' and processes'.
        """
        began, body = time.monotonic(), frame.parts[-1]
        is_wary = began < self._allowance.wary_until or len(body) > HEAVY_BYTES
        self._is_charged = False
        payer = self._payers.find(body) if is_wary else None
        if payer is None or not self._turned_away(frame, payer, began):
            self._read(frame, began)
        if self._is_charged:
            now = time.monotonic()
            self._hurried_until = now + HURRY_SECONDS
            self._ends = min(self._ends, now + REFUSING_SECONDS)
            payer = self._payers.find(body) if payer is None else payer
            self._allowance.charge(payer, self._allowance.took(now - began), now)

    def _turned_away(self, frame: Frame, payer: str, now: float) -> bool:
        """Return False if a message may be read; refuse it unread and return True if not."""
        body = frame.parts[-1]
        owed = self._allowance.owed(payer, now)
        if owed > 0.0:
            self._counts[TURNED_AWAY_COUNT] += 1
            is_answered = not frame.is_late and self._allowance.is_answered(payer, owed)
            self._turn_away(frame, turned_away(payer, owed).refusal if is_answered else None)
        elif payer == UNAUTHENTICATED_SENDERS and self._payers.is_for_the_known(body):
            self._turn_away(frame, unauthenticated().refusal)
        else:
            return False
        if payer == UNAUTHENTICATED_SENDERS:
            self.mailbox.socket.waste(frame.parts[0], len(body))
        return True

    def _turn_away(self, frame: Frame, refusal: Refusal | None) -> None:
        """Send the refusal under the id found in the message; without a refusal or an id, send nothing."""
        self._is_charged = True
        parts = frame.parts
        id_ = recover_id(parts[-1], self._limits) if refusal is not None else None
        if id_ is None or refusal is None:
            self.mailbox.socket.counters.undecodable += 1
            return
        peer = Peer(parts[0], len(parts) > 2 and parts[1] == b"", codec.encoding_of(parts[-1]))
        self._reply(peer, refusal_bytes(id_, refusal, new_trace_id(), peer.encoding))

    def _answer_system(self, work: TenantRequest) -> None:
        self._is_charged = True
        super()._answer_system(work)

    def _count(self, caller: Principal, connection: bytes, now: float) -> None:
        self._is_charged = caller is ANYONE
        self._allowance.count(connection, caller.id, now)
        tenant = self._authenticator.tenant(caller.tenant)
        if tenant is not None:
            admission = self._counted = self._forwarding.admission(tenant)
            admission.charge(self._profiles.of(tenant.id).limits, now)

    # Permission

    def _admit(self, work: TenantRequest) -> None:
        if work.principal is not ANYONE:
            tenant, route = self._require_allowed(work)
            if route.is_administrative:
                self._administration.forward(tenant, work)
            else:
                self._forwarding.forward(work, self._counted)
            return
        admission = self._public(work.request)
        admission.charge(self._profiles.of(admission.tenant.id).limits, work.received)
        self._forwarding.forward(work, admission)

    def _require_allowed(self, work: TenantRequest) -> tuple[TenantRecord, Route]:
        """Return tenant and route; raise the refusal if the caller may not have its tenant do this now."""
        caller = work.principal
        tenant = self._tenant(work)
        route = self._snapshot.current.find(work.request.action, caller)
        if route.rule.channel == ADMIN:
            attempt = Attempt(caller, work.request.action, tenant)
            self._record(self._attempt_counter.add(attempt, work.received))
        require(route, caller, DATA)
        if tenant is None:
            raise unknown_tenant() if work.request.tenant is None else unauthenticated()
        require_active(tenant)
        return tenant, route

    def _tenant(self, work: TenantRequest) -> TenantRecord | None:
        """Return the caller's tenant; None if the request names none, and for people of the platform."""
        caller, name = work.principal, work.request.tenant
        if name is None or caller.tenant is None:
            return None
        tenant = self._authenticator.tenant(name)
        if tenant is None or caller.tenant != tenant.name:
            raise unauthenticated()
        return tenant

    def _public(self, request: Request) -> Admission:
        """Return the admission for a caller without a token.

        Such a caller reaches only public actions, and only tenants that are resident and active. Every other
        request is refused as for an unknown tenant, after the same look-ups in the same tables: otherwise the
        reply for an unknown action, or for a tenant that is not resident, would show that the tenant exists.
        """
        tenant = self._authenticator.tenant(request.tenant) or NO_TENANT
        route = self._snapshot.current.routes.get(request.action)
        admission = self._forwarding.find(tenant, NO_ADMISSION)
        is_there = admission.is_awake and tenant.status == ACTIVE
        rule = DENY_ALL if route is None else route.rule
        if not rule.admits(ANYONE.role, ANYONE.areas, DATA) or not is_there:
            raise unauthenticated()
        return admission

    def _record(self, entries: list[AuditEntry]) -> None:
        for entry in entries:
            self._audit.tell(Append(entry))

    # Refusing

    def _refuse(self, work: TenantRequest, refusal: Refusal) -> None:
        """Refuse. Unauthenticated callers learn nothing about a tenant and add nothing to its log."""
        self._is_charged = True
        tenant = self._authenticator.tenant(work.principal.tenant)
        if tenant is not None and refusal.code != UNAUTHENTICATED:
            self._refuse_of(tenant, work, refusal)
            return
        super()._refuse(work, refusal)
        is_stranger = refusal.code == UNAUTHENTICATED
        self._counts[UNAUTHENTICATED_COUNT if is_stranger else REFUSED_COUNT] += 1

    def _refuse_of(self, tenant: TenantRecord, work: TenantRequest, refusal: Refusal) -> None:
        """Refuse a tenant's caller, in the tenant's own texts and with a line in its log."""
        body = encode_refusal(work, localise(refusal, self._profiles.of(tenant.id).config))
        if self._rejection_log is not None:
            route = self._snapshot.current.routes.get(work.request.action)
            self._rejection_log.add(tenant, work, refusal, route, len(body))
        self._reply(work.peer, body)

    def _reject_malformed(self, routing_id: bytes, delimited: bool, bad: parser.BadRequest) -> None:
        self._is_charged = True
        super()._reject_malformed(routing_id, delimited, bad)
        self._counts[INVALID_COUNT] += 1

    def _log_rejections(self) -> None:
        """Write the log lines and counts of a batch's rejections; most batches have none.

        Counts of a flood are written now and then: it would wake Stats each time that others may compute.
        """
        if self._rejection_log is not None:
            self._rejection_log.write()
        now = time.monotonic() if self._counts else 0.0
        if not self._counts or now < self._next_count:
            return
        if now < self._allowance.wary_until:
            self._next_count = now + COUNT_SECONDS
        if self._stats is not None:
            for name, count in self._counts.items():
                self._stats.tell(Count(name, count))
        self._counts.clear()

    def _on_address(self, message: TenantAddress) -> None:
        tenant, mailbox = message
        for work in self._forwarding.release(message):
            self._refuse_of(tenant, work, queue_full(tenant, mailbox.limit).refusal)

    # From inside

    def _directory_changed(self, change: DirectoryChanged) -> None:
        super()._directory_changed(change)
        for admission in self._forwarding.forget(change):
            self._close(admission)

    def _close(self, admission: Admission) -> None:
        """Refuse the queued requests of a deleted tenant: it has no log, and its name may be reused."""
        for work in admission.waiting:
            super()._refuse(work, deleted(admission.tenant).refusal)
            self._counts[REFUSED_COUNT] += 1

    def _flush(self, message: FlushUses | Draining) -> None:
        super()._flush(message)
        self._next_count = 0.0
        self._record(self._attempt_counter.drain(time.monotonic()))
        if self._rejection_log is not None:
            self._rejection_log.summarise()


NO_TENANT = TenantRecord("", "")
NO_ADMISSION = Admission(NO_TENANT)
DENY_ALL = Rule(frozenset(), None)
"""Stand in for a tenant, an admission and an action's rule that do not exist."""


def deleted(tenant: TenantRecord) -> ActionError:
    """Return the refusal of a request queued for a tenant that was deleted."""
    return Unavailable(f"tenant {tenant.name} is deleted; nothing was done")


def children(shared: Shared) -> list[StartChild]:
    """Return the Router."""
    actors = shared.actors
    return [
        supervised(
            actors.router,
            lambda box: Router.start(
                box,
                ChannelInputs.of(shared, box),
                RouterPeers(actors.supervisor, actors.console),
                RouterLogs(actors.audit_log, shared.request_log(), actors.stats),
                shared.settings.rates,
            ),
            (FLUSH_SECONDS, FlushUses()),
        )
    ]

"""The Router: reads the data channel, finds out who is calling, and hands requests on.

Its mailbox is its socket. It answers by itself what needs no tenant: refusals and the `system.` actions.
A caller without a valid token can neither wake nor create an actor: everything here is looked up in the
router's own tables, which the Directory tells it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import structlog

from actors.actor import Actor
from actors.answers import A_DEFECT, new_trace_id, packed_refusal, refusal_bytes, success
from actors.discovery import answer_system, is_system
from actors.errors import (
    ActionError,
    InvalidArgument,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from actors.mailbox import Mailbox, Occupant
from actors.messages import (
    ANYONE,
    Address,
    DirectoryChanged,
    FindTenant,
    Peer,
    Principal,
    Replies,
    TenantRecord,
    Work,
)
from actors.registry import Published
from transport import codec
from transport.limits import Limits
from transport.mailbox import Frame, SocketMailbox
from transport.message import Problem, Refusal, Request

log = structlog.get_logger()

RETRY_FULL_MS = 100
"""What a full mailbox tells its callers to wait, in milliseconds: about the time to work through it."""

MOST_UNADDRESSED = 1000
"""Messages that may wait for one tenant while the supervisor is asked for its mailbox."""


FAREWELL_MS = 2000
"""Milliseconds that a stopping server gives to peers that do not read."""


class Draining:
    """From the wiring: refuse everything new; what was accepted is still answered."""


class RouterMailbox(Mailbox):
    """The socket as a mailbox, with a thread of its own that no other actor uses."""

    __slots__ = ("draining", "socket", "unaddressed")

    def __init__(self, name: str, socket: SocketMailbox, supervisor: Mailbox | None) -> None:
        super().__init__(name, lambda _: None, supervisor=supervisor)
        self.socket = socket
        self.draining = False
        """Whether everything new is refused. Here, as the next, because it outlives an incarnation."""
        self.unaddressed: dict[str, deque[Work]] = {}
        """First mail for tenants whose mailboxes the supervisor has been asked for, by the tenant's id."""

    def tell(self, message: Any) -> None:
        """Leave a message from inside and wake the router if it sleeps."""
        self.socket.append(message)

    put = tell

    def take(self, most: int) -> list[Any]:
        """What was put back, or else wait for mail of either kind."""
        return super().take(most) or self.socket.take()

    def adopt(self, occupant: Occupant) -> None:
        """Each incarnation gets a thread; the one before it has ended."""
        self.occupant = occupant
        threading.Thread(target=self._live, args=[occupant], name=self.name, daemon=True).start()

    def rest(self) -> None:
        """Nothing to hand back: the thread goes on with the next turn."""

    def _live(self, incarnation: Occupant) -> None:
        while self.occupant is incarnation:
            incarnation.turn()


class Router(Actor):
    """Authenticates and hands on; never waits for anybody."""

    mailbox: RouterMailbox

    def __init__(
        self,
        mailbox: RouterMailbox,
        *,
        supervisor: Mailbox,
        tables: Published,
        limits: Limits,
        read_directory: Callable[[], None],
    ) -> None:
        super().__init__(mailbox)
        self._supervisor = supervisor
        self._tables = tables
        self._limits = limits
        self._read_directory = read_directory
        self._principals: dict[bytes, Principal] = {}
        self._tenants: dict[str, TenantRecord] = {}
        self._addresses: dict[str, Mailbox] = {}
        self._touched: dict[Mailbox, None] = {}
        self._informed = False
        self._handlers: dict[type, Callable[[Any], None]] = {
            Frame: self._frame,
            Replies: self._send,
            Address: self._addressed,
            DirectoryChanged: self._directory_changed,
            Draining: self._drain,
        }

    def on_start(self) -> None:
        """Ask the Directory for everything; until it has come, nobody is known."""
        self._read_directory()

    def on_stop(self) -> None:
        """Give peers a moment to take what waits for them, then close the socket."""
        self.mailbox.socket.drain(FAREWELL_MS)
        self.mailbox.socket.close()

    def handle(self, mail: deque[Any]) -> None:
        """Take in all that has come before waking any tenant: their commits are shared by more messages."""
        try:
            super().handle(mail)
        finally:
            touched, self._touched = self._touched, {}
            for mailbox in touched:
                mailbox.wake()

    def on_receive(self, message: Any) -> None:
        """One handler for each kind of message."""
        handler = self._handlers.get(type(message))
        if handler is None:
            raise TypeError(f"the Router has no handler for {type(message).__name__}")
        handler(message)

    # From the network

    def _frame(self, frame: Frame) -> None:
        """One message from a peer: [routing id, body] or [routing id, empty, body]."""
        parts = frame.parts
        delimited = len(parts) > 2 and parts[1] == b""
        try:
            request, encoding = codec.parse_request(parts[-1], self._limits)
        except codec.BadRequest as bad:
            self._refuse_bad(parts[0], delimited, bad)
            return
        peer = Peer(parts[0], delimited, encoding)
        trace_id = request.traceparent[3:35] if request.traceparent else new_trace_id()
        try:
            if len(parts) != 2 + delimited:
                raise malformed()
            self._admit(request, peer, trace_id)
        except ActionError as error:
            self._refuse(request, peer, trace_id, error.refusal)
        except Exception as error:  # one client's message must not cost the others theirs
            log.error("router failed", trace_id=trace_id, action=request.action, exc_info=error)
            self._refuse(request, peer, trace_id, A_DEFECT)

    def _refuse(self, request: Request, peer: Peer, trace_id: str, refusal: Refusal) -> None:
        self._reply(peer, refusal_bytes(request.id, refusal, trace_id, peer.encoding))

    def _refuse_bad(self, routing_id: bytes, delimited: bool, bad: codec.BadRequest) -> None:
        if bad.id is None:
            self.mailbox.socket.counters.undecodable += 1
            return
        body = refusal_bytes(bad.id, bad.refusal, new_trace_id(), bad.encoding)
        self._reply(Peer(routing_id, delimited, bad.encoding), body)

    def _admit(self, request: Request, peer: Peer, trace_id: str) -> None:
        if self.mailbox.draining:
            raise Unavailable("the server is stopping; nothing was done", retry_after_ms=1000)
        principal = self._principal(request)
        work = Work(request, principal, peer, self.mailbox, time.monotonic(), trace_id)
        if is_system(request.action):
            self._answer_system(work)
            return
        tenant = self._tenant(request, principal)
        if principal is ANYONE:
            self._require_public(request.action, tenant)
        else:
            self._tables.current.find(request.action, principal.role)
        self._hand_on(work, tenant)

    def _principal(self, request: Request) -> Principal:
        if request.token is None:
            return ANYONE
        principal = self._principals.get(sha256(request.token.encode()).digest())
        if principal is None and not self._informed:
            raise Unavailable(
                "the server is starting; nothing was done", retry_after_ms=RETRY_FULL_MS
            )
        if principal is None:
            raise not_you()
        return principal

    def _tenant(self, request: Request, principal: Principal) -> TenantRecord:
        if request.tenant is None and principal is not ANYONE:
            raise no_tenant()
        tenant = self._tenants.get(request.tenant or "")
        if tenant is None or (principal is not ANYONE and principal.tenant != tenant.name):
            raise not_you()
        return tenant

    def _require_public(self, action: str, tenant: TenantRecord) -> None:
        """A caller without a token reaches only public actions, and only tenants that are awake.

        Everything else is answered as for a tenant that is not there: an action that is none, or a tenant
        that is asleep, would otherwise tell a stranger that the tenant exists.
        """
        route = self._tables.current.routes.get(action)
        address = self._addresses.get(tenant.id)
        if route is None or ANYONE.role not in route.rule.allowed:
            raise not_you()
        if address is None or address.occupant is None:
            raise not_you()

    def _answer_system(self, work: Work) -> None:
        route, result = answer_system(
            self._tables.current, work.principal, work.request.action, work.request.params
        )
        self._reply(work.peer, success(work, route, result))

    # To the tenants

    def _hand_on(self, work: Work, tenant: TenantRecord) -> None:
        address = self._addresses.get(tenant.id)
        if address is None:
            self._keep(work, tenant)
        elif address.offer(work):
            self._touched[address] = None
        else:
            raise full(tenant, address.limit)

    def _keep(self, work: Work, tenant: TenantRecord) -> None:
        """The first mail for a tenant waits here, in order, until the supervisor names its mailbox."""
        waiting = self.mailbox.unaddressed.get(tenant.id)
        if waiting is None:
            waiting = self.mailbox.unaddressed[tenant.id] = deque()
            self._supervisor.tell(FindTenant(tenant, self.mailbox))
        if len(waiting) >= MOST_UNADDRESSED:
            raise full(tenant, MOST_UNADDRESSED)
        waiting.append(work)

    def _addressed(self, message: Address) -> None:
        tenant, address = message
        self._addresses[tenant.id] = address
        for work in self.mailbox.unaddressed.pop(tenant.id, ()):
            if not address.offer(work):
                self._reply(work.peer, packed_refusal(work, full(tenant, address.limit).refusal))
        self._touched[address] = None

    # To the network

    def _send(self, message: Replies) -> None:
        for peer, body in message.frames:
            self._reply(peer, body)

    def _reply(self, peer: Peer, body: bytes) -> None:
        self.mailbox.socket.send(peer.routing_id, [b"", body] if peer.delimited else [body])

    # From inside

    def _directory_changed(self, change: DirectoryChanged) -> None:
        self._informed = True
        if change.complete:
            self._tenants.clear()
            self._principals.clear()
        self._tenants.update((tenant.name, tenant) for tenant in change.tenants)
        self._principals.update(change.tokens)
        for digest in change.revoked:
            self._principals.pop(digest, None)

    def _drain(self, _: Draining) -> None:
        self.mailbox.draining = True


def not_you() -> Unauthenticated:
    """One answer for every cause, so that neither tenants nor tokens can be found by trying."""
    return Unauthenticated(
        "no valid token for this tenant: it is missing, unknown, expired or revoked, "
        "or there is no such tenant"
    )


def no_tenant() -> InvalidArgument:
    """The refusal of a request that has to say whose database it is about."""
    problem = Problem("tenant", "missing; every action that is not a system action needs it")
    return InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,))


def malformed() -> InvalidArgument:
    """The refusal of a message whose frames are not an envelope."""
    return InvalidArgument(
        "one message is one body frame, after an empty delimiter frame or none; this one had others"
    )


def full(tenant: TenantRecord, limit: int) -> ResourceExhausted:
    """The refusal of a mailbox that holds all it may."""
    return ResourceExhausted(
        f"{limit} messages wait for tenant {tenant.name} already; send this one again, with the same id",
        retry_after_ms=RETRY_FULL_MS,
    )

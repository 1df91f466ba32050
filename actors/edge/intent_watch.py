"""What one channel notes of bad intent: suspicions for the IntentMonitor, and refusals of slowed callers."""

from __future__ import annotations

import structlog

from actors.edge.allowance import Pace, Slowed
from actors.edge.authentication import Authenticator
from actors.edge.key_uses import KeyUses
from actors.errors import ActionError
from actors.intent.signals import OTHER_TENANT, SECOND_KEY, WRONG_TOKEN, outcome_of_code
from actors.intent.suspicions import LogStep, Origin, Suspicion, SuspicionClient
from actors.messages import ANYONE, TenantRequest
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.mailbox import Mailbox
from transport.message import UNAUTHENTICATED
from transport.router_socket import RouterSocket

log = structlog.get_logger()


class IntentWatch:
    """Notes the messages of one channel that a signal may count. Belongs to the channel's turn."""

    def __init__(
        self,
        mailbox: Mailbox,
        socket: RouterSocket,
        authenticator: Authenticator,
        snapshot: RoutingSnapshot,
        pace: Pace,
        suspicions: SuspicionClient,
    ) -> None:
        """`mailbox` is the channel's; only its own connections, at `socket`, have an origin."""
        self._mailbox = mailbox
        self._socket = socket
        self._authenticator = authenticator
        self._snapshot = snapshot
        self._pace = pace
        self._suspicions = suspicions
        self._key_uses = KeyUses()

    def flush(self) -> None:
        """Send the suspicions that came up since the last call."""
        self._suspicions.flush()

    def suspect(self, work: TenantRequest, outcome: str) -> None:
        """Note a message that a signal may count."""
        tenant = self._authenticator.tenant(work.principal.tenant)
        connection = work.peer.routing_id
        request, caller = work.request, work.principal
        is_own = work.outlet is self._mailbox
        origin = self._origin(connection) if is_own else None
        self._suspicions.add(
            Suspicion(outcome, request, caller, tenant, work.trace_id, connection, origin)
        )

    def check_key(self, work: TenantRequest) -> None:
        """Note the first use of a token with a CURVE key that is not its first one."""
        caller, connection = work.principal, work.peer.routing_id
        peer_of = self._socket.peer_of
        if caller.id and self._key_uses.is_second(connection, caller.id, lambda at: peer_of(at)[1]):
            self.suspect(work, SECOND_KEY)

    def log_step(self, message: LogStep) -> None:
        """Log a step on the ladder, with the address of the connection that led to it."""
        address = self._origin(message.connection).address
        log.warning("intent", address=address, **message.fields)

    def after_refusal(self, work: TenantRequest, error: ActionError) -> ActionError:
        """Note what the refusal shows of the caller; return it, or that of a caller who is slowed."""
        caller, outcome = work.principal, error.code
        if outcome == UNAUTHENTICATED:
            if caller is ANYONE and work.request.token is None:
                return error
            outcome = WRONG_TOKEN if caller is ANYONE else OTHER_TENANT
        elif caller is ANYONE or isinstance(error, Slowed):
            return error
        is_known = work.request.action in self._snapshot.current.routes
        self.suspect(work, outcome_of_code(outcome, is_action_known=is_known))
        if outcome != WRONG_TOKEN or not self._pace.is_used:
            return error
        group = self._origin(work.peer.routing_id).group
        return self._pace.of_address(group, work.received) or error

    def _origin(self, connection: bytes) -> Origin:
        return Origin(connection.hex(), *self._socket.peer_of(connection))

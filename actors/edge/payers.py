"""Who pays for a message that is not parsed yet: found by the tokens in its bytes."""

from __future__ import annotations

from actors.access import DATA
from actors.edge.allowance import UNAUTHENTICATED_SENDERS
from actors.edge.authentication import Authenticator
from actors.messages import ANYONE
from actors.registry.snapshot import RoutingSnapshot
from transport.frames import HEAVY_BYTES
from transport.request.id_recovery import tokens_in


class Payers:
    """Finds the payers of one channel's messages, in the tables of authentication and routing."""

    def __init__(
        self, authenticator: Authenticator, snapshot: RoutingSnapshot, body_bytes: int
    ) -> None:
        """`body_bytes` is the most that a body may have."""
        self._authenticator = authenticator
        self._snapshot = snapshot
        self._body_bytes = body_bytes

    def find(self, body: bytes) -> str:
        """Return a tenant's name, the token id of a person of the platform, or UNAUTHENTICATED_SENDERS."""
        for token in tokens_in(body):
            holder = self._authenticator.holder(token)
            if holder is not None:
                return holder.tenant or holder.id
        return UNAUTHENTICATED_SENDERS

    def is_for_the_known(self, body: bytes) -> bool:
        """Return whether a body is heavy, within the limit, and names no public action."""
        if not HEAVY_BYTES < len(body) <= self._body_bytes or not self._authenticator.informed:
            return False
        routes = self._snapshot.current.routes.values()
        public = (each.name for each in routes if each.rule.admits(ANYONE.role, ANYONE.areas, DATA))
        return not any(name.encode() in body for name in public)

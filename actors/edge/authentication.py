"""Authenticates callers of both channels, with the tokens, tenants and grants that the Directory publishes.

The law: every invalid token gets the same reply after the same work, whatever is wrong with it: one hash, one
look-up in one table, one comparison of a time.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from actors.errors import InvalidArgument, PermissionDenied, Unauthenticated, Unavailable
from actors.host.clocks import MonotonicWallClock
from actors.messages import ANYONE, DirectoryChanged, Grant, Principal, TenantRecord
from transport.message import Problem

RETRY_UNINFORMED_MS = 100
"""`retry_after_ms` of refusals before the Directory has published its data."""

NOBODY: Final = Principal(id="", tenant=None, role="nobody", expires=float("-inf"))
"""Stands for an unknown token. It is always expired: unknown and expired tokens take one path."""


class Authenticator:
    """Cache of tokens, tenants and grants. It belongs to one actor."""

    def __init__(self, epoch: MonotonicWallClock) -> None:
        self._epoch = epoch
        self._principals: dict[bytes, Principal] = {}
        self._tenants: dict[str, TenantRecord] = {}
        self._grants: dict[tuple[str, str], dict[str, Grant]] = {}
        self._used: set[str] = set()
        self.informed = False
        """True once the Directory has published its data; until then no token is known."""

    def authenticate(self, token: str | None) -> Principal:
        """Return the principal of a token at this moment; ANYONE if there is no token.

        Raises Unauthenticated if the token is unknown, revoked or expired; PermissionDenied if it is
        suspended; Unavailable until the Directory has published its data.
        """
        if token is None:
            return ANYONE
        principal = self._principals.get(sha256(token.encode()).digest(), NOBODY)
        if principal.expires is not None and principal.expires <= self._epoch.now():
            raise suspended() if principal.is_suspended else self._unauthenticated()
        self._used.add(principal.id)
        return principal

    def holder(self, token: str) -> Principal | None:
        """Return the principal of a token, expired or not; None if the token is unknown or revoked."""
        return self._principals.get(sha256(token.encode(errors="replace")).digest())

    def tenant(self, name: str | None) -> TenantRecord | None:
        """Return the tenant of this name, whatever its status."""
        return self._tenants.get(name or "")

    def grant(self, person: str, tenant: str) -> Grant | None:
        """Return the live grant of this person as super admin of the tenant; of several the longest."""
        now = self._epoch.now()
        live = [
            each for each in self._grants.get((person, tenant), {}).values() if each.until > now
        ]
        return max(live, key=lambda each: each.until, default=None)

    def drain_token_uses(self) -> dict[str, float]:
        """Return and forget the tokens used since the last call: `Principal.id` to now (epoch, s)."""
        used, self._used = self._used, set()
        now = self._epoch.now()
        return dict.fromkeys(used, now)

    def change(self, change: DirectoryChanged) -> None:
        """Apply a change of the Directory. Removals come first: a name can be reused in one change."""
        self.informed = True
        if change.complete:
            self._principals.clear()
            self._tenants.clear()
            self._grants.clear()
        for tenant in change.forgotten:
            self._forget(tenant)
        self._end(change.ended)
        for digest in change.revoked:
            self._principals.pop(digest, None)
        self._tenants.update((tenant.name, tenant) for tenant in change.tenants)
        self._principals.update(change.tokens)
        for grant in change.grants:
            self._grants.setdefault((grant.person, grant.tenant), {})[grant.id] = grant

    def _forget(self, tenant: TenantRecord) -> None:
        """Remove a tenant, its tokens and grants: the next tenant of that name must not inherit them."""
        known = self._tenants.get(tenant.name)
        if known is not None and known.id != tenant.id:
            return
        self._tenants.pop(tenant.name, None)
        self._principals = {
            digest: each for digest, each in self._principals.items() if each.tenant != tenant.name
        }
        self._grants = {
            place: each for place, each in self._grants.items() if place[1] != tenant.name
        }

    def _end(self, ids: tuple[str, ...]) -> None:
        for place, grants in list(self._grants.items()) if ids else ():
            for id_ in ids:
                grants.pop(id_, None)
            if not grants:
                del self._grants[place]

    def _unauthenticated(self) -> Unauthenticated | Unavailable:
        if self.informed:
            return unauthenticated()
        return Unavailable(
            "the server is starting; nothing was done", retry_after_ms=RETRY_UNINFORMED_MS
        )


def unauthenticated() -> Unauthenticated:
    """Return the one refusal for every cause, so that trying finds neither tenants nor tokens."""
    return Unauthenticated(
        "no valid token for this tenant: it is missing, unknown, expired or revoked, "
        "or there is no such tenant"
    )


def suspended() -> PermissionDenied:
    """Return the refusal of a token that is suspended: its holder has shown that it is theirs."""
    return PermissionDenied(
        "this token is suspended because of what was sent with it; an owner with the area 'tokens' finds out "
        "why with intent.list, and lifts it with intent.clear"
    )


def unknown_tenant() -> InvalidArgument:
    """Return the refusal of a request that must name a tenant and names none."""
    problem = Problem("tenant", "missing; every action that is not a system action needs it")
    return InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,))

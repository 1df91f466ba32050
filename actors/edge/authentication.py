"""Who is calling, on either channel: what the Directory said of tokens, tenants and grants.

The law: whoever has no good token hears one answer, whatever the cause, after the same work: one hash, one
look at one table, one comparison of a time.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from actors.errors import InvalidArgument, Unauthenticated, Unavailable
from actors.host.clocks import MonotonicWallClock
from actors.messages import ANYONE, DirectoryChanged, Grant, Principal, TenantRecord
from transport.message import Problem

RETRY_UNINFORMED_MS = 100
"""What callers are told to wait while the Directory has not spoken, in milliseconds."""

NOBODY: Final = Principal(id="", tenant=None, role="nobody", expires=float("-inf"))
"""Stands for a token that is not there: one that has always been over, so that both take one path."""


class Authenticator:
    """Tokens, tenants and grants as one actor knows them; nobody else touches it."""

    def __init__(self, epoch: MonotonicWallClock) -> None:
        self._epoch = epoch
        self._principals: dict[bytes, Principal] = {}
        self._tenants: dict[str, TenantRecord] = {}
        self._grants: dict[tuple[str, str], dict[str, Grant]] = {}
        self._used: set[str] = set()
        self.informed = False
        """Whether the Directory has told anything yet; until then nobody is known."""

    def authenticate(self, token: str | None) -> Principal:
        """Whom a token stands for at this moment; ANYONE where there is none.

        Unauthenticated for one that is unknown, revoked or expired; Unavailable until the Directory has
        spoken.
        """
        if token is None:
            return ANYONE
        principal = self._principals.get(sha256(token.encode()).digest(), NOBODY)
        if principal.expires is not None and principal.expires <= self._epoch.now():
            raise self._unauthenticated()
        self._used.add(principal.id)
        return principal

    def holder(self, token: str) -> Principal | None:
        """Whose token this is, good or over; None for one that is unknown or revoked."""
        return self._principals.get(sha256(token.encode(errors="replace")).digest())

    def tenant(self, name: str | None) -> TenantRecord | None:
        """The tenant that clients call so, whatever its status."""
        return self._tenants.get(name or "")

    def grant(self, person: str, tenant: str) -> Grant | None:
        """What makes this person super admin on the tenant of this name now; the one that lasts longest."""
        now = self._epoch.now()
        live = [
            each for each in self._grants.get((person, tenant), {}).values() if each.until > now
        ]
        return max(live, key=lambda each: each.until, default=None)

    def drain_token_uses(self) -> dict[str, float]:
        """Which tokens were used since this was asked last, by `Principal.id`; all as of now (epoch)."""
        used, self._used = self._used, set()
        now = self._epoch.now()
        return dict.fromkeys(used, now)

    def change(self, change: DirectoryChanged) -> None:
        """Take in what the Directory says: what goes first, so that a name can be given anew at once."""
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
        """With its tokens and grants, told or not: the next tenant of that name must not inherit them."""
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
    """One answer for every cause, so that neither tenants nor tokens can be found by trying."""
    return Unauthenticated(
        "no valid token for this tenant: it is missing, unknown, expired or revoked, "
        "or there is no such tenant"
    )


def unknown_tenant() -> InvalidArgument:
    """The refusal of a request that has to say whose database it is about."""
    problem = Problem("tenant", "missing; every action that is not a system action needs it")
    return InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,))

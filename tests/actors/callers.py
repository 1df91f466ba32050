"""Callers of every kind that docs/access.md has a column for, made on a running system."""

from __future__ import annotations

import itertools
import time
from typing import Any, NamedTuple

from actors.access import ADMIN, ADMIN_OWNER, AREAS, DEVELOPER_ADMIN, OWNER, PLATFORM_ROLES
from tests.conftest import Server
from tests.raw_client import Map, RawClient

DAY = 24 * 3600.0

REFUSED = frozenset({"permission_denied", "unauthenticated"})
"""What refuses a caller for who he is, and nothing else."""


class MovableClock:
    """Seconds since the epoch, which a test can move."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Being(NamedTuple):
    """What a caller is: any mixture."""

    role: str
    areas: frozenset[str] = frozenset()
    scope: frozenset[str] | None = None
    token: str = "live"
    """live, expired, revoked, or cut: without its last character."""
    grant: str = "none"
    """none, live, expired or withdrawn: of a developer admin, on the tenant acme."""


class Caller(NamedTuple):
    """A person with a token."""

    being: Being
    person: str
    id: str
    """The token's."""
    text: str


class Stage:
    """A server with acme and globex, a clock that can be moved, and one connection to each channel."""

    def __init__(self, server: Server, clock: MovableClock) -> None:
        self.server = server
        self._clock = clock
        self._local = server.system.local
        self._numbers = itertools.count(1)
        self._local.ask("developers.add", name="the one who stays", role=DEVELOPER_ADMIN)
        self._wires = {
            "data": RawClient(server.system.endpoint),
            ADMIN: RawClient(server.system.admin_endpoint),
        }

    def close(self) -> None:
        """Close the connections."""
        for raw_client in self._wires.values():
            raw_client.close()

    def call(
        self, channel: str, text: str | None, tenant: str | None, action: str, params: Map
    ) -> Map:
        """One message and its reply."""
        fields: Map = {"action": action, "params": params}
        if text is not None:
            fields["token"] = text
        if tenant is not None:
            fields["tenant"] = tenant
        return self._wires[channel].ask(**fields)

    def make(self, being: Being, tenant: str = "acme") -> Caller:
        """A new person of that kind, or the tenant's admin owner, with a new token."""
        person = self._person(being, tenant)
        issued = self._issue(being, person, tenant)
        caller = Caller(being, person, issued["token"]["id"], issued["text"])
        if being.grant != "none":
            self._grant(caller)
        if being.token == "expired" or being.grant == "expired":
            self._clock.ahead += 2 * DAY
        if being.token == "revoked":
            self._revoke(caller, tenant)
        return caller if being.token != "cut" else caller._replace(text=caller.text[:-1])

    def leave(self, caller: Caller, tenant: str = "acme") -> None:
        """Have the person removed, or the admin owner's token revoked: there is room for so many."""
        if caller.being.role in PLATFORM_ROLES:
            self._local.ask("developers.remove", person=caller.person)
        elif caller.being.role != ADMIN_OWNER:
            self._local.ask("members.remove", tenant, person=caller.person)

    def advance(self, seconds: float) -> None:
        """Move the clock that expiry goes by; backwards where negative."""
        self._clock.ahead += seconds

    def recover(self, tenant: str) -> None:
        """Undo what an allowed call may have done to the tenant as a whole."""
        status = self._local.find_tenant(tenant)
        if status is not None and status.status != "active":
            self._local.ask("tenants.resume", tenant)

    def fresh_name(self) -> str:
        """A tenant's name that no one has."""
        return f"made-{next(self._numbers)}"

    def _person(self, being: Being, tenant: str) -> str:
        ask = self._local.ask
        if being.role in PLATFORM_ROLES:
            return str(ask("developers.add", name="dev", role=being.role)["developer"]["id"])
        if being.role == ADMIN_OWNER:
            owners = ask("owners.list", tenant)["owners"]
            return next(str(each["id"]) for each in owners if each["role"] == ADMIN_OWNER)
        person = str(ask("members.add", tenant, name="somebody")["member"]["id"])
        if being.role == OWNER:
            areas = [area for area in AREAS if area in being.areas]
            ask("owners.delegate", tenant, person=person, areas=areas)
        return person

    def _issue(self, being: Being, person: str, tenant: str) -> Map:
        wanted: dict[str, Any] = {"person": person, "label": "made by a test"}
        if being.scope is not None:
            wanted["scope"] = sorted(being.scope)
        if being.token == "expired":
            wanted["days"] = 1
        if being.role in PLATFORM_ROLES:
            return self._local.ask("developers.issue", **wanted)
        return self._local.ask("tokens.issue", tenant, **wanted)

    def _revoke(self, caller: Caller, tenant: str) -> None:
        if caller.being.role in PLATFORM_ROLES:
            self._local.ask("developers.revoke", token=caller.id)
        else:
            self._local.ask("tokens.revoke", tenant, token=caller.id)

    def _grant(self, caller: Caller) -> None:
        assert caller.being.role == DEVELOPER_ADMIN
        minutes = 60 if caller.being.grant == "expired" else 7 * 24 * 60
        made = self._local.ask(
            "supers.grant", "acme", person=caller.person, minutes=minutes, reason="a test"
        )
        if caller.being.grant == "withdrawn":
            self._local.ask("supers.withdraw", "acme", grant=made["grant"]["id"])

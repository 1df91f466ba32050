"""In which capacity somebody acts on the admin channel, and whether that is enough for an action."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from actors.access import (
    ADMIN,
    DEVELOPER_ADMIN,
    PLATFORM_LEVELS,
    PLATFORM_ROLES,
    PUBLIC,
    SUPER_ADMIN,
    TENANT_ROLES,
)
from actors.admin.context import unnamed
from actors.edge.authentication import Callers, not_you
from actors.errors import NotFound, PermissionDenied
from actors.messages import Principal, TenantRecord
from actors.routing import route as permission
from actors.routing.route import Route, levels, with_article

NOBODY = "no valid token"
"""The capacity of a caller that nobody knows."""


class Capacity(NamedTuple):
    """Who acts, as what, and on which tenant."""

    principal: Principal
    """In the role acted in."""
    tenant: TenantRecord | None
    """None where the caller named nobody."""
    until: float | None = None
    """Of a super admin: when his grant ends, in seconds since the epoch."""

    @property
    def is_super(self) -> bool:
        """Whether what is done is recorded ahead."""
        return self.until is not None

    def __str__(self) -> str:
        """As the admin log says it."""
        return (
            capacity_text(self.principal)
            if self.until is None
            else f"{SUPER_ADMIN} until {_spelt(self.until)}"
        )


CONSOLE = Principal(id="console", tenant=None, role="console")
"""Whoever started the process: the one caller that no rule is asked about."""


def capacity_text(principal: Principal) -> str:
    """How the admin log names the capacity of a caller with no grant."""
    return NOBODY if principal.role == PUBLIC else principal.role


def capacity_of(callers: Callers, caller: Principal, tenant: str | None) -> Capacity:
    """As what a caller acts who names this tenant, or none.

    A tenant's people act on their own tenant and hear the same of every other, there or not. A person of
    the platform is super admin wherever a grant of his holds, and what his token says everywhere else.
    """
    if tenant is None:
        return Capacity(caller, None)
    record = callers.tenant(tenant)
    if caller.role not in PLATFORM_ROLES:
        if record is None or caller.tenant != record.name:
            raise not_you()
        return Capacity(caller, record)
    if record is None:
        raise NotFound(f"there is no tenant {tenant!r}; tenants.list lists those there are")
    grant = callers.grant(caller.person, record.name)
    if grant is None or caller.role != DEVELOPER_ADMIN:
        return Capacity(caller, record)
    return Capacity(caller._replace(role=SUPER_ADMIN, tenant=record.name), record, grant.until)


def require(route: Route, capacity: Capacity) -> None:
    """Return if this capacity is enough for the action; PermissionDenied says why and what to do."""
    principal = capacity.principal
    if principal.role in PLATFORM_ROLES - route.rule.allowed:
        raise not_for_platform(route, capacity)
    permission.require(route, principal, ADMIN)
    if capacity.tenant is None and principal.role in TENANT_ROLES:
        raise unnamed(route.name)


def is_of_platform(route: Route) -> bool:
    """Whether the action can be about no tenant at all."""
    return route.action.access in PLATFORM_LEVELS


def not_for_platform(route: Route, capacity: Capacity) -> PermissionDenied:
    """Why somebody of the platform may not, and what would help."""
    role = with_article(capacity.principal.role)
    said = f"{route.name} is for {levels(route)}, and this token is {role}'s"
    if is_of_platform(route):
        return PermissionDenied(said)
    place = "a tenant" if capacity.tenant is None else capacity.tenant.name
    return PermissionDenied(
        f"{said}; a developer admin can be made super admin on {place} with supers.grant"
    )


def _spelt(at: float) -> str:
    """RFC 3339, in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

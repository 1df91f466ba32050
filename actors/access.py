"""Who may call what: the one place where access is decided, from data, in the same way for every action.

An action states a level, and optionally an area that owners need and a level of the platform. They make its
Rule. A caller's role, areas and channel are checked against the Rule. What the Rule admits can still be
refused for the token's scope (actors/routing/route.py), the tenant's status or a limit; what the Rule does
not admit is never done.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import final

from msgspec import Struct

PUBLIC = "public"
"""The role of a caller without a token, and the level that admits everyone."""

MEMBER = "member"
OWNER = "owner"
ADMIN_OWNER = "admin owner"
SUPER_ADMIN = "super admin"
"""A developer admin with a grant for a tenant, for that tenant's actions only."""
DEVELOPER = "developer"
DEVELOPER_ADMIN = "developer admin"

MACHINE = "machine"
"""The engine itself, which calls the actions that functions have named for outcomes. No caller has it."""

TENANT_ROLES = frozenset({MEMBER, OWNER, ADMIN_OWNER})
"""Held within one tenant."""

PLATFORM_ROLES = frozenset({DEVELOPER, DEVELOPER_ADMIN})
"""Held on the platform; they admit to no tenant's own actions."""

ROLES = TENANT_ROLES | PLATFORM_ROLES | {PUBLIC, SUPER_ADMIN}
"""Every role that a principal can have."""

AUTHENTICATED = ROLES - {PUBLIC}
"""Everyone with a valid token, whatever the role."""

AREAS = ("members", "config", "subscriptions", "tokens", "backups", "testers")
"""Areas that an admin owner can delegate to an owner, one by one."""

DATA = "data"
ADMIN = "admin"
CHANNELS = (DATA, ADMIN)

BOTH = "both"
"""The channel of an action that is served on either; only the engine's own can be."""

LEVELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        PUBLIC: TENANT_ROLES | {PUBLIC, SUPER_ADMIN},
        MEMBER: TENANT_ROLES | {SUPER_ADMIN},
        OWNER: frozenset({OWNER, ADMIN_OWNER, SUPER_ADMIN}),
        ADMIN_OWNER: frozenset({ADMIN_OWNER, SUPER_ADMIN}),
        DEVELOPER: PLATFORM_ROLES | {SUPER_ADMIN},
        DEVELOPER_ADMIN: frozenset({DEVELOPER_ADMIN, SUPER_ADMIN}),
    }
)
"""The six levels as the index writes them, with the roles that each admits."""

PLATFORM_LEVELS = (DEVELOPER, DEVELOPER_ADMIN)
"""Levels of the platform: an index may add one to an action's level (`platform`)."""


@final
class Rule(Struct, frozen=True):
    """Who may call one action."""

    allowed: frozenset[str]
    """Roles."""
    channel: str | None
    """The channel that the action is served on: data or admin; None for both."""
    area: str | None = None
    """One of AREAS, which an owner needs; an admin owner has all."""

    def admits(self, role: str, areas: frozenset[str], channel: str) -> bool:
        """Return whether a caller with this role and these areas may call the action on this channel."""
        if role == MACHINE:  # functions of the index named the action; no token has this role
            return self.channel == channel == DATA
        if role not in self.allowed:
            return False
        if self.area is not None and role == OWNER and self.area not in areas:
            return False
        served = self.channel  # as `answers`, which would be a call for each message
        return served == channel or served is None or (role == SUPER_ADMIN and channel == ADMIN)

    def answers(self, role: str, channel: str) -> bool:
        """Return whether the action is served on this channel. A super admin has all on the admin channel."""
        return channel == self.channel or self.channel is None or (
            role == SUPER_ADMIN and channel == ADMIN
        )  # fmt: skip


def rule_of(
    access: str, channel: str, area: str | None = None, platform: str | None = None
) -> Rule:
    """Return the rule of an action as the index states it; KeyError for an unknown level."""
    allowed = LEVELS[access] | (LEVELS[platform] if platform else frozenset())
    return Rule(allowed, None if channel == BOTH else channel, area)


FOR_ANYONE = Rule(ROLES, None)
"""The rule of built-in actions that need no token."""

FOR_ANY_TOKEN = Rule(AUTHENTICATED, None)
"""The rule of built-in actions that need any valid token."""

ANY_TOKEN = "any token"  # noqa: S105 - a level, not a secret
"""FOR_ANY_TOKEN in descriptions of actions; an index cannot state it."""

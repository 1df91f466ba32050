"""Who may call what: the one place where access is decided, from data, the same way for every action.

An action states a level, and where it likes an area that owners need and a level of the platform besides.
From these comes its Rule; a caller's role, areas and channel against the Rule give yes or no. What the rule
admits can still be refused for the token's scope (actors/routing/route.py), the tenant's status or a limit,
and nothing that it does not admit is ever done.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

PUBLIC = "public"
"""The role of a caller without a token, and the level that admits everyone."""

MEMBER = "member"
OWNER = "owner"
ADMIN_OWNER = "admin owner"
SUPER_ADMIN = "super admin"
"""A developer admin while a grant names him for this tenant, for the tenant's actions and on it only."""
DEVELOPER = "developer"
DEVELOPER_ADMIN = "developer admin"

MACHINE = "machine"
"""The engine itself, which tells outcomes to the actions that functions have named; nobody's role."""

TENANT_ROLES = frozenset({MEMBER, OWNER, ADMIN_OWNER})
"""Held within one tenant."""

PLATFORM_ROLES = frozenset({DEVELOPER, DEVELOPER_ADMIN})
"""Held on the platform; they say nothing about any tenant's own actions."""

ROLES = TENANT_ROLES | PLATFORM_ROLES | {PUBLIC, SUPER_ADMIN}
"""Every role that a principal can act in."""

AUTHENTICATED = ROLES - {PUBLIC}
"""Everyone with a valid token, whatever the role."""

AREAS = ("members", "config", "subscriptions", "tokens", "backups", "testers")
"""What an admin owner can delegate to an owner, each by itself."""

DATA = "data"
ADMIN = "admin"
CHANNELS = (DATA, ADMIN)

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
"""The six levels as the index spells them, and the roles that each admits."""

PLATFORM_LEVELS = (DEVELOPER, DEVELOPER_ADMIN)
"""The levels that say nothing of a tenant: an index may name one besides (`platform`)."""


class Rule(NamedTuple):
    """Who may call one action."""

    allowed: frozenset[str]
    """Roles."""
    channel: str | None
    """data or admin: where it is answered; None for what is built in and answered on both."""
    area: str | None = None
    """One of AREAS, which an owner needs; the admin owner has them all."""

    def admits(self, role: str, areas: frozenset[str], channel: str) -> bool:
        """Whether a caller in this role, with these areas, may call it on this channel."""
        if role == MACHINE:  # the index's own code named the action, and no token says this role
            return self.channel == channel == DATA
        if role not in self.allowed:
            return False
        if self.area is not None and role == OWNER and self.area not in areas:
            return False
        return self.answers(role, channel)

    def answers(self, role: str, channel: str) -> bool:
        """Whether it is answered on this channel: a super admin reaches everything on the admin one."""
        return channel == self.channel or self.channel is None or (
            role == SUPER_ADMIN and channel == ADMIN
        )  # fmt: skip


def rule_of(
    access: str, channel: str, area: str | None = None, platform: str | None = None
) -> Rule:
    """The rule of an action as the index states it; KeyError for a word that is no level."""
    allowed = LEVELS[access] | (LEVELS[platform] if platform else frozenset())
    return Rule(allowed, channel, area)


FOR_ANYONE = Rule(ROLES, None)
"""Of built-in actions that need no token."""

FOR_ANY_TOKEN = Rule(AUTHENTICATED, None)
"""Of built-in actions for whoever has a valid token."""

ANY_TOKEN = "any token"  # noqa: S105 - a level, not a secret
"""How FOR_ANY_TOKEN is spelt where actions are described; an index cannot say it."""

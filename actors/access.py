"""Who may call what, as data: each access level of the index and the roles it admits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PUBLIC = "public"
"""The role of a caller without a token, and the level that admits everyone."""

TENANT_ROLES = frozenset({"member", "owner", "admin owner"})
"""Held within one tenant."""

PLATFORM_ROLES = frozenset({"developer", "developer admin"})
"""Held on the platform; they say nothing about any tenant's own actions."""

ROLES = TENANT_ROLES | PLATFORM_ROLES | {PUBLIC}
"""Every role that a principal can have."""

AUTHENTICATED = ROLES - {PUBLIC}
"""Everyone with a valid token, whatever the role."""

LEVELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        PUBLIC: ROLES,
        "member": TENANT_ROLES,
        "owner": frozenset({"owner", "admin owner"}),
        "admin owner": frozenset({"admin owner"}),
        "developer": PLATFORM_ROLES,
        "developer admin": frozenset({"developer admin"}),
    }
)
"""The six levels as the index spells them, and the roles that each admits."""


ANY_TOKEN = "any token"  # noqa: S105 - a level, not a secret
"""A level of built-in actions only: whoever has a valid token. An index cannot say it."""


def allowed_roles(level: str) -> frozenset[str]:
    """The roles that this level admits; KeyError for a word that is no level."""
    return AUTHENTICATED if level == ANY_TOKEN else LEVELS[level]

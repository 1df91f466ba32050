"""What a tenant states for a connector: where its relay is, and with which password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.errors import Unavailable
from actors.profiles import EMPTY, Profiles


def settings_of(profiles: Profiles, tenant_id: str, connector: str) -> Mapping[str, Any]:
    """The newest, secrets included; an empty map where the tenant has stated nothing. Unavailable."""
    stated = profiles.of(tenant_id).connectors.get(connector)
    if stated is None:
        return EMPTY
    if stated.problem is not None:
        raise Unavailable(f"the settings of {connector} cannot be read: {stated.problem}")
    return stated.settings

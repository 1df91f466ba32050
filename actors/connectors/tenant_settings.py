"""What a tenant states for a connector: where its relay is, and with which password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.connectors.contract import Permanent, Settings
from actors.errors import InvalidArgument, Unavailable
from actors.profiles import ConnectorSettings, Profiles, thawed
from actors.schema.schema import Schema


def stated_by(profiles: Profiles, tenant_id: str, connector: str) -> ConnectorSettings:
    """The newest, secrets included; revision 0 where the tenant has stated nothing. Unavailable."""
    stated = profiles.of(tenant_id).connectors.get(connector)
    if stated is None:
        return ConnectorSettings(connector, 0)
    if stated.problem is not None:
        raise Unavailable(f"the settings of {connector} cannot be read: {stated.problem}")
    return stated


def fitting(settings: Mapping[str, Any], schema: Schema) -> Settings:
    """As the connector's code gets them; Permanent, naming fields and no value, where they do not fit."""
    try:
        return schema.parse(thawed(settings))
    except InvalidArgument as problem:
        raise Permanent(f"{problem}: owners see to that with connectors.configure") from None

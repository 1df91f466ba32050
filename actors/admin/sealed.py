"""Rows of directory.db whose content is sealed: opened and sealed, each bound to where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from actors.admin.vault import Place, Vault
from actors.errors import Unreadable
from actors.profiles import ConnectorSettings, frozen


def opened(vault: Vault, row: Row[Any]) -> ConnectorSettings:
    """A row's settings, which are not NULL; with the problem where they cannot be read."""
    try:
        content = vault.open(row.settings, place_of(row.tenant_id, row.connector, row.revision))
    except Unreadable as error:
        return ConnectorSettings(row.connector, row.revision, problem=str(error))
    return ConnectorSettings(row.connector, row.revision, frozen(json.loads(content)))


def sealed(vault: Vault, settings: Mapping[str, Any], place: Place) -> bytes:
    """What such a row holds; Unreadable where there is no key."""
    return vault.seal(json.dumps(settings, separators=(",", ":")).encode(), place)


def place_of(tenant_id: str, connector: str, revision: int) -> Place:
    """Of one row: under another tenant, connector or revision its content opens no more."""
    return ("connector settings", tenant_id, connector, revision)

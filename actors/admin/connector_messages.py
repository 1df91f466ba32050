"""Queries and the command about a tenant's settings for a connector; see actors.admin.messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class ShowConnector(NamedTuple):
    """Query: a tenant's settings without their secrets. NotFound if the connector never had settings here."""

    tenant: str
    connector: str


class TryPatch(NamedTuple):
    """Query: the settings with a patch applied. Answered by Patched, secrets included.

    For the connector itself, which checks the settings. Its repr shows no settings.
    """

    tenant: str
    connector: str
    settings: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"TryPatch({self.tenant!r}, {self.connector!r})"


class ConfigureConnector(NamedTuple):
    """Apply a JSON Merge Patch (RFC 7396) to the settings; None removes them all. Its repr shows no settings.

    NotFound if the index has no such connector; InvalidArgument names the field. Unavailable if the settings
    cannot be decrypted or encrypted.
    """

    tenant: str
    connector: str
    settings: Mapping[str, Any] | None

    def __repr__(self) -> str:
        return f"ConfigureConnector({self.tenant!r}, {self.connector!r})"

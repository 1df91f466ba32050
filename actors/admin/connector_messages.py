"""What the Directory is asked about a tenant's settings for a connector; see actors.admin.messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class ShowConnector(NamedTuple):
    """Ask: what is set, without its secrets. NotFound for a connector that never was one of the tenant's."""

    tenant: str
    connector: str


class TryPatch(NamedTuple):
    """Ask: what a patch would make of what is set. Answered by Patched, secrets included.

    For the connector itself, which says whether that can work; shows nothing of itself.
    """

    tenant: str
    connector: str
    settings: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"TryPatch({self.tenant!r}, {self.connector!r})"


class ConfigureConnector(NamedTuple):
    """JSON Merge Patch (RFC 7396) onto what is set; None removes all of it. Shows nothing of itself.

    NotFound for a connector that the index does not have; InvalidArgument names the field. Unavailable where
    what is set cannot be read, or nothing can be encrypted.
    """

    tenant: str
    connector: str
    settings: Mapping[str, Any] | None

    def __repr__(self) -> str:
        return f"ConfigureConnector({self.tenant!r}, {self.connector!r})"

"""A connector's settings, checked against their schema before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.connectors.contract import Permanent, Settings
from actors.errors import InvalidArgument
from actors.index.schema import Schema


class Prepared:
    """The schema of one connector's settings, made ready once."""

    def __init__(self, connector: str, schema: Mapping[str, Any]) -> None:
        self._schema = Schema.build(f"{connector}.settings", schema)

    def settings(self, settings: Settings) -> Any:
        """Their values as attributes; Permanent, naming fields and no value, where they do not fit."""
        try:
            return self._schema.parse(dict(settings))
        except InvalidArgument as problem:
            raise Permanent(str(problem)) from None

"""schemas.json: params and result of every action as JSON Schema 2020-12, each with an `$id`.

One file, because one is handed over, compared and kept whole more easily than two for each action, and
because an action that is gone leaves no file behind; a validator finds each schema in it by its `$id`.
"""

from __future__ import annotations

from typing import Any

from actors.index.entries import Index
from scripts.contracts.offer import offered

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schemas(index: Index) -> dict[str, Any]:
    """The bundle: `#/$defs/contacts.add.params`, which is `urn:tenantry:contacts.add.params`."""
    found = {
        f"{action.name}.{part}": schema.source
        for action in offered(index)
        for part, schema in (("params", action.params), ("result", action.result))
    }
    return {
        "$schema": DRAFT,
        "$id": "urn:tenantry:schemas",
        "$comment": f"Written by scripts/schema from {index.path.name}.",
        "$defs": {
            name: {"$schema": DRAFT, "$id": identifier(name), **source}
            for name, source in found.items()
        },
    }


def identifier(name: str) -> str:
    """The `$id` of `contacts.add.params`."""
    return f"urn:tenantry:{name}"

"""One action as system.describe lists it: its params, what each takes, and help for a terminal."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

READ = "read"

BOUNDS = {"minimum": "from", "maximum": "to", "maxLength": "at most"}
"""Keywords of JSON Schema that help mentions, in its words."""


class DescribedAction(NamedTuple):
    """One action, as the index describes it."""

    name: str
    summary: str
    access: str
    platform: str | None
    """The level of the platform that may call it too; None if only the tenant's people may."""
    channel: str
    effect: str
    params: Mapping[str, Any]
    """JSON Schema of the params."""

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.effect != READ

    @property
    def properties(self) -> dict[str, Mapping[str, Any]]:
        """Return the schema of each param, by name; references are followed."""
        defs = self.params.get("$defs", {})
        found = self.params.get("properties", {})
        return {name: _followed(schema, defs) for name, schema in found.items()}

    @property
    def required(self) -> tuple[str, ...]:
        """Params that must be given."""
        return tuple(self.params.get("required", ()))


def entry_of(described: Mapping[str, Any]) -> DescribedAction:
    """Return the entry of one action of system.describe's answer."""
    return DescribedAction(*(described[field] for field in DescribedAction._fields))


def _followed(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return {**defs.get(reference.rpartition("/")[2], {}), **schema}


def param_lines(entry: DescribedAction) -> Iterator[tuple[str, str]]:
    """Yield each param with what it takes."""
    for name, schema in entry.properties.items():
        mark = "" if name in entry.required else " (optional)"
        said = schema.get("description", "")
        yield name, f"{kind_of(schema)}{mark}{'. ' if said else ''}{said}"


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return what a value may be, in a few words."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type", "any value")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    bounds = [f"{word} {schema[key]}" for key, word in BOUNDS.items() if key in schema]
    default = [f"default {json.dumps(schema['default'])}"] if schema.get("default") else []
    return ", ".join([kind.replace("string", "text"), *bounds, *default])


def example_params(entry: DescribedAction) -> str:
    """Return required params with values that fit, as they are typed."""
    return " ".join(f"{name}={sample(entry.properties[name])}" for name in entry.required)


def sample(schema: Mapping[str, Any]) -> str:
    """Return a value that fits, as it is typed; an ellipsis if the schema names none."""
    examples = schema.get("examples") or schema.get("enum") or ["…"]
    value = examples[0]
    return shlex.quote(value) if isinstance(value, str) and value != "…" else _as_typed(value)


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

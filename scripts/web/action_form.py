"""A form for any action, made of its schema, and the params that a filled one means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from scripts.cli.console.aliases import ABOUT_TENANT
from scripts.cli.console.catalog import TENANT_LEVELS
from scripts.cli.console.confirmation import EXPECTED, takes_digest
from scripts.cli.entry import DescribedAction, kind_of
from scripts.cli.params import set_path
from scripts.web.web_request import Form

PREFIX: Final = "p."
"""Begins the names of fields that are params; a param of a map has a dotted name."""

LONG: Final = 200
"""Characters from which on a text gets more than one line."""

NULL: Final = "null"
"""What is typed for no value, where the schema has that beside others."""

BOOLEANS: Final = {"true": True, "false": False}


class Unreadable(ValueError):
    """A field does not hold what its schema says; the message names it."""


class Field(NamedTuple):
    """One field of a form."""

    name: str
    label: str
    kind: str
    """choice, lines, json, text, or number."""
    value: str
    options: tuple[str, ...]
    is_required: bool
    hint: str


def takes_tenant(entry: DescribedAction) -> bool:
    """Return whether an action is about one tenant."""
    return entry.access in TENANT_LEVELS or entry.name in ABOUT_TENANT


def fields_of(entry: DescribedAction, given: Mapping[str, str]) -> list[Field]:
    """Return the fields of an action; `given` has values by the names of params, or of fields."""
    return [
        Field(
            name=PREFIX + name,
            label=name.replace("_", " "),
            kind=_kind(schema),
            value=given.get(PREFIX + name, given.get(name, _default(schema))),
            options=_options(schema),
            is_required=is_required,
            hint=_hint(schema),
        )
        for name, schema, is_required in _leaves(entry)
    ]


def params_of(entry: DescribedAction, form: Form) -> dict[str, Any]:
    """Return the params that a filled form means; what is empty is left out. Unreadable."""
    params: dict[str, Any] = {}
    for name, schema, _ in _leaves(entry):
        text = form.get(PREFIX + name, "")
        if text.strip():
            set_path(params, name, _value(name, schema, text))
    return params


def _leaves(entry: DescribedAction) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Return each param that is asked for; the digest of what was shown goes along by itself."""
    for name, schema in entry.properties.items():
        if name == EXPECTED and takes_digest(entry):
            continue
        inner = schema.get("properties")
        if not inner:
            yield name, schema, name in entry.required
            continue
        for part, of_part in inner.items():
            is_required = name in entry.required and part in schema.get("required", ())
            yield f"{name}.{part}", of_part, is_required


def _types(schema: Mapping[str, Any]) -> Sequence[str]:
    found = schema.get("type", "object" if "enum" not in schema else "string")
    return [found] if isinstance(found, str) else found


def _kind(schema: Mapping[str, Any]) -> str:
    types = _types(schema)
    if "enum" in schema or "boolean" in types:
        return "choice"
    if "array" in types:
        return "json" if schema.get("items", {}).get("type") == "object" else "lines"
    if "object" in types:
        return "json"
    if "string" in types:
        return "lines" if schema.get("maxLength", 0) > LONG else "text"
    return "number"


def _options(schema: Mapping[str, Any]) -> tuple[str, ...]:
    if "enum" in schema:
        return tuple(map(str, schema["enum"]))
    return tuple(BOOLEANS) if "boolean" in _types(schema) else ()


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default in (None, "", [], {}) or isinstance(default, list | dict):
        return ""
    return json.dumps(default) if not isinstance(default, str) else default


def _hint(schema: Mapping[str, Any]) -> str:
    words = [schema.get("description", "")]
    if "array" in _types(schema):
        choices = schema.get("items", {}).get("enum", ())
        words.append(f"One a line{': ' if choices else ''}{', '.join(map(str, choices))}.")
    elif "enum" not in schema:
        words.append(f"{kind_of(schema).capitalize()}.")
    return " ".join(filter(None, words))


def _value(name: str, schema: Mapping[str, Any], text: str) -> Any:
    types, kind = _types(schema), _kind(schema)
    if text.strip() == NULL and NULL in types:
        return None
    if kind == "choice" and "boolean" in types:
        return BOOLEANS.get(text, text)
    if "array" in types and kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind in ("json", "number"):
        return _parsed(name, text)
    return text.replace("\r\n", "\n")


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Unreadable(f"{name}: {text.strip()[:80]!r} is not JSON, or no number") from None

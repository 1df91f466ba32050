"""The validator that decides whether a value fits a schema, and what it makes of the schema itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from actors.index.dialect import subschemas
from actors.index.source import Finding, Key
from actors.index.wording import MASK, without_value

Contract = jsonschema_rs.Draft202012Validator


def contract(source: Mapping[str, Any]) -> Contract:
    """The validator of a schema: formats checked, no backtracking, nothing fetched, values masked."""
    return Contract(
        dict(source),
        validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(),
        email_options=jsonschema_rs.EmailOptions(allow_display_text=False),
        mask=MASK,
        offline=True,
    )


BREAKING = frozenset({"__proto__", "constructor", "prototype"})
"""Names under which libraries for JavaScript refuse a map, or take it for something else."""


def breaking_names(source: Mapping[str, Any]) -> frozenset[str]:
    """Those that values of this schema may bring: none where each name is one that the schema states."""
    schemas = [schema for _, schema in subschemas(source)]
    if not any(map(_leaves_names_free, schemas)):
        return frozenset()
    return BREAKING.difference(*(schema.get("properties", ()) for schema in schemas))


def _leaves_names_free(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", () if {"$ref", "enum", "const"} & schema.keys() else "object")
    return "object" in kinds and schema.get("additionalProperties") is not False


def places_of(names: frozenset[str], value: Any, place: Key) -> Iterator[Key]:
    """Where a map within has an entry of one of these names."""
    ahead: list[tuple[Key, Any]] = [(place, value)]
    for at, each in ahead:
        if isinstance(each, Mapping):
            yield from ((*at, name) for name in names.intersection(each))
            ahead += (((*at, name), inner) for name, inner in each.items() if _holds(inner))
        elif isinstance(each, list | tuple):
            ahead += (((*at, n), inner) for n, inner in enumerate(each) if _holds(inner))


def _holds(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def flaws(source: Mapping[str, Any]) -> list[Finding]:
    """What the meta-schema refuses; else values in the schema that the schema itself refuses."""
    try:
        contract(source)
    except jsonschema_rs.ValidationError as error:
        place = tuple(error.instance_path)
        if error.kind.name == "format" and place[-1:] == ("pattern",):
            return [Finding(place, "is no regular expression, or one with look-around or \\1")]
        return [Finding(place, without_value(error))]
    return list(_unfit_values(source))


def _unfit_values(source: Mapping[str, Any]) -> Iterator[Finding]:
    """A default that does not fit would reach functions unseen, an example would mislead."""
    for key, schema in subschemas(source):
        if "default" in schema:
            yield from _unfit(schema, source, schema["default"], (*key, "default"))
        for at, value in enumerate(schema.get("examples", ())):
            yield from _unfit(schema, source, value, (*key, "examples", at))


def _unfit(
    schema: Mapping[str, Any], root: Mapping[str, Any], value: Any, key: Key
) -> Iterator[Finding]:
    whole = {**schema, "$defs": root.get("$defs", {})}
    error = next(iter(contract(whole).iter_errors(value)), None)
    if error is not None:
        yield Finding(key, f"does not fit its own schema: {without_value(error)}")

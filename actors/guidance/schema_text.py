"""What a schema says in addition to the type, in a person's words: bounds, formats, defaults.

A schema as the rows of a table: each property with its path, type, limits and meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from actors.schema.validation import VISIBLE

Json = Mapping[str, Any]

_UNITS = (("Length", "character"), ("Items", "item"), ("Properties", "entry"))


def describe(schema: Json) -> str:
    """The description, then the limits; empty where there are neither."""
    limits = ", ".join(constraints(schema))
    parts = (schema.get("description", ""), limits[:1].upper() + limits[1:])
    return " ".join(_sentence(each) for each in parts if each)


def constraints(schema: Json) -> Iterator[str]:
    """Each thing that a value has to keep to, and what an absent one stands for."""
    if "format" in schema:
        yield str(schema["format"])
    for suffix, unit in _UNITS:
        yield from _count(schema.get(f"min{suffix}"), schema.get(f"max{suffix}"), unit)
    yield from _bounds(schema)
    if "multipleOf" in schema:
        yield f"a multiple of {schema['multipleOf']}"
    if schema.get("uniqueItems"):
        yield "none twice"
    if "pattern" in schema:
        is_visible = schema["pattern"] == VISIBLE
        yield "something to see in it" if is_visible else f"matches `{schema['pattern']}`"
    if schema.get("enum"):
        yield f"one of {', '.join(map(_code, schema['enum']))}"
    if "const" in schema:
        yield f"always {_code(schema['const'])}"
    if schema.get("deprecated"):
        yield "deprecated"
    if "default" in schema:
        yield f"default {_code(schema['default'])}"


def type_of(schema: Any) -> str:
    """The type in JSON's words: `string`, `integer or null`, `array of object`."""
    if not isinstance(schema, Mapping):
        return "any"
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(type_of({**schema, "type": each}) for each in kind)
    if kind == "array":
        items = type_of(schema.get("items", {}))
        return "array" if items == "any" or " or " in items else f"array of {items}"
    if kind is None:
        return _untyped(schema)
    return str(kind)


def _untyped(schema: Json) -> str:
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return " or ".join(dict.fromkeys(map(type_of, branches)))
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    kinds = {type(each) for each in values}
    if kinds and kinds <= {str, type(None)}:
        return "string or null" if type(None) in kinds else "string"
    return "boolean" if kinds == {bool} else "any"


def _count(least: int | None, most: int | None, unit: str) -> Iterator[str]:
    if least and most is not None:
        if least == most:
            yield _plural(least, unit)
        else:
            yield f"{least} to {_plural(most, unit)}"
    elif most is not None:
        yield f"at most {_plural(most, unit)}"
    elif least:
        yield f"at least {_plural(least, unit)}"


def _plural(number: int, unit: str) -> str:
    if number != 1:
        unit = "entries" if unit == "entry" else f"{unit}s"
    return f"{number} {unit}"


def _bounds(schema: Json) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        yield f"{least} to {most}"
    elif least is not None:
        yield f"at least {least}"
    elif most is not None:
        yield f"at most {most}"
    if "exclusiveMinimum" in schema:
        yield f"more than {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema:
        yield f"less than {schema['exclusiveMaximum']}"


def _code(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


class SchemaRow(NamedTuple):
    """One property."""

    path: str
    """From the map on: `contacts[].name`; `labels.*` is any other property of `labels`."""
    type: str
    required: bool
    """Within the map that it stands in."""
    meaning: str


def schema_rows(source: Json) -> list[SchemaRow]:
    """Every property of a schema of the index, those of its parts included."""
    return list(_Walk(source.get("$defs", {})).properties(source, "", ()))


class _Walk:
    def __init__(self, definitions: Json) -> None:
        self._definitions = definitions

    def properties(self, schema: Json, path: str, inside: tuple[str, ...]) -> Iterator[SchemaRow]:
        for name, inner in schema.get("properties", {}).items():
            required = name in schema.get("required", ())
            yield from self._property(inner, f"{path}{name}", required, inside)
        for key, inner in schema.get("patternProperties", {}).items():
            yield from self._property(inner, f"{path}/{key}/", False, inside)
        others = schema.get("additionalProperties")
        if isinstance(others, Mapping):
            yield from self._property(others, f"{path}*", False, inside)

    def _property(
        self, schema: Json, path: str, required: bool, inside: tuple[str, ...]
    ) -> Iterator[SchemaRow]:
        met = self._seen(schema)
        yield SchemaRow(path, self._type(met), required, self._meaning(met))
        yield from self._within(schema, path, inside)

    def _within(self, schema: Json, path: str, inside: tuple[str, ...]) -> Iterator[SchemaRow]:
        """What a value holds; nothing for a definition that is being shown already."""
        target = _target(schema)
        if target in inside:
            return
        inside = (*inside, target) if target else inside
        met = self._seen(schema)
        yield from self.properties(met, f"{path}.", inside)
        if isinstance(items := met.get("items"), Mapping):
            yield from self._within(items, f"{path}[]", inside)
        for branch in met.get("anyOf") or met.get("oneOf") or ():
            yield from self._within(branch, path, inside)

    def _seen(self, schema: Json) -> Json:
        """The schema with what it refers to; what it says itself comes first."""
        met = schema
        while (target := _target(met)) is not None:
            beside = {word: value for word, value in met.items() if word != "$ref"}
            met = {**self._definitions[target], **beside}
        return met

    def _type(self, schema: Json) -> str:
        plain = dict(schema)
        if isinstance(items := schema.get("items"), Mapping):
            plain["items"] = self._seen(items)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                plain[word] = [self._seen(each) for each in schema[word]]
        return type_of(plain)

    def _meaning(self, schema: Json) -> str:
        """What is said of it, and of each item where that is no object."""
        items = schema.get("items")
        of_items = describe(self._seen(items)) if isinstance(items, Mapping) else ""
        parts = [
            describe(schema),
            f"Each: {of_items[:1].lower()}{of_items[1:]}" if of_items else "",
        ]
        return " ".join(part for part in parts if part)


def _target(schema: Json) -> str | None:
    reference = schema.get("$ref")
    return None if reference is None else str(reference).removeprefix("#/$defs/")

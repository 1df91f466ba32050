"""A schema as the rows of a table: each property with its path, type, limits and meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from actors.index.terms import said, type_of

Json = Mapping[str, Any]


class Row(NamedTuple):
    """One property."""

    path: str
    """From the map on: `contacts[].name`; `labels.*` is any other property of `labels`."""
    type: str
    required: bool
    """Within the map that it stands in."""
    meaning: str


def rows_of(source: Json) -> list[Row]:
    """Every property of a schema of the index, those of its parts included."""
    return list(_Walk(source.get("$defs", {})).properties(source, "", ()))


class _Walk:
    def __init__(self, definitions: Json) -> None:
        self._definitions = definitions

    def properties(self, schema: Json, path: str, inside: tuple[str, ...]) -> Iterator[Row]:
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
    ) -> Iterator[Row]:
        met = self._met(schema)
        yield Row(path, self._type(met), required, self._meaning(met))
        yield from self._within(schema, path, inside)

    def _within(self, schema: Json, path: str, inside: tuple[str, ...]) -> Iterator[Row]:
        """What a value holds; nothing for a definition that is being shown already."""
        target = _target(schema)
        if target in inside:
            return
        inside = (*inside, target) if target else inside
        met = self._met(schema)
        yield from self.properties(met, f"{path}.", inside)
        if isinstance(items := met.get("items"), Mapping):
            yield from self._within(items, f"{path}[]", inside)
        for branch in met.get("anyOf") or met.get("oneOf") or ():
            yield from self._within(branch, path, inside)

    def _met(self, schema: Json) -> Json:
        """The schema with what it refers to; what it says itself comes first."""
        met = schema
        while (target := _target(met)) is not None:
            beside = {word: value for word, value in met.items() if word != "$ref"}
            met = {**self._definitions[target], **beside}
        return met

    def _type(self, schema: Json) -> str:
        plain = dict(schema)
        if isinstance(items := schema.get("items"), Mapping):
            plain["items"] = self._met(items)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                plain[word] = [self._met(each) for each in schema[word]]
        return type_of(plain)

    def _meaning(self, schema: Json) -> str:
        """What is said of it, and of each item where that is no object."""
        items = schema.get("items")
        of_items = said(self._met(items)) if isinstance(items, Mapping) else ""
        parts = [said(schema), f"Each: {of_items[:1].lower()}{of_items[1:]}" if of_items else ""]
        return " ".join(part for part in parts if part)


def _target(schema: Json) -> str | None:
    reference = schema.get("$ref")
    return None if reference is None else str(reference).removeprefix("#/$defs/")

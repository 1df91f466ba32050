"""JSON Schema 2020-12 said in draft-07, which is what AsyncAPI 3 reads without a plug-in.

What draft-07 cannot say is left out, so that a value which fits the index fits here too: `minContains`
above 1 and `maxContains`. The exact schemas are in schemas.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.schema.dialect import LISTS, MAPS, ONE

Json = Mapping[str, Any]

COMPONENTS = "#/components/schemas/"

_UNSAID = frozenset({"$defs", "minContains", "maxContains"})


def components(name: str, schema: Json) -> dict[str, Any]:
    """The schema and each of its definitions, by the names that they have among the components."""
    found = {name: draft07(schema, name)}
    for each, definition in sorted(schema.get("$defs", {}).items()):
        found[f"{name}.{each}"] = draft07(definition, name)
    return found


def draft07(schema: Any, owner: str) -> Any:
    """One schema, referring to its owner's definitions where they stand among the components."""
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return _reference(schema, owner)
    said: dict[str, Any] = {}
    for word, value in schema.items():
        if word not in _UNSAID and not _says_nothing(word, schema):
            said |= _said(word, value, schema, owner)
    return said


def _reference(schema: Json, owner: str) -> dict[str, Any]:
    """A reference, by itself: draft-07 ignores what stands beside one."""
    target = schema["$ref"].removeprefix("#/$defs/")
    reference = {"$ref": f"{COMPONENTS}{owner}.{target}"}
    beside = {word: value for word, value in schema.items() if word != "$ref"}
    return (
        {**draft07(beside, owner), "allOf": [reference, *beside.get("allOf", ())]}
        if beside
        else reference
    )


def _says_nothing(word: str, schema: Json) -> bool:
    return word == "contains" and schema.get("minContains") == 0


def _said(word: str, value: Any, schema: Json, owner: str) -> dict[str, Any]:
    if word == "prefixItems":
        return {"items": [draft07(each, owner) for each in value]}
    if word == "items" and "prefixItems" in schema:
        return {"additionalItems": draft07(value, owner)}
    if word == "dependentRequired":
        return {"dependencies": value}
    if word in ONE:
        return {word: draft07(value, owner)}
    if word in LISTS:
        return {word: [draft07(each, owner) for each in value]}
    if word in MAPS:
        return {word: {name: draft07(each, owner) for name, each in value.items()}}
    return {word: value}

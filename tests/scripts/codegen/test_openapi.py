"""openapi.json, as programs read it that are strict about keywords."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scripts.codegen.indexes import ROOT
from transport.gateway.reference.openapi import openapi

DOCUMENT = json.loads((ROOT / "clients" / "openapi.json").read_text())

KNOWN = frozenset(
    {
        *(
            "$ref",
            "$comment",
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "if",
            "then",
            "else",
            "type",
            "title",
        ),
        *("properties", "patternProperties", "additionalProperties", "propertyNames", "required"),
        *("minProperties", "maxProperties", "dependentRequired", "unevaluatedProperties"),
        *(
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "uniqueItems",
            "enum",
            "const",
            "default",
        ),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"),
        *("minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType", "examples"),
        *("description", "deprecated", "readOnly", "writeOnly"),
    }
)
"""Keywords of JSON Schema 2020-12."""


def keywords(schema: Any) -> Iterator[str]:
    """Every keyword of a schema and of those in it."""
    if isinstance(schema, list):
        for each in schema:
            yield from keywords(each)
    elif isinstance(schema, dict):
        for word, value in schema.items():
            yield word
            if word in ("properties", "patternProperties"):
                yield from keywords(list(value.values()))
            elif word not in ("const", "default", "enum", "examples"):
                yield from keywords(value)


def test_schemas_have_json_schemas_keywords_and_extensions() -> None:
    """Redocly's check refuses a document with others."""
    found = {word for each in DOCUMENT["components"]["schemas"].values() for word in keywords(each)}
    assert {word for word in found - KNOWN if not word.startswith("x-")} == set()


ENTRY = {
    "name": "parts.list",
    "summary": "List parts.",
    "access": "member",
    "effect": "read",
    "channel": "data",
    "params": {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "kind": "plain", "examples": ["a"]},
            "$id": {"const": {"kind": "a"}},
        },
    },
    "result": {"type": "object"},
}


@pytest.fixture(scope="module")
def params() -> dict[str, Any]:
    """The schema of an action's params, whose names are keywords."""
    found: dict[str, Any] = openapi([ENTRY])["components"]["schemas"]["parts.list.params"]
    return found


def test_a_keyword_of_the_index_is_an_extension(params: dict[str, Any]) -> None:
    assert params["properties"]["kind"] == {"type": "string", "x-kind": "plain", "examples": ["a"]}


def test_a_name_or_a_value_is_no_keyword(params: dict[str, Any]) -> None:
    assert params["properties"].keys() == {"kind", "$id"}
    assert params["properties"]["$id"] == {"const": {"kind": "a"}}

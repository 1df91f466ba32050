"""An OpenAPI 3.1 document of actions: what HTTP clients call, in the schemas that the server checks by.

Actions are given as system.describe lists them, so one function serves the whole index and what one caller
may see. OpenAPI 3.1 takes JSON Schema 2020-12 as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from transport.gateway.reference.components import HTTP_STATUSES, KINDS, Map, components
from transport.gateway.statuses import REUSED_ID, STATUSES
from transport.message import VERSION

_PLACE: Final = "#/components/schemas/"

SYSTEM: Final = "system."

MOST_QUERY: Final = frozenset({"string", "integer", "number", "boolean", "array"})
"""Types of params that a query can hold; an action with others has no GET in the document."""

_NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Keywords that have schemas by names, which are no keywords."""

_DATA: Final = frozenset({"const", "default", "enum", "examples"})
"""Keywords that have values, and no schemas."""

_OWN: Final = {"kind": "x-kind"}
"""Keywords of the index, and as what programs that read OpenAPI pass over them."""

DESCRIPTION: Final = """\
Actions of one server, as HTTP. A call is a `POST` with the params as body; an action that only reads has a \
`GET`, too.

`200` means that the effect is on disk. Send `Idempotency-Key` with every call: the same key has one effect \
for 24 h, so a call that got no answer is sent again as it was. Every answer, also a refusal, has one form."""


def openapi(entries: Iterable[Mapping[str, Any]]) -> Map:
    """Return the document of these actions."""
    listed = [each for each in entries if each["channel"] != "admin"]
    paths: Map = {}
    schemas: Map = {}
    for entry in listed:
        paths[path_of(entry["name"])] = _path_item(entry)
        schemas |= _schemas(entry)
    shared = components()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "A Tenantry backend",
            "version": f"{VERSION}.0.0",
            "description": DESCRIPTION,
            "x-generated-by": "scripts/schema",
        },
        "servers": [{"url": "/", "description": "The gateway that serves this document."}],
        "tags": [{"name": name} for name in sorted({_tag(each["name"]) for each in listed})],
        "paths": paths,
        "components": shared | {"schemas": shared["schemas"] | schemas},
    }


def path_of(action: str) -> str:
    """Return the path of an action."""
    if action.startswith(SYSTEM):
        return f"/v1/system/{action.removeprefix(SYSTEM)}"
    return f"/v1/{{tenant}}/{action}"


def _tag(action: str) -> str:
    return action.partition(".")[0]


def _path_item(entry: Mapping[str, Any]) -> Map:
    item: Map = {"parameters": _shared_parameters(entry), "post": _operation(entry, "post")}
    if entry["effect"] == "read" and _fits_a_query(entry["params"]):
        item["get"] = _operation(entry, "get")
    return item


def _shared_parameters(entry: Mapping[str, Any]) -> list[Map]:
    names = ["IdempotencyKey", "TimeoutMs", "Traceparent"]
    if not entry["name"].startswith(SYSTEM):
        names.insert(0, "Tenant")
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _operation(entry: Mapping[str, Any], method: str) -> Map:
    name = entry["name"]
    operation: Map = {
        "operationId": name if method == "post" else f"{name}.get",
        "summary": entry["summary"],
        "tags": [_tag(name)],
        "security": [{}, {"token": []}] if entry["access"] == "public" else [{"token": []}],
        "responses": _responses(entry, method),
        "x-access": entry["access"],
        "x-effect": entry["effect"],
    }
    if method == "post":
        schema = _reference(entry, "params")
        operation["requestBody"] = {
            "required": bool(entry["params"].get("required")),
            "content": {kind: {"schema": schema} for kind in KINDS},
        }
    elif parameters := _query_parameters(entry["params"], f"{name}.params"):
        operation["parameters"] = parameters
    return operation


def _responses(entry: Mapping[str, Any], method: str) -> Map:
    reply = {
        "allOf": [{"$ref": "#/components/schemas/Reply"}],
        "type": "object",
        "required": ["result"],
        "properties": {"result": _reference(entry, "result")},
    }
    kinds = KINDS if method == "post" else KINDS[:1]
    found: Map = {
        "200": {
            "description": "Done, and on disk.",
            "headers": {"Idempotency-Key": {"$ref": "#/components/headers/IdempotencyKey"}},
            "content": {kind: {"schema": reply} for kind in kinds},
        }
    }
    if method == "get":
        found["200"]["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
        found["304"] = {"description": "What If-None-Match names is still the result."}
    for status in sorted({*STATUSES.values(), REUSED_ID, *HTTP_STATUSES}):
        found[str(status)] = {"$ref": f"#/components/responses/Status{status}"}
    return found


def _fits_a_query(params: Mapping[str, Any]) -> bool:
    return all(_query_types(field) for field in params.get("properties", {}).values())


def _query_types(field: Mapping[str, Any]) -> bool:
    kinds = field.get("type", "string" if "enum" in field or "const" in field else "object")
    types = {kinds} if isinstance(kinds, str) else set(kinds)
    items = field.get("items", {}).get("type", "string") if "array" in types else "string"
    return types - {"null"} <= MOST_QUERY and items != "object"


def _query_parameters(params: Mapping[str, Any], place: str) -> list[Map]:
    required = params.get("required", ())
    properties = _inner("properties", params.get("properties", {}), place)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": schema,
            "style": "form",
            "explode": True,
        }
        for name, schema in properties.items()
    ]


def _schemas(entry: Mapping[str, Any]) -> Map:
    """Return an action's schemas under their names among the components, definitions included."""
    found: Map = {}
    for part in ("params", "result"):
        name = f"{entry['name']}.{part}"
        found[name] = _relocated(entry[part], name)
        for definition, schema in entry[part].get("$defs", {}).items():
            found[f"{name}.{definition}"] = _relocated(schema, name)
    return found


def _relocated(value: Any, owner: str) -> Any:
    """Return a schema as OpenAPI has it.

    Its references lead to its owner's definitions among the components, and a keyword of the index alone
    begins with `x-`.
    """
    if isinstance(value, list | tuple):
        return [_relocated(each, owner) for each in value]
    if not isinstance(value, Mapping):
        return value
    moved = {
        _OWN.get(word, word): each if word in _DATA else _inner(word, each, owner)
        for word, each in value.items()
        if word not in ("$defs", "$schema", "$id")
    }
    reference = moved.get("$ref")
    if isinstance(reference, str):
        moved["$ref"] = reference.replace("#/$defs/", f"{_PLACE}{owner}.")
    return moved


def _inner(word: str, value: Any, owner: str) -> Any:
    """Return what a keyword has, with the schemas in it relocated."""
    if word in _NAMED and isinstance(value, Mapping):
        return {name: _relocated(each, owner) for name, each in value.items()}
    return _relocated(value, owner)


def _reference(entry: Mapping[str, Any], part: str) -> Map:
    return {"$ref": f"{_PLACE}{entry['name']}.{part}"}

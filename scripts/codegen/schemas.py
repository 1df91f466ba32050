"""Writes the schemas of requests and replies of the message API, around those of params and results.

JSON Schema 2020-12 converted to draft-07, which is what AsyncAPI 3 reads without a plug-in.

What draft-07 cannot say is left out, so that a value which fits the index fits here too: `minContains`
above 1 and `maxContains`. The exact schemas are in schemas.json.

schemas.json: params and result of every action as JSON Schema 2020-12, each with an `$id`.

One file, because one is handed over, compared and kept whole more easily than two for each action, and
because an action that is gone leaves no file behind; a validator finds each schema in it by its `$id`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from actors.guidance.commands import names_tenant
from actors.index.entries import Action, Index
from actors.schema.dialect import LISTS, MAPS, ONE
from scripts.codegen.offer import offered
from transport.errors import CallError
from transport.message import CODES, VERSION
from transport.request.model import Request

Json = Mapping[str, Any]

COMPONENTS = "#/components/schemas/"

_UNSAID = frozenset({"$defs", "minContains", "maxContains"})


def components(name: str, schema: Json) -> dict[str, Any]:
    """Return the schema and each of its definitions, by their names among the components."""
    found = {name: draft07(schema, name)}
    for each, definition in sorted(schema.get("$defs", {}).items()):
        found[f"{name}.{each}"] = draft07(definition, name)
    return found


def draft07(schema: Any, owner: str) -> Any:
    """Return a schema in draft-07, with references to its owner's definitions among the components."""
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return _reference(schema, owner)
    converted: dict[str, Any] = {}
    for word, value in schema.items():
        if word not in _UNSAID and not _says_nothing(word, schema):
            converted |= _format_keyword(word, value, schema, owner)
    return converted


def _reference(schema: Json, owner: str) -> dict[str, Any]:
    """Return a reference alone: draft-07 ignores members beside one."""
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


def _format_keyword(word: str, value: Any, schema: Json, owner: str) -> dict[str, Any]:
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


MEANINGS: Mapping[str, str] = {
    "v": "Protocol version.",
    "id": "Names this request and is its idempotency key for 24 hours: make a new one for every new "
    "intention, and send the same one again if no answer came.",
    "tenant": "Whose database.",
    "token": "Bearer token.",
    "timeout_ms": "Milliseconds; work that has not begun by then is not begun.",
    "traceparent": "W3C Trace Context.",
}
"""Descriptions of the fields of every request; `action` and `params` differ for each action."""

META: Mapping[str, Any] = {
    "type": "object",
    "required": ["trace_id"],
    "properties": {
        "version": {"type": "integer", "description": "Of the action: which one answered."},
        "state": {"type": "string", "description": "Of that version."},
        "reason": {"type": "string", "description": "Why this version."},
        "replayed": {"const": True, "description": "Present if the id had been answered before."},
        "trace_id": {"type": "string", "description": "Finds the request in the server's logs."},
    },
}

REPLY_VERSION = {"v": {"const": VERSION}}


def error_codes() -> dict[str, str]:
    """Return every code of a refusal, with its meaning."""
    meant = {each.code: inspect.getdoc(each) or "" for each in CallError.__subclasses__()}
    return {code: meant[code].split("\n\n")[0].replace("\n", " ") for code in sorted(CODES)}


def parts() -> dict[str, Any]:
    """Return the schemas to which those of all messages refer."""
    fields = Request.model_json_schema()["properties"]
    own = {f"request.{name}": _field(fields[name], MEANINGS[name]) for name in MEANINGS}
    return {**own, "reply.meta": META, "refusal": _refusal()}


def request(action: Action) -> dict[str, Any]:
    """Return the schema of an action's request."""
    required = ["id", "action"]
    required += ["tenant"] if names_tenant(action) else []
    required += ["token"] if needs_token(action) else []
    required += ["params"] if action.params.source.get("required") else []
    around = {name: _to(f"request.{name}") for name in MEANINGS}
    own = {"action": {"const": action.name}, "params": _to(f"{action.name}.params")}
    return {
        "type": "object",
        "required": required,
        "properties": {**around, **own},
        "additionalProperties": False,
    }


def reply(action: Action) -> dict[str, Any]:
    """Return the schema of a reply with the action's result."""
    return {
        "type": "object",
        "required": ["v", "id", "ok", "result", "meta"],
        "properties": {
            **REPLY_VERSION,
            "id": _to("request.id"),
            "ok": {"const": True},
            "result": _to(f"{action.name}.result"),
            "message": {
                "type": "string",
                "description": "For a person: `to be implemented` if there is no code yet.",
            },
            "meta": _to("reply.meta"),
        },
    }


def needs_token(action: Action) -> bool:
    """Return whether a request without a token is refused."""
    return action.access != "public"


def _refusal() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["v", "id", "ok", "error", "meta"],
        "properties": {
            **REPLY_VERSION,
            "id": _to("request.id"),
            "ok": {"const": False},
            "error": _error(),
            "meta": _to("reply.meta"),
        },
    }


def _error() -> dict[str, Any]:
    text = {"type": "string"}
    detail = {"type": "object", "required": ["field", "problem"]}
    return {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"enum": list(error_codes()), "x-meanings": error_codes()},
            "message": {**text, "description": "For developers."},
            "user_message": {**text, "description": "For end users."},
            "details": {
                "type": "array",
                "items": {**detail, "properties": {"field": text, "problem": text}},
                "description": "What is wrong with which field.",
            },
            "retry_after_ms": {
                "type": "integer",
                "description": "After so many milliseconds the same id makes sense again.",
            },
        },
    }


def _field(schema: Mapping[str, Any], meaning: str) -> dict[str, Any]:
    """Return a field of the envelope as pydantic states it, with its pattern in JSON Schema's dialect."""
    converted = {
        word: value for word, value in schema.items() if word not in {"title", "pattern", "anyOf"}
    }
    if "pattern" in schema:
        converted["pattern"] = schema["pattern"].replace(r"\z", "$")
    if "anyOf" in schema:
        converted["anyOf"] = [_field(each, "") for each in schema["anyOf"]]
    return {**converted, "description": meaning} if meaning else converted


def _to(name: str) -> dict[str, str]:
    return {"$ref": f"{COMPONENTS}{name}"}


DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schemas(index: Index) -> dict[str, Any]:
    """Return the bundle, with `#/$defs/contacts.add.params` as `urn:tenantry:contacts.add.params`."""
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
    """Return the `$id` of a schema such as `contacts.add.params`."""
    return f"urn:tenantry:{name}"

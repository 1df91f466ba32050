"""What the operations of the OpenAPI document share: parameters, headers, schemas, one response a status."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from transport.gateway.statuses import REUSED_ID, STATUSES
from transport.message import CODES, INVALID_ARGUMENT, TENANT_PATTERN

Map = dict[str, Any]

KINDS: Final = ("application/json", "application/msgpack")
"""Content types of params, and of replies to them."""

HTTP_STATUSES: Final[Mapping[int, str]] = {
    405: "This path does not take the method.",
    408: "The body did not come in time.",
    413: "The body is too long.",
    415: "The params are neither JSON nor msgpack.",
    431: "The headers are too long.",
}
"""Statuses that HTTP has of its own, with the form of every refusal and the code invalid_argument."""


def components() -> Map:
    """Return the document's components."""
    codes = {
        status: sorted(code for code, each in STATUSES.items() if each == status)
        for status in STATUSES.values()
    }
    codes[REUSED_ID] = sorted({*codes[REUSED_ID], INVALID_ARGUMENT})
    described = {
        status: f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in found)}."
        for status, found in codes.items()
    } | dict(HTTP_STATUSES)
    return {
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        "parameters": _PARAMETERS,
        "headers": _HEADERS,
        "schemas": _SCHEMAS,
        "responses": {
            f"Status{status}": _refusal_response(status, words)
            for status, words in sorted(described.items())
        },
    }


def _refusal_response(status: int, words: str) -> Map:
    response: Map = {
        "description": words,
        "content": {kind: {"schema": {"$ref": "#/components/schemas/Refusal"}} for kind in KINDS},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    return response


def _ecma(pattern: str) -> str:
    """Return a pattern as JSON Schema has it, whose `$` is the end."""
    return pattern.replace(r"\z", "$")


_ID: Final[Map] = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[ -~]+$"}

_PARAMETERS: Final[Map] = {
    "Tenant": {
        "name": "tenant",
        "in": "path",
        "required": True,
        "description": "Whose database.",
        "schema": {"type": "string", "pattern": _ecma(TENANT_PATTERN)},
        "example": "acme",
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Names this call. The same key has one effect for 24 h; one is made if it is absent.",
        "schema": _ID,
    },
    "TimeoutMs": {
        "name": "Timeout-Ms",
        "in": "header",
        "description": "Milliseconds after which work that has not begun is not begun.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 600_000, "default": 30_000},
    },
    "Traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context.",
        "schema": {"type": "string"},
    },
}

_HEADERS: Final[Map] = {
    "IdempotencyKey": {"description": "The key of this call.", "schema": _ID},
    "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "ETag": {"description": "Of the result.", "schema": {"type": "string"}},
}

_SCHEMAS: Final[Map] = {
    "Reply": {
        "type": "object",
        "required": ["v", "id", "ok", "meta"],
        "properties": {
            "v": {"const": 1},
            "id": {"type": "string"},
            "ok": {"const": True},
            "message": {"type": "string", "description": "For a person."},
            "meta": {"$ref": "#/components/schemas/Meta"},
        },
    },
    "Meta": {
        "type": "object",
        "properties": {
            "version": {"type": "integer"},
            "state": {"type": "string"},
            "reason": {"type": "string"},
            "replayed": {"type": "boolean", "description": "This id was answered before."},
            "trace_id": {"type": "string"},
        },
    },
    "Refusal": {
        "type": "object",
        "required": ["v", "id", "ok", "error", "meta"],
        "properties": {
            "v": {"const": 1},
            "id": {"type": "string"},
            "ok": {"const": False},
            "error": {"$ref": "#/components/schemas/Error"},
            "meta": {"$ref": "#/components/schemas/Meta"},
        },
    },
    "Error": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"enum": sorted(CODES)},
            "message": {"type": "string", "description": "For developers."},
            "user_message": {"type": "string", "description": "For end users."},
            "details": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["field", "problem"],
                    "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
                },
            },
            "retry_after_ms": {"type": "integer", "minimum": 1},
        },
    },
}

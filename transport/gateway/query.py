"""Params of a read from the query of a URL, typed by the action's schema.

A text in a query has no type. One that does not fit its schema goes on as text, so that the refusal is the
server's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from transport.gateway.statuses import HttpRefusal, invalid

MOST_FIELDS: Final = 200
"""Fields of a query, as many as a map may have."""

NEVER: Final = frozenset({"access_token", "api_key", "apikey", "authorization", "bearer", "token"})
"""Names under which tokens are put into URLs, from where they get into logs."""

TOKEN_START: Final = "tnt_"  # noqa: S105 - what every token begins with, and no token

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def params_in(query: bytes, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params in a query. HttpRefusal if it holds a token, or cannot be read."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    params: dict[str, Any] = {}
    for name, text in _pairs(query):
        if (name.lower() in NEVER and name not in properties) or text.startswith(TOKEN_START):
            raise _no_token(name)
        field = _resolved(properties.get(name, {}), schema)
        if "array" in _types(field):
            params.setdefault(name, []).append(
                _value(text, _resolved(field.get("items", {}), schema))
            )
        elif name in params:
            raise invalid("came twice, and is no list", name)
        else:
            params[name] = _value(text, field)
    return params


def require_no_token(query: bytes) -> None:
    """Raise HttpRefusal if a query holds what is a token whatever its name."""
    for name, text in _pairs(query):
        if text.startswith(TOKEN_START):
            raise _no_token(name)


def _no_token(name: str) -> HttpRefusal:
    return invalid("a token in a URL gets into logs: send it as Authorization: Bearer", name[:64])


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise _unreadable() from None


def _unreadable() -> HttpRefusal:
    return invalid(
        f"the query is not name=value, joined by &, percent-encoded UTF-8, {MOST_FIELDS} at most"
    )


def _resolved(field: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a field's schema; one that is a reference is looked up among the schema's own definitions."""
    if not isinstance(field, Mapping):
        return {}
    reference = field.get("$ref")
    if not isinstance(reference, str):
        return field
    found: Any = schema
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _types(field: Mapping[str, Any]) -> frozenset[str]:
    kinds = field.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _value(text: str, field: Mapping[str, Any]) -> Any:
    """Return a text as the first type of its schema that it fits."""
    kinds = _types(field)
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        return json.loads(text)
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    if "object" in kinds and text.startswith("{"):
        return _json(text)
    if "null" in kinds and text == "null" and "string" not in kinds:
        return None
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text

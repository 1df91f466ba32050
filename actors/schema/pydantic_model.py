"""The typed form of params: a frozen pydantic model with an attribute for each property.

The contract itself is enforced before (actors/schema/schema.py), so the model is built from the schema's
shape alone: what a constraint says again here would only cost time, and the converter loses some of them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from actors.schema.source import Key, SourceProblem
from transport.validation import LARGEST_INT

Json = Mapping[str, Any]

TYPED: Mapping[str, TypeAdapter[Any]] = {
    "date-time": TypeAdapter(datetime),
    "date": TypeAdapter(date),
}
"""Formats that become a Python type; text of every other format stays text, ready to be bound."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-")

PLAIN_TYPES = frozenset({"string", "integer", "number", "boolean"})


class Params(BaseModel):
    """What every closed params model is built on."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class OpenParams(BaseModel):
    """For a schema with an open object that also lists properties: the others are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class Shape(NamedTuple):
    """What a model is made of: the schema, reduced to what has a type, and the class that is extended."""

    reduced: dict[str, Any]
    base: type[BaseModel]
    shadows: bool
    """Whether a property, such as `json` or `copy`, is called as a method of every model."""

    def model(self) -> type[BaseModel]:
        """Make the model, which takes milliseconds."""
        if not self.shadows:
            return self._made()
        with warnings.catch_warnings():  # the attribute of that name is then the property
            warnings.filterwarnings("ignore", message="Field name .* shadows an attribute")
            return self._made()

    def _made(self) -> type[BaseModel]:
        from json_schema_to_pydantic import create_model  # not before a server serves

        model: type[BaseModel] = create_model(
            self.reduced,
            base_model_type=self.base,
            allow_undefined_type=True,
            allow_undefined_array_items=True,
        )
        return model


def shape_of(name: str, schema: Json) -> tuple[Shape, list[SourceProblem]]:
    """The shape of the model for a normalized schema of an object, and what is wrong with its defaults."""
    builder = _ShapeBuilder()
    reduced = builder.of(schema, ())
    reduced["title"] = "".join(word.capitalize() for word in name.replace("_", ".").split("."))
    definitions = schema.get("$defs", {})
    reduced["$defs"] = {
        each: builder.of(definitions[each], ("$defs", each)) for each in definitions
    }
    base = OpenParams if builder.is_open else Params
    return Shape(reduced, base, builder.shadows), builder.findings


def is_held(value: Any) -> bool:
    """Whether Python holds this value that fits a schema, whatever type that has: no leap second, no 1e300.

    Those are held as text and as a float, but not as a moment and as an integer.
    """
    if isinstance(value, dict | list):
        return all(map(is_held, value.values() if isinstance(value, dict) else value))
    if isinstance(value, str):
        return not _DATE.match(value) or _is_moment(value)
    return not isinstance(value, float) or abs(value) < LARGEST_INT


def _is_moment(text: str) -> bool:
    try:
        TYPED["date-time"].validate_python(text)
    except ValidationError:
        return False
    return True


class _ShapeBuilder:
    """Reduces a schema to what the converter turns into types faithfully: a value it cannot type is Any.

    Alternatives stay as they came, except `something or null`, which becomes an optional something.
    """

    def __init__(self) -> None:
        self.findings: list[SourceProblem] = []
        self.is_open = False
        self.shadows = False

    def of(self, schema: Any, key: Key) -> dict[str, Any]:
        """The shape of one schema; `{}` stands for any value."""
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            return {"$ref": schema["$ref"]}
        if "properties" in schema and schema.get("type", "object") == "object":
            return self._object(schema, key)
        if "anyOf" in schema or "oneOf" in schema:
            return self._alternatives(schema, key)
        return self._typed(schema, schema.get("type"), key)

    def _typed(self, schema: Json, kind: Any, key: Key) -> dict[str, Any]:
        if isinstance(kind, list):
            others = [each for each in kind if each != "null"]
            inner = self.of({**schema, "type": others[0]}, key) if len(others) == 1 else {}
            return _nullable(inner) if inner and len(others) < len(kind) else inner
        if kind == "array":
            items = {} if "prefixItems" in schema else self.of(schema.get("items"), (*key, "items"))
            return {"type": "array", "items": items}
        if kind == "string" and schema.get("format") in TYPED:
            return {"type": "string", "format": schema["format"]}
        return {"type": kind} if kind in PLAIN_TYPES or kind == "object" else {}

    def _object(self, schema: Json, key: Key) -> dict[str, Any]:
        closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
        self.is_open |= not closed
        properties = {}
        for name, each in schema["properties"].items():
            self.shadows |= hasattr(BaseModel, name)
            place = (*key, "properties", name)
            properties[name] = self.of(each, place)
            if "default" in each:
                properties[name]["default"] = self._default(each["default"], each, place)
        title = "".join(str(part).capitalize() for part in key if part != "properties")
        named = {"title": title} if key and key[0] != "$defs" else {}
        required = schema.get("required", [])
        return {"type": "object", **named, "properties": properties, "required": required}

    def _alternatives(self, schema: Json, key: Key) -> dict[str, Any]:
        branches = schema.get("anyOf") or schema.get("oneOf") or []
        others = [each for each in branches if each.get("type") != "null"]
        if len(others) != 1:
            return {}
        inner = self.of(others[0], key)
        return _nullable(inner) if inner and len(others) < len(branches) else inner

    def _default(self, value: Any, schema: Json, key: Key) -> Any:
        """A default as the attribute will hold it: pydantic takes defaults as they are."""
        if isinstance(value, dict | list) and value:
            self.findings.append(
                SourceProblem(
                    (*key, "default"),
                    "must be empty or no table and no list: give its parts theirs",
                )
            )
        if isinstance(value, float) and schema.get("type") == "integer":
            return int(value)
        adapter = TYPED.get(schema.get("format", ""))
        if adapter is None or not isinstance(value, str):
            return value
        try:
            return adapter.validate_python(value)
        except ValidationError:
            return value  # does not fit its own schema, which is said elsewhere


def _nullable(inner: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [inner, {"type": "null"}]}

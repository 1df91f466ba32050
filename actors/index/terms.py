"""What a schema says besides the type, in a person's words: bounds, formats, defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from actors.schema.validation import VISIBLE

Json = Mapping[str, Any]

_UNITS = (("Length", "character"), ("Items", "item"), ("Properties", "entry"))


def said(schema: Json) -> str:
    """The description, then the limits; empty where there are neither."""
    limits = ", ".join(limits_of(schema))
    parts = (schema.get("description", ""), limits[:1].upper() + limits[1:])
    return " ".join(_sentence(each) for each in parts if each)


def limits_of(schema: Json) -> Iterator[str]:
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
            yield _counted(least, unit)
        else:
            yield f"{least} to {_counted(most, unit)}"
    elif most is not None:
        yield f"at most {_counted(most, unit)}"
    elif least:
        yield f"at least {_counted(least, unit)}"


def _counted(number: int, unit: str) -> str:
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

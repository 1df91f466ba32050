"""The JSON Schema that an index may use: draft 2020-12, every object closed unless it says otherwise.

A keyword that a validator would ignore in silence (a misspelt one, an unknown format, a required
name that is no property) is refused here: a constraint that does not constrain is a hole.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Any

from pydantic import BaseModel

from actors.schema.source import Key, SourceProblem, did_you_mean

TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")

FORMATS = frozenset(
    {
        *(
            "date-time",
            "date",
            "time",
            "duration",
            "email",
            "idn-email",
            "hostname",
            "idn-hostname",
        ),
        *("ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid", "password"),
    }
)
"""All are checked but `password`, which marks what no log may show."""

ONE = frozenset(
    {"items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"}
)
"""Keywords that hold one schema."""
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords that hold a list of schemas."""
MAPS = frozenset({"properties", "patternProperties", "$defs"})
"""Keywords that hold schemas by name."""
PLAIN = frozenset(
    {
        *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
        *("$comment", "$ref", "type", "enum", "const", "format"),
        *("kind", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
        *("maxLength", "minLength", "pattern"),
        *("maxItems", "minItems", "uniqueItems", "maxContains", "minContains"),
        *("maxProperties", "minProperties", "required", "dependentRequired"),
    }
)
"""Keywords that hold no schema."""
KEYWORDS = ONE | LISTS | MAPS | PLAIN

TESTS = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "contains", "propertyNames"}
)
"""Keywords whose schemas test a value that another schema describes, and so are not closed."""

INSIDE = frozenset({"contains", "propertyNames"})
"""Those among them that test what is inside the value, and not the value itself."""

STRING_KINDS = ("token", "line", "text")
"""What a string may hold, by the keyword `kind`: an identifier, one line, prose (docs/screening.md)."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_REFERENCE = "#/$defs/"


def normalized(schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[SourceProblem]]:
    """The schema of one object with what is implied written out, and what is wrong with it.

    The root is an object. An object with `properties` has `type = "object"` and
    `additionalProperties = false` unless it says otherwise, at any depth.
    """
    findings = list(_not_json(schema, ()))
    root = {"type": "object", "properties": {}, "additionalProperties": False, **schema}
    if root["type"] != "object":
        findings.append(SourceProblem(("type",), 'must be "object": params and results are maps'))
    if "$ref" in root:
        findings.append(SourceProblem(("$ref",), "not at the top: write the properties here"))
    definitions = root.get("$defs", {})
    walk = _Normaliser(
        frozenset(definitions) if isinstance(definitions, dict) else frozenset(), findings
    )
    described = walk.described(root, ())
    return described, findings or list(_recursive(described.get("$defs", {})))


def subschemas(schema: Mapping[str, Any], key: Key = ()) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    """Every schema within a valid schema, itself first, with where it stands."""
    yield key, schema
    for word, value in schema.items():
        if word in ONE and isinstance(value, dict):
            yield from subschemas(value, (*key, word))
        elif word in LISTS:
            for at, each in enumerate(value):
                yield from subschemas(each, (*key, word, at))
        elif word in MAPS:
            for name, each in value.items():
                yield from subschemas(each, (*key, word, name))


class _Normaliser:
    """One pass over a schema: copies it, writes out what is implied, collects what is wrong."""

    def __init__(self, definitions: frozenset[str], findings: list[SourceProblem]) -> None:
        self._definitions = definitions
        self._findings = findings

    def described(self, schema: Mapping[str, Any], key: Key) -> dict[str, Any]:
        """A schema that describes a value in its own right: its objects are closed."""
        implied: dict[str, Any] = {}
        if "properties" in schema:
            implied = {"type": "object", "additionalProperties": False}
        elif "allOf" in schema and any(map(_names_properties, _members(schema["allOf"]))):
            self._note((*key, "allOf"), "cannot merge objects: write their properties out in one")
        return self._copied({**implied, **schema}, key)

    def _copied(self, schema: dict[str, Any], key: Key) -> dict[str, Any]:
        self._check(schema, key)
        return {word: self._inner(schema, word, (*key, word)) for word in schema}

    def _inner(self, schema: dict[str, Any], word: str, key: Key) -> Any:
        value = schema[word]
        if word in ONE and isinstance(value, dict):
            return self._sub(schema, word, value, key)
        if word in ONE and isinstance(value, bool) and word in {"items", "additionalProperties"}:
            return value
        if word in LISTS and isinstance(value, list):
            return [self._sub(schema, word, each, (*key, at)) for at, each in enumerate(value)]
        if word in MAPS and isinstance(value, dict):
            return {name: self._named(schema, word, name, value[name], key) for name in value}
        if word in KEYWORDS - PLAIN:
            kind = "a list of schemas" if word in LISTS else "a table"
            self._note(key, f"must be {kind}")
        return value

    def _named(self, schema: dict[str, Any], word: str, name: str, value: Any, key: Key) -> Any:
        if word != "patternProperties":
            self._check_name(name, (*key, name))
        return self._sub(schema, word, value, (*key, name))

    def _sub(self, schema: dict[str, Any], word: str, value: Any, key: Key) -> Any:
        if not isinstance(value, dict):
            self._note(key, "must be a table that holds a schema")
            return value
        alternative = word in {"anyOf", "oneOf"} and "properties" not in schema
        if word not in TESTS or alternative:
            return self.described(value, key)
        if "properties" in schema and word not in INSIDE:
            self._check_known(schema, value, key)
        return self._copied(value, key)

    def _check(self, schema: dict[str, Any], key: Key) -> None:
        for word in schema.keys() - KEYWORDS:
            self._note(
                (*key, word), f"not a keyword that an index may use{did_you_mean(word, KEYWORDS)}"
            )
        if "$defs" in schema and key:
            self._note((*key, "$defs"), "belongs at the top of the schema")
        self._check_type(schema.get("type", "object"), (*key, "type"))
        self._check_format(schema.get("format", "date"), (*key, "format"))
        self._check_kind(schema, (*key, "kind"))
        if "$ref" in schema:
            self._check_reference(schema["$ref"], (*key, "$ref"))
        self._check_known(schema, schema, (*key, "required"))

    def _check_type(self, value: Any, key: Key) -> None:
        for name in value if isinstance(value, list) else [value]:
            if name not in TYPES:
                self._note(
                    key, f"{name!r} is none of {', '.join(TYPES)}{did_you_mean(str(name), TYPES)}"
                )

    def _check_kind(self, schema: dict[str, Any], key: Key) -> None:
        kind = schema.get("kind", "text")
        if kind not in STRING_KINDS:
            near = did_you_mean(str(kind), STRING_KINDS)
            self._note(key, f"{kind!r} is none of {', '.join(STRING_KINDS)}{near}")
        elif "kind" in schema and "string" not in _as_list(schema.get("type", "string")):
            self._note(key, "belongs to a string")

    def _check_format(self, value: Any, key: Key) -> None:
        if str(value) not in FORMATS:
            self._note(
                key, f"{value!r} is not a format that is checked{did_you_mean(str(value), FORMATS)}"
            )

    def _check_reference(self, value: Any, key: Key) -> None:
        name = str(value).removeprefix(_REFERENCE)
        if name not in self._definitions or name == value:
            near = did_you_mean(name, self._definitions)
            self._note(key, f"{value!r} is not in this schema: refer to {_REFERENCE}NAME{near}")

    def _check_known(self, owner: dict[str, Any], schema: dict[str, Any], key: Key) -> None:
        """A closed object can neither require nor test a field that it does not list."""
        known = owner.get("properties")
        if not isinstance(known, dict) or owner.get("additionalProperties") is not False:
            return
        if "patternProperties" in owner:
            return
        for name in _names(schema):
            if name not in known:
                self._note(key, f"{name!r} is not among the properties{did_you_mean(name, known)}")

    def _check_name(self, name: str, key: Key) -> None:
        if not _NAME.match(name) or keyword.iskeyword(name):
            self._note(
                key, "must be a name that code can use: letters, digits, _, no word of Python"
            )
        elif name.startswith("model_") and hasattr(BaseModel, name):
            self._note(key, "is taken by pydantic: choose another name")

    def _note(self, key: Key, problem: str) -> None:
        self._findings.append(SourceProblem(key, problem))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _recursive(definitions: Mapping[str, Any]) -> Iterator[SourceProblem]:
    """Definitions that lead back to themselves while no value gets any smaller."""
    leads = {name: frozenset(_references(schema)) for name, schema in definitions.items()}
    for name in leads:
        seen: set[str] = set()
        ahead = set(leads[name])
        while ahead:
            seen |= ahead
            ahead = {further for each in ahead for further in leads[each]} - seen
        if name in seen:
            yield SourceProblem(
                ("$defs", name), "refers to itself, with no property or item in between"
            )


def _references(schema: Mapping[str, Any]) -> Iterator[str]:
    """The definitions that the same value must fit."""
    if "$ref" in schema:
        yield schema["$ref"].removeprefix(_REFERENCE)
    for word in TESTS - INSIDE:
        inner = schema.get(word, [])
        for each in [inner] if isinstance(inner, dict) else inner:
            yield from _references(each)


def _names(schema: dict[str, Any]) -> list[str]:
    """Every field that a schema requires or tests."""
    required = schema.get("required", [])
    tested = schema.get("properties", {})
    names = [*_members(required), *(tested if isinstance(tested, dict) else ())]
    return [name for name in names if isinstance(name, str)]


def _names_properties(schema: Any) -> bool:
    return isinstance(schema, dict) and bool({"properties", "$ref"} & schema.keys())


def _members(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _not_json(value: Any, key: Key) -> Iterator[SourceProblem]:
    """What TOML can say and JSON cannot."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _not_json(inner, (*key, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _not_json(inner, (*key, at))
    elif isinstance(value, date | time):
        yield SourceProblem(key, "a TOML date or time is no JSON value: write it in quotes")
    elif isinstance(value, float) and not math.isfinite(value):
        yield SourceProblem(key, "JSON has no infinity and no NaN")

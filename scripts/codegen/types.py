"""Converts JSON Schema to Python types, for the client and for the stubs of functions.

A schema has two forms in Python. As it travels, an object is a TypedDict and a moment is text. As a function
gets it, an object has attributes and a moment is a datetime: what actors/schema/pydantic_model.py makes of
it, by the table in docs/index.md. A type is never narrower than the schema; limits that no type can say are
words beside it. docs/decisions/0008-types-from-schemas.md says why this is ours.

What things are called in Python: methods, and no name twice.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from actors.index.entries import Action, class_name
from actors.schema.dialect import subschemas
from actors.schema.pydantic_model import TYPED


class UniqueNames:
    """Assigns the names of one module, each once: a second claim gets a number behind the name."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def claim(self, wanted: str) -> str:
        """Return the name, or the nearest that is free."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._taken.add(name)
        return name


def attributes(words: Iterable[str], taken: Collection[str] = ()) -> Mapping[str, str]:
    """Return an attribute for each word: itself, or with a trailing _ if it is a keyword or taken."""
    wanted = sorted(words)
    plain = [word for word in wanted if not keyword.iskeyword(word) and word not in taken]
    found = {word: word for word in plain}
    used = {*taken, *plain}
    for word in wanted:
        if word not in found:
            found[word] = _behind(word, used)
            used.add(found[word])
    return found


def _behind(word: str, used: Collection[str]) -> str:
    name = f"{word}_"
    while name in used:
        name += "_"
    return name


Json = Mapping[str, Any]

Form = Literal["travelling", "given"]

ANY = "Any"

PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("str", "int", "float", "bool", "list", "dict", "set", "property"), "builtins"),
    **dict.fromkeys(("date", "datetime"), "datetime"),
    **dict.fromkeys(("Any", "Literal", "NotRequired", "cast"), "typing"),
    "Unpack": "typing",
    "TypedDict": "typing_extensions",
    "dataclass": "dataclasses",
    "cached_property": "functools",
}
"""Every name in written types, with its module."""

LONGEST_LITERAL = 60
"""Characters of a Literal at most; a longer one gets a name of its own."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"| \| |[\[\]]|\w+|.', re.DOTALL)
"""A quoted value, a bar, a bracket, a name, or any other character of a type."""

_JSON_TYPES = {"string": str, "integer": int, "boolean": bool, "null": type(None)}


class TypedField(NamedTuple):
    """One property."""

    name: str
    type: str
    required: bool
    schema: Json


class Class(NamedTuple):
    """One object: a TypedDict, or a function's params."""

    form: Form
    doc: str
    fields: tuple[TypedField, ...]
    is_open: bool
    """Whether a value may have other properties."""


class Choice(NamedTuple):
    """A named Literal."""

    values: tuple[str, ...]
    """The values as Python literals."""


class Whatever(NamedTuple):
    """A name for a type that has no fields to list."""

    type: str


Declaration = Class | Choice | Whatever


class Types:
    """The types of one module, by name, in order of declaration."""

    def __init__(self, actions: Iterable[Action]) -> None:
        """Reserve the properties of these actions: a class of such a name would be hidden by it."""
        self.names = UniqueNames([*WORDS, *_properties(actions)])
        self.declared: dict[str, Declaration] = {}

    def declare_action(self, action: Action, given: Form) -> tuple[str, str]:
        """Declare an action's params, in that form, and result; return their names."""
        name = self.names.claim(class_name(action.name))
        params, result = action.params.source, action.result.source
        return (
            self.declare(f"{name}Params", f"Params of {action.name}.", params, given),
            self.declare(f"{name}Result", f"Result of {action.name}.", result, "travelling"),
        )

    def declare(self, name: str, doc: str, source: Json, form: Form) -> str:
        """Declare the schema of one map with all that is in it; return its name."""
        walk = _Walk(self, name, f"In the {doc[:1].lower()}{doc[1:]}", source.get("$defs", {}))
        return walk.declare(name, doc, source, form)


class _Walk:
    """One schema, with its own definitions."""

    def __init__(self, types: Types, root: str, doc: str, definitions: Json) -> None:
        """`root` is the prefix of declared names, `doc` the docstring of types without a description."""
        self._types = types
        self._root = root
        self._doc = doc
        self._definitions = definitions
        self._known: dict[tuple[str, Form], str] = {}

    def declare(self, wanted: str, doc: str, schema: Json, form: Form) -> str:
        name = self._types.names.claim(wanted)
        if form == "travelling" and is_open(schema):
            self._types.declared[name] = Whatever(f"dict[str, {ANY}]")
            return name
        self._types.declared[name] = Class(form, doc, (), is_open(schema))
        self._fill(name, doc, schema, form)
        return name

    def _fill(self, name: str, doc: str, schema: Json, form: Form) -> None:
        fields = tuple(
            self._field(schema, each, name, form) for each in schema.get("properties", {})
        )
        self._types.declared[name] = Class(form, doc, fields, is_open(schema))

    def _field(self, schema: Json, field: str, name: str, form: Form) -> TypedField:
        """Return a property; for functions an absent one has its default, or None."""
        inner, required = schema["properties"][field], field in schema.get("required", ())
        type_ = self.of(inner, name + class_name(field), form)
        if form == "given" and not required and inner.get("default") is None:
            type_ = union([type_, "None"])
        return TypedField(field, type_, required, inner)

    def of(self, schema: Any, name: str, form: Form) -> str:
        """Return the type of one schema; types in it are declared with the prefix `name`."""
        if not isinstance(schema, Mapping):
            return ANY
        if "$ref" in schema:
            return self._referred(schema["$ref"].removeprefix("#/$defs/"), form)
        if "properties" in schema and schema.get("type", "object") == "object":
            return self._object(schema, name, form)
        if "anyOf" in schema or "oneOf" in schema:
            return self._alternatives(schema, name, form)
        return self._typed(schema, schema.get("type"), name, form)

    def _referred(self, target: str, form: Form) -> str:
        key = (target, form)
        if key not in self._known:
            self._known[key] = ANY  # for a schema that is no class and refers to itself
            self._known[key] = self._defined(key)
        return self._known[key]

    def _defined(self, key: tuple[str, Form]) -> str:
        target, form = key
        schema, name = self._definitions[target], self._root + class_name(target)
        if "properties" not in schema or "$ref" in schema or schema.get("type") != "object":
            return self.of(schema, name, form)
        if form == "travelling" and is_open(schema):
            return f"dict[str, {ANY}]"
        name = self._known[key] = self._types.names.claim(name)
        self._types.declared[name] = Whatever(ANY)  # keeps the place
        self._fill(name, schema.get("description", self._doc), schema, form)
        return name

    def _object(self, schema: Json, name: str, form: Form) -> str:
        if form == "travelling" and is_open(schema):
            return f"dict[str, {ANY}]"
        return self.declare(name, schema.get("description", self._doc), schema, form)

    def _alternatives(self, schema: Json, name: str, form: Form) -> str:
        branches = schema.get("anyOf") or schema.get("oneOf") or []
        others = [each for each in branches if each.get("type") != "null"]
        if form == "given" and len(others) == 1:
            inner = self.of(others[0], name, form)
            if inner != ANY:
                return union([inner, "None"]) if len(others) < len(branches) else inner
        if "type" in schema:
            return self._typed(schema, schema["type"], name, "travelling")
        return union([self.of(each, name, "travelling") for each in branches])

    def _typed(self, schema: Json, kind: Any, name: str, form: Form) -> str:
        if isinstance(kind, list):
            several = len([each for each in kind if each != "null"]) != 1
            inner: Form = "travelling" if several else form
            return union([self._single(schema, each, name, inner) for each in kind])
        return self._single(schema, kind, name, form)

    def _single(self, schema: Json, kind: str | None, name: str, form: Form) -> str:
        if kind == "object":
            return self._map({**schema, "type": kind}, name, form)
        if kind == "array":
            items = ANY
            if "prefixItems" not in schema:
                items = self.of(schema.get("items"), f"{name}Item", form)
            return f"list[{items}]"
        if form == "given" and kind == "string" and schema.get("format") in TYPED:
            return str(schema["format"]).replace("-", "")
        return self._choice(schema, kind, name) or PLAIN.get(kind or "", ANY)

    def _map(self, schema: Json, name: str, form: Form) -> str:
        if "properties" in schema:
            return self._object(schema, name, form)
        values = schema.get("additionalProperties")
        if "patternProperties" in schema or not isinstance(values, Mapping):
            return f"dict[str, {ANY}]"
        return f"dict[str, {self.of(values, f'{name}Value', 'travelling')}]"

    def _choice(self, schema: Json, kind: str | None, name: str) -> str | None:
        """Return a Literal of the values that a schema lists, if Python can express them; else None."""
        values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
        if kind in _JSON_TYPES:
            values = [each for each in values if type(each) is _JSON_TYPES[kind]]
        if (
            not values
            or kind == "number"
            or any(type(v) not in _JSON_TYPES.values() for v in values)
        ):
            return None
        written = tuple(dict.fromkeys(map(_literal, values)))
        text = f"Literal[{', '.join(written)}]"
        if len(text) <= LONGEST_LITERAL:
            return "None" if written == ("None",) else text
        alias = self._types.names.claim(name)
        self._types.declared[alias] = Choice(written)
        return alias


def is_open(schema: Json) -> bool:
    """Return whether a value may have properties that the schema does not list."""
    return schema.get("additionalProperties") is not False or "patternProperties" in schema


def union(types: Iterable[str]) -> str:
    """Return the union of types, with None last."""
    found = list(dict.fromkeys(part for each in types for part in _parts(each)))
    if ANY in found or not found:
        return ANY
    found.sort(key="None".__eq__)
    return " | ".join(found)


def _parts(type_: str) -> Iterable[str]:
    """Yield the parts between the outermost bars, not those in brackets or quoted values."""
    depth, part = 0, ""
    for token in _TOKEN.findall(type_):
        depth += (token == "[") - (token == "]")
        if token == " | " and depth == 0:
            yield part
            part = ""
        else:
            part += token
    yield part


def _literal(value: Any) -> str:
    if isinstance(value, str):
        inner = json.dumps(value, ensure_ascii=False)[1:-1]
        return '"' + inner.replace(r"\"", r"\x22") + '"'
    return repr(value)


def _properties(actions: Iterable[Action]) -> Iterable[str]:
    for action in actions:
        for source in (action.params.source, action.result.source):
            for _, schema in subschemas(source):
                yield from schema.get("properties", ())

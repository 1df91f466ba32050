"""A plausible value for a schema, always the same one: what a dummy answers and a document shows.

Ours rather than a library's because it must be the same every time, quick to import and readable:
jsf takes 0.4 s to import, and what it, polyfactory and hypothesis-jsonschema make is valid and random,
which tells a frontend developer nothing.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import Any

from jsonschema_rs import ValidationError

from actors.errors import TenantryError
from actors.schema.source import Key, SourceProblem
from actors.schema.validation import Contract, without_value

Json = Mapping[str, Any]

BY_FORMAT: Mapping[str, str] = {
    "date-time": "2026-01-31T09:30:00Z",
    "date": "2026-01-31",
    "time": "09:30:00Z",
    "duration": "PT30M",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/example",
    "iri": "https://example.com/",
    "iri-reference": "/example",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "password": "correct horse battery staple",
}
"""Names and addresses reserved for examples (RFC 2606, RFC 5737, RFC 3849)."""

BY_NAME: Mapping[str, str] = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+44 20 7946 0000",
    "company": "Analytical Engines Ltd",
    "title": "A short title",
    "subject": "A short subject",
    "text": "Some text.",
    "body": "Some text.",
    "message": "Some text.",
    "tenant": "acme",
    "currency": "EUR",
    "country": "GB",
    "language": "en",
}
"""What a text property of that name usually holds; any other gets its own name."""


class NoExample(TenantryError):
    """No value could be made that fits: the author must give one."""

    def __init__(self, key: Key, problem: str) -> None:
        super().__init__(problem)
        self.finding = SourceProblem(key, f"{problem}: add `examples = [...]` with one that fits")


def example(source: Json, contract: Contract) -> dict[str, Any]:
    """A value that fits a normalized schema; NoExample names the part for which none can be made.

    The author's own `examples`, `default`, `const` and `enum` come first. An optional property for
    which nothing fits (a `pattern`, mostly) is left out.
    """
    made: dict[str, Any] = _ExampleBuilder(source.get("$defs", {})).value(source, "", ())
    taken_for: ValidationError | None = None
    while (error := next(iter(contract.iter_errors(made)), None)) is not None:
        if not _without_one(made, error.instance_path, contract):
            lacks_it = taken_for is not None and error.kind.name == "required"
            raise _no_example(taken_for if taken_for and lacks_it else error)
        taken_for = error
    return made


def _no_example(error: ValidationError) -> NoExample:
    return NoExample(tuple(error.schema_path[:-1]), f"our example of it {without_value(error)}")


def _without_one(made: Any, path: list[str | int], contract: Contract) -> bool:
    """Take out the innermost property on the path without which there is less to complain about."""
    problems = _count(contract, made)
    for end in range(len(path), 0, -1):
        holder = functools.reduce(lambda value, part: value[part], path[: end - 1], made)
        if isinstance(holder, dict):
            taken = holder.pop(path[end - 1])
            if _count(contract, made) < problems:
                return True
            holder[str(path[end - 1])] = taken
    return False


def _count(contract: Contract, value: Any) -> int:
    return sum(1 for _ in contract.iter_errors(value))


class _ExampleBuilder:
    def __init__(self, definitions: Json) -> None:
        self._definitions = definitions

    def value(self, schema: Json, name: str, inside: tuple[str, ...]) -> Any:
        for word in ("examples", "enum"):
            if schema.get(word):
                return copy.deepcopy(schema[word][0])
        for word in ("default", "const"):
            if word in schema:
                return copy.deepcopy(schema[word])
        if "$ref" in schema:
            return self._referred(schema["$ref"].removeprefix("#/$defs/"), name, inside)
        if "properties" not in schema:
            for word in ("anyOf", "oneOf"):
                if word in schema:
                    return self._first(schema, schema[word], name, inside)
        return self._typed(schema, name, inside)

    def _referred(self, target: str, name: str, inside: tuple[str, ...]) -> Any:
        if target in inside:
            raise NoExample(("$defs", target), "it contains itself")
        return self.value(self._definitions[target], name, (*inside, target))

    def _first(self, schema: Json, branches: list[Json], name: str, inside: tuple[str, ...]) -> Any:
        """The first alternative that says something, under what the schema says beside them."""
        beside = {word: schema[word] for word in schema if word not in {"anyOf", "oneOf"}}
        telling = [branch for branch in branches if branch.get("type") != "null"]
        failure: NoExample | None = None
        for branch in telling or branches:
            try:
                return self.value({**beside, **branch}, name, inside)
            except NoExample as error:
                failure = error
        if failure and len(telling) < len(branches):
            return None
        raise failure or NoExample((), "there are no alternatives")

    def _typed(self, schema: Json, name: str, inside: tuple[str, ...]) -> Any:
        kind = schema.get("type", "string")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        match kind:
            case "object":
                return self._object(schema, inside)
            case "array":
                return self._array(schema, name, inside)
            case "integer" | "number":
                return _number(schema)
            case "boolean":
                return True
            case "null":
                return None
        return _text(schema, name)

    def _object(self, schema: Json, inside: tuple[str, ...]) -> dict[str, Any]:
        made = {}
        for name, each in schema.get("properties", {}).items():
            try:
                made[name] = self.value(each, name, inside)
            except NoExample:
                if name in schema.get("required", ()):
                    raise
        return made

    def _array(self, schema: Json, name: str, inside: tuple[str, ...]) -> list[Any]:
        made = [self.value(each, name, inside) for each in schema.get("prefixItems", ())]
        items = schema.get("items", {})
        least = max(schema.get("minItems", 0), 1)
        wanted = min(least, schema.get("maxItems", least))
        try:
            while items is not False and len(made) < wanted:
                made.append(self.value(items, name.removesuffix("s"), inside))
        except NoExample:
            if len(made) < schema.get("minItems", 0):
                raise
        return made


def _text(schema: Json, name: str) -> str:
    text = BY_FORMAT.get(schema.get("format", "")) or BY_NAME.get(name) or name or "text"
    while len(text) < schema.get("minLength", 0):
        text += " " + text
    return text[: schema["maxLength"]] if "maxLength" in schema else text


def _number(schema: Json) -> int | float:
    """1, or what the bounds leave nearest to it."""
    step = schema.get("multipleOf", 1)
    value = step if "multipleOf" in schema else 1
    if "minimum" in schema and value < schema["minimum"]:
        value = -(-schema["minimum"] // step) * step
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        value = (schema["exclusiveMinimum"] // step + 1) * step
    if "maximum" in schema and value > schema["maximum"]:
        value = schema["maximum"] // step * step
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        value = -(-schema["exclusiveMaximum"] // step) * step - step
    return int(value) if schema.get("type") == "integer" else value

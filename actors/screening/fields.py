"""The screening of an action's params: each string by the kind of its field, at any depth, names included.

The law of this file: the texts of one message are looked at together, since nearly all are harmless; only if
something matches is each looked at by itself, which decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from actors.errors import Rejected
from actors.schema.validation import dotted
from actors.screening.rules import ScreeningRule
from actors.screening.screener import Screener, Text, built_in_screener
from transport.message import Problem

LINE_CHARACTERS: Final = 200
"""A field of at most so many characters is a line, unless its schema states a kind."""

PROVED: Final = frozenset(
    {"date-time", "date", "time", "duration", "ipv4", "ipv6", "uuid", "password"}
)
"""Formats whose values hold no attack, and that of secrets, which may look like anything."""

LINES: Final = frozenset({"email", "idn-email", "hostname", "idn-hostname"})
"""Formats whose values are lines however long they may be."""

MOST_DEPTH: Final = 64
"""Levels of a value that are looked at; a message has fewer."""

MOST_FINDINGS: Final = 20
"""Fields that a refusal names."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
"""The schema of what no schema describes."""

Place = tuple[str | int, ...]


class FieldException(NamedTuple):
    """What may pass in one field of one action, and why."""

    action: str
    field: str
    """Names of the properties on the way, with dots: `rows.name`. Empty for every field."""
    attacks: Collection[str]
    """Classes that may pass; empty for all."""
    reason: str


class Screening(NamedTuple):
    """What an index states about the screening of its actions."""

    exceptions: tuple[FieldException, ...] = ()
    rules: tuple[ScreeningRule, ...] = ()
    """Rules of the index's own."""
    screener: Screener | None = None
    """Compiled from the built-in rules and the index's own; None for the built-in rules alone."""

    def of(self, action: str) -> tuple[FieldException, ...]:
        """Return the exceptions of one action."""
        return tuple(each for each in self.exceptions if each.action == action)


class Finding(NamedTuple):
    """One field that breaks a rule."""

    place: Place
    rule: ScreeningRule


class FlatFields(NamedTuple):
    """The fields of one kind in an object that holds no other."""

    screener: Screener
    kind: str
    names: tuple[str, ...]
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    """Returns the values of all of them; KeyError if one is absent."""


def values_of(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what gets the values of these names from a map. It raises KeyError if one is absent."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda params: (params[names[0]],)


class FieldScreen:
    """Screens the params of one action. Any thread may use it."""

    __slots__ = ("_action", "_exceptions", "_flat", "_screener", "_source", "flat")

    def __init__(self, action: str, source: Mapping[str, Any], screening: Screening) -> None:
        self._action = action
        self._source = source
        self._screener = screening.screener or built_in_screener()
        self._exceptions = screening.of(action)
        self._flat = flat_fields(source)
        by_kind: dict[str, list[str]] = {}
        for name, kind in self._flat or ():
            by_kind.setdefault(kind, []).append(name)
        self.flat = tuple(
            FlatFields(self._screener, kind, tuple(names), values_of(names))
            for kind, names in by_kind.items()
        )
        """The fields of each kind; none if the schema's objects hold others."""

    def check(self, params: Mapping[str, Any]) -> list[Finding]:
        """Return the fields that break a rule which is only watched; Rejected if one is to be blocked."""
        found = self.find(params)
        if not found:
            return found
        blocked = [each for each in found if each.rule.state == "block"]
        if blocked:
            raise rejected(self._action, blocked)
        return found

    def find(self, value: Mapping[str, Any]) -> list[Finding]:
        """Return the fields that break a rule, whatever its state."""
        if self._flat is None:
            texts = list(texts_of(value, self._source, Descriptions(self._source), ()))
            if self._are_harmless(texts):
                return []
        elif self._is_flat_harmless(value):
            return []
        else:
            texts = [
                Text((name,), value[name], kind)
                for name, kind in self._flat
                if isinstance(value.get(name), str)
            ]
        return [each for text in texts for each in self._findings(text)]

    def _is_flat_harmless(self, params: Mapping[str, Any]) -> bool:
        """As `_are_harmless`; nearly every message comes this way."""
        for each in self.flat:
            texts = [text for text in map(params.get, each.names) if text.__class__ is str]
            if texts and not each.screener.is_harmless(each.kind, texts):
                return False
        return True

    def _are_harmless(self, texts: Iterable[Text]) -> bool:
        by_kind: dict[str, dict[str, None]] = {}
        for _, text, kind in texts:  # a thousand rows have the same names
            by_kind.setdefault(kind, {})[text] = None
        return all(self._screener.is_harmless(kind, list(each)) for kind, each in by_kind.items())

    def _findings(self, text: Text) -> Iterator[Finding]:
        for rule in self._screener.find(text.text, text.kind):
            if not any(allows(each, text.place, rule) for each in self._exceptions):
                yield Finding(text.place, rule)


def field_screen(
    action: str, source: Mapping[str, Any], screening: Screening
) -> FieldScreen | None:
    """Return what screens an action's params; None if they hold no text."""
    return None if flat_fields(source) == () else FieldScreen(action, source, screening)


def rejected(action: str, findings: list[Finding]) -> Rejected:
    """Return the refusal: fields and classes, never a rule or the value."""
    by_field = dict.fromkeys((each.place, each.rule.attack) for each in findings)
    problems = tuple(
        Problem(dotted(("params", *place)), attack)
        for place, attack in islice(by_field, MOST_FINDINGS)
    )
    fields = ", ".join(f"{field} ({attack})" for field, attack in problems[:3])
    return Rejected(
        f"{action}: {fields} looks like an attack; nothing was done. An index can make an exception for a "
        "field that must hold such text",
        details=problems,
        rules=tuple(dict.fromkeys(each.rule.id for each in findings)),
    )


def allows(exception: FieldException, place: Place, rule: ScreeningRule) -> bool:
    """Return whether an exception lets a field break a rule."""
    field = ".".join(each for each in place if isinstance(each, str))
    is_field = exception.field in ("", field) or field.startswith(f"{exception.field}.")
    return is_field and (not exception.attacks or rule.attack in exception.attacks)


def flat_fields(source: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
    """Return names and kinds of an object that holds no other; None for any other schema."""
    if source.get("additionalProperties") is not False or "patternProperties" in source:
        return None
    fields = []
    for name, schema in source.get("properties", {}).items():
        if not schema.keys().isdisjoint(_INNER) or not _holds_plain_values(schema):
            return None
        kind = kind_of(schema)
        if kind is not None:
            fields.append((name, kind))
    return tuple(fields)


_INNER: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if", "items", "properties"})


def _holds_plain_values(schema: Mapping[str, Any]) -> bool:
    if "enum" in schema or "const" in schema:
        return True
    stated = schema.get("type")
    types = {stated} if isinstance(stated, str) else set(stated or ("object",))
    return types.isdisjoint({"object", "array"})


def kind_of(schema: Mapping[str, Any]) -> str | None:
    """Return the kind of a string field; None if it holds no text, or none in which an attack finds room."""
    stated = schema.get("type", "string")
    if "string" not in (stated if isinstance(stated, list) else (stated,)):
        return None
    if "kind" in schema:
        return str(schema["kind"])
    if "enum" in schema or "const" in schema or schema.get("format") in PROVED:
        return None
    most = schema.get("maxLength")
    is_line = schema.get("format") in LINES or (most is not None and most <= LINE_CHARACTERS)
    return "line" if is_line else "text"


class Described(NamedTuple):
    """A schema with what it refers to, and the kind of a text that it describes."""

    stated: Mapping[str, Any]
    """As the index has it; held, so that no other schema gets its address."""
    whole: Mapping[str, Any]
    kind: str | None


class Descriptions:
    """The schemas of one message's values, each looked up once: a thousand rows have the same."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._found: dict[int, Described] = {}

    def of(self, schema: Mapping[str, Any]) -> Described:
        """Return what a schema says."""
        found = self._found.get(id(schema))
        if found is None:
            whole = resolved(schema, self._root)
            found = self._found[id(schema)] = Described(schema, whole, kind_of(whole))
        return found


def texts_of(
    value: Any, schema: Mapping[str, Any], descriptions: Descriptions, place: Place
) -> Iterator[Text]:
    """Yield the strings of a value with the kinds of their fields, and names that a schema leaves open."""
    if len(place) > MOST_DEPTH:
        return
    _, whole, kind = descriptions.of(schema)
    if isinstance(value, str):
        if kind is not None:
            yield Text(place, value, kind)
    elif isinstance(value, Mapping):
        properties = whole.get("properties", NOTHING)
        for name, each in value.items():
            if name not in properties:
                yield Text((*place, name), str(name), "line")
            inner = below(whole, properties, name)
            yield from texts_of(each, inner, descriptions, (*place, name))
    elif isinstance(value, list | tuple):
        items = whole.get("items")
        inner = items if isinstance(items, Mapping) else NOTHING
        for at, each in enumerate(value):
            yield from texts_of(each, inner, descriptions, (*place, at))


def below(whole: Mapping[str, Any], properties: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the schema of one member of an object; an empty one if nothing describes it."""
    found = properties.get(name, whole.get("additionalProperties"))
    return found if isinstance(found, Mapping) else NOTHING


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with the one that it refers to, or its alternatives' properties, merged into it."""
    name = schema.get("$ref")
    if name is not None:
        schema = {**root.get("$defs", {}).get(name.rpartition("/")[2], {}), **schema}
    alternatives = [each for word in ("allOf", "anyOf", "oneOf") for each in schema.get(word, ())]
    if not alternatives:
        return schema
    merged: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for each in alternatives:
        inner = resolved(each, root)
        properties.update(inner.get("properties", {}))
        merged.update(
            {word: inner[word] for word in ("items", "kind", "maxLength") if word in inner}
        )
    return {**merged, **schema, "properties": {**properties, **schema.get("properties", {})}}

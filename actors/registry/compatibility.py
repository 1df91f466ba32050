"""Whether callers of one version can go on with another: what they send has to fit, and what they get.

Both are the same question, asked of two schemas: does every value that fits the one fit the other? For params
the one is the old schema, for results the new. What cannot be shown counts as a break: nothing passes in
silence. Text such as `description` and `default` is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from actors.index.entries import Schemas
from actors.schema.validation import make_validator

Json = Mapping[str, Any]

DEEPEST = 40
"""Levels that are compared; a schema that refers to itself goes on for ever."""

KINDS = ("null", "boolean", "object", "array", "number", "string", "integer")

TEXT = frozenset({"title", "description", "default", "examples", "$defs", "deprecated", "$comment"})
"""Keywords that decide nothing about a value."""

UNCOMPARED = (
    *("allOf", "not", "if", "then", "else", "oneOf", "contains", "minContains", "maxContains"),
    *("prefixItems", "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"),
)
"""Keywords that have to be the same on both sides."""

LEAST = {"minLength": "string", "minItems": "array", "minProperties": "object"}
MOST = {"maxLength": "string", "maxItems": "array", "maxProperties": "object"}
SAME = {"pattern": "string", "format": "string"}

UNPROVED = "has changed in a way that cannot be shown to be compatible"


class Break(NamedTuple):
    """Something that a caller would notice."""

    where: str
    """Such as `params.rows[].name`."""
    what: str
    """In words."""


class Phrases(NamedTuple):
    """How a break is told: what is asked of callers, and what they get, have other names for it."""

    refused: str
    required: str
    kinds: str
    values: str
    bound: str


SENT = Phrases(
    refused="is refused now",
    required="is required now",
    kinds="takes no {} any more",
    values="does not take {} any more",
    bound="{} is {} now",
)
GOT = Phrases(
    refused="may be there now",
    required="may be absent now",
    kinds="may be {} now",
    values="may be {} now",
    bound="{} was {}, which does not hold any more",
)


def find_breaks(old: Schemas, new: Schemas) -> tuple[Break, ...]:
    """What callers of the old version would notice of the new one; empty where they notice nothing."""
    sent = _Comparison(SENT, old.params.source, new.params.source)
    got = _Comparison(GOT, new.result.source, old.result.source)
    found = (
        *sent.all("params"),
        *got.all("result"),
        *_removed(old.result.source, new.result.source),
    )
    return tuple(dict.fromkeys(found))


def _removed(old: Json, new: Json) -> Iterator[Break]:
    """Fields of a result that no caller gets any more, whether or not they always were there."""
    required = set(old.get("required", ()))
    for name in old.get("properties", {}):
        if name not in new.get("properties", {}) and name not in required:
            yield Break(f"result.{name}", "is gone")


class _Comparison:
    """Whether every value of the inner schema fits the outer one; both whole, with their `$defs`."""

    def __init__(self, words: Phrases, inner: Json, outer: Json) -> None:
        self._words = words
        self._inner = inner
        self._outer = outer

    def all(self, where: str) -> Iterator[Break]:
        """Where it does not, from the top."""
        return self._fits(self._inner, self._outer, where, 0)

    def _fits(self, inner: Any, outer: Any, where: str, depth: int) -> Iterator[Break]:
        inner, outer = _resolved(inner, self._inner), _resolved(outer, self._outer)
        if inner is False or outer is True or not _stripped(outer):
            return
        if outer is False:
            yield Break(where, self._words.refused)
        elif depth > DEEPEST:
            yield from self._same(inner, outer, where)
        elif "anyOf" in _stripped(inner) and len(_stripped(inner)) == 1:
            for branch in inner["anyOf"]:
                yield from self._fits(branch, outer, where, depth + 1)
        elif "anyOf" in outer:
            yield from self._fits_one(inner, outer, where, depth)
        else:
            yield from self._fits_all(_stripped(inner), _stripped(outer), where, depth)

    def _same(self, inner: Any, outer: Any, where: str) -> Iterator[Break]:
        if self._inner != self._outer or inner != outer:
            yield Break(where, UNPROVED)

    def _fits_one(self, inner: Any, outer: Json, where: str, depth: int) -> Iterator[Break]:
        """At least one of the alternatives has to take all of it, and so has what stands beside them."""
        beside = {key: value for key, value in outer.items() if key != "anyOf"}
        if not any(not [*self._fits(inner, each, where, depth + 1)] for each in outer["anyOf"]):
            yield Break(where, UNPROVED)
        yield from self._fits(inner, beside, where, depth + 1)

    def _fits_all(self, inner: Json, outer: Json, where: str, depth: int) -> Iterator[Break]:
        for keyword in UNCOMPARED:
            if keyword in outer and outer[keyword] != inner.get(keyword):
                yield Break(where, UNPROVED)
        values = _values(inner)
        if values is not None:
            yield from self._values(values, outer, where)
            return
        if (allowed := _values(outer)) is not None:
            told = ", ".join(map(repr, allowed[:5]))
            yield Break(where, self._words.values.format(f"anything but {told}"))
            return
        kinds = _kinds(inner)
        yield from self._kinds(kinds, _kinds(outer), where)
        yield from self._bounds(kinds, inner, outer, where)
        if "array" in kinds and inner.get("maxItems") != 0:
            inside = (inner.get("items", True), outer.get("items", True))
            yield from self._fits(*inside, f"{where}[]", depth + 1)
        if "object" in kinds:
            yield from self._object(inner, outer, where, depth)

    def _values(self, values: list[Any], outer: Json, where: str) -> Iterator[Break]:
        """A list of values is asked of the other schema one by one, which is exact."""
        whole = make_validator({**outer, "$defs": self._outer.get("$defs", {})})
        for value in values:
            if not whole.is_valid(value):
                yield Break(where, self._words.values.format(repr(value)))

    def _kinds(self, inner: set[str], outer: set[str], where: str) -> Iterator[Break]:
        wide = outer | {"integer"} if "number" in outer else outer
        for kind in KINDS:
            if kind in inner - wide:
                yield Break(where, self._words.kinds.format(kind))

    def _bounds(self, kinds: set[str], inner: Json, outer: Json, where: str) -> Iterator[Break]:
        for keyword, kind in {**LEAST, **MOST, **SAME}.items():
            if kind in kinds and keyword in outer and not _holds(keyword, inner, outer):
                yield self._bound(keyword, outer, where)
        if "array" in kinds and outer.get("uniqueItems") and not inner.get("uniqueItems"):
            yield self._bound("uniqueItems", outer, where)
        if kinds & {"number", "integer"}:
            yield from self._numbers(inner, outer, where)

    def _numbers(self, inner: Json, outer: Json, where: str) -> Iterator[Break]:
        for keyword, sign in (("minimum", 1), ("maximum", -1)):
            if _limit(inner, keyword, sign) < _limit(outer, keyword, sign):
                named = keyword if keyword in outer else f"exclusive{keyword.capitalize()}"
                yield self._bound(named, outer, where)
        step = outer.get("multipleOf")
        if step is not None and (inner.get("multipleOf") or 0.5 * step) % step:
            yield self._bound("multipleOf", outer, where)

    def _bound(self, keyword: str, outer: Json, where: str) -> Break:
        return Break(where, self._words.bound.format(keyword, outer[keyword]))

    def _object(self, inner: Json, outer: Json, where: str, depth: int) -> Iterator[Break]:
        for name in outer.get("required", ()):
            if name not in inner.get("required", ()):
                yield Break(f"{where}.{name}", self._words.required)
        for name in {**inner.get("properties", {}), **outer.get("properties", {})}:
            yield from self._fits(
                _property(inner, name), self._room(outer, name), f"{where}.{name}", depth + 1
            )
        others = (inner.get("additionalProperties", True), self._room(outer, None))
        yield from self._fits(*others, f"{where}.*", depth + 1)

    def _room(self, outer: Json, name: str | None) -> Any:
        """What an object takes under this name, or any other; a reader passes over what is new."""
        found = _property(outer, name)
        return True if found is False and self._words is GOT else found


def _property(schema: Json, name: str | None) -> Any:
    return schema.get("properties", {}).get(name, schema.get("additionalProperties", True))


def _resolved(schema: Any, root: Json) -> Any:
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target = root.get("$defs", {}).get(schema["$ref"].rpartition("/")[2], True)
        schema = target if not _stripped(beside) else {"allOf": [target, beside]}
    return {"not": {}}  # refers to itself and nothing else: no value fits


def _stripped(schema: Any) -> dict[str, Any]:
    """Without what decides nothing; of `true`, nothing is left."""
    if not isinstance(schema, Mapping):
        return {} if schema is True else {"not": {}}
    return {key: value for key, value in schema.items() if key not in TEXT}


def _values(schema: Json) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _kinds(schema: Json) -> set[str]:
    stated = schema.get("type", list(KINDS))
    return {stated} if isinstance(stated, str) else set(stated)


def _holds(keyword: str, inner: Json, outer: Json) -> bool:
    """Whether the inner schema promises what the outer one asks for."""
    if keyword in SAME:
        return bool(inner.get(keyword) == outer[keyword])
    if keyword in LEAST:
        return bool(inner.get(keyword, 0) >= outer[keyword])
    return keyword in inner and bool(inner[keyword] <= outer[keyword])


def _limit(schema: Json, keyword: str, sign: int) -> tuple[float, bool]:
    """The stricter of a bound and its exclusive form, made so that a larger one is stricter."""
    exclusive = schema.get(f"exclusive{keyword.capitalize()}")
    bounds = [(sign * schema[keyword], False)] if keyword in schema else []
    bounds += [(sign * exclusive, True)] if exclusive is not None else []
    return max(bounds, default=(float("-inf"), False))

"""Schemas that several actions share: `[shapes.NAME]`, referred to as `#/shapes/NAME`.

A schema that refers to shapes is given them as `$defs` of its own, those included that these refer to: so
a reader of a schema in `system.describe` needs nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from actors.schema.dialect import LISTS, MAPS, ONE
from actors.schema.schema import Schema, SchemaProblem
from actors.schema.source import Key, SourceProblem, did_you_mean

Shapes = Mapping[str, Any]
"""By name, as the index states them."""

_SHAPE = "#/shapes/"
_OWN = "#/$defs/"


class Expanded(NamedTuple):
    """A schema that stands alone."""

    schema: dict[str, Any]
    shapes: frozenset[str]
    """Names of those that it refers to, however indirectly."""
    findings: list[SourceProblem]
    """What is wrong with its references to shapes; where there is any, it does not stand alone."""


def expand(schema: Mapping[str, Any], shapes: Shapes) -> Expanded:
    """Give a schema the shapes that it refers to; the same schema where it refers to none."""
    used = _reachable(schema, shapes)
    findings = [*_unknown(schema, shapes), *_conflicts(schema.get("$defs"), used)]
    if findings or not used:
        return Expanded(dict(schema), used, findings)
    whole = _rewritten(dict(schema))
    given = {name: _rewritten(shapes[name]) for name in sorted(used)}
    whole["$defs"] = {**whole.get("$defs", {}), **given}
    return Expanded(whole, used, [])


def find_problems(name: str, shapes: Shapes) -> list[SourceProblem] | None:
    """What is wrong with a shape, relative to it, whether or not anything refers to it.

    None where it is sound, but cannot be used for a flaw of another shape that it refers to.
    """
    strange = [*_unknown(shapes[name], shapes), *_undeclared(shapes[name])]
    if strange:
        return strange
    alone = {"required": [name], "properties": {name: {"$ref": f"{_SHAPE}{name}"}}}
    try:
        Schema.build(f"shapes.{name}", expand(alone, shapes).schema)
    except SchemaProblem as problem:
        return [found for each in problem.findings for found in _within(each, name)] or None
    return []


def _within(finding: SourceProblem, name: str) -> Iterator[SourceProblem]:
    """A finding about a schema that holds just this shape, as one about the shape; or nothing."""
    match finding.key:
        case ("$defs", of, *key):
            if of == name:
                yield SourceProblem(tuple(key), finding.problem)
        case ("properties", _, *key):  # no example can be made; $ref leads into the shape
            if key.count("$ref") < 2:  # a second one leads on to another shape
                yield SourceProblem(tuple(part for part in key if part != "$ref"), finding.problem)
        case _:
            yield SourceProblem((), finding.problem)


def _conflicts(own: Any, used: Collection[str]) -> Iterator[SourceProblem]:
    for name in own if isinstance(own, dict) else ():
        if name in used:
            yield SourceProblem(
                ("$defs", name), "is the name of a shape that is used here: choose another"
            )


def _unknown(schema: Any, shapes: Shapes) -> Iterator[SourceProblem]:
    for key, target in _references(schema, ()):
        name = target.removeprefix(_SHAPE)
        if name != target and name not in shapes:
            near = did_you_mean(name, shapes)
            yield SourceProblem(key, f"there is no shape {name!r}: write [shapes.{name}]{near}")


def _undeclared(shape: Any) -> Iterator[SourceProblem]:
    for key, target in _references(shape, ()):
        if not target.startswith(_SHAPE):
            yield SourceProblem(key, f"{target!r} is no shape: a shape refers to {_SHAPE}NAME")


def _reachable(schema: Any, shapes: Shapes) -> frozenset[str]:
    found: set[str] = set()
    ahead = [schema]
    while ahead:
        targets = {target.removeprefix(_SHAPE) for _, target in _references(ahead.pop(), ())
                   if target.startswith(_SHAPE)}  # fmt: skip
        new = (targets & shapes.keys()) - found
        found |= new
        ahead += [shapes[name] for name in new]
    return frozenset(found)


def _references(schema: Any, key: Key) -> Iterator[tuple[Key, str]]:
    """Every reference in a schema that is not checked yet, with where it stands."""
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("$ref"), str):
        yield (*key, "$ref"), schema["$ref"]
    for place, inner in _inner(schema):
        yield from _references(inner, (*key, *place))


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    """The schemas right inside, never values that only look like one (`examples`, `const`)."""
    for word, value in schema.items():
        if word in ONE:
            yield (word,), value
        elif word in LISTS and isinstance(value, list):
            yield from (((word, at), each) for at, each in enumerate(value))
        elif word in MAPS and isinstance(value, dict):
            yield from (((word, name), each) for name, each in value.items())


def _rewritten(schema: Any) -> Any:
    """A copy in which each reference to a shape leads to the schema's own `$defs`."""
    if not isinstance(schema, dict):
        return schema
    copied = {word: _rewritten_within(word, value) for word, value in schema.items()}
    target = copied.get("$ref")
    if isinstance(target, str) and target.startswith(_SHAPE):
        copied["$ref"] = _OWN + target.removeprefix(_SHAPE)
    return copied


def _rewritten_within(word: str, value: Any) -> Any:
    if word in ONE:
        return _rewritten(value)
    if word in LISTS and isinstance(value, list):
        return [_rewritten(each) for each in value]
    if word in MAPS and isinstance(value, dict):
        return {name: _rewritten(each) for name, each in value.items()}
    return value

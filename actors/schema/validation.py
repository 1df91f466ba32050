"""Words the findings of a validator for a reply: each names a field, and none repeats a value.

The validator that decides whether a value fits a schema, and what it makes of the schema itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
from jsonschema_rs import ValidationError, ValidationErrorKind

from actors.schema.dialect import subschemas
from actors.schema.source import LONGEST, Key, SourceProblem, did_you_mean
from transport.message import Problem

MASK = "it"
"""Stands for the value in the validator's messages, which may be secret."""


FORMS: Mapping[str, str] = {
    "date-time": ": with an offset, such as 2026-11-29T18:00:00+01:00 or …Z",
    "time": ": with an offset, such as 18:00:00+01:00 or …Z",
    "duration": ", such as PT1H30M",
}
"""Hints for formats, on what is often forgotten or little known."""


VISIBLE = r"[^\p{Cc}\p{Cf}\p{Z}\p{M}\u115F\u1160\u3164\uFFA0\u2800]"
"""Pattern of a text with a visible character: more than blanks, controls and fillers."""


def message_for(error: ValidationError, part: str, source: Mapping[str, Any]) -> Iterator[Problem]:
    """Return one problem for each field; an unknown or missing field is named itself, not its parent."""
    place = (part, *error.instance_path)
    match error.kind:
        case ValidationErrorKind.Required(name):
            yield Problem(dotted((*place, name)), "is required")
        case ValidationErrorKind.AdditionalProperties(names):
            known = _holder(source, error.schema_path).get("properties", {})
            for name in names:
                yield Problem(dotted((*place, name)), f"is unknown{did_you_mean(name, known)}")
        case ValidationErrorKind.PropertyNames():
            yield Problem(dotted(place), "has a field whose name does not fit")
        case _:
            yield Problem(dotted(place), without_value(error))


def without_value(error: ValidationError) -> str:
    """Return what is wrong, to be read after the name of the field."""
    match error.kind:
        case ValidationErrorKind.Format(name):
            return f"is not a valid {name}{FORMS.get(name, '')}"
        case ValidationErrorKind.Required(name):
            return f"lacks {name}"
        case ValidationErrorKind.Pattern(pattern) if pattern == VISIBLE:
            return "has nothing that can be seen"
        case ValidationErrorKind.AnyOf() | ValidationErrorKind.OneOfNotValid():
            return "fits none of the alternatives"
    if error.message.startswith(f"{MASK} "):
        return error.message.removeprefix(f"{MASK} ")
    return f"does not fit the schema ({error.kind.name})"


def is_foreign_key(value: Any, place: Key) -> Problem | None:
    """Return the first value within that neither msgpack nor JSON can carry."""
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            return Problem(dotted(place), "has a key that is no text")
        return _first_foreign(value.items(), place)
    if isinstance(value, list | tuple):
        return _first_foreign(enumerate(value), place)
    if isinstance(value, str | int | float | None):
        return None
    return Problem(dotted(place), f"is a {type(value).__name__}, which no message can carry")


def dotted(place: Key) -> str:
    """Return a path for a reply; names may come from clients, so they are truncated and made printable."""
    return ".".join(_printable(str(part)[:LONGEST]) for part in place)


def summary(owner: str, what: str, problems: tuple[Problem, ...]) -> str:
    """Return one line for all problems: the first of them, and how many more there are."""
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{owner}: {what}: {problems[0].field} {problems[0].problem}{more}"


def _first_foreign(pairs: Any, place: Key) -> Problem | None:
    found = (is_foreign_key(inner, (*place, name)) for name, inner in pairs)
    return next((problem for problem in found if problem is not None), None)


def _holder(source: Mapping[str, Any], path: list[str | int]) -> Mapping[str, Any]:
    """Return the schema that holds the keyword at this path; empty if a reference leads elsewhere."""
    found: Any = source
    for part in path[:-1]:
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return found if isinstance(found, dict) else {}


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)


Contract = jsonschema_rs.Draft202012Validator


def make_validator(source: Mapping[str, Any]) -> Contract:
    """Return the validator of a schema: formats checked, no backtracking, nothing fetched, values masked."""
    return Contract(
        dict(source),
        validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(),
        email_options=jsonschema_rs.EmailOptions(allow_display_text=False),
        mask=MASK,
        offline=True,
    )


BREAKING = frozenset({"__proto__", "constructor", "prototype"})
"""Names under which libraries for JavaScript refuse a map, or take it for something else."""


def breaking_names(source: Mapping[str, Any]) -> frozenset[str]:
    """Those that values of this schema may bring: none where each name is one that the schema states."""
    schemas = [schema for _, schema in subschemas(source)]
    if not any(map(_leaves_names_free, schemas)):
        return frozenset()
    return BREAKING.difference(*(schema.get("properties", ()) for schema in schemas))


def _leaves_names_free(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", () if {"$ref", "enum", "const"} & schema.keys() else "object")
    return "object" in kinds and schema.get("additionalProperties") is not False


def places_of(names: frozenset[str], value: Any, place: Key) -> Iterator[Key]:
    """Where a map within has an entry of one of these names."""
    ahead: list[tuple[Key, Any]] = [(place, value)]
    for at, each in ahead:
        if isinstance(each, Mapping):
            yield from ((*at, name) for name in names.intersection(each))
            ahead += (((*at, name), inner) for name, inner in each.items() if _holds(inner))
        elif isinstance(each, list | tuple):
            ahead += (((*at, n), inner) for n, inner in enumerate(each) if _holds(inner))


def _holds(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def checked_validator(source: Mapping[str, Any]) -> Contract | list[SourceProblem]:
    """The validator; or what the meta-schema refuses, else values that the schema itself refuses."""
    try:
        made = make_validator(source)
    except jsonschema_rs.ValidationError as error:
        place = tuple(error.instance_path)
        if error.kind.name == "format" and place[-1:] == ("pattern",):
            return [
                SourceProblem(place, "is no regular expression, or one with look-around or \\1")
            ]
        return [SourceProblem(place, without_value(error))]
    return list(_invalid_values(source)) or made


def _invalid_values(source: Mapping[str, Any]) -> Iterator[SourceProblem]:
    """A default that does not fit would reach functions unseen, an example would mislead."""
    for key, schema in subschemas(source):
        if "default" in schema:
            yield from _invalid(schema, source, schema["default"], (*key, "default"))
        for at, value in enumerate(schema.get("examples", ())):
            yield from _invalid(schema, source, value, (*key, "examples", at))


def _invalid(
    schema: Mapping[str, Any], root: Mapping[str, Any], value: Any, key: Key
) -> Iterator[SourceProblem]:
    whole = {**schema, "$defs": root.get("$defs", {})}
    error = next(iter(make_validator(whole).iter_errors(value)), None)
    if error is not None:
        yield SourceProblem(key, f"does not fit its own schema: {without_value(error)}")

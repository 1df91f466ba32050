"""The validator that decides whether a value fits a schema, and what it makes of the schema itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from actors.index.dialect import subschemas
from actors.index.source import Finding, Key
from actors.index.wording import MASK, without_value

Contract = jsonschema_rs.Draft202012Validator


def contract(source: Mapping[str, Any]) -> Contract:
    """The validator of a schema: formats checked, no backtracking, nothing fetched, values masked."""
    return Contract(
        dict(source),
        validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(),
        email_options=jsonschema_rs.EmailOptions(allow_display_text=False),
        mask=MASK,
        offline=True,
    )


def flaws(source: Mapping[str, Any]) -> list[Finding]:
    """What the meta-schema refuses; else values in the schema that the schema itself refuses."""
    try:
        contract(source)
    except jsonschema_rs.ValidationError as error:
        place = tuple(error.instance_path)
        if error.kind.name == "format" and place[-1:] == ("pattern",):
            return [Finding(place, "is no regular expression, or one with look-around or \\1")]
        return [Finding(place, without_value(error))]
    return list(_unfit_values(source))


def _unfit_values(source: Mapping[str, Any]) -> Iterator[Finding]:
    """A default that does not fit would reach functions unseen, an example would mislead."""
    for key, schema in subschemas(source):
        if "default" in schema:
            yield from _unfit(schema, source, schema["default"], (*key, "default"))
        for at, value in enumerate(schema.get("examples", ())):
            yield from _unfit(schema, source, value, (*key, "examples", at))


def _unfit(
    schema: Mapping[str, Any], root: Mapping[str, Any], value: Any, key: Key
) -> Iterator[Finding]:
    whole = {**schema, "$defs": root.get("$defs", {})}
    error = next(iter(contract(whole).iter_errors(value)), None)
    if error is not None:
        yield Finding(key, f"does not fit its own schema: {without_value(error)}")

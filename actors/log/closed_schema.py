"""Which schemas leave no room for a secret, so that params that fit them may be shown as they are.

The answer is on the safe side: no means that each request's params have to be looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from actors.log.redaction import NO_NAMES, is_secret_name, normalise_name

SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})
"""Types whose values hold no names."""


def is_closed_schema(source: Mapping[str, Any], hide: frozenset[str] = NO_NAMES) -> bool:
    """Whether what fits this schema can only have names that are in it, none of them a secret's.

    `hide` are further names of secrets, as `normalise_names` makes them.
    """
    return _Closedness(source).of(source) and not any(
        _is_secret(name, value, hide) for name, value in _members(source)
    )


def _members(source: Any) -> Iterator[tuple[str, Any]]:
    """Every name and its value at any depth, whether they are keywords, properties or values."""
    ahead = [source]
    while ahead:
        each = ahead.pop()
        if isinstance(each, Mapping):
            yield from each.items()
            ahead.extend(each.values())
        elif isinstance(each, list | tuple):
            ahead.extend(each)


def _is_secret(name: str, value: Any, hide: frozenset[str]) -> bool:
    if (name, value) in (("writeOnly", True), ("format", "password")):
        return True
    return is_secret_name(name) or normalise_name(name) in hide


class _Closedness:
    """Whether a value that fits can hold only names that the schema lists."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = source.get("$defs", {})
        self._seen: set[str] = set()
        """References that have been followed: each is as closed as what it leads to."""

    def of(self, schema: Any) -> bool:
        """False where it is open, or not understood."""
        if not isinstance(schema, Mapping):
            return schema is False
        return self._is_combined(schema) or self._is_typed(schema)

    def _is_combined(self, schema: Mapping[str, Any]) -> bool:
        """By another schema that the value has to fit, too."""
        if any(map(self.of, schema.get("allOf", ()))):
            return True
        if any(all(map(self.of, schema[word])) for word in ("anyOf", "oneOf") if word in schema):
            return True
        return "$ref" in schema and self._is_reference(schema["$ref"])

    def _is_reference(self, reference: str) -> bool:
        name = reference.rpartition("/")[2]
        if name in self._seen:
            return True
        self._seen.add(name)
        return self.of(self._definitions.get(name))

    def _is_typed(self, schema: Mapping[str, Any]) -> bool:
        stated = schema.get("type", ())
        types = {stated} if isinstance(stated, str) else set(stated)
        if not types or not types <= SCALARS | {"object", "array"}:
            return False
        return ("object" not in types or self._is_object(schema)) and (
            "array" not in types or self._is_array(schema)
        )

    def _is_object(self, schema: Mapping[str, Any]) -> bool:
        others = (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values())
        # A name that is not listed may be any: only where there is none, it is known what it says.
        return all(each is False for each in others) and all(
            map(self.of, schema.get("properties", {}).values())
        )

    def _is_array(self, schema: Mapping[str, Any]) -> bool:
        return self.of(schema.get("items")) and all(map(self.of, schema.get("prefixItems", ())))

"""Fields as they are said on a command line: `name:string!`, `email:email`, `tags:string[]`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from actors.schema.source import hint

FORMS = """\
  name:string!     a text that has to be there; without ! it may be absent
  age:integer      also number, boolean, object
  born:date        also date-time, email, uuid, uri, hostname, and the other formats of docs/index.md
  tags:string[]    a list
"""

KINDS: dict[str, dict[str, Any]] = {
    "string": {"type": "string", "maxLength": 200},
    "integer": {"type": "integer", "minimum": -(2**53) + 1, "maximum": 2**53 - 1},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
}
"""What each word stands for; bounds are there to be made narrower."""

FORMATS = (
    *("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6"),
    *("uri", "uri-reference", "uuid"),
)

MOST_ITEMS = 100

_FIELD = re.compile(r"(?P<name>[a-z_][a-z0-9_]*):(?P<kind>[a-z0-9-]+)(?P<list>\[\])?(?P<must>!)?\Z")


class Unusable(Exception):
    """What was said makes no field, no entry or no file; the message says why and what would."""


class Field(NamedTuple):
    """One property of params or of a result."""

    name: str
    schema: dict[str, Any]
    is_required: bool


def fields(words: Iterable[str]) -> list[Field]:
    """Each word a field; Unusable."""
    found = [field(word) for word in words]
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise Unusable(f"a field is said twice: {', '.join(names)}")
    return found


def field(word: str) -> Field:
    """One field; Unusable."""
    match = _FIELD.match(word.strip())
    if match is None:
        raise Unusable(f"{word!r} is no field: write name:type, such as\n{FORMS}")
    schema = _schema(match["kind"])
    if match["list"]:
        schema = {"type": "array", "maxItems": MOST_ITEMS, "items": schema}
    return Field(match["name"], schema, bool(match["must"]))


def _schema(kind: str) -> dict[str, Any]:
    if kind in KINDS:
        return KINDS[kind]
    if kind in FORMATS:
        return {"type": "string", "format": kind, "maxLength": 2000 if "uri" in kind else 254}
    known = (*KINDS, *FORMATS)
    raise Unusable(f"{kind!r} is no type{hint(kind, known)}; there are {', '.join(known)}")

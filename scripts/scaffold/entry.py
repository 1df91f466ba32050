"""The entry of an action, or of one more version, as text; and the index's text with that in its place.

Fields as they are said on a command line: `name:string!`, `email:email`, `tags:string[]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from actors.schema.source import Key

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
"""The schema of each word; authors should narrow the bounds."""

FORMATS = (
    *("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6"),
    *("uri", "uri-reference", "uuid"),
)

MAX_ITEMS = 100

_FIELD = re.compile(r"(?P<name>[a-z_][a-z0-9_]*):(?P<kind>[a-z0-9-]+)(?P<list>\[\])?(?P<must>!)?\Z")


class InvalidEntry(Exception):
    """No field, entry or file can be made of the arguments; the message says why, and what to write."""


class NewField(NamedTuple):
    """One property of params or of a result."""

    name: str
    schema: dict[str, Any]
    is_required: bool


def fields(words: Iterable[str]) -> list[NewField]:
    """Parse each word as a field; raises InvalidEntry."""
    found = [field(word) for word in words]
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise InvalidEntry(f"a field is said twice: {', '.join(names)}")
    return found


def field(word: str) -> NewField:
    """Parse one field; raises InvalidEntry."""
    match = _FIELD.match(word.strip())
    if match is None:
        raise InvalidEntry(f"{word!r} is no field: write name:type, such as\n{FORMS}")
    schema = _schema(match["kind"])
    if match["list"]:
        schema = {"type": "array", "maxItems": MAX_ITEMS, "items": schema}
    return NewField(match["name"], schema, bool(match["must"]))


def _schema(kind: str) -> dict[str, Any]:
    if kind in KINDS:
        return KINDS[kind]
    if kind in FORMATS:
        return {"type": "string", "format": kind, "maxLength": 2000 if "uri" in kind else 254}
    from actors.schema.source import did_you_mean

    known = (*KINDS, *FORMATS)
    raise InvalidEntry(
        f"{kind!r} is no type{did_you_mean(kind, known)}; there are {', '.join(known)}"
    )


class NewEntry(NamedTuple):
    """The entry of a new action in the index."""

    name: str
    summary: str
    access: str
    effect: str
    instructions: str
    params: Sequence[NewField]
    result: Sequence[NewField]


class Draft(NamedTuple):
    """One more version of an action."""

    name: str
    version: int
    code: str
    requests: Sequence[str]
    """Ids of the user requests that it serves."""

    @property
    def function(self) -> str:
        """Name of the function that its file must define."""
        return self.code.partition(":")[2]

    @property
    def text(self) -> str:
        """Its table in the index."""
        keys: dict[str, Any] = {"version": self.version, "state": "under dev", "code": self.code}
        if self.requests:
            keys["requests"] = list(self.requests)
        return f'[[actions."{self.name}".versions]]\n{_aligned(keys)}'


def entry_text(entry: NewEntry) -> str:
    """Return the tables of an action, without its versions."""
    keys: dict[str, Any] = {
        "summary": entry.summary,
        "access": entry.access,
        "effect": entry.effect,
    }
    if entry.instructions:
        keys["instructions"] = entry.instructions
    head = f'[actions."{entry.name}"]\n{_aligned(keys)}'
    return (
        head + _part(entry.name, "params", entry.params) + _part(entry.name, "result", entry.result)
    )


def placed(text: str, block: str, name: str) -> str:
    """Return the text with a block after the action's tables, or after its group's, or at the end."""
    lines = text.split("\n")
    at = _end(text, lambda key: key[:2] == ("actions", name)) or _end(
        text, lambda key: _group(key) == name.partition(".")[0]
    )
    if at is None:
        return text.rstrip("\n") + "\n\n" + block
    gap = [] if block.startswith("[[") else [""]
    return "\n".join([*lines[:at], *gap, *block.rstrip("\n").split("\n"), *lines[at:]])


def _group(key: Key) -> str | None:
    is_action = len(key) > 1 and key[0] == "actions" and "." in str(key[1])
    return str(key[1]).partition(".")[0] if is_action else None


def _end(text: str, belongs: Any) -> int | None:
    """Return the number of lines up to the end of the last statement that belongs."""
    from actors.schema.source import line_numbers, statements

    starts = [line for key, line in line_numbers(text).items() if belongs(key)]
    if not starts:
        return None
    ends = {line: line + statement.count("\n") - 1 for line, statement in statements(text)}
    return ends[max(starts)]


def _part(name: str, part: str, given: Sequence[NewField]) -> str:
    head = f'[actions."{name}".{part}]\n'
    required = [each.name for each in given if each.is_required]
    lines = [f"required = {json.dumps(required)}\n"] if required else []
    width = max((len(each.name) for each in given), default=0)
    lines += [f"properties.{each.name:<{width}} = {_inline(each.schema)}\n" for each in given]
    return head + "".join(lines)


def _aligned(keys: Mapping[str, Any]) -> str:
    width = max(map(len, keys))
    return "".join(f"{key:<{width}} = {_inline(value)}\n" for key, value in keys.items())


def _inline(value: Any) -> str:
    """Return a JSON value as TOML; JSON's texts are TOML's basic strings."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_inline(each)}" for key, each in value.items()) + " }"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)

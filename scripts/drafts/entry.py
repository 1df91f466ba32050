"""The entry of an action, or of one more version, as text; and the index's text with that in its place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from actors.schema.source import Key, line_numbers, statements
from scripts.drafts.fields import Field


class Entry(NamedTuple):
    """What the index says of a new action."""

    name: str
    summary: str
    access: str
    effect: str
    instructions: str
    params: Sequence[Field]
    result: Sequence[Field]


class Draft(NamedTuple):
    """One more version of an action."""

    name: str
    version: int
    code: str
    request: str | None

    @property
    def function(self) -> str:
        """What its file has to define."""
        return self.code.partition(":")[2]

    @property
    def text(self) -> str:
        """As it stands in the index."""
        keys = {"version": self.version, "state": "under dev", "code": self.code}
        if self.request is not None:
            keys["request"] = self.request
        return f'[[actions."{self.name}".versions]]\n{_aligned(keys)}'


def entry_text(entry: Entry) -> str:
    """The tables of an action, without its versions."""
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
    """The text with a block below what belongs to this action, or else to its group, or at the end."""
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
    """How many lines there are up to the end of the last statement that belongs."""
    starts = [line for key, line in line_numbers(text).items() if belongs(key)]
    if not starts:
        return None
    ends = {line: line + statement.count("\n") - 1 for line, statement in statements(text)}
    return ends[max(starts)]


def _part(name: str, part: str, given: Sequence[Field]) -> str:
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
    """TOML for what JSON says: its texts are TOML's basic strings."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_inline(each)}" for key, each in value.items()) + " }"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)

"""Edits of the index's text: one version's keys, with every comment, the order and the spacing kept.

Only the table that holds the version is parsed with its spacing: that takes tomlkit seconds for an index of
500 actions, and every other byte stays as it is anyway.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import tomlkit
from tomlkit.items import InlineTable, SingleKey

from actors.errors import IndexProblem
from actors.schema.source import is_header, statements

Values = Mapping[str, str | None]
"""By key; None takes the key away."""


class _Wanted(NamedTuple):
    """The version that is edited."""

    section: str
    owner: str
    number: int

    def within(self, content: Any) -> Any:
        """The version in parsed TOML whose first table is `content`; None where it is not there."""
        return next(
            (each for each in self._versions(content) if each["version"] == self.number), None
        )

    def _versions(self, content: Any) -> Any:
        for name in (self.section, self.owner):
            content = content.get(name, {})
        return content.get("versions", ())

    def may_stand_below(self, header: str) -> bool:
        """Whether the table of this `[header]` can hold the version."""
        ahead: tuple[str, ...] = (self.section, self.owner, "versions")
        content = tomllib.loads(header)
        while content:
            name, inner = next(iter(content.items()))
            if not ahead or name != ahead[0]:
                return False
            ahead = ahead[1:]
            content = inner[0] if isinstance(inner, list) else inner
        return True


def apply_edit(text: str, section: str, owner: str, number: int, values: Values) -> str:
    """The text with these keys of one version set; `section` is `actions` or `connectors`.

    `text` has been read and found sound, and has this version. IndexProblem where that cannot be written.
    """
    wanted = _Wanted(section, owner, number)
    for begin, block in _blocks(text):
        if _holds(block, wanted):
            return text[:begin] + _edited(block, wanted, values) + text[begin + len(block) :]
    raise KeyError((section, owner, number))


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Each table of the file, as far as its next header, and where it begins."""
    begin = end = 0
    for _, statement in statements(text):
        if is_header(statement) and end > begin:
            yield begin, text[begin:end]
            begin = end
        end += len(statement)
    yield begin, text[begin:]


def _holds(block: str, wanted: _Wanted) -> bool:
    """Each table is TOML of its own: its header says the whole of where it stands."""
    _, first = next(statements(block), (0, ""))
    if is_header(first) and not wanted.may_stand_below(first):
        return False
    return wanted.within(tomllib.loads(block)) is not None


def _edited(block: str, wanted: _Wanted, values: Values) -> str:
    document = tomlkit.parse(block)
    version = wanted.within(document)
    for key, value in values.items():
        _set(version, key, value, "\r\n" if "\r\n" in block else "\n")
    written = document.as_string()
    if tomllib.loads(written) != _expected(block, wanted, values):
        raise IndexProblem(
            f"version {wanted.number} of {wanted.owner} cannot be edited as it is written: give it a "
            f'[[{wanted.section}."{wanted.owner}".versions]] of its own'
        )
    return written


def _expected(block: str, wanted: _Wanted, values: Values) -> dict[str, Any]:
    content = tomllib.loads(block)
    version = wanted.within(content)
    version.update(values)
    for key in [key for key, value in version.items() if value is None]:
        del version[key]
    return content


def _set(version: Any, key: str, value: str | None, newline: str) -> None:
    if value is None:
        version.pop(key, None)
    elif key in version:
        version[key] = _text(value)
    elif isinstance(version, InlineTable):
        version.append(key, _text(value))
    else:
        _add(version, key, value, newline)


def _add(version: Any, key: str, value: str, newline: str) -> None:
    """Below the last key: `append` would put it below the comment that belongs to what follows."""
    keys = [each for each, _ in version.value.body if each is not None]
    width = max(len(each.as_string()) for each in keys)
    name = SingleKey(key, sep=" " * max(1, width - len(key)) + keys[-1].sep.lstrip())
    last, item = version.value.item(keys[-1]), _text(value)
    last.trivia.trail = last.trivia.trail or newline  # of the file's last line, which needs none
    item.trivia.trail = newline
    version.value._insert_after(keys[-1], name, item)


def _text(value: str) -> Any:
    """JSON is readable only where its quotes need no escapes."""
    return tomlkit.string(value, literal=value.isprintable() and "'" not in value and '"' in value)

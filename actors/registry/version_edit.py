"""Edits of the index's text: one version's keys, with every comment, the order and the spacing kept.

Only the table that holds the version is parsed with its spacing: that takes tomlkit seconds for an index of
500 actions, and every other byte stays as it is anyway.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import tomlkit
from tomlkit.items import InlineTable, SingleKey

from actors.errors import IndexProblem
from actors.index.entries import Action, Connector, Index, Version
from actors.index.parser import parse_index, parse_version
from actors.schema.source import is_header, statements

_STRING_OR_COMMENT = r"""
    \"{3}(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5} | '{3}(?:[^']|'{1,2}(?!'))*+'{3,5}
    | "(?:[^"\\\n]|\\.)*+" | '[^'\n]*+' | \#[^\n]*+
"""


def _bracketed(depth: int) -> str:
    inner = f"| {_bracketed(depth - 1)}" if depth > 1 else ""
    return rf"""[\[{{](?:[^"'\#\[\]{{}}]++ | {_STRING_OR_COMMENT} {inner})*+[\]}}]"""


_STATEMENT = rf"""
    (?:(?:[^"'\#\[\]{{}}\n]++ | {_STRING_OR_COMMENT} | {_bracketed(5)})*+(?:\n|\Z))
"""
_TABLE = re.compile(
    rf"{_STATEMENT}(?:(?![ \t]*\[|\Z){_STATEMENT})*+(?=[ \t]*\[|\Z)", re.VERBOSE | re.DOTALL
)
"""A statement and all that follow it up to the next header. No match where brackets are nested deeper."""

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


class _Edit(NamedTuple):
    """A new text, and the version as it reads there."""

    text: str
    version: Mapping[str, Any]


def apply_edit(text: str, section: str, owner: str, number: int, values: Values) -> str:
    """The text with these keys of one version set; `section` is `actions` or `connectors`.

    `text` has been read and found sound, and has this version. IndexProblem where that cannot be written.
    """
    return _edit(text, _Wanted(section, owner, number), values).text


def edit_index(index: Index, section: str, owner: str, number: int, values: Values) -> Index:
    """The index that the edited text describes, without reading all of it again.

    Every other action and connector is the same object as before. IndexProblem as if it had been read.
    """
    wanted = _Wanted(section, owner, number)
    try:
        text, stated = _edit(index.text, wanted, values)
    except KeyError:  # a connector that is taken over with `use`, whose versions are the engine's
        text, stated = _edit(_with_stated(index, wanted), wanted, values)
    version = parse_version(index, owner, stated)
    if version is None:
        return parse_index(index.path, text)  # raises, with the line of each finding
    index = index._replace(text=text, digest=sha256(text.encode()).hexdigest())
    return with_version(index, section, owner, version)


def with_version(index: Index, section: str, owner: str, version: Version) -> Index:
    """Return the index with this version in place of the one with its number; its text is as before."""
    if section == "connectors":
        return index._replace(connectors=_with_version(index.connectors, owner, version))
    return index._replace(actions=_with_version(index.actions, owner, version))


def _with_stated(index: Index, wanted: _Wanted) -> str:
    """The index's text with a table of its own for this version of a connector."""
    version = index.connectors[wanted.owner].version(wanted.number)
    assert version is not None
    table = [
        f"[[{wanted.section}.{wanted.owner}.versions]]",
        f"version = {version.number}",
        f'state   = "{version.state}"',
        f'code    = "{version.code}"',
    ]
    return index.text.rstrip("\n") + "\n\n" + "\n".join(table) + "\n"


Owner = TypeVar("Owner", Action, Connector)


def _with_version(owners: Mapping[str, Owner], name: str, version: Version) -> Mapping[str, Owner]:
    owner = owners[name]
    versions = [each if each.number != version.number else version for each in owner.versions]
    return MappingProxyType({**owners, name: owner._replace(versions=tuple(versions))})


def _edit(text: str, wanted: _Wanted, values: Values) -> _Edit:
    tables = find_tables(text)
    for begin, table in sorted(tables, key=lambda each: wanted.owner not in each[1]):
        if _holds(table, wanted):
            written, version = _edited(table, wanted, values)
            return _Edit(text[:begin] + written + text[begin + len(table) :], version)
    raise KeyError(wanted)


def find_tables(text: str) -> Iterator[tuple[int, str]]:
    """Yield where each table of a valid TOML text begins, and its text up to the next header."""
    begin = 0
    while begin < len(text):
        match = _TABLE.match(text, begin)
        table = match[0] if match else _deep_table(text[begin:])
        yield begin, table
        begin += len(table)


def _deep_table(text: str) -> str:
    """The first table of a text, however deep its values are nested."""
    end = 0
    for _, statement in statements(text):
        if end and is_header(statement):
            break
        end += len(statement)
    return text[:end]


def _holds(block: str, wanted: _Wanted) -> bool:
    """Each table is TOML of its own: its header says the whole of where it stands."""
    _, first = next(statements(block), (0, ""))
    if is_header(first) and not wanted.may_stand_below(first):
        return False
    return wanted.within(tomllib.loads(block)) is not None


def _edited(block: str, wanted: _Wanted, values: Values) -> _Edit:
    document = tomlkit.parse(block)
    version = wanted.within(document)
    for key, value in values.items():
        _set(version, key, value, "\r\n" if "\r\n" in block else "\n")
    written = document.as_string()
    content = tomllib.loads(written)
    if content != _expected(block, wanted, values):
        raise IndexProblem(
            f"version {wanted.number} of {wanted.owner} cannot be edited as it is written: give it a "
            f'[[{wanted.section}."{wanted.owner}".versions]] of its own'
        )
    return _Edit(written, wanted.within(content))


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

"""Edits of the index's text: one version's keys, with every comment, the order and the spacing kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.items import InlineTable, SingleKey

WRITTEN = ("by", "before", "digest", "schemas")
"""Keys of a version that the Registry writes, in this order, below those that people write."""

Values = Mapping[str, str | None]
"""By key; None takes the key away."""


def edited(text: str, section: str, owner: str, number: int, values: Values) -> str:
    """The text with these keys of one version set; `section` is `actions` or `connectors`.

    `text` has been read and found sound, and has this version: KeyError or StopIteration where it has not.
    """
    document = tomlkit.parse(text)
    versions: Any = document[section][owner]["versions"]
    version = next(each for each in versions if each["version"] == number)
    for key, value in values.items():
        _set(version, key, value)
    return document.as_string()


def _set(version: Any, key: str, value: str | None) -> None:
    if value is None:
        version.pop(key, None)
    elif key in version:
        version[key] = _text(value)
    elif isinstance(version, InlineTable):
        version.append(key, _text(value))
    else:
        _add(version, key, value)


def _add(version: Any, key: str, value: str) -> None:
    """Below the last key: `append` would put it below the comment that belongs to what follows."""
    keys = [each for each, _ in version.value.body if each is not None]
    width = max(len(each.as_string()) for each in keys)
    name = SingleKey(key, sep=" " * max(1, width - len(key)) + keys[-1].sep.lstrip())
    version.value._insert_after(keys[-1], name, _text(value))


def _text(value: str) -> Any:
    """JSON is readable only where its quotes need no escapes."""
    return tomlkit.string(value, literal=value.isprintable() and "'" not in value and '"' in value)

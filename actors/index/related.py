"""Which actions somebody who works on one of them should know."""

from __future__ import annotations

from collections.abc import Iterator

from actors.index.entries import Action, Index, group_of
from actors.index.workplace import file_of

MOST_RELATED = 30
"""Those that have most in common."""


def related(index: Index, action: Action) -> dict[str, list[str]]:
    """By name, those with most in common first: what that is, in words."""
    found = {
        other.name: list(_common(action, other))
        for other in index.actions.values()
        if other is not action
    }
    names = sorted(found, key=lambda name: (-len(found[name]), name))
    return {name: found[name] for name in names[:MOST_RELATED] if found[name]}


def _common(one: Action, other: Action) -> Iterator[str]:
    if group_of(one.name) == group_of(other.name):
        yield "same group"
    for name, definition in _shapes(one).items():
        if _shapes(other).get(name) == definition:
            yield f"shape `{name}`"
    for file in sorted(_files(one) & _files(other)):
        yield f"code in `{file}`"


def _shapes(action: Action) -> dict[str, object]:
    return {**action.params.source.get("$defs", {}), **action.result.source.get("$defs", {})}


def _files(action: Action) -> set[str]:
    return {file_of(version.code) for version in action.versions if version.code is not None}

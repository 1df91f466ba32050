"""Lists the tasks that follow from the index: broken versions first, waiting ones last.

Which actions a developer who works on one of them should know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from actors.guidance.workplace import file_of
from actors.index.entries import (
    DUMMY,
    ERRORING,
    POTENTIAL_RELEASE,
    REVERTED,
    STATES,
    UNDER_DEV,
    UNDER_USER_TEST,
    Action,
    Connector,
    Index,
    Version,
    group_of,
    moves,
)

FIRST_TO_LAST = (ERRORING, DUMMY, UNDER_DEV, POTENTIAL_RELEASE, UNDER_USER_TEST, REVERTED)
"""A released version leaves nothing to do."""

WAITS_FOR: Mapping[str, str] = {
    ERRORING: "a developer, to mend it or to write a new version",
    DUMMY: "a developer, to write it",
    UNDER_DEV: "its developer, to finish it",
    POTENTIAL_RELEASE: "a developer, to hand it to users for their test",
    UNDER_USER_TEST: "users, to try it, and then a developer, to release it",
    REVERTED: "a developer, to write a new version",
}

_UNSOUND = frozenset({DUMMY, ERRORING, REVERTED})


class Task(NamedTuple):
    """One version that needs a person's attention."""

    owner: Action | Connector
    version: Version | None
    """None if there is no version yet."""

    @property
    def state(self) -> str:
        """One of FIRST_TO_LAST."""
        return DUMMY if self.version is None else self.version.state

    @property
    def number(self) -> int:
        """0 if there is no version yet."""
        return 0 if self.version is None else self.version.number

    @property
    def moves(self) -> tuple[str, ...]:
        """The states it may be moved to; none if there is no version yet."""
        return () if self.version is None else moves(self.version)

    @property
    def place(self) -> tuple[int, str, int]:
        """Sort key of all tasks: by state, then by name; the newest version of an owner first."""
        return FIRST_TO_LAST.index(self.state), self.owner.name, -self.number


def tasks(index: Index) -> list[Task]:
    """Return all tasks, the most useful first."""
    found = [task for owner in _owners(index) for task in _tasks(owner)]
    return sorted(found, key=lambda task: task.place)


def counts(index: Index) -> dict[str, int]:
    """Return how many versions are in each state; an action without versions counts as a dummy."""
    states = [each for owner in _owners(index) for each in _states(owner)]
    return {state: states.count(state) for state in STATES}


def _owners(index: Index) -> Iterator[Action | Connector]:
    yield from index.actions.values()
    yield from index.connectors.values()


def _states(owner: Action | Connector) -> list[str]:
    return [version.state for version in owner.versions] or [DUMMY]


def _tasks(owner: Action | Connector) -> Iterator[Task]:
    """Return the open versions of an owner; of dummies the newest alone, and only if no other is open."""
    if set(_states(owner)) == {DUMMY}:
        yield Task(owner, owner.versions[0] if owner.versions else None)
        return
    for at, version in enumerate(owner.versions):
        if _is_open(version, owner.versions[:at]):
            yield Task(owner, version)


def _is_open(version: Version, newer: tuple[Version, ...]) -> bool:
    """Return whether a version is open; a reverted one is not if a sound one follows it."""
    if version.state == REVERTED:
        return all(each.state in _UNSOUND for each in newer)
    return version.state in FIRST_TO_LAST and version.state != DUMMY


MOST_RELATED = 30
"""Most related actions returned."""


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

"""Which actions others are told of, and the tree that their dotted names make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from actors.access import DATA
from actors.edge.builtin_actions import built_in
from actors.index import entries
from actors.index.entries import Action, Index
from actors.index.parser import built_in_index


def offered(index: Index) -> tuple[Action, ...]:
    """By name: the index's own, and what every server answers besides on the data channel.

    The rest of administration is no part of any index; docs/admin.md has it.
    """
    besides = [each for each in built_in_index().actions.values() if each.channel == DATA]
    system = [route.action for route in built_in().values()]
    return tuple(sorted([*index.actions.values(), *besides, *system], key=lambda each: each.name))


def group_of(action: Action) -> str:
    """The group that it stands in."""
    return entries.group_of(action.name)


class Branch(NamedTuple):
    """One word of dotted names, and what goes on from there."""

    path: str
    """`contacts`, or `contacts.notes`; empty at the root."""
    action: Action | None
    """The action of just this name."""
    branches: dict[str, Branch]
    """By the next word."""


def tree(actions: Iterable[Action]) -> Branch:
    """The actions by the words of their names; those of one branch sorted."""
    root = Branch("", None, {})
    for action in sorted(actions, key=lambda each: each.name):
        *way, last = action.name.split(".")
        place = root
        for word in way:
            place = place.branches.setdefault(word, Branch(_below(place, word), None, {}))
        place.branches[last] = Branch(action.name, action, {})
    return root


def groups(branch: Branch) -> Iterator[Branch]:
    """Every branch with others below it, the innermost first; the root is not among them."""
    for each in branch.branches.values():
        yield from groups(each)
        if each.branches:
            yield each


def _below(branch: Branch, word: str) -> str:
    return f"{branch.path}.{word}" if branch.path else word

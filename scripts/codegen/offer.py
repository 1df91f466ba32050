"""The actions in generated files, and the tree of their dotted names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from actors.access import ADMIN, DATA
from actors.edge.builtin_actions import built_in
from actors.index import entries
from actors.index.entries import Action, Index
from actors.index.parser import built_in_index


def offered(index: Index) -> tuple[Action, ...]:
    """Return actions by name: the index's own, and those that every server answers on the data channel.

    The rest of administration is no part of any index; docs/admin.md has it.
    """
    of_data_channel = [
        each._replace(channel=DATA)
        for each in built_in_index().actions.values()
        if each.channel != ADMIN
    ]
    system = [route.action for route in built_in().values()]
    return tuple(
        sorted([*index.actions.values(), *of_data_channel, *system], key=lambda each: each.name)
    )


def described(action: Action) -> dict[str, Any]:
    """Return what system.describe says of an action to those who may call it."""
    return {
        "name": action.name,
        "summary": action.summary,
        "access": action.access,
        "channel": action.channel,
        "effect": action.effect,
        "params": action.params.source,
        "result": action.result.source,
    }


def group_of(action: Action) -> str:
    """Return the name of an action's group."""
    return entries.group_of(action.name)


class Branch(NamedTuple):
    """One word of dotted names, with the branches below it."""

    path: str
    """`contacts`, or `contacts.notes`; empty at the root."""
    action: Action | None
    """The action with exactly this name."""
    branches: dict[str, Branch]
    """Branches by the next word."""


def tree(actions: Iterable[Action]) -> Branch:
    """Return the tree of actions by the words of their names, sorted in each branch."""
    root = Branch("", None, {})
    for action in sorted(actions, key=lambda each: each.name):
        *way, last = action.name.split(".")
        place = root
        for word in way:
            place = place.branches.setdefault(word, Branch(_below(place, word), None, {}))
        place.branches[last] = Branch(action.name, action, {})
    return root


def groups(branch: Branch) -> Iterator[Branch]:
    """Yield every branch with others below it, the innermost first, without the root."""
    for each in branch.branches.values():
        yield from groups(each)
        if each.branches:
            yield each


def _below(branch: Branch, word: str) -> str:
    return f"{branch.path}.{word}" if branch.path else word

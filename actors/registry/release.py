"""Several moves as one: planned one on the other, refused together, published in one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from actors.errors import (
    ActionError,
    CodeProblem,
    FailedPrecondition,
    IndexProblem,
    InvalidArgument,
)
from actors.index.code import Codebase
from actors.index.entries import FUNCTION, Index
from actors.registry.messages import Move, Moved, Release
from actors.registry.move_record import key_of, moved
from actors.registry.transitions import Transition, plan_transition
from actors.routing.code_cache import Key
from actors.routing.table import RoutingTable
from transport.message import Problem

MOST_TOLD = 5
"""Refused moves that the message of a refusal names; its details name all."""


class ReleasePlan(NamedTuple):
    """What several moves do."""

    described: Index
    """As it is after all of them."""
    transitions: tuple[Transition, ...]
    """One for each move."""


def plan_release(index: Index, release: Release, edited: Callable[..., Index]) -> ReleasePlan:
    """Return the checked moves, each planned on what those before it leave.

    `edited` returns an index after a transition. Raises as Release describes; a move that is refused is not
    planned on by those after it.
    """
    _require_distinct(release.moves)
    transitions: list[Transition] = []
    refused: list[tuple[Move, ActionError]] = []
    for move in release.moves:
        try:
            transitions.append(transition := plan_transition(index, move))
            index = edited(index, transition)
        except ActionError as error:
            refused.append((move, error))
        except (CodeProblem, IndexProblem) as problem:
            refused.append((move, FailedPrecondition(f"nothing was changed: {problem}")))
    if refused:
        raise _refusal(release, refused)
    return ReleasePlan(index, tuple(transitions))


def keys_of(release: Release) -> frozenset[Key]:
    """Return the keys of the moved versions in a routing table."""
    return frozenset(map(key_of, release.moves))


def require_loadable(table: RoutingTable, release: Release, plan: ReleasePlan) -> None:
    """Raise CodeProblem if the code of a version that is served only elsewhere cannot be loaded."""
    codebase = Codebase(table.described.root)
    for move, transition in zip(release.moves, plan.transitions, strict=True):
        if transition.must_load and key_of(move) not in table.loaded_versions:
            load = codebase.load if transition.kind == FUNCTION else codebase.load_connector
            load(transition.values.get("code") or transition.version.code or "")


def all_moved(release: Release, plan: ReleasePlan, table: RoutingTable) -> tuple[Moved, ...]:
    """Return the replies to moves that were made."""
    pairs = zip(release.moves, plan.transitions, strict=True)
    return tuple(moved(move, transition, table) for move, transition in pairs)


def _require_distinct(moves: tuple[Move, ...]) -> None:
    count = Counter((move.kind, move.name, move.version) for move in moves)
    twice = [f"{name} version {version}" for (_, name, version), n in count.items() if n > 1]
    if twice:
        raise InvalidArgument(
            f"a release moves a version once, and this one lists twice: {twice[0]}"
        )


def _refusal(release: Release, refused: list[tuple[Move, ActionError]]) -> ActionError:
    """A single move is refused in its own words."""
    if len(release.moves) == 1:
        return refused[0][1]
    kinds = {type(error) for _, error in refused}
    kind = kinds.pop() if len(kinds) == 1 else FailedPrecondition
    told = "; ".join(str(error) for _, error in refused[:MOST_TOLD])
    more = f"; and {len(refused) - MOST_TOLD} more" if len(refused) > MOST_TOLD else ""
    details = [Problem(f"{move.name}@{move.version}", str(error)) for move, error in refused]
    return kind(
        f"nothing was changed, {len(refused)} of {len(release.moves)} moves are refused: {told}{more}",
        details=details,
    )

"""The states of a version, and the moves between them (docs/index.md has the same table)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from actors.index.entries import (
    DUMMY,
    ERRORING,
    POTENTIAL_RELEASE,
    RELEASE,
    REVERTED,
    UNDER_DEV,
    UNDER_USER_TEST,
    Version,
)

MOVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        DUMMY: (UNDER_DEV,),
        UNDER_DEV: (POTENTIAL_RELEASE, ERRORING, DUMMY),
        POTENTIAL_RELEASE: (UNDER_USER_TEST, UNDER_DEV, ERRORING),
        UNDER_USER_TEST: (RELEASE, POTENTIAL_RELEASE, UNDER_DEV, ERRORING),
        RELEASE: (REVERTED, ERRORING),
        ERRORING: (UNDER_DEV, REVERTED),
        REVERTED: (UNDER_DEV,),
    }
)
"""From each state to which others; an erroring version can besides go back to where it came from."""

MUTABLE = frozenset({DUMMY, UNDER_DEV})
"""States in which a version's code may change; in every other it is what it was when it left these."""


def moves(version: Version) -> tuple[str, ...]:
    """Where a version may go from here."""
    onward = MOVES[version.state]
    if version.state != ERRORING or version.before is None or version.before in onward:
        return onward
    return (*onward, version.before)

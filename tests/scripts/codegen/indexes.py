"""The indexes from which these tests write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.index.entries import Action, Index
from actors.index.parser import read_index
from actors.schema.schema import Schema

ROOT = Path(__file__).parents[3]

AWKWARD = ROOT / "tests" / "contracts" / "registry.toml"

DESK_INDEX = read_index(ROOT / "registry.toml")
AWKWARD_INDEX = read_index(AWKWARD)


def with_actions(*actions: Action) -> Index:
    """An index of just these."""
    return DESK_INDEX._replace(actions={each.name: each for each in actions})


def action(params: dict[str, Any], result: dict[str, Any] | None = None) -> Action:
    """An action `try.it` of these schemas."""
    return DESK_INDEX.actions["contacts.get"]._replace(
        name="try.it",
        params=Schema.build("try.it.params", params),
        result=Schema.build("try.it.result", result or {}),
        versions=(),
    )

"""What comes with the engine is sound, which is not proved again at each start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from actors.edge.builtin_actions import built_in
from actors.errors import IndexProblem
from actors.index import parser
from actors.index.parser import BUILT_IN, SHIPPED, built_in_index
from actors.schema.schema import Schema, SchemaProblem
from actors.schema.shapes import expand, find_problems
from actors.schema.source import read_source


def schemas(values: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema that an index states, with its name."""
    for name, action in values.get("actions", {}).items():
        for part in ("params", "result"):
            yield f"{name}.{part}", action.get(part, {})
    for name, connector in values.get("connectors", {}).items():
        yield f"{name}.settings", connector.get("settings", {})
        for operation, table in connector.get("operations", {}).items():
            for part in ("params", "result"):
                yield f"{name}.{operation}.{part}", table.get(part, {})


@pytest.mark.parametrize("path", [BUILT_IN, SHIPPED], ids=lambda path: path.parent.name)
def test_its_schemas_and_shapes_have_no_problem(path: Path) -> None:
    values = read_source(path).values
    shapes = values.get("shapes", {})
    assert [name for name in shapes if find_problems(name, shapes) != []] == []
    found = dict(schemas(values))
    assert len(found) > 10
    for name, stated in found.items():
        Schema.build(name, expand(stated, shapes).schema)


def test_actions_of_the_system_have_no_problem() -> None:
    for name, route in built_in().items():
        for part in ("params", "result"):
            Schema.build(f"{name}.{part}", getattr(route.action, part).source)


def test_an_index_of_ones_own_is_proved(tmp_path: Path) -> None:
    """And what only looks like a schema of the engine's is refused there."""
    stated = 'properties.n = { type = "integer", default = "x" }'
    path = tmp_path / "registry.toml"
    path.write_text(
        f'[actions.a]\nsummary = "A."\naccess = "member"\neffect = "read"\n[actions.a.params]\n{stated}\n'
    )
    with pytest.raises(IndexProblem, match="does not fit its own schema"):
        parser.read_index(path)
    broken = {"properties": {"n": {"type": "integer", "default": "x"}}}
    Schema.build("a.params", broken, is_sound=True)
    with pytest.raises(SchemaProblem):
        Schema.build("a.params", broken)


def test_one_that_is_sound_checks_and_has_an_example() -> None:
    action = built_in_index().actions["tenants.create"]
    assert action.params.parse(action.params.example()) is not None
    action.result.check(action.result.example())

"""Types that say what a schema says, and never more."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from actors.errors import InvalidArgument
from actors.index.entries import Action
from actors.schema.schema import SchemaProblem
from scripts.codegen.types import Class, Types, union
from tests.actors.schema.test_schema import NAMES, SCHEMAS, VALUES
from tests.scripts.codegen.agreement import fits, written
from tests.scripts.codegen.indexes import AWKWARD_INDEX, DESK_INDEX, action

ACTIONS = [*DESK_INDEX.actions.values(), *AWKWARD_INDEX.actions.values()]


def given_type(schema: dict[str, Any], field: str = "it", required: bool = True) -> str:
    """The type of one attribute of a function's params."""
    needed = [field] if required else []
    types = Types([])
    params, _ = types.declare_action(
        action({"required": needed, "properties": {field: schema}}), "given"
    )
    return first(types, params)


def travelling_type(schema: dict[str, Any]) -> str:
    """The type of one value of a result."""
    types = Types([])
    _, result = types.declare_action(
        action({}, {"required": ["it"], "properties": {"it": schema}}), "given"
    )
    return first(types, result)


def first(types: Types, name: str) -> str:
    declared = types.declared[name]
    assert isinstance(declared, Class)
    return declared.fields[0].type


class TestGiven:
    """What docs/index.md says of attributes."""

    @pytest.mark.parametrize(
        ("schema", "type_"),
        [
            ({"type": "string"}, "str"),
            ({"type": "string", "format": "date-time"}, "datetime"),
            ({"type": "string", "format": "date"}, "date"),
            ({"type": "string", "format": "email"}, "str"),
            ({"type": "integer"}, "int"),
            ({"type": "number"}, "float"),
            ({"type": "boolean"}, "bool"),
            ({"type": "array", "items": {"type": "string", "format": "date"}}, "list[date]"),
            ({"type": "object"}, "dict[str, Any]"),
            ({"type": ["string", "null"], "format": "date-time"}, "datetime | None"),
            ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "int | None"),
            ({"properties": {"x": {}}, "examples": [{}]}, "TryItParamsIt"),
            ({"type": "string", "enum": ["a", "b"]}, 'Literal["a", "b"]'),
            ({"type": ["integer", "string"]}, "int | str"),
            ({"anyOf": [{"type": "integer"}, {"type": "string", "format": "date"}]}, "int | str"),
            ({}, "Any"),
        ],
    )
    def test_the_table_holds(self, schema: dict[str, Any], type_: str) -> None:
        assert given_type(schema) == type_

    @pytest.mark.parametrize(("default", "type_"), [({}, "int | None"), ({"default": 3}, "int")])
    def test_absent_is_none_unless_there_is_a_default(
        self, default: dict[str, Any], type_: str
    ) -> None:
        assert given_type({"type": "integer", **default}, required=False) == type_


class TestTravelling:
    """As it stands in a message."""

    @pytest.mark.parametrize(
        ("schema", "type_"),
        [
            ({"type": "string", "format": "date-time"}, "str"),
            ({"properties": {}, "additionalProperties": True}, "dict[str, Any]"),
            ({"type": "object", "additionalProperties": {"type": "integer"}}, "dict[str, int]"),
            ({"type": "array", "prefixItems": [{"type": "integer"}]}, "list[Any]"),
            ({"const": True}, "Literal[True]"),
            ({"enum": ["a", None]}, 'Literal["a", None]'),
            ({"type": ["string", "null"], "enum": ["a", None]}, 'Literal["a"] | None'),
            ({"enum": [1.5, 2]}, "Any"),
            ({"type": "number", "enum": [1, 2]}, "float"),
        ],
    )
    def test_text_stays_text_and_open_maps_are_dictionaries(
        self, schema: dict[str, Any], type_: str
    ) -> None:
        assert travelling_type(schema) == type_


def test_a_union_looks_into_neither_brackets_nor_quotes() -> None:
    """None stands last, and once."""
    assert union(["None", "list[str | None]", 'Literal["a | b"] | None']) == (
        'list[str | None] | Literal["a | b"] | None'
    )


def test_no_two_classes_have_one_name_and_none_has_a_property_s() -> None:
    """Of an index that tries."""
    types = Types(AWKWARD_INDEX.actions.values())
    names = [types.declare_action(each, "given") for each in AWKWARD_INDEX.actions.values()]
    assert len({name for pair in names for name in pair}) == 2 * len(AWKWARD_INDEX.actions)
    assert not types.declared.keys() & {"self", "list", "NotRequired", "Any"}


@pytest.mark.parametrize("each", ACTIONS, ids=lambda each: each.name)
def test_examples_of_an_index_are_what_its_types_say(each: Action) -> None:
    """Params in both forms, and the result."""
    check(each, each.params.example(), each.result.example())


def check(each: Action, params: dict[str, Any], result: dict[str, Any]) -> None:
    """Compare the values with the types."""
    sent, got = written(each, "travelling"), written(each, "given")
    assert fits(params, sent.params, sent.space)
    assert fits(each.params.parse(params), got.params, got.space)
    assert fits(result, sent.result, sent.space)


def test_what_is_not_in_the_schema_is_not_in_the_type() -> None:
    """So that the comparison means something."""
    given = written(action({"properties": {"a": {"type": "integer"}}}), "travelling")
    assert fits({"a": 1}, given.params, given.space)
    assert not fits({"a": "1"}, given.params, given.space)
    assert not fits({"b": 1}, given.params, given.space)


@given(SCHEMAS, st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3))
@settings(
    max_examples=50,
    deadline=None,  # building a schema takes its time
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
def test_whatever_fits_a_schema_fits_its_types(
    schema: dict[str, Any], values: list[dict[str, Any]]
) -> None:
    """In both forms: as it travels, and as a function gets it."""
    try:
        each = action(schema, schema)
    except SchemaProblem:
        assume(False)
    for value in [each.params.example(), *values]:
        with contextlib.suppress(InvalidArgument):
            each.params.parse(value)
            check(each, value, value)

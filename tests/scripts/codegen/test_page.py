"""docs/actions.md: complete, true, and its commands are what scripts/call reads."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from actors.guidance.commands import allowed_roles, command, example_params
from actors.guidance.schema_text import describe, schema_rows, type_of
from actors.index.entries import Action
from scripts.cli.params import read_params
from scripts.codegen.offer import offered
from scripts.codegen.page import MARK, page, state
from tests.scripts.codegen.indexes import AWKWARD_INDEX, DESK_INDEX, ROOT, action, with_actions

ACTIONS = [*offered(DESK_INDEX), *AWKWARD_INDEX.actions.values()]

TERMS = AWKWARD_INDEX.actions["terms.set"]


def paths(schema: dict[str, Any]) -> list[str]:
    """The first column of a table."""
    return [row.path for row in schema_rows(action({}, schema).result.source)]


class TestPage:
    """As a whole."""

    def test_every_action_has_its_place(self) -> None:
        text = (ROOT / "docs" / "actions.md").read_text()
        lines = text.partition(MARK)[2].splitlines()
        assert [line[4:] for line in lines if line.startswith("### ")] == [
            each.name for each in offered(DESK_INDEX)
        ]

    def test_a_bar_does_not_end_a_cell(self) -> None:
        text = page(None, with_actions(action({"properties": {"a": {"enum": ["x|y"]}}})))
        assert r'| `a` | string | optional | One of `"x\|y"`. |' in text

    def test_who_is_said_in_words(self) -> None:
        assert allowed_roles(TERMS) == (
            "the tenant's owners to whom `config` is delegated, and its admin owner; "
            "the platform's developer admins too, on any tenant"
        )

    def test_versions_are_told_with_their_states(self) -> None:
        assert state(TERMS) == "2 (dummy), 1 (dummy)"
        assert state(AWKWARD_INDEX.actions["close"]).startswith("none yet")


class TestCommand:
    """The line for a shell."""

    @pytest.mark.parametrize("each", ACTIONS, ids=lambda each: each.name)
    def test_what_scripts_call_reads_is_the_example(self, each: Action) -> None:
        words = shlex.split(command(each))
        assert each.name in words
        params = read_params(words[words.index(each.name) + 1 :])
        assert params == example_params(each)
        each.params.parse(params)

    @pytest.mark.parametrize("value", ["7", "null", '"7"', "it's", "@file", "", "a=b", "{}", "ü|"])
    def test_texts_stay_texts(self, value: str) -> None:
        each = action({"required": ["a"], "properties": {"a": {"examples": [value]}}})
        assert read_params(shlex.split(command(each))[3:]) == {"a": value}

    def test_the_admin_channel_is_named(self) -> None:
        assert command(TERMS).startswith("scripts/call --admin acme terms.set")

    def test_only_what_is_needed_is_shown_unless_that_does_not_do(self) -> None:
        either = {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
        assert example_params(action(either)) == {}
        assert example_params(action({**either, "minProperties": 1})) == {"a": 1, "b": 1}


class TestRows:
    """A schema as a table."""

    def test_what_is_within_follows(self) -> None:
        inner = {
            "properties": {"x": {}, "y": {"type": "array", "items": {"properties": {"z": {}}}}}
        }
        assert paths({"properties": {"a": inner}}) == ["a", "a.x", "a.y", "a.y[].z"]

    def test_what_contains_itself_ends(self) -> None:
        place = AWKWARD_INDEX.actions["contacts"].result.source
        assert [row.path for row in schema_rows(place)] == ["place", "place.name", "place.parts"]

    def test_other_properties_have_a_row(self) -> None:
        schema = {
            "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}
        }
        assert paths(schema) == ["a", "a.*"]

    def test_alternatives_are_followed(self) -> None:
        null = {"type": "null"}
        assert paths({"properties": {"a": {"anyOf": [{"properties": {"b": {}}}, null]}}}) == [
            "a",
            "a.b",
        ]


class TestTerms:
    """Words for limits."""

    @pytest.mark.parametrize(
        ("schema", "words"),
        [
            ({"minLength": 1, "maxLength": 9}, "1 to 9 characters."),
            ({"minLength": 2, "maxLength": 2}, "2 characters."),
            ({"maxItems": 1}, "At most 1 item."),
            ({"minProperties": 2}, "At least 2 entries."),
            ({"minimum": 0}, "At least 0."),
            ({"exclusiveMinimum": 0, "multipleOf": 5}, "More than 0, a multiple of 5."),
            ({"description": "null for none", "default": None}, "null for none. Default `null`."),
            ({"const": 1, "deprecated": True}, "Always `1`, deprecated."),
            ({}, ""),
        ],
    )
    def test_limits_are_said(self, schema: dict[str, Any], words: str) -> None:
        assert describe(schema) == words

    @pytest.mark.parametrize(
        ("schema", "words"),
        [
            ({"type": ["string", "null"]}, "string or null"),
            ({"type": "array", "items": {"type": "integer"}}, "array of integer"),
            ({"type": "array"}, "array"),
            ({"enum": ["a"]}, "string"),
            ({"const": True}, "boolean"),
            ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
            ({}, "any"),
        ],
    )
    def test_types_are_those_of_json(self, schema: dict[str, Any], words: str) -> None:
        assert type_of(schema) == words

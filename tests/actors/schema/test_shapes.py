"""Schemas that several actions share: put into each that refers to them, and checked once."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import IndexProblem, InvalidArgument
from actors.index.entries import Index
from actors.index.parser import read_index
from actors.schema.shapes import expand

SHAPES = """
[shapes.person]
required = ["id"]
properties.id   = { "$ref" = "#/shapes/person_id" }
properties.boss = { "$ref" = "#/shapes/person_id" }
[shapes.person_id]
type = "string"
pattern = '^p_[0-9]+$'
examples = ["p_1"]
[shapes.lone]
properties.n = { type = "integer" }
"""

ACTION = """
[actions."people.list"]
summary = "S"
access = "member"
effect = "read"
[actions."people.list".params]
properties.id = { "$ref" = "#/shapes/person_id" }
[actions."people.list".result]
properties.people = { type = "array", items = { "$ref" = "#/shapes/person" } }
"""


def read(root: Path, text: str) -> Index:
    file = root / "index.toml"
    file.write_text(text)
    return read_index(file)


def refused(root: Path, text: str) -> list[str]:
    """The problems, without the name of the file."""
    with pytest.raises(IndexProblem) as caught:
        read(root, text)
    return [line.removeprefix(f"{root / 'index.toml'}:") for line in str(caught.value).split("\n")]


class TestUse:
    """By an action."""

    def test_a_schema_has_the_shapes_that_it_refers_to(self, tmp_path: Path) -> None:
        """And those that they refer to, and no others: it can be read by itself."""
        action = read(tmp_path, SHAPES + ACTION).actions["people.list"]
        assert action.params.source["$defs"].keys() == {"person_id"}
        assert action.result.source["$defs"].keys() == {"person", "person_id"}
        assert "#/shapes/" not in json.dumps([action.params.source, action.result.source])
        jsonschema_rs.Draft202012Validator(action.result.source)

    def test_values_are_held_to_the_shape(self, tmp_path: Path) -> None:
        """Closed like every object, and typed for the function."""
        action = read(tmp_path, SHAPES + ACTION).actions["people.list"]
        params: Any = action.params.parse({"id": "p_12"})
        assert params.id == "p_12"
        with pytest.raises(InvalidArgument, match=r"params\.id"):
            action.params.parse({"id": "12"})
        action.result.check({"people": [{"id": "p_1", "boss": "p_2"}]})
        assert action.result.example() == {"people": [{"id": "p_1", "boss": "p_1"}]}
        assert action.result.source["$defs"]["person"]["additionalProperties"] is False

    def test_connectors_and_config_refer_to_shapes_too(self, tmp_path: Path) -> None:
        text = """
        [config.settings]
        properties.boss = { "$ref" = "#/shapes/person_id" }
        [connectors.mail]
        summary = "S"
        [connectors.mail.settings]
        properties.sender = { "$ref" = "#/shapes/person_id" }
        [connectors.mail.operations.send.params]
        properties.to = { "$ref" = "#/shapes/person_id" }
        """
        index = read(tmp_path, SHAPES + text)
        mail = index.connectors["mail"]
        params = mail.operations["mail.send"].params
        for schema in (index.config.settings, mail.settings, params):
            assert schema.source["$defs"].keys() == {"person_id"}

    def test_a_schema_may_have_definitions_of_its_own_besides(self, tmp_path: Path) -> None:
        own = '[actions."people.list".params."$defs"]\nother = { "$ref" = "#/shapes/person" }\n'
        params = read(tmp_path, SHAPES + ACTION + own).actions["people.list"].params
        assert params.source["$defs"].keys() == {"other", "person", "person_id"}
        assert params.source["$defs"]["other"] == {"$ref": "#/$defs/person"}

    def test_a_shape_may_contain_itself(self, tmp_path: Path) -> None:
        tree = """
        [shapes.node]
        properties.nodes = { type = "array", items = { "$ref" = "#/shapes/node" } }
        """
        action = ACTION.replace("#/shapes/person_id", "#/shapes/node").replace("person", "node")
        params = read(tmp_path, tree + action).actions["people.list"].params
        params.parse({"id": {"nodes": [{"nodes": []}]}})
        with pytest.raises(InvalidArgument):
            params.parse({"id": {"nodes": [{"knots": []}]}})


class TestRefusal:
    """Each problem where it stands, and once."""

    @pytest.mark.parametrize(
        ("before", "after", "says"),
        [
            (
                'items = { "$ref" = "#/shapes/person" }',
                'items = { "$ref" = "#/shapes/persn" }',
                '20: actions."people.list".result.properties.people.items."$ref": '
                "there is no shape 'persn': write [shapes.persn]; did you mean person?",
            ),
            (
                'properties.id   = { "$ref" = "#/shapes/person_id" }',
                'properties.id   = { "$ref" = "#/shapes/person_ids" }',
                '4: shapes.person.properties.id."$ref": there is no shape \'person_ids\': '
                "write [shapes.person_ids]; did you mean person_id?",
            ),
            (
                'properties.id   = { "$ref" = "#/shapes/person_id" }',
                'properties.id   = { "$ref" = "#/$defs/person_id" }',
                '4: shapes.person.properties.id."$ref": \'#/$defs/person_id\' is no shape: '
                "a shape refers to #/shapes/NAME",
            ),
            (
                "pattern = ",
                "patern = ",
                "8: shapes.person_id.patern: not a keyword that an index may use; "
                "did you mean pattern?",
            ),
            (
                'examples = ["p_1"]',
                "",
                "6: shapes.person_id: our example of it does not match \"^p_[0-9]+$\": "
                "add `examples = [...]` with one that fits",
            ),
            (
                'examples = ["p_1"]',
                'examples = ["1"]',
                "9: shapes.person_id.examples[0]: does not fit its own schema: "
                'does not match "^p_[0-9]+$"',
            ),
            (
                '{ type = "integer" }',
                '{ type = "intger" }',
                "11: shapes.lone.properties.n.type: 'intger' is none of object, array, string, "
                "integer, number, boolean, null; did you mean integer?",
            ),
            ("[shapes.lone]", "[shapes.Lone]",
             "10: shapes.Lone: must be named in lower case (letters, digits, _)"),
            ("[shapes.lone]\nproperties.n = { type = \"integer\" }", "[shapes]\nlone = 1",
             "11: shapes.lone: must be a table"),
            ("[shapes.lone]\nproperties.n = { type = \"integer\" }",
             "[shapes.lone]\nanyOf = [{ \"$ref\" = \"#/shapes/lone\" }]",
             "10: shapes.lone: refers to itself, with no property or item in between"),
        ],
    )  # fmt: skip
    def test_a_problem_is_pointed_at(
        self, before: str, after: str, says: str, tmp_path: Path
    ) -> None:
        text = (SHAPES + ACTION).replace(before, after)
        assert text != SHAPES + ACTION
        assert says in refused(tmp_path, text)

    def test_a_problem_of_a_shape_is_not_told_again_where_it_is_used(self, tmp_path: Path) -> None:
        """Nor by a shape that refers to it."""
        said = refused(tmp_path, (SHAPES + ACTION).replace("pattern = ", "patern = "))
        assert len(said) == 1

    def test_problems_beside_a_reference_stand_where_they_are(self, tmp_path: Path) -> None:
        text = SHAPES + ACTION + 'properties.more = { type = "strng" }'
        assert refused(tmp_path, text) == [
            "21: actions.\"people.list\".result.properties.more.type: 'strng' is none of object, "
            "array, string, integer, number, boolean, null; did you mean string?"
        ]

    def test_a_definition_may_not_have_the_name_of_a_shape_that_is_used(
        self, tmp_path: Path
    ) -> None:
        own = '[actions."people.list".params."$defs"]\n{} = {{ type = "string" }}\n'
        assert refused(tmp_path, SHAPES + ACTION + own.format("person_id")) == [
            '22: actions."people.list".params."$defs".person_id: is the name of a shape that is '
            "used here: choose another"
        ]
        assert read(tmp_path, SHAPES + ACTION + own.format("lone"))


NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.just({"type": "string"}) | NAMES.map(lambda name: {"$ref": f"#/shapes/{name}"})
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "const": inner,
        },
    ),
    max_leaves=6,
)


@given(SCHEMAS, st.fixed_dictionaries(dict.fromkeys("abc", SCHEMAS)))
def test_nothing_refers_to_a_shape_in_the_end(
    schema: dict[str, Any], shapes: dict[str, Any]
) -> None:
    """Whatever refers to whatever; values that only look like a reference stay; nothing is changed."""
    before = copy.deepcopy((schema, shapes))
    whole = expand(schema, shapes)
    assert (schema, shapes) == before
    assert whole.findings == []
    assert whole.schema.get("$defs", {}).keys() == whole.shapes
    assert references(whole.schema) <= {f"#/$defs/{name}" for name in whole.shapes}


def references(schema: Any) -> set[str]:
    """Every reference, but for those in values."""
    if isinstance(schema, list):
        return set().union(*map(references, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*(references(each) for word, each in schema.items() if word != "const"))

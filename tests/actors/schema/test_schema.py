"""Schemas of the index: what they refuse, what they hand to functions, what they cost the author."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from actors.errors import InvalidArgument
from actors.schema.dialect import TYPES
from actors.schema.schema import (
    MOST_PROBLEMS,
    RESERVED_NAME,
    ResultProblem,
    Schema,
    SchemaProblem,
)
from actors.schema.validation import VISIBLE

CONTACT = {
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "email": {"type": "string", "format": "email"},
        "born": {"type": "string", "format": "date"},
        "seen": {"type": "string", "format": "date-time"},
        "rating": {"type": "integer", "minimum": 0, "maximum": 5},
        "page": {"type": "integer", "default": 20},
        "tags": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 5}},
        "address": {"properties": {"city": {"type": "string"}}},
    },
}


def built(schema: dict[str, Any]) -> Schema:
    return Schema.build("contacts.add.params", schema)


def problems(schema: Schema, params: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        schema.parse(params)
    return {each.field: each.problem for each in caught.value.refusal.details}


def refused(schema: dict[str, Any]) -> str:
    with pytest.raises(SchemaProblem) as caught:
        built(schema)
    return str(caught.value)


class TestParams:
    """What a function gets, and what never reaches it."""

    def test_properties_become_typed_attributes(self) -> None:
        params: Any = built(CONTACT).parse(
            {
                "name": "Ada",
                "born": "1815-12-10",
                "seen": "2026-01-31T09:30:00Z",
                "rating": 5.0,
                "tags": ["a", "b"],
                "address": {"city": "London"},
            }
        )
        assert params.name == "Ada"
        assert params.born == date(1815, 12, 10)
        assert params.seen == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
        assert params.rating == 5
        assert type(params.rating) is int
        assert params.tags == ["a", "b"]
        assert params.address.city == "London"

    def test_an_absent_property_is_none_or_its_default(self) -> None:
        params: Any = built(CONTACT).parse({"name": "Ada"})
        assert (params.email, params.address, params.page) == (None, None, 20)

    def test_absent_can_be_told_from_null(self) -> None:
        schema = built({"properties": {"phone": {"type": ["string", "null"]}}})
        assert schema.parse({}).model_fields_set == set()
        assert schema.parse({"phone": None}).model_fields_set == {"phone"}

    def test_a_default_has_the_type_of_its_property(self) -> None:
        day = {"type": "string", "format": "date", "default": "2026-01-31"}
        params: Any = built({"properties": {"day": day}}).parse({})
        assert params.day == date(2026, 1, 31)

    def test_a_whole_number_written_as_a_float_becomes_an_integer(self) -> None:
        params: Any = built({"properties": {"n": {"type": "integer", "default": 5.0}}}).parse({})
        assert type(params.n) is int

    def test_params_cannot_be_changed(self) -> None:
        params: Any = built(CONTACT).parse({"name": "Ada"})
        with pytest.raises(ValidationError, match="frozen"):
            params.name = "Eve"

    def test_a_property_may_have_a_name_that_pydantic_uses(self) -> None:
        params: Any = built({"properties": {"json": {"type": "string"}}}).parse({"json": "x"})
        assert params.json == "x"

    def test_an_object_may_be_null_where_its_type_says_so(self) -> None:
        place = {"type": ["object", "null"], "properties": {"city": {"type": "string"}}}
        schema = built({"properties": {"at": place}})
        params: Any = schema.parse({"at": {"city": "London"}})
        assert params.at.city == "London"
        assert getattr(schema.parse({"at": None}), "at", "missing") is None

    def test_a_map_without_properties_is_open(self) -> None:
        params: Any = built({"properties": {"row": {"type": "object"}}}).parse({"row": {"a": 1}})
        assert params.row == {"a": 1}

    def test_an_object_can_be_opened_on_purpose(self) -> None:
        schema = {"additionalProperties": True, "properties": {"a": {"type": "integer"}}}
        params: Any = built(schema).parse({"a": 1, "b": 2})
        assert (params.a, params.b) == (1, 2)

    def test_something_or_null_is_something_or_none(self) -> None:
        inner = {"properties": {"city": {"type": "string"}}}
        schema = built({"properties": {"at": {"anyOf": [{"type": "null"}, inner]}}})
        params: Any = schema.parse({"at": {"city": "London"}})
        assert params.at.city == "London"
        assert getattr(schema.parse({"at": None}), "at", "missing") is None

    def test_a_schema_may_contain_itself(self) -> None:
        person = {
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/person"}},
            },
        }
        schema = built(
            {"properties": {"root": {"$ref": "#/$defs/person"}}, "$defs": {"person": person}}
        )
        tree = {"root": {"name": "a", "children": [{"name": "b"}]}}
        params: Any = schema.parse(tree)
        assert params.root.children[0].name == "b"
        assert problems(schema, {"root": {"name": "a", "children": [{}]}}) == {
            "params.root.children.0.name": "is required"
        }

    @pytest.mark.parametrize(
        ("params", "field", "problem"),
        [
            ({}, "params.name", "is required"),
            ({"name": ""}, "params.name", "is shorter than 1 character"),
            ({"name": "a" * 21}, "params.name", "is longer than 20 characters"),
            ({"name": "a", "email": "no"}, "params.email", "is not a valid email"),
            ({"name": "a", "email": "A <a@b.c>"}, "params.email", "is not a valid email"),
            ({"name": "a", "rating": True}, "params.rating", 'is not of type "integer"'),
            ({"name": "a", "rating": 4.5}, "params.rating", 'is not of type "integer"'),
            ({"name": "a", "rating": "5"}, "params.rating", 'is not of type "integer"'),
            ({"name": "a", "tags": ["a" * 6]}, "params.tags.0", "is longer than 5 characters"),
            ({"name": "a", "nmae": 1}, "params.nmae", "is unknown; did you mean name?"),
            (
                {"name": "a", "address": {"ctiy": ""}},
                "params.address.ctiy",
                "is unknown; did you mean city?",
            ),
            ({"name": "a", "address": None}, "params.address", 'is not of type "object"'),
        ],
    )
    def test_a_problem_names_field_and_rule(
        self, params: dict[str, Any], field: str, problem: str
    ) -> None:
        assert problems(built(CONTACT), params) == {field: problem}

    @pytest.mark.parametrize(
        "name",
        ["\u200b", "\u3164", "\u2800", "\u00ad", "\u2060\u200d", "\x7f", "\u202e", " \t", "\u0301",
         "\ufe0f", "\u034f", "\u180e", "\u115f\u1160", "\uffa0", "\U000e0041", "\u2028"],
    )  # fmt: skip
    def test_a_text_that_has_to_be_visible_has_something_to_see(self, name: str) -> None:
        """Blanks, controls, marks without a letter, fillers: none of them makes a name."""
        schema = built({"properties": {"name": {"type": "string", "pattern": VISIBLE}}})
        assert problems(schema, {"name": name}) == {"params.name": "has nothing that can be seen"}
        for seen in ("a", "é", "e\u0301", "日本", "🙂", "-", f"{name}x{name}", "नमस्ते", "?"):
            schema.parse({"name": seen})

    def test_what_a_moment_lacks_is_told(self) -> None:
        """It is the offset, most of the time."""
        found = problems(built(CONTACT), {"name": "a", "seen": "2026-11-29T12:00:00"})
        assert "with an offset, such as" in found["params.seen"]

    @pytest.mark.parametrize("name", ["__proto__", "constructor", "prototype"])
    def test_names_that_break_clients_are_refused_where_names_are_free(self, name: str) -> None:
        """At any depth; a name that the schema states is its author's."""
        anything = {"type": "object", "additionalProperties": True}
        numbers = {"type": "object", "additionalProperties": {"type": "integer"}}
        rows = {"type": "array", "items": anything}
        schema = built({"properties": {"any": anything, "numbers": numbers, "rows": rows}})
        for params, field in (
            ({"any": {name: 1}}, f"any.{name}"),
            ({"any": {"deep": [{"er": {name: None}}]}}, f"any.deep.0.er.{name}"),
            ({"numbers": {name: 1}}, f"numbers.{name}"),
            ({"rows": [{}, {name: 1}]}, f"rows.1.{name}"),
        ):
            assert problems(schema, params) == {f"params.{field}": RESERVED_NAME}
        schema.parse({"any": {"proto": [name]}})

    def test_a_name_that_the_schema_states_is_no_surprise(self) -> None:
        """Such as that of a firm that builds houses."""
        stated = {"properties": {"constructor": {"type": "string"}}, "additionalProperties": True}
        built({"properties": {"house": stated}}).parse({"house": {"constructor": "Ada"}})

    def test_all_problems_are_told_together(self) -> None:
        found = problems(built(CONTACT), {"email": "no", "rating": 9})
        assert set(found) == {"params.name", "params.email", "params.rating"}

    def test_the_message_names_the_action(self) -> None:
        with pytest.raises(InvalidArgument, match=r"^contacts\.add: params do not fit .*name"):
            built(CONTACT).parse({})

    @given(st.text("secret", min_size=21))
    def test_no_value_is_repeated(self, secret: str) -> None:
        """What a caller typed into a field may be a password."""
        with pytest.raises(InvalidArgument) as caught:
            built(CONTACT).parse(
                {"name": secret, "email": secret, "tags": [secret], "rating": secret}
            )
        assert secret not in repr(caught.value.refusal)

    def test_a_reply_to_many_problems_stays_small(self) -> None:
        found = problems(built(CONTACT), {f"field{n}" + "x" * 5000: n for n in range(500)})
        assert len(found) <= MOST_PROBLEMS
        assert sum(map(len, found)) < 100 * MOST_PROBLEMS

    def test_control_characters_in_names_do_not_reach_the_reply(self) -> None:
        assert "params.a?b" in problems(built(CONTACT), {"a\nb": 1})

    @pytest.mark.parametrize("seen", ["2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z"])
    def test_a_moment_that_python_cannot_hold_is_refused(self, seen: str) -> None:
        """JSON Schema allows leap seconds and the year 0; datetime does not."""
        found = problems(built(CONTACT), {"name": "a", "seen": seen})
        assert "cannot be represented" in found["params.seen"]

    def test_a_condition_between_fields_is_enforced(self) -> None:
        schema = built(
            {
                "properties": {"kind": {"type": "string"}, "tax": {"type": "string"}},
                "if": {"properties": {"kind": {"const": "company"}}, "required": ["kind"]},
                "then": {"required": ["tax"]},
            }
        )
        schema.parse({"kind": "person"})
        assert problems(schema, {"kind": "company"}) == {"params.tax": "is required"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)
NEARLY = st.fixed_dictionaries(
    {"name": st.text(max_size=22) | VALUES},
    optional={
        "email": st.sampled_from(["a@b.c", "a@b", "no", ""]) | VALUES,
        "born": st.dates().map(str) | VALUES,
        "seen": st.datetimes().map(lambda at: at.isoformat() + "Z") | VALUES,
        "rating": st.integers(-1, 6) | st.floats(0, 5) | VALUES,
        "tags": st.lists(st.text(max_size=6), max_size=4) | VALUES,
        "address": st.fixed_dictionaries({}, optional={"city": st.text(), "x": VALUES}) | VALUES,
        "other": VALUES,
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(NEARLY)
def test_parse_decides_as_json_schema_does(params: dict[str, Any]) -> None:
    """The model on top neither refuses what the contract admits nor admits what it refuses."""
    schema = built(CONTACT)
    standard = jsonschema_rs.Draft202012Validator(schema.source, validate_formats=True)
    if standard.is_valid(params):
        schema.parse(params)
    else:
        assert problems(schema, params)


NAMES = st.sampled_from(["a", "b", "json", "default", "properties"])

MOST_KEYWORDS = 4


def schemas(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas over these: sound and unsound ones, as an author might write them.

    Of a few keywords each: with any of all at a time nearly every schema contradicts itself.
    """
    words: dict[str, st.SearchStrategy[Any]] = {
        "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), max_size=2),
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": st.booleans() | inner,
        "patternProperties": st.dictionaries(st.just("^a"), inner, max_size=1),
        "items": inner | st.booleans(),
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "anyOf": st.lists(inner, min_size=1, max_size=2),
        "oneOf": st.lists(inner, min_size=1, max_size=2),
        "not": inner,
        "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b"]),
        "format": st.sampled_from(["date", "date-time", "email"]),
        "minLength": st.integers(0, 2),
        "minimum": st.integers(-2, 2),
        "uniqueItems": st.booleans(),
        "enum": st.lists(VALUES, min_size=1, max_size=2),
        "default": VALUES,
    }
    few = st.lists(st.sampled_from(sorted(words)), max_size=MOST_KEYWORDS, unique=True)
    return few.flatmap(lambda chosen: st.fixed_dictionaries({word: words[word] for word in chosen}))


def with_definitions(root: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """An object's schema, with a definition behind most of its references."""
    return {**root, "type": "object", "$defs": definitions}


SCHEMAS = st.builds(
    with_definitions,
    schemas(st.recursive(schemas(st.just({"type": "string"})), schemas, max_leaves=3)),
    st.fixed_dictionaries({"a": schemas(st.just({}))}, optional={"b": schemas(st.just({}))}),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(SCHEMAS, st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3))
def test_any_schema_is_refused_or_decides_as_json_schema_does(
    schema: dict[str, Any], values: list[dict[str, Any]]
) -> None:
    """What is accepted has an example that fits, and its model never disagrees with the contract."""
    try:
        usable = built(schema)
    except SchemaProblem:
        return
    standard = jsonschema_rs.Draft202012Validator(usable.source, validate_formats=True)
    usable.parse(usable.example())
    for value in values:
        if standard.is_valid(value):
            usable.parse(value)
        else:
            assert problems(usable, value)


class TestResults:
    """What a function returned."""

    schema = Schema.build("contacts.add.result", CONTACT)

    def test_what_fits_passes(self) -> None:
        self.schema.check({"name": "Ada", "tags": ("a", "b")})

    def test_a_misfit_names_the_action_and_the_field(self) -> None:
        with pytest.raises(ResultProblem, match=r"contacts\.add: .*result\.rating"):
            self.schema.check({"name": "Ada", "rating": "high"})

    @pytest.mark.parametrize(
        ("value", "kind"), [(datetime(2026, 1, 31, tzinfo=UTC), "datetime"), ({1}, "set")]
    )
    def test_an_object_that_no_message_can_carry_is_named(self, value: Any, kind: str) -> None:
        with pytest.raises(ResultProblem, match=rf"result\.tags\.0 is a {kind}"):
            self.schema.check({"name": "Ada", "tags": [value]})

    @pytest.mark.parametrize("result", [None, [], "text", {1: 2}])
    def test_what_is_no_map_of_texts_is_refused(self, result: Any) -> None:
        with pytest.raises(ResultProblem, match=r"contacts\.add"):
            self.schema.check(result)


class TestAuthors:
    """What is wrong with a schema is told to the one who wrote it."""

    @pytest.mark.parametrize(
        ("schema", "says"),
        [
            ({"properties": {"a": {"type": "strng"}}}, r"properties\.a\.type: .*mean string\?"),
            ({"properties": {"a": {"maxLenght": 3}}}, r"maxLenght: .*did you mean maxLength\?"),
            ({"properties": {"a": {"format": "emial"}}}, r"a\.format: .*did you mean email\?"),
            ({"properties": {"a": {"maxLength": -1}}}, r"properties\.a\.maxLength: is less than"),
            ({"properties": {"a": {"maxLength": "3"}}}, r"a\.maxLength: .*not of type"),
            ({"properties": {"a": "string"}}, r"properties\.a: must be a table"),
            ({"properties": ["a"]}, r"properties: must be a table"),
            ({"properties": {"name": {}}, "required": ["nmae"]}, r"required: 'nmae'.*mean name\?"),
            ({"properties": {"a": {"$ref": "https://example.com/x"}}}, r"not in this schema"),
            ({"properties": {"a": {"$ref": "#/properties/b"}}}, r"not in this schema"),
            ({"$ref": "#/$defs/a", "$defs": {"a": {}}}, r"not at the top"),
            ({"properties": {"a": {"$dynamicRef": "#a"}}}, r"not a keyword"),
            ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, r"\.a: refers to itself"),
            ({"properties": {"a": {"pattern": "(?=b)"}}}, r"a\.pattern: is no regular expression"),
            ({"properties": {"a": {"pattern": "("}}}, r"a\.pattern: is no regular expression"),
            ({"type": "array"}, r'type: must be "object"'),
            ({"properties": {"a b": {}}}, r'"a b": must be a name that code can use'),
            ({"properties": {"from": {}}}, r"from: must be a name that code can use"),
            ({"properties": {"model_config": {}}}, r"model_config: is taken by pydantic"),
            ({"properties": {"a": {"default": 1, "type": "string"}}}, r"default: does not fit"),
            (
                {"properties": {"a": {"examples": ["x"], "type": "null"}}},
                r"examples\[0\]: does not",
            ),
            ({"properties": {"a": {"default": {"b": 1}}}}, r"default: must be empty"),
            (
                {"properties": {"a": {"type": "integer", "default": 1e300}}},
                r"properties\.a: the example cannot be represented",
            ),
            ({"properties": {"a": {"const": date(2026, 1, 31)}}}, r"const: a TOML date"),
            ({"properties": {"a": {"maximum": float("inf")}}}, r"maximum: JSON has no infinity"),
            ({"properties": {"a": {}}, "anyOf": [{"required": ["b"]}]}, r"'b' is not among"),
            ({"properties": {"a": {"allOf": [{"properties": {}}]}}}, r"cannot merge objects"),
        ],
    )
    def test_a_flaw_is_refused_by_name(self, schema: dict[str, Any], says: str) -> None:
        with pytest.raises(SchemaProblem, match=says):
            built(schema)

    def test_all_flaws_are_told_together(self) -> None:
        said = refused({"properties": {"a": {"type": "strng"}, "b": {"maxLenght": 3}}})
        assert "properties.a.type" in said
        assert "properties.b.maxLenght" in said

    def test_a_pattern_on_a_required_property_needs_an_example(self) -> None:
        schema: dict[str, Any] = {
            "required": ["code"],
            "properties": {"code": {"type": "string", "pattern": "^[A-Z]{3}$"}},
        }
        assert "add `examples = [...]`" in refused(schema)
        schema["properties"]["code"]["examples"] = ["ABC"]
        assert built(schema).example() == {"code": "ABC"}

    def test_the_property_for_which_no_example_can_be_made_is_named(self) -> None:
        """And not the object without it, where two stand in one."""
        number = {"type": "string", "pattern": "^[0-9]+$"}
        inner = {"required": ["a", "b"], "properties": {"a": number, "b": number}}
        said = refused({"required": ["inner"], "properties": {"inner": inner}})
        assert "properties.inner.properties." in said
        assert "does not match" in said

    def test_objects_are_closed_at_any_depth(self) -> None:
        inner: dict[str, Any] = {"properties": {"x": {}}}
        schema = built(
            {
                "properties": {
                    "one": inner,
                    "many": {"type": "array", "items": inner},
                    "either": {"anyOf": [inner, {"type": "string"}]},
                    "named": {"$ref": "#/$defs/named"},
                },
                "$defs": {"named": inner},
            }
        )
        wrong = {"y": 1}
        params = {"one": wrong, "many": [wrong], "either": wrong, "named": wrong}
        assert set(problems(schema, params)) == {
            "params.one.y",
            "params.many.0.y",
            "params.either",
            "params.named.y",
        }

    def test_a_schema_without_anything_takes_nothing(self) -> None:
        assert built({}).parse({}).model_dump() == {}
        assert "params.x" in problems(built({}), {"x": 1})


class TestExamples:
    """What a dummy answers."""

    def test_an_example_reads_well(self) -> None:
        assert built(CONTACT).example() == {
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "born": "2026-01-31",
            "seen": "2026-01-31T09:30:00Z",
            "rating": 1,
            "page": 20,
            "tags": ["tag"],
            "address": {"city": "city"},
        }

    def test_what_the_author_gives_comes_first(self) -> None:
        schema = {"properties": {"a": {"enum": ["open", "closed"]}, "b": {"const": 7}}}
        assert built(schema).example() == {"a": "open", "b": 7}
        assert built({**schema, "examples": [{"a": "closed"}]}).example() == {"a": "closed"}

    def test_an_optional_property_that_cannot_be_made_is_left_out(self) -> None:
        week = {"type": "string", "pattern": "^[0-9]{4}-W[0-9]{2}$"}
        schema = built({"properties": {"week": week, "page": {"type": "integer"}}})
        assert schema.example() == {"page": 1}

    @given(
        low=st.integers(-50, 50),
        span=st.integers(1, 50),
        step=st.integers(1, 50),
        exclusive=st.booleans(),
    )
    def test_numbers_stay_within_their_bounds(
        self, low: int, span: int, step: int, exclusive: bool
    ) -> None:
        words = ("exclusiveMinimum", "exclusiveMaximum") if exclusive else ("minimum", "maximum")
        bounds = dict(zip(words, (low, low + span), strict=True))
        number = {"type": "integer", "multipleOf": step, **bounds}
        fits = jsonschema_rs.Draft202012Validator(number).is_valid
        if not any(map(fits, range(low, low + span + 1))):
            return
        assert fits(built({"required": ["n"], "properties": {"n": number}}).example()["n"])


def test_a_schema_in_use_is_not_built_again_and_another_one_is() -> None:
    stated = {"properties": {"count": {"type": "integer", "minimum": 1}}}
    built = Schema.build("a.params", stated)
    assert Schema.build("a.params", {**stated}) is built
    assert Schema.build("b.params", stated) is not built
    real = {"properties": {"count": {"type": "integer", "minimum": 1.0}}}
    assert Schema.build("a.params", real) is not built

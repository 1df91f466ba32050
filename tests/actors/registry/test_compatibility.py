"""Compatibility: what callers of one version would notice of another, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.index.entries import Schemas
from actors.registry.compatibility import UNPROVED, find_breaks
from actors.schema.schema import Schema
from actors.schema.validation import make_validator

Json = dict[str, Any]

OLD: Json = {
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "age": {"type": "integer", "minimum": 0},
        "kind": {"enum": ["person", "company"]},
        "tags": {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 20}},
        "home": {"properties": {"town": {"type": "string"}}},
    },
}


def schemas(params: Json | None = None, result: Json | None = None) -> Schemas:
    """As an index would state them."""
    return Schemas(Schema.build("a.params", params or {}), Schema.build("a.result", result or {}))


def changed(*path: str, **values: Any) -> Json:
    """OLD with keywords of one place set, or taken away where they are None."""

    def at(schema: Any, rest: tuple[str, ...]) -> Any:
        if rest:
            return {**schema, rest[0]: at(schema.get(rest[0], {}), rest[1:])}
        return {key: value for key, value in {**schema, **values}.items() if value is not None}

    result: Json = at(OLD, path)
    return result


def told_of_params(new: Json) -> list[tuple[str, str]]:
    """Of callers who send."""
    return [(each.where, each.what) for each in find_breaks(schemas(OLD), schemas(new))]


def told_of_result(new: Json) -> list[tuple[str, str]]:
    """Of callers who read."""
    return [(each.where, each.what) for each in find_breaks(schemas(None, OLD), schemas(None, new))]


def test_nobody_notices_what_is_equal_or_only_told_otherwise() -> None:
    assert told_of_params(OLD) == told_of_result(OLD) == []
    described = changed("properties", "name", description="Of whom.", examples=["Ada"])
    assert told_of_params(described) == told_of_result(described) == []


@pytest.mark.parametrize(
    ("new", "where", "what"),
    [
        (changed("properties", age=None), "params.age", "is refused now"),
        (changed(required=["name", "age"]), "params.age", "is required now"),
        (
            changed("properties", "name", type="integer", minLength=None, maxLength=None),
            "params.name",
            "takes no string any more",
        ),
        (changed("properties", "name", maxLength=20), "params.name", "maxLength is 20 now"),
        (changed("properties", "name", minLength=2), "params.name", "minLength is 2 now"),
        (
            changed("properties", "name", pattern="^a", examples=["a"]),
            "params.name",
            "pattern is ^a now",
        ),
        (changed("properties", "age", minimum=1), "params.age", "minimum is 1 now"),
        (
            changed("properties", "age", minimum=None, exclusiveMinimum=0),
            "params.age",
            "exclusiveMinimum is 0 now",
        ),
        (changed("properties", "age", multipleOf=2), "params.age", "multipleOf is 2 now"),
        (
            changed("properties", "kind", enum=["person"]),
            "params.kind",
            "does not take 'company' any more",
        ),
        (changed("properties", "tags", maxItems=4), "params.tags", "maxItems is 4 now"),
        (changed("properties", "tags", uniqueItems=True), "params.tags", "uniqueItems is True now"),
        (
            changed("properties", "tags", "items", maxLength=9),
            "params.tags[]",
            "maxLength is 9 now",
        ),
        (
            changed("properties", "home", required=["town"]),
            "params.home.town",
            "is required now",
        ),
        (
            changed("properties", "home", "properties", town=None),
            "params.home.town",
            "is refused now",
        ),
    ],
)
def test_whoever_sends_notices_what_is_asked_of_him_besides(
    new: Json, where: str, what: str
) -> None:
    assert told_of_params(new) == [(where, what)]


@pytest.mark.parametrize(
    "new",
    [
        changed("properties", phone={"type": "string"}),
        changed(required=None),
        changed("properties", "name", maxLength=300, minLength=None),
        changed("properties", "name", type=["string", "null"]),
        changed("properties", "age", type="number"),
        changed("properties", "kind", enum=["person", "company", "ship"]),
        changed("properties", "kind", enum=None, type="string"),
        changed("properties", "tags", maxItems=None, items=None),
        changed(additionalProperties=True),
    ],
)
def test_he_does_not_notice_what_is_taken_besides(new: Json) -> None:
    assert told_of_params(new) == []


@pytest.mark.parametrize(
    ("new", "where", "what"),
    [
        (changed(required=None), "result.name", "may be absent now"),
        (changed("properties", age=None), "result.age", "is gone"),
        (changed("properties", "name", type=["string", "null"]), "result.name", "may be null now"),
        (changed("properties", "age", type="number"), "result.age", "may be number now"),
        (
            changed("properties", "kind", enum=["person", "company", "ship"]),
            "result.kind",
            "may be 'ship' now",
        ),
        (
            changed("properties", "name", maxLength=300),
            "result.name",
            "maxLength was 200, which does not hold any more",
        ),
    ],
)
def test_whoever_reads_notices_what_he_cannot_rely_on_any_more(
    new: Json, where: str, what: str
) -> None:
    assert told_of_result(new) == [(where, what)]


def test_he_passes_over_fields_that_are_new() -> None:
    assert told_of_result(changed("properties", phone={"type": "string"})) == []
    assert told_of_result(changed(required=["name", "age"])) == []


def test_references_are_followed_and_may_lead_round() -> None:
    tree: Json = {
        "properties": {"root": {"$ref": "#/$defs/node"}},
        "$defs": {
            "node": {
                "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}},
            }
        },
    }
    assert find_breaks(schemas(tree), schemas(tree)) == ()
    deep = {**tree, "$defs": {"node": {**tree["$defs"]["node"], "required": ["n"]}}}
    assert find_breaks(schemas(tree), schemas(deep))[0] == ("params.root.n", "is required now")


def test_what_cannot_be_shown_counts() -> None:
    one = changed("properties", "age", type=None, minimum=None, oneOf=[{"type": "integer"}])
    assert (("params.age", UNPROVED)) in told_of_params(one)
    either = changed(
        "properties", "age", type=None, minimum=None, anyOf=[{"type": "integer"}, {"type": "null"}]
    )
    assert told_of_params(either) == []
    assert told_of_result(either)


names = st.sampled_from(["a", "b"])
kinds = st.lists(st.sampled_from(["null", "string", "integer"]), min_size=1, unique=True)
simple = st.one_of(
    st.builds(lambda: {"type": "null"}),
    st.builds(lambda: {"type": "boolean"}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "exclusiveMinimum": st.integers(-2, 2),
            "exclusiveMaximum": st.integers(-2, 2),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={"minLength": st.integers(0, 2), "maxLength": st.integers(0, 2)},
    ),
    st.fixed_dictionaries({"enum": st.lists(st.sampled_from([None, 0, 1, "a"]), min_size=1)}),
    st.fixed_dictionaries({"type": kinds}),
    st.just({}),
)
nested = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("array")},
            optional={
                "items": inner,
                "minItems": st.integers(0, 2),
                "maxItems": st.integers(0, 2),
                "uniqueItems": st.booleans(),
            },
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(names, inner, max_size=2)},
            optional={
                "required": st.lists(names, unique=True),
                "additionalProperties": st.one_of(st.booleans(), inner),
            },
        ),
    ),
    max_leaves=4,
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, "", "a", "abc"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=2)),
    max_leaves=5,
)


class Bare:
    """A schema as it is, whatever an index would say to it."""

    def __init__(self, source: Json) -> None:
        self.source = source


def bare(params: Json, result: Json) -> Any:
    """A pair of them."""
    return Schemas(Bare(params), Bare(result))  # type: ignore[arg-type]  # only the source is looked at


@settings(max_examples=300)
@given(nested, nested, st.lists(values, min_size=1, max_size=20))
def test_where_nothing_is_told_every_value_that_fitted_fits(
    old: Json, new: Json, tried: list[Any]
) -> None:
    before, after = make_validator(old), make_validator(new)
    if not find_breaks(bare(old, {}), bare(new, {})):
        assert [v for v in tried if before.is_valid(v) and not after.is_valid(v)] == []


@settings(max_examples=200)
@given(nested)
def test_a_schema_is_compatible_with_itself(schema: Json) -> None:
    assert find_breaks(bare(schema, schema), bare(schema, schema)) == ()

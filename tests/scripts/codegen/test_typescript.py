"""TypeScript from schemas: what becomes of each kind of value, without a compiler."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.codegen.typescript import comment, key, translated, typescript_client
from tests.scripts.codegen.indexes import AWKWARD_INDEX, DESK_INDEX, action, with_actions

SAFE = 2**53 - 1


def written(params: dict[str, Any], result: dict[str, Any] | None = None) -> str:
    """client.ts of one action `try.it` whose params, or result, are these properties."""
    closed = {"type": "object", "additionalProperties": False}
    given = action({**closed, "properties": params}, {**closed, "properties": result or {}})
    return typescript_client(with_actions(given))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer"}, "Integer"),
        ({"type": "integer", "minimum": 1}, "Integer"),
        ({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, "Integer"),
        ({"type": "integer", "minimum": 0, "maximum": SAFE}, "number"),
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 9}, "number"),
        ({"type": ["integer", "null"], "minimum": 0, "maximum": 9}, "number | null"),
        ({"type": "array", "items": {"type": "integer"}}, "Integer[]"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "(string | null)[]"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"enum": ["a | b", "c\"]'"], "type": "string"}, '"a | b" | "c\\x22]\'"'),
        (
            {"type": "object", "additionalProperties": {"type": "boolean"}},
            "Record<string, boolean>",
        ),
        ({}, "unknown"),
    ],
)
def test_a_result_has_the_type_of_its_schema(schema: dict[str, Any], expected: str) -> None:
    assert f"\n  it?: {expected};\n" in written({}, {"it": schema})


def test_params_take_either_kind_of_integer() -> None:
    small = {"type": "integer", "minimum": 0, "maximum": 9}
    assert "\n  it?: Integer;\n" in written({"it": small})


def test_required_and_optional_differ_and_so_do_absent_and_null() -> None:
    text = typescript_client(DESK_INDEX)
    add = text.partition("interface ContactsAddParams {")[2].partition("}")[0]
    update = text.partition("interface ContactsUpdateParams {")[2].partition("}")[0]
    assert "\n  name: string;" in add
    assert "\n  email?: string;" in add
    assert "\n  email?: string | null;" in update


def test_integers_of_a_list_of_values_keep_all_digits() -> None:
    assert translated(f"Literal[{2**53 - 1}, {2**53 + 1}, True, None]") == (
        f"{2**53 - 1} | {2**53 + 1}n | true | null"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", "name"),
        ("import", "import"),
        ("a-b", '"a-b"'),
        ("1st", '"1st"'),
        ("é", '"\\u00e9"'),
    ],
)
def test_a_property_is_quoted_if_needed(name: str, expected: str) -> None:
    assert key(name) == expected


def test_a_description_cannot_end_its_comment() -> None:
    assert list(comment("ends */ alert(1)\n// here")) == ["/** ends *\\/ alert(1) // here */"]
    assert list(comment("")) == []


def test_what_every_client_has_is_not_hidden_by_an_action() -> None:
    text = typescript_client(AWKWARD_INDEX)
    assert "\n  readonly close_ = (params: CloseParams" in text
    assert "\n  readonly close = " not in text

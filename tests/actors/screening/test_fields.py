"""The screening of params: each string by the kind of its field, at any depth, with an index's exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.errors import Rejected
from actors.screening import fields
from actors.screening.fields import FieldException, FieldScreen, Screening, field_screen, kind_of
from actors.screening.libinjection import load
from actors.screening.rules import KINDS, ScreeningRule, built_in_rules
from actors.screening.screener import Screener
from tests.actors.screening.texts import mixed_texts

ATTACK = "1' OR '1'='1"

LINE = {"type": "string", "maxLength": 100}
FLAT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"name": LINE, "notes": {"type": "string"}, "age": {"type": "integer"}},
}
DEEP = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "rows": {"type": "array", "items": {"$ref": "#/$defs/row"}},
        "open": {"type": "object", "additionalProperties": True},
        "either": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]},
    },
    "$defs": {"row": {"type": "object", "properties": {"name": LINE}}},
}


def refusal(
    source: Mapping[str, Any], params: Mapping[str, Any], screening: Screening | None = None
) -> Rejected:
    with pytest.raises(Rejected) as caught:
        FieldScreen("shop.add", source, screening or Screening()).check(params)
    return caught.value


def passes(
    source: Mapping[str, Any], params: Mapping[str, Any], screening: Screening | None = None
) -> bool:
    return not FieldScreen("shop.add", source, screening or Screening()).check(params)


def excepting(field: str, *attacks: str) -> Screening:
    return Screening((FieldException("shop.add", field, attacks, "it holds code"),))


def test_a_refusal_names_field_and_class_and_never_the_rule_or_the_value() -> None:
    refused = refusal(FLAT, {"name": "Ada", "notes": ATTACK})
    assert refused.refusal.code == "rejected"
    assert refused.refusal.details == (("params.notes", "sql injection"),)
    shown = str(refused.refusal.as_map())
    assert "sql-tautology" in refused.rules
    assert not any(rule in shown for rule in refused.rules)
    assert ATTACK not in shown


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"rows": [{"name": "Ada"}, {"name": ATTACK}]}, "params.rows.1.name"),
        ({"open": {"a": {"b": [ATTACK]}}}, "params.open.a.b.0"),
        ({"open": {ATTACK: 1}}, None),
        ({"either": ATTACK}, "params.either"),
    ],
)
def test_strings_and_open_names_are_screened_at_any_depth(
    params: Mapping[str, Any], field: str | None
) -> None:
    (found, attack), *_ = refusal(DEEP, params).refusal.details
    assert attack == "sql injection"
    assert field in (None, found)


def test_texts_of_people_pass_together() -> None:
    assert passes(FLAT, {"name": "O'Brien", "notes": "select one;\n1 = one -- or two", "age": 3})


def test_two_harmless_texts_make_no_attack_together() -> None:
    assert passes(FLAT, {"name": "union", "notes": "select 1"})


def test_a_lone_surrogate_is_no_failure_of_the_screen() -> None:
    assert passes(FLAT, {"name": "\ud800 and so on"})
    refusal(FLAT, {"name": f"\ud800 {ATTACK}"})


def test_a_line_holds_no_line_break_and_a_text_may() -> None:
    assert refusal(FLAT, {"name": "a\nb"}).refusal.details == (("params.name", "characters"),)
    assert passes(FLAT, {"notes": "a\nb"})


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string", "maxLength": 200}, "line"),
        ({"type": "string", "maxLength": 201}, "text"),
        ({"type": "string"}, "text"),
        ({"type": "string", "kind": "token"}, "token"),
        ({"type": "string", "maxLength": 9, "kind": "text"}, "text"),
        ({"type": "string", "format": "email", "maxLength": 254}, "line"),
        ({"type": "string", "format": "date"}, None),
        ({"type": "string", "format": "password"}, None),
        ({"enum": ["a"]}, None),
    ],
)
def test_the_kind_of_a_field_is_stated_or_follows_from_its_schema(
    schema: Mapping[str, Any], kind: str | None
) -> None:
    assert kind_of(schema) == kind


def test_an_exception_lets_one_field_hold_one_class_of_attack() -> None:
    allowed = excepting("notes", "sql injection")
    assert passes(FLAT, {"notes": ATTACK}, allowed)
    refusal(FLAT, {"name": ATTACK}, allowed)
    refusal(FLAT, {"notes": "<script>alert(1)</script>"}, allowed)


def test_an_exception_without_classes_lets_all_of_a_field_pass() -> None:
    allowed = excepting("rows.name")
    assert passes(DEEP, {"rows": [{"name": "<script>"}]}, allowed)
    refusal(DEEP, {"open": {"a": "<script>"}}, allowed)


def test_an_exception_of_another_action_changes_nothing() -> None:
    other = Screening((FieldException("shop.take", "notes", (), "it holds code"),))
    refusal(FLAT, {"notes": ATTACK}, other)


def test_a_rule_that_is_watched_is_returned_and_rejects_nothing() -> None:
    watched = ScreeningRule("own-rule", "own", ("line",), "watch", "forbidden")
    screening = Screening(
        rules=(watched,), screener=Screener((*built_in_rules(), watched), None, "")
    )
    screen = FieldScreen("shop.add", FLAT, screening)
    found = screen.check({"name": "forbidden fruit"})
    assert [(each.place, each.rule.id) for each in found] == [(("name",), "own-rule")]


@pytest.mark.parametrize("pattern", [r"\Aforbidden\z", r"(?-m)^forbidden$", "^forbidden$"])
def test_a_rule_about_the_whole_of_a_text_finds_it_in_each_of_several_fields(pattern: str) -> None:
    rule = ScreeningRule("own-rule", "own", ("line",), "watch", pattern)
    screening = Screening(rules=(rule,), screener=Screener((rule,), None, ""))
    source = {**FLAT, "properties": {"first": LINE, "second": LINE}}
    screen = FieldScreen("shop.add", source, screening)
    assert [each.place for each in screen.check({"first": "a", "second": "forbidden"})] == [
        ("second",)
    ]
    assert screen.check({"first": "a", "second": "not forbidden"}) == []


@pytest.fixture(
    scope="module", params=[load()[0], None], ids=["with libinjection", "patterns alone"]
)
def screener(request: pytest.FixtureRequest) -> Screener:
    return Screener(built_in_rules(), request.param, "")


@pytest.mark.parametrize("kind", KINDS)
def test_texts_looked_at_together_get_the_verdict_of_each_by_itself(
    kind: str, screener: Screener
) -> None:
    one = {"type": "string", "kind": kind}
    names = ("a", "b", "c")
    source = {**FLAT, "properties": dict.fromkeys(names, one)}
    screen = FieldScreen("shop.add", source, Screening(screener=screener))
    for text in mixed_texts():
        params = {"a": "Ada", "b": text, "c": "07-1 @ home"}
        alone = [((name,), rule) for name in params for rule in screener.find(params[name], kind)]
        assert screen.find(params) == alone


def test_params_without_text_have_no_screen() -> None:
    numbers = {**FLAT, "properties": {"age": {"type": "integer"}, "state": {"enum": ["a", "b"]}}}
    assert field_screen("shop.add", numbers, Screening()) is None
    assert field_screen("shop.add", FLAT, Screening()) is not None


def test_of_a_thousand_rows_each_schema_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Mapping[str, Any]] = []

    def counted(schema: Mapping[str, Any]) -> str | None:
        asked.append(schema)
        return kind_of(schema)

    monkeypatch.setattr(fields, "kind_of", counted)
    rows = [{"name": f"Ada {n}", "more": f"O-Neill {n}"} for n in range(1000)]
    assert passes(DEEP, {"rows": rows, "open": {"a": "b"}})
    assert len(asked) <= 6
    asked.clear()
    refusal(DEEP, {"rows": [*rows, {"name": ATTACK}]})
    assert len(asked) <= 6

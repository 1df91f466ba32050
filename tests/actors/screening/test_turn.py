"""The screening of a turn: looked at together, texts get the verdict that each has by itself."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.screening.fields import FieldScreen, Screening
from actors.screening.libinjection import load
from actors.screening.rules import KINDS, ScreeningRule, built_in_rules
from actors.screening.screener import Screener
from actors.screening.turn import MOST_TOGETHER, Params, TurnScreening, are_harmless, harmless_among
from tests.actors.screening.texts import PlainScreener, mixed_texts

TEXTS: Final = mixed_texts()

ENGINES: Final = (load()[0], None)

PLAIN: Final = [PlainScreener(library) for library in ENGINES]

SCREENERS: Final = [Screener(built_in_rules(), library, "") for library in ENGINES]

PIECES: Final = (
    *("union", "select", "or", "and", "to:", "cat", "etc", "passwd", "script", "null", "like"),
    *("'", '"', "&", "--", "@@", "<", ">", "(", ")", "/", "../", ";", "|", "$", "{{", "%27"),
    *(
        "&lt;",
        "\uff1c",
        "é",
        "\u017f",
        "\u200b",
        "\n",
        "\r",
        "\t",
        " ",
        " ",
        "1",
        "=",
        "a",
        "\ud800",
    ),
)
"""What attacks and names are made of, so that random texts are about the borders between both."""

texts = st.one_of(
    st.sampled_from(TEXTS),
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(max_size=12),
)


SOURCE: Final = {"type": "object", "additionalProperties": False}


def screen_of(kind: str, screener: Screener | None = None) -> FieldScreen:
    one = {"type": "string", "kind": kind}
    properties = {"a": one, "b": one, "n": {"type": ["integer", "null"]}}
    source = {**SOURCE, "properties": properties}
    return FieldScreen("shop.add", source, Screening(screener=screener))


def given_to(*texts: str) -> list[Params]:
    return [{"a": text, "n": 1} for text in texts]


def harmless(screen: FieldScreen, *texts: str) -> list[Any]:
    return [params["a"] for params in harmless_among(screen, given_to(*texts))]


@pytest.mark.parametrize("engine", [0, 1], ids=["with libinjection", "patterns alone"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_text_of_the_sets_gets_the_verdict_of_all_rules_tried_one_by_one(
    kind: str, engine: int
) -> None:
    screener, plain = SCREENERS[engine], PLAIN[engine]
    expected = {text: plain.find(text, kind) for text in TEXTS}
    assert {text: set(screener.find(text, kind)) for text in TEXTS} == expected
    passed = harmless(screen_of(kind, screener), *TEXTS)
    assert set(passed) <= {text for text in TEXTS if not expected[text]}
    assert len(passed) > 20


@given(st.lists(texts, min_size=1, max_size=6), st.sampled_from(KINDS), st.sampled_from([0, 1]))
def test_texts_that_are_harmless_together_break_no_rule_tried_by_itself(
    several: list[str], kind: str, engine: int
) -> None:
    found = harmless(screen_of(kind, SCREENERS[engine]), *several)
    assert [text for text in found if PLAIN[engine].find(text, kind)] == []


@given(texts, st.sampled_from(KINDS), st.sampled_from([0, 1]))
def test_a_text_gets_by_all_patterns_at_once_the_verdict_of_all_rules_tried_one_by_one(
    text: str, kind: str, engine: int
) -> None:
    assert set(SCREENERS[engine].find(text, kind)) == PLAIN[engine].find(text, kind)


def test_among_harmless_messages_only_the_attack_is_left_for_a_look_by_itself() -> None:
    people = [f"Ada Lovelace {n}" for n in range(20)]
    attacked = [*people[:7], "1' or '1'='1", *people[7:]]
    assert harmless(screen_of("line"), *attacked) == people


def test_fields_of_two_kinds_are_each_looked_at_as_their_own() -> None:
    line, text = ({"type": "string", "kind": kind} for kind in ("line", "text"))
    source = {**SOURCE, "properties": {"line": line, "text": text}}
    screen = FieldScreen("shop.add", source, Screening())
    tag = "Use <b>bold</b>"
    assert are_harmless(screen, [{"line": "Ada", "text": tag}, {"text": tag}])
    assert not are_harmless(screen, [{"line": "Ada", "text": tag}, {"line": tag}])


def test_params_without_any_text_are_harmless() -> None:
    assert are_harmless(screen_of("line"), [{"n": 1}, {"a": 7, "n": None}])


def test_a_rule_of_the_index_that_is_watched_leaves_a_message_for_a_look_by_itself() -> None:
    watched = ScreeningRule("own-rule", "own", ("line",), "watch", "forbidden")
    screener = Screener((*built_in_rules(), watched), None, "")
    screen = screen_of("line", screener)
    assert harmless(screen, "Ada", "forbidden fruit") == ["Ada"]


@pytest.mark.parametrize("pattern", [r"\Aforbidden\z", "^forbidden$", r"(?-m)^forbidden$"])
def test_a_rule_about_the_whole_of_a_text_holds_for_each_message(pattern: str) -> None:
    rule = ScreeningRule("own-rule", "own", ("line",), "block", pattern)
    screen = screen_of("line", Screener((rule,), None, ""))
    assert "forbidden" not in harmless(screen, "Ada", "forbidden", "Grace")


def test_a_verdict_is_for_these_params_and_this_screen() -> None:
    screen, other = screen_of("line"), screen_of("line")
    mail = given_to("Ada", "Grace", "Edsger")
    screening = TurnScreening(lambda mail: {screen: list(mail)})
    screening.begin(mail)
    assert screening.is_harmless(screen, mail[0])
    assert not screening.is_harmless(screen, dict(mail[1]))
    assert not screening.is_harmless(other, mail[2])
    screening.begin(())
    assert not screening.is_harmless(screen, mail[1])


def test_a_long_turn_is_looked_at_part_by_part_and_each_message_counts() -> None:
    screen, other = screen_of("line"), screen_of("text")
    names = [f"Ada {n}" if n % 50 else "1' or '1'='1" for n in range(3 * MOST_TOGETHER)]
    mail = given_to(*names)
    screening = TurnScreening(lambda mail: {screen: list(mail[::2]), other: list(mail[1::2])})
    screening.begin(mail)
    found = [
        screening.is_harmless(other if at % 2 else screen, params) for at, params in enumerate(mail)
    ]
    assert found == [name.startswith("Ada") for name in names]

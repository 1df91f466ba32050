"""The signals that come with the server."""

from __future__ import annotations

import pytest

from actors.intent.signals import (
    DISTINCT,
    GROUPS,
    HIGHEST,
    OUTCOMES,
    UNKNOWN_ACTION,
    built_in_rules,
    built_in_signals,
    outcome_of_code,
    seconds_of,
)


@pytest.mark.parametrize("name", built_in_signals())
def test_each_is_made_of_known_words(name: str) -> None:
    signal = built_in_signals()[name]
    assert signal.outcomes <= set(OUTCOMES)
    assert signal.outcomes
    assert signal.distinct in {None, *DISTINCT}
    assert signal.groupby in GROUPS
    assert signal.most <= HIGHEST[signal.groupby]


def test_an_ordinary_success_is_no_suspicion_and_a_removal_may_be() -> None:
    rules = built_in_rules()
    watched = [
        name for name in ("contacts.add", "contacts.remove", "remove") if rules.watches(name)
    ]
    assert watched == ["contacts.remove"]


def test_a_name_that_no_action_has_is_told_from_an_id_that_is_not_there() -> None:
    assert outcome_of_code("not_found", is_action_known=False) == UNKNOWN_ACTION
    assert outcome_of_code("not_found", is_action_known=True) == "not_found"
    assert outcome_of_code("rejected", is_action_known=False) == "rejected"


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("10s", 10.0), ("5m", 300.0), ("1h", 3600.0)]
)
def test_times_are_written_with_their_unit(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "0s", "1.5s", "1d", "10s ", "9999999s"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert seconds_of(text) is None

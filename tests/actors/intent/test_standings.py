"""The ladder: step by step up, step by step down, and no higher than a signal and its subject may."""

from __future__ import annotations

from actors.intent import standings
from actors.intent.signals import (
    ADDRESS,
    LOG,
    SLOW,
    SUSPEND,
    TENANT,
    TOKEN,
    IntentRules,
    Signal,
    built_in_rules,
)
from actors.intent.standings import Standings, Subject

RULES = built_in_rules()

SIGNAL = Signal("three", "things", frozenset({"ok"}), (), None, TOKEN, 3, 10.0, SUSPEND)

MEMBER = Subject(TOKEN, "t_1", "acme", "a" * 32, "p_1")


def climbed(
    held: Standings, subject: Subject, signal: Signal = SIGNAL, rules: IntentRules = RULES
) -> list[int]:
    """The steps that five overflows lead to."""
    found = [held.climb(subject, signal, rules, float(at), 1000.0 + at) for at in range(5)]
    return [each.step for each in found if each is not None]


def test_each_overflow_is_one_step_up_to_the_suspension() -> None:
    held = Standings()
    assert climbed(held, MEMBER) == [LOG, SLOW, SUSPEND]
    (standing,) = held
    assert (standing.since, standing.changed, standing.signals) == (1002.0, 4.0, ("three",))


def test_no_tenant_is_slowed_and_no_address_suspended() -> None:
    assert climbed(Standings(), Subject(TENANT, "a" * 32)) == [LOG]
    assert climbed(Standings(), Subject(ADDRESS, "192.0.2.7")) == [LOG, SLOW]


def test_a_signal_and_the_rules_can_end_the_ladder_earlier() -> None:
    assert climbed(Standings(), MEMBER, SIGNAL._replace(most=LOG)) == [LOG]
    assert climbed(Standings(), MEMBER, SIGNAL, RULES._replace(most=SLOW)) == [LOG, SLOW]


def test_a_signal_with_a_low_end_takes_no_step_back() -> None:
    held = Standings()
    climbed(held, MEMBER, rules=RULES._replace(most=SLOW))
    assert held.climb(MEMBER, SIGNAL._replace(name="other", most=LOG), RULES, 9.0, 9.0) is None
    assert [(each.step, each.signals) for each in held] == [(SLOW, ("three", "other"))]


def test_a_step_is_lost_for_each_time_of_decay_but_a_suspension_stays() -> None:
    held = Standings()
    climbed(held, MEMBER, rules=RULES._replace(most=SLOW))
    climbed(held, Subject(TOKEN, "t_2"))
    held.decay(600.0, 603.9)
    assert held.slowed(TOKEN) == {"t_1", "t_2"}
    held.decay(600.0, 604.0)
    assert held.slowed(TOKEN) == {"t_2"}
    held.decay(600.0, 1203.9)
    assert len(held) == 2
    held.decay(600.0, 1204.0)
    assert [each.subject.id for each in held] == ["t_2"]


def test_what_is_forgotten_begins_anew() -> None:
    held = Standings()
    climbed(held, MEMBER)
    forgotten = held.forget("t_1")
    assert forgotten is not None
    assert held.forget("t_1") is None
    assert climbed(held, MEMBER)[0] == LOG


def test_past_the_bound_the_lowest_go_first() -> None:
    held = Standings()
    climbed(held, MEMBER)
    for number in range(standings.MOST_STANDINGS):
        held.climb(Subject(TOKEN, f"x_{number}"), SIGNAL, RULES, 10.0, 10.0)
    assert len(held) <= standings.MOST_STANDINGS
    assert "t_1" in held.slowed(TOKEN)

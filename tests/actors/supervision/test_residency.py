"""Who may hold an open database: a cap, first come first served, least recently used out first."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.mailbox import Mailbox
from actors.supervision.residency import EVICT_AT_LEAST, ResidentSet


def mailboxes(count: int) -> list[Mailbox]:
    """Mailboxes without an actor."""
    return [Mailbox(f"tenant {n}", lambda _: None) for n in range(count)]


def full_house(cap: int) -> tuple[ResidentSet, list[Mailbox]]:
    """Residents at their cap; the lower the number, the longer ago the last turn."""
    residents = ResidentSet(cap)
    inside = mailboxes(cap)
    for mailbox in inside:
        residents.enqueue(mailbox)
    assert residents.admit() == inside
    for n, mailbox in enumerate(inside):
        mailbox.last_turn = float(n)
    return residents, inside


def test_the_first_to_come_are_let_in_up_to_the_cap() -> None:
    """Those who come in count from then on."""
    residents = ResidentSet(2)
    a, b, c = mailboxes(3)
    for mailbox in (a, b, c):
        residents.enqueue(mailbox)

    assert residents.admit() == [a, b]
    assert len(residents) == 2
    assert residents.admit() == []


def test_a_place_becomes_free_when_someone_has_left_and_not_before() -> None:
    """Being asked to leave is not leaving: the file is still open."""
    residents, (a, b) = full_house(2)
    (c,) = mailboxes(1)
    residents.enqueue(c)

    assert residents.evict() == [a]
    assert residents.admit() == []

    residents.remove(a)
    assert residents.admit() == [c]
    assert residents.members() == {b, c}


def test_nobody_is_asked_to_leave_while_nobody_waits() -> None:
    """A full house is no trouble by itself."""
    residents, _ = full_house(3)

    assert residents.evict() == []


def test_the_least_recently_used_are_asked_first_and_each_once() -> None:
    """As many as wait, less those that are on their way out."""
    residents, inside = full_house(5)
    waiting = mailboxes(3)

    residents.enqueue(waiting[0])
    assert residents.evict() == [inside[0]]
    assert residents.evict() == []

    residents.enqueue(waiting[1])
    residents.enqueue(waiting[2])
    assert residents.evict() == [inside[1], inside[2]]


def test_one_who_stays_may_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once: functions wait there. By the next time it may be the least recently used still."""
    residents, inside = full_house(2)
    residents.enqueue(mailboxes(1)[0])
    assert residents.evict() == [inside[0]]

    residents.declined(inside[0])
    assert residents.evict() == [inside[1]]
    residents.declined(inside[1])
    assert residents.evict() == []

    monkeypatch.setattr("actors.supervision.residency.RETRY_EVICTION_AFTER", 0.0)
    assert residents.evict() == [inside[0]]


def test_where_everybody_stays_as_many_as_are_needed_leave_later() -> None:
    """Each is named once; and anyone who becomes free first is asked nevertheless."""
    residents, inside = full_house(3)
    waiting = mailboxes(3)
    residents.enqueue(waiting[0])
    for mailbox in inside:
        assert residents.evict() == [mailbox]
        assert residents.evict_when_idle() == []
        residents.declined(mailbox)

    assert residents.evict() == []
    assert residents.evict_when_idle() == [inside[0]]
    assert residents.evict_when_idle() == []
    residents.enqueue(waiting[1])
    assert residents.evict_when_idle() == [inside[1]]

    residents.remove(inside[0])
    assert residents.admit() == [waiting[0]]
    residents.enqueue(waiting[2])
    assert residents.evict() == [waiting[0]], "it has not been asked yet"


def test_one_who_has_just_come_in_is_not_the_next_to_go() -> None:
    """Its last turn was in a former life, perhaps long ago."""
    residents, (old,) = full_house(1)
    returning, other = mailboxes(2)
    residents.enqueue(returning)
    residents.evict()
    residents.remove(old)
    residents.admit()

    assert returning.last_turn > 0.0
    residents.enqueue(other)
    assert residents.evict() == [returning], "it is the only one"


def test_a_large_house_is_cleared_in_batches() -> None:
    """So that a stream of strangers does not scan everybody for each of them."""
    residents, inside = full_house(4 * EVICT_AT_LEAST)
    residents.enqueue(mailboxes(1)[0])

    assert residents.evict() == inside[:4]


def test_the_idle_are_those_without_a_turn_since_then_and_each_is_named_once() -> None:
    """They count as leaving."""
    residents, inside = full_house(3)

    assert set(residents.idle_since(1.5)) == {inside[0], inside[1]}
    assert residents.idle_since(1.5) == []
    assert residents.idle_since(math.inf) == [inside[2]]


def test_one_who_needs_no_place_is_let_in_over_the_cap() -> None:
    """It counts as being there, until it leaves."""
    residents, inside = full_house(1)
    (refusing,) = mailboxes(1)

    residents.add(refusing)

    assert residents.members() == {inside[0], refusing}
    residents.remove(refusing)
    assert residents.members() == {inside[0]}


def test_those_that_wait_can_be_withdrawn() -> None:
    """None of them is admitted any more."""
    residents, inside = full_house(1)
    waiting = mailboxes(2)
    for mailbox in waiting:
        residents.enqueue(mailbox)

    assert residents.cancel_waiting() == waiting
    residents.remove(inside[0])
    assert residents.admit() == []


@given(
    cap=st.integers(1, 5),
    steps=st.lists(
        st.tuples(st.sampled_from(["wake", "leave", "stay", "sweep"]), st.integers(0, 9))
    ),
)
def test_the_cap_holds_and_whoever_waits_gets_in(cap: int, steps: list[tuple[str, int]]) -> None:
    """Whatever the order: never more than the cap inside, and no caller waits while a place is free."""
    residents = ResidentSet(cap)
    everyone = mailboxes(10)
    inside: set[Mailbox] = set()
    asked: set[Mailbox] = set()
    asked_for_later: set[Mailbox] = set()
    waiting: list[Mailbox] = []

    def settle() -> None:
        for mailbox in residents.admit():
            assert waiting.pop(0) is mailbox, "first come, first served"
            inside.add(mailbox)
        for these, chosen in (
            (asked, residents.evict()),
            (asked_for_later, residents.evict_when_idle()),
        ):
            assert not (asked | asked_for_later) & set(chosen), "asked twice"
            these.update(chosen)

    def leave(mailbox: Mailbox) -> None:
        inside.discard(mailbox)
        asked.discard(mailbox)
        asked_for_later.discard(mailbox)
        residents.remove(mailbox)
        settle()

    for step, n in steps:
        mailbox = everyone[n]
        if step == "wake" and mailbox not in inside and mailbox not in waiting:
            waiting.append(mailbox)
            residents.enqueue(mailbox)
            settle()
        elif step == "leave" and mailbox in inside:
            leave(mailbox)
        elif step == "stay" and mailbox in asked:
            asked.discard(mailbox)
            residents.declined(mailbox)
            settle()
        elif step == "sweep":
            asked.update(residents.idle_since(math.inf))
        assert residents.members() == inside
        assert len(inside) <= cap
        assert not waiting or len(inside) == cap
        leaving = len(asked | asked_for_later)
        assert leaving >= min(len(waiting), cap), "somebody is on the way out for each who waits"

    while asked or asked_for_later:
        leave(next(iter(asked | asked_for_later)))
    assert waiting == []


def test_one_who_does_not_want_in_any_more_is_passed_over() -> None:
    """The order of the others stays; withdrawing who does not wait is nothing."""
    residents = ResidentSet(1)
    a, b, c = mailboxes(3)
    for mailbox in (a, b, c):
        residents.enqueue(mailbox)
    assert residents.admit() == [a]

    assert residents.cancel(b)
    assert not residents.cancel(b)
    assert not residents.cancel(a), "inside is not waiting"

    residents.remove(a)
    assert residents.admit() == [c]

"""actors/tenant/passivation.py: the whole table, row by row."""

from __future__ import annotations

import itertools

import pytest

from actors.messages import Passivate
from actors.tenant.passivation import Decision, decide, decide_again

STAY, LEAVE, DRAIN, ASK_AGAIN = Decision
IDLE = Passivate()
ROOM = Passivate(insist=True)
NO_OTHER = Passivate(insist=True, patient=True)
DELETED = Passivate(insist=True, cancel=True)

NOTHING: dict[str, bool] = {}
FUNCTIONS = {"waits": True}
DELIVERIES = {"delivers": True}


@pytest.mark.parametrize(
    ("asked", "at", "is_closing", "decision"),
    [
        (IDLE, NOTHING, False, LEAVE),
        (IDLE, NOTHING, True, LEAVE),
        (IDLE, {"has_mail": True}, False, STAY),
        (IDLE, {"has_mail": True}, True, STAY),
        (IDLE, FUNCTIONS, False, STAY),
        (IDLE, FUNCTIONS, True, DRAIN),
        (IDLE, DELIVERIES, False, STAY),
        (IDLE, DELIVERIES, True, DRAIN),
        (ROOM, NOTHING, False, LEAVE),
        (ROOM, {"has_mail": True}, False, LEAVE),
        (ROOM, FUNCTIONS, False, STAY),
        (ROOM, FUNCTIONS, True, DRAIN),
        (ROOM, DELIVERIES, False, STAY),
        (ROOM, DELIVERIES, True, DRAIN),
        (NO_OTHER, NOTHING, False, LEAVE),
        (NO_OTHER, FUNCTIONS, False, DRAIN),
        (NO_OTHER, FUNCTIONS | DELIVERIES, False, DRAIN),
        (NO_OTHER, DELIVERIES, False, LEAVE),
        (DELETED, NOTHING, False, LEAVE),
        (DELETED, DELIVERIES, False, LEAVE),
        (DELETED, {"has_mail": True} | DELIVERIES, False, LEAVE),
    ],
)
def test_what_a_tenant_does_when_it_is_asked(
    asked: Passivate, at: dict[str, bool], is_closing: bool, decision: Decision
) -> None:
    """Functions of a deleted tenant are cancelled before, so none waits."""
    state = {"has_mail": False, "waits": False, "delivers": False} | at
    assert decide(asked, is_closing=is_closing, **state) is decision


@pytest.mark.parametrize(
    ("asked", "at", "is_over", "decision"),
    [
        (IDLE, NOTHING, False, ASK_AGAIN),
        (IDLE, FUNCTIONS, True, DRAIN),
        (IDLE, DELIVERIES, False, DRAIN),
        (IDLE, DELIVERIES, True, LEAVE),
        (ROOM, NOTHING, False, LEAVE),
        (ROOM, FUNCTIONS, True, DRAIN),
        (ROOM, DELIVERIES, False, DRAIN),
        (ROOM, DELIVERIES, True, LEAVE),
        (NO_OTHER, NOTHING, False, LEAVE),
        (NO_OTHER, FUNCTIONS, False, DRAIN),
        (NO_OTHER, DELIVERIES, False, LEAVE),
    ],
)
def test_what_it_does_once_something_has_ended(
    asked: Passivate, at: dict[str, bool], is_over: bool, decision: Decision
) -> None:
    """While it drains."""
    state = {"waits": False, "delivers": False} | at
    assert decide_again(asked, is_over=is_over, **state) is decision


def test_no_function_that_waits_is_lost_by_leaving() -> None:
    """Whatever else holds, unless the tenant is deleted."""
    truths = (False, True)
    for insist, patient, mail, delivers, closing in itertools.product(truths, repeat=5):
        asked = Passivate(insist=insist, patient=patient)
        state = {"has_mail": mail, "delivers": delivers, "is_closing": closing}
        assert decide(asked, waits=True, **state) is not LEAVE
        assert decide_again(asked, waits=True, delivers=delivers, is_over=closing) is DRAIN

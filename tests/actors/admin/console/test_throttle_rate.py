"""The pace: no caller asks more than one person may, and no one is remembered for ever."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from actors.admin.console.throttle import BURST, RATE, PersonRateLimits
from actors.errors import ResourceExhausted
from tests.actors.admin.console_harness import PEOPLE

ADA, BOB = PEOPLE["owner"], PEOPLE["member"]


def test_after_a_burst_one_person_waits_and_another_does_not() -> None:
    """With another token, too: it is the person who is counted."""
    rates = PersonRateLimits()
    for _ in range(int(BURST)):
        rates.charge(ADA, 1000.0)
    with pytest.raises(ResourceExhausted) as refused:
        rates.charge(replace(ADA, id="t_" + "9" * 16), 1000.0)
    rates.charge(BOB, 1000.0)

    wait = refused.value.refusal.retry_after_ms
    assert wait is not None
    assert wait == pytest.approx(1000 / RATE)
    rates.charge(ADA, 1000.0 + wait / 1000)


def test_who_was_quiet_for_long_is_forgotten_and_no_other() -> None:
    """So that memory is for those who call, and no one gets more by being forgotten."""
    rates = PersonRateLimits()
    for _ in range(int(BURST)):
        rates.charge(ADA, 1000.0)
    rates.charge(BOB, 1000.0)
    rates.drop_idle(1001.0)
    assert len(rates) == 1
    for _ in range(int(RATE)):
        rates.charge(ADA, 1001.0)
    with pytest.raises(ResourceExhausted):
        rates.charge(ADA, 1001.0)
    rates.drop_idle(1001.0 + BURST / RATE)
    assert len(rates) == 0

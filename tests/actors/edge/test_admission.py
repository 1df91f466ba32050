"""An inlet: what waits for a tenant, and how much may go in to it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.edge.admission import MOST_UNADDRESSED, Inlet
from actors.errors import ResourceExhausted
from actors.profiles import UNREMARKABLE, TenantLimits
from actors.runtime.mailbox import Mailbox
from tests.actors.router_harness import ACME
from tests.actors.tenant_messages import work

UNLIMITED = UNREMARKABLE.limits


def unscheduled(limit: int = 1000) -> Mailbox:
    """A mailbox that nobody runs."""
    return Mailbox("test", lambda _: None, limit=limit)


def sent(inlet: Inlet, limits: TenantLimits, count: int, now: float) -> list[int | None]:
    """For each of so many requests, when to come again; None where it is let in."""
    return [wait_ms(inlet, limits, now) for _ in range(count)]


def wait_ms(inlet: Inlet, limits: TenantLimits, now: float) -> int | None:
    """The same, for one."""
    try:
        inlet.count(limits, now)
    except ResourceExhausted as error:
        return error.refusal.retry_after_ms
    return None


def test_without_a_limit_requests_are_not_counted() -> None:
    assert sent(Inlet(ACME), UNLIMITED, 5000, 0.0) == [None] * 5000


def test_past_its_burst_a_tenant_hears_how_much_it_may_send_and_when_to_come_again() -> None:
    inlet, limits = Inlet(ACME), TenantLimits(requests_per_second=50.0, burst=3)
    assert sent(inlet, limits, 4, 10.0) == [None, None, None, 20]
    with pytest.raises(ResourceExhausted, match="tenant acme may send 50 requests a second, 3 at"):
        inlet.count(limits, 10.0)
    assert wait_ms(inlet, limits, 10.020) is None


@pytest.mark.parametrize(("rate", "at_once"), [(20.0, 20), (0.1, 1), (1.0, 1)])
def test_where_no_burst_is_set_it_is_one_seconds_worth_and_one_at_least(
    rate: float, at_once: int
) -> None:
    limits = TenantLimits(requests_per_second=rate)
    waits = sent(Inlet(ACME), limits, at_once + 1, 0.0)
    assert waits.index(waits[-1]) == at_once


@given(st.floats(0.001, 1e5), st.integers(1, 50), st.floats(0.0, 1e7))
def test_who_waits_as_long_as_he_is_told_gets_in(rate: float, burst: int, now: float) -> None:
    """Which is never no time at all."""
    inlet, limits = Inlet(ACME), TenantLimits(requests_per_second=rate, burst=burst)
    wait = sent(inlet, limits, burst + 1, now)[-1]
    assert wait is not None
    assert wait >= 1
    assert wait <= math.ceil(1000 / rate) + 1
    assert wait_ms(inlet, limits, now + wait / 1000) is None


def test_a_new_limit_holds_from_the_next_request_on() -> None:
    inlet = Inlet(ACME)
    assert sent(inlet, TenantLimits(requests_per_second=1.0), 2, 0.0) == [None, 1000]
    assert sent(inlet, TenantLimits(requests_per_second=2.0), 3, 0.0) == [None, None, 500]
    assert sent(inlet, UNLIMITED, 100, 0.0) == [None] * 100


def test_other_limits_do_not_fill_the_bucket_again() -> None:
    """Or whoever can have something else changed, again and again, had no limit."""
    inlet, limits = Inlet(ACME), TenantLimits(requests_per_second=1.0, burst=2)
    assert sent(inlet, limits, 3, 0.0) == [None, None, 1000]
    for mailbox in (10, 11):
        assert wait_ms(inlet, limits._replace(mailbox=mailbox), 0.0) == 1000


def test_the_first_to_wait_has_the_mailbox_asked_for() -> None:
    """And only the first; they come out in their order."""
    inlet, outlet = Inlet(ACME), unscheduled()
    works = [work(f"w-{number}", outlet) for number in range(3)]
    assert [inlet.keep(each) for each in works] == [True, False, False]
    assert list(inlet.open(unscheduled())) == works
    assert not inlet.waiting


def test_as_many_wait_as_may_and_the_next_is_refused() -> None:
    inlet, outlet = Inlet(ACME), unscheduled()
    for number in range(MOST_UNADDRESSED):
        inlet.keep(work(f"w-{number}", outlet))
    with pytest.raises(ResourceExhausted, match="1000 messages wait for tenant acme already"):
        inlet.keep(work("one more", outlet))


@pytest.mark.parametrize("is_open", [True, False])
def test_a_mailbox_is_as_large_as_the_tenant_may_have_it_and_else_as_the_server_made_it(
    is_open: bool,
) -> None:
    """Whether the limit is there before the mailbox is known, or changes later."""
    inlet, mailbox = Inlet(ACME), unscheduled(limit=77)
    steps: list[Any] = [
        lambda: inlet.open(mailbox),
        lambda: inlet.count(TenantLimits(mailbox=5), 0.0),
    ]
    for step in steps if is_open else reversed(steps):
        step()
    assert mailbox.limit == 5
    inlet.count(TenantLimits(mailbox=500), 0.0)
    assert mailbox.limit == 500
    inlet.count(UNLIMITED, 0.0)
    assert mailbox.limit == 77


def test_a_tenant_is_awake_where_somebody_lives_in_its_mailbox() -> None:
    inlet, mailbox = Inlet(ACME), unscheduled()
    assert not inlet.is_awake
    inlet.open(mailbox)
    assert not inlet.is_awake
    mailbox.incarnation = type("Somebody", (), {"turn": lambda _: None})()
    assert inlet.is_awake

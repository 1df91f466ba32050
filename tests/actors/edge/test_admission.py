"""Admission: the queue of a tenant that is being found, and the limits of its requests."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.edge.admission import MOST_WAITING, Admission
from actors.errors import ResourceExhausted
from actors.profiles import DEFAULT_PROFILE, TenantLimits
from actors.runtime.mailbox import Mailbox
from tests.actors.router_harness import ACME
from tests.actors.tenant_messages import work

UNLIMITED = DEFAULT_PROFILE.limits


def unscheduled(limit: int = 1000) -> Mailbox:
    """A mailbox without an actor."""
    return Mailbox("test", lambda _: None, limit=limit)


def sent(admission: Admission, limits: TenantLimits, count: int, now: float) -> list[int | None]:
    """For each of so many requests, when to come again; None where it is let in."""
    return [wait_ms(admission, limits, now) for _ in range(count)]


def wait_ms(admission: Admission, limits: TenantLimits, now: float) -> int | None:
    """The same, for one."""
    try:
        admission.charge(limits, now)
    except ResourceExhausted as error:
        return error.refusal.retry_after_ms
    return None


def test_without_a_limit_requests_are_not_counted() -> None:
    assert sent(Admission(ACME), UNLIMITED, 5000, 0.0) == [None] * 5000


def test_past_its_burst_a_tenant_hears_how_much_it_may_send_and_when_to_come_again() -> None:
    admission, limits = Admission(ACME), TenantLimits(requests_per_second=50.0, burst=3)
    assert sent(admission, limits, 4, 10.0) == [None, None, None, 20]
    with pytest.raises(ResourceExhausted, match="tenant acme may send 50 requests a second, 3 at"):
        admission.charge(limits, 10.0)
    assert wait_ms(admission, limits, 10.020) is None


@pytest.mark.parametrize(("rate", "at_once"), [(20.0, 20), (0.1, 1), (1.0, 1)])
def test_where_no_burst_is_set_it_is_one_seconds_worth_and_one_at_least(
    rate: float, at_once: int
) -> None:
    limits = TenantLimits(requests_per_second=rate)
    waits = sent(Admission(ACME), limits, at_once + 1, 0.0)
    assert waits.index(waits[-1]) == at_once


@given(st.floats(0.001, 1e5), st.integers(1, 50), st.floats(0.0, 1e7))
def test_who_waits_as_long_as_he_is_told_gets_in(rate: float, burst: int, now: float) -> None:
    """Which is never no time at all."""
    admission, limits = Admission(ACME), TenantLimits(requests_per_second=rate, burst=burst)
    wait = sent(admission, limits, burst + 1, now)[-1]
    assert wait is not None
    assert wait >= 1
    assert wait <= math.ceil(1000 / rate) + 1
    assert wait_ms(admission, limits, now + wait / 1000) is None


def test_a_new_limit_holds_from_the_next_request_on() -> None:
    admission = Admission(ACME)
    assert sent(admission, TenantLimits(requests_per_second=1.0), 2, 0.0) == [None, 1000]
    assert sent(admission, TenantLimits(requests_per_second=2.0), 3, 0.0) == [None, None, 500]
    assert sent(admission, UNLIMITED, 100, 0.0) == [None] * 100


def test_other_limits_do_not_fill_the_bucket_again() -> None:
    """Or anyone who can have something else changed, again and again, had no limit."""
    admission, limits = Admission(ACME), TenantLimits(requests_per_second=1.0, burst=2)
    assert sent(admission, limits, 3, 0.0) == [None, None, 1000]
    for mailbox in (10, 11):
        assert wait_ms(admission, limits._replace(mailbox=mailbox), 0.0) == 1000


def test_the_first_to_wait_has_the_mailbox_asked_for() -> None:
    """And only the first; they come out in their order."""
    admission, outlet = Admission(ACME), unscheduled()
    works = [work(f"w-{number}", outlet) for number in range(3)]
    assert [admission.enqueue(each) for each in works] == [True, False, False]
    assert list(admission.release(unscheduled())) == works
    assert not admission.waiting


def test_as_many_wait_as_may_and_the_next_is_refused() -> None:
    admission, outlet = Admission(ACME), unscheduled()
    for number in range(MOST_WAITING):
        admission.enqueue(work(f"w-{number}", outlet))
    with pytest.raises(ResourceExhausted, match="1000 messages wait for tenant acme already"):
        admission.enqueue(work("one more", outlet))


@pytest.mark.parametrize("is_open", [True, False])
def test_a_mailbox_is_as_large_as_the_tenant_may_have_it_and_else_as_the_server_made_it(
    is_open: bool,
) -> None:
    """Whether the limit is there before the mailbox is known, or changes later."""
    admission, mailbox = Admission(ACME), unscheduled(limit=77)
    steps: list[Any] = [
        lambda: admission.release(mailbox),
        lambda: admission.charge(TenantLimits(mailbox=5), 0.0),
    ]
    for step in steps if is_open else reversed(steps):
        step()
    assert mailbox.limit == 5
    admission.charge(TenantLimits(mailbox=500), 0.0)
    assert mailbox.limit == 500
    admission.charge(UNLIMITED, 0.0)
    assert mailbox.limit == 77


def test_a_tenant_is_awake_where_somebody_lives_in_its_mailbox() -> None:
    admission, mailbox = Admission(ACME), unscheduled()
    assert not admission.is_awake
    admission.release(mailbox)
    assert not admission.is_awake
    mailbox.incarnation = type("Somebody", (), {"turn": lambda _: None})()
    assert admission.is_awake

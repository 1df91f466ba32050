"""What one sender may have of the router: requests, and the time for what is refused."""

from __future__ import annotations

import pytest

from actors.edge.allowance import MOST_SENDERS, UNAUTHENTICATED_SENDERS, Allowance, RateLimiters
from actors.errors import ResourceExhausted
from actors.settings import UNLIMITED, Rates


def refusal(allowance: Allowance, connection: bytes, token: str, now: float) -> str | None:
    """What is said of one request; None where it is let in."""
    try:
        allowance.count(connection, token, now)
    except ResourceExhausted as error:
        return f"{error.refusal.retry_after_ms} {error}"
    return None


def test_a_token_is_counted_over_all_its_connections() -> None:
    allowance = Allowance(Rates(token=2.0))
    said = [refusal(allowance, b"%d" % n, "ann", 0.0) for n in range(3)]
    assert said[:2] == [None, None]
    assert str(said[2]).startswith("500 this token may send 2 requests a second")
    assert refusal(allowance, b"0", "bob", 0.0) is None
    assert refusal(allowance, b"0", "ann", 0.5) is None


def test_a_connection_is_counted_whatever_tokens_it_brings() -> None:
    allowance = Allowance(Rates(connection=2.0))
    said = [refusal(allowance, b"one", token, 0.0) for token in ("", "ann", "bob")]
    assert said[:2] == [None, None]
    assert str(said[2]).startswith("500 this connection may send 2 requests a second")
    assert refusal(allowance, b"another", "bob", 0.0) is None


def test_without_rates_nothing_is_counted_and_nothing_is_owed() -> None:
    allowance = Allowance(UNLIMITED)
    assert {refusal(allowance, b"one", "ann", 0.0) for _ in range(10_000)} == {None}
    allowance.charge("acme", 1000.0, 0.0)
    assert allowance.owed("acme", 0.0) == 0.0
    assert allowance.wary_until < 0.0


def test_who_had_too_much_refused_owes_until_the_time_for_it_has_passed() -> None:
    """A tenth of a second in each: what took 0.3 s is paid for 2 s later: the first is free."""
    allowance = Allowance(Rates(refused_ms=100.0))
    allowance.charge("acme", 0.05, 0.0)
    assert allowance.wary_until < 0.0
    allowance.charge("acme", 0.25, 0.0)
    assert allowance.owed("acme", 0.0) == pytest.approx(2.0)
    assert allowance.owed(UNAUTHENTICATED_SENDERS, 0.0) == 0.0
    assert allowance.wary_until == pytest.approx(2.0)
    assert allowance.owed("acme", 2.1) == 0.0


def test_senders_that_have_used_nothing_lately_are_forgotten() -> None:
    """Or anyone who connects again and again fills the memory."""
    buckets = RateLimiters(10.0)
    for n in range(10 * MOST_SENDERS):
        buckets.take(n, n * 0.1)
        assert len(buckets) <= MOST_SENDERS


def test_senders_that_still_owe_are_remembered_however_many_they_are() -> None:
    buckets = RateLimiters(1.0)
    count = MOST_SENDERS + 10
    for n in range(count):
        buckets.take(n, 0.0)
    assert [n for n in range(count) if buckets.take(n, 0.0) == 0.0] == []

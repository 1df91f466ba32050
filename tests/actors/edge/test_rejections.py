"""Attempts: what is recorded of tries to administer over the data channel, and how little."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from actors.edge.rejections import MOST_COUNTED, OTHERS, PERIOD_SECONDS, Attempt, AttemptCounter
from actors.log.messages import ATTEMPTS, AuditEntry
from actors.messages import Principal, TenantRecord

ACME = TenantRecord("acme", "a" * 32)


def attempt(action: str = "members.list", token: str = "t_1") -> Attempt:
    """By a member."""
    return Attempt(Principal(token, "acme", "member", person="p_1"), action, ACME)


def test_the_first_is_recorded_at_once_with_who_and_what() -> None:
    """Anyone who looks at the log finds it there."""
    (entry,) = AttemptCounter().add(attempt(), 1000.0)
    assert entry == AuditEntry(
        ATTEMPTS,
        "members.list",
        "member",
        person="p_1",
        token="t_1",
        tenant="acme",
        tenant_id=ACME.id,
        outcome="permission_denied",
        message="once over the data channel",
    )


def test_the_next_are_counted_until_the_period_is_over() -> None:
    counter = AttemptCounter()
    counter.add(attempt(), 1000.0)
    for second in (1, 2, 3):
        assert counter.add(attempt(), 1000.0 + second) == []
    found = counter.add(attempt("tenants.list"), 1000.0 + PERIOD_SECONDS)
    assert [(entry.action, entry.message) for entry in found] == [
        ("members.list", "3 times in 5 s over the data channel"),
        ("tenants.list", "once in 5 s over the data channel"),
    ]
    assert counter.drain(2000.0) == []


def test_what_is_counted_can_be_taken_before() -> None:
    """When the server stops, say."""
    counter = AttemptCounter()
    counter.add(attempt(), 1000.0)
    counter.add(attempt(), 1001.0)
    assert [entry.message for entry in counter.drain(1002.0)] == [
        "once in 2 s over the data channel"
    ]


def test_callers_without_end_take_no_memory_without_end() -> None:
    counter = AttemptCounter()
    counter.add(attempt(), 1000.0)
    for number in range(MOST_COUNTED + 50):
        counter.add(attempt(token=f"t_{number}"), 1001.0)
    *apart, others = counter.drain(1002.0)
    assert len(apart) == MOST_COUNTED
    assert (others.action, others.token) == (OTHERS, None)
    assert others.message == "by others: 50 times in 2 s over the data channel"
    assert counter.drain(1003.0) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 10.0)), max_size=60))
def test_every_attempt_is_in_one_record_and_records_are_a_period_apart(
    notes: list[tuple[int, float]],
) -> None:
    counter, now = AttemptCounter(), 1000.0
    told: list[float] = []
    count = 0
    for number, gap in notes:
        now += gap
        entries = counter.add(attempt(token=f"t_{number}"), now)
        count += sum(times_in(entry) for entry in entries)
        if entries:
            told.append(now)
    count += sum(times_in(entry) for entry in counter.drain(now))
    assert count == len(notes)
    assert all(later - earlier >= PERIOD_SECONDS for earlier, later in pairwise(told))


def times_in(entry: AuditEntry) -> int:
    """How many a record reports."""
    assert entry.message is not None
    return 1 if entry.message.startswith("once") else int(entry.message.split()[0])

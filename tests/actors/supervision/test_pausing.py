"""Pauses of tenants: the file is closed and stays closed, and mail waits for a bounded time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.errors import NotFound, Unavailable
from actors.messages import Retire, TenantRecord
from actors.runtime.futures import ReplyFuture
from actors.supervision.messages import Drain
from actors.supervision.pausing import MAX_PAUSE, Pause, Unpause
from tests.actors.mailbox_harness import WAIT, Gate, Watch
from tests.actors.supervisor_harness import RunningAhead, SupervisorHarness
from tests.actors.tenant_messages import decoded, work


@pytest.fixture
def harness() -> Iterator[SupervisorHarness]:
    """A Supervisor whose clock keeps what it is asked for."""
    clock = RunningAhead()
    clock.holding = True
    made = SupervisorHarness(clock=clock)
    yield made
    made.close()


def record(name: str) -> TenantRecord:
    """The tenant of that name."""
    return TenantRecord(name, f"id of {name}")


def pause(harness: SupervisorHarness, name: str = "acme") -> ReplyFuture:
    """Have a tenant paused; where the answer comes."""
    closed = ReplyFuture()
    harness.supervisor.tell(Pause(record(name), closed))
    return closed


def unpause(harness: SupervisorHarness, name: str = "acme") -> None:
    """Have it served again."""
    harness.supervisor.tell(Unpause(record(name).id))


def test_a_tenant_that_is_awake_closes_and_its_mail_waits_in_order(
    harness: SupervisorHarness,
) -> None:
    mailbox = harness.address("acme")
    mailbox.tell("before")
    assert harness.seen.get(timeout=WAIT) == ("acme", "before")
    assert pause(harness).get(timeout=WAIT) is True
    assert harness.rooms == set()
    for mail in ("first", "second"):
        mailbox.tell(mail)
    harness.settled()
    assert harness.seen.empty()
    unpause(harness)
    assert [harness.seen.get(timeout=WAIT)[1] for _ in range(2)] == ["first", "second"]


def test_what_it_is_at_ends_first(harness: SupervisorHarness) -> None:
    gate = Gate()
    harness.address("acme").tell(gate.turn)
    gate.entered()
    closed = pause(harness)
    harness.settled()
    assert not closed.done()
    gate.open()
    assert closed.get(timeout=WAIT) is True


def test_one_that_sleeps_or_was_never_called_is_paused_without_being_opened(
    harness: SupervisorHarness,
) -> None:
    assert pause(harness, "globex").get(timeout=WAIT) is True
    harness.address("globex").tell("mail")
    harness.settled()
    assert harness.life.empty()
    unpause(harness, "globex")
    assert harness.seen.get(timeout=WAIT) == ("globex", "mail")


def test_others_are_served_meanwhile(harness: SupervisorHarness) -> None:
    assert pause(harness).get(timeout=WAIT) is True
    harness.address("globex").tell("mail")
    assert harness.seen.get(timeout=WAIT) == ("globex", "mail")


def test_after_a_while_what_waits_is_rejected_until_it_ends(harness: SupervisorHarness) -> None:
    assert isinstance(harness.clock, RunningAhead)
    assert pause(harness).get(timeout=WAIT) is True
    overdue = harness.clock.held.get(timeout=WAIT)
    assert overdue.seconds == MAX_PAUSE
    mailbox, watch = harness.address("acme"), Watch()
    mailbox.tell(work("r-1", outlet=watch))
    overdue.to.tell(overdue.message)
    refused = decoded(watch.hear())
    assert refused["error"]["code"] == "unavailable"
    assert refused["error"]["retry_after_ms"]
    unpause(harness)
    harness.settled()
    mailbox.tell("mail")
    assert harness.seen.get(timeout=WAIT) == ("acme", "mail")


def test_all_pauses_end_at_once(harness: SupervisorHarness) -> None:
    """Of an actor that was restarted, and does not know which it had begun."""
    for name in ("acme", "globex"):
        assert pause(harness, name).get(timeout=WAIT) is True
        harness.address(name).tell("mail")
    harness.supervisor.tell(Unpause(None))
    assert {harness.seen.get(timeout=WAIT)[0] for _ in range(2)} == {"acme", "globex"}


def test_a_deleted_tenant_is_not_paused_and_a_paused_one_can_be_deleted(
    harness: SupervisorHarness,
) -> None:
    assert pause(harness).get(timeout=WAIT) is True
    watch = Watch()
    harness.supervisor.tell(Retire(record("acme"), watch))
    assert watch.hear().tenant == record("acme")
    with pytest.raises(NotFound, match="acme is deleted"):
        pause(harness).get(timeout=WAIT)
    unpause(harness)
    harness.settled()


def test_none_begins_once_the_server_stops(harness: SupervisorHarness) -> None:
    done = ReplyFuture()
    harness.supervisor.tell(Drain(done, 0.0))
    with pytest.raises(Unavailable, match="stopping"):
        pause(harness).get(timeout=WAIT)
    assert done.get(timeout=WAIT) is True

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
from tests.actors.supervisor_harness import Hotel, RunningAhead
from tests.actors.tenant_messages import decoded, work


@pytest.fixture
def hotel() -> Iterator[Hotel]:
    """A Supervisor whose clock keeps what it is asked for."""
    clock = RunningAhead()
    clock.holding = True
    made = Hotel(clock=clock)
    yield made
    made.close()


def record(name: str) -> TenantRecord:
    """The tenant of that name."""
    return TenantRecord(name, f"id of {name}")


def pause(hotel: Hotel, name: str = "acme") -> ReplyFuture:
    """Have a tenant paused; where the answer comes."""
    closed = ReplyFuture()
    hotel.supervisor.tell(Pause(record(name), closed))
    return closed


def unpause(hotel: Hotel, name: str = "acme") -> None:
    """Have it served again."""
    hotel.supervisor.tell(Unpause(record(name).id))


def test_a_tenant_that_is_awake_closes_and_its_mail_waits_in_order(hotel: Hotel) -> None:
    mailbox = hotel.address("acme")
    mailbox.tell("before")
    assert hotel.seen.get(timeout=WAIT) == ("acme", "before")
    assert pause(hotel).get(timeout=WAIT) is True
    assert hotel.rooms == set()
    for mail in ("first", "second"):
        mailbox.tell(mail)
    hotel.settled()
    assert hotel.seen.empty()
    unpause(hotel)
    assert [hotel.seen.get(timeout=WAIT)[1] for _ in range(2)] == ["first", "second"]


def test_what_it_is_at_ends_first(hotel: Hotel) -> None:
    gate = Gate()
    hotel.address("acme").tell(gate.turn)
    gate.entered()
    closed = pause(hotel)
    hotel.settled()
    assert not closed.done()
    gate.open()
    assert closed.get(timeout=WAIT) is True


def test_one_that_sleeps_or_was_never_called_is_paused_without_being_opened(hotel: Hotel) -> None:
    assert pause(hotel, "globex").get(timeout=WAIT) is True
    hotel.address("globex").tell("mail")
    hotel.settled()
    assert hotel.life.empty()
    unpause(hotel, "globex")
    assert hotel.seen.get(timeout=WAIT) == ("globex", "mail")


def test_others_are_served_meanwhile(hotel: Hotel) -> None:
    assert pause(hotel).get(timeout=WAIT) is True
    hotel.address("globex").tell("mail")
    assert hotel.seen.get(timeout=WAIT) == ("globex", "mail")


def test_after_a_while_what_waits_is_rejected_until_it_ends(hotel: Hotel) -> None:
    assert isinstance(hotel.clock, RunningAhead)
    assert pause(hotel).get(timeout=WAIT) is True
    overdue = hotel.clock.held.get(timeout=WAIT)
    assert overdue.seconds == MAX_PAUSE
    mailbox, watch = hotel.address("acme"), Watch()
    mailbox.tell(work("r-1", outlet=watch))
    overdue.to.tell(overdue.message)
    refused = decoded(watch.hear())
    assert refused["error"]["code"] == "unavailable"
    assert refused["error"]["retry_after_ms"]
    unpause(hotel)
    hotel.settled()
    mailbox.tell("mail")
    assert hotel.seen.get(timeout=WAIT) == ("acme", "mail")


def test_all_pauses_end_at_once(hotel: Hotel) -> None:
    """Of an actor that was restarted, and does not know which it had begun."""
    for name in ("acme", "globex"):
        assert pause(hotel, name).get(timeout=WAIT) is True
        hotel.address(name).tell("mail")
    hotel.supervisor.tell(Unpause(None))
    assert {hotel.seen.get(timeout=WAIT)[0] for _ in range(2)} == {"acme", "globex"}


def test_a_deleted_tenant_is_not_paused_and_a_paused_one_can_be_deleted(hotel: Hotel) -> None:
    assert pause(hotel).get(timeout=WAIT) is True
    watch = Watch()
    hotel.supervisor.tell(Retire(record("acme"), watch))
    assert watch.hear().tenant == record("acme")
    with pytest.raises(NotFound, match="acme is deleted"):
        pause(hotel).get(timeout=WAIT)
    unpause(hotel)
    hotel.settled()


def test_none_begins_once_the_server_stops(hotel: Hotel) -> None:
    done = ReplyFuture()
    hotel.supervisor.tell(Drain(done, 0.0))
    with pytest.raises(Unavailable, match="stopping"):
        pause(hotel).get(timeout=WAIT)
    assert done.get(timeout=WAIT) is True

"""The RejectingActor: lives where a tenant cannot, and lets no one wait."""

from __future__ import annotations

from collections.abc import Iterator

import pykka
import pytest

from actors.log.lines import RequestLogClient
from actors.messages import DeadLetter, Passivate
from actors.runtime.actor import PONG, Ping, ask
from actors.runtime.mailbox import PoisonMessage, Stopped
from actors.supervision.rejecting import RejectingActor, install_tombstone
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch
from tests.actors.router_harness import ACME
from tests.actors.tenant_messages import decoded, work
from transport.message import UNAVAILABLE, Refusal

REFUSAL = Refusal(UNAVAILABLE, "not now", retry_after_ms=1000)


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Two threads."""
    made = MailboxHarness()
    yield made
    made.empty()


def test_every_request_gets_the_refusal_in_its_order(harness: MailboxHarness) -> None:
    """With its own id, trace and encoding."""
    outlet = Watch()
    mailbox = harness.mailbox()
    for n in range(3):
        mailbox.tell(work(f"r{n}", outlet))

    RejectingActor.start(mailbox, REFUSAL, ACME)

    for n in range(3):
        reply = decoded(outlet.hear())
        assert reply["id"] == f"r{n}"
        assert reply["ok"] is False
        assert reply["error"]["code"] == "unavailable"
        assert reply["error"]["retry_after_ms"] == 1000
        assert reply["meta"]["trace_id"] == "0" * 32


def test_a_dead_letter_is_refused_as_well(harness: MailboxHarness) -> None:
    """Its sender waits, too."""
    outlet = Watch()
    mailbox = harness.mailbox()
    mailbox.tell(DeadLetter(work("deadly", outlet), "Crash()"))

    RejectingActor.start(mailbox, REFUSAL, ACME)

    assert decoded(outlet.hear())["id"] == "deadly"


def test_it_leaves_when_it_is_passivated(harness: MailboxHarness) -> None:
    """Then the tenant is tried again, with the mail that came behind."""
    outlet = Watch()
    mailbox = harness.mailbox()
    for message in (work("before", outlet), Passivate(), work("behind", outlet)):
        mailbox.tell(message)

    RejectingActor.start(mailbox, REFUSAL, ACME)

    assert harness.watch.hear() == Stopped(mailbox)
    assert [decoded(news)["id"] for news in outlet.heard()] == ["before"]
    assert [message.request.id for message in mailbox.take_up_to(10)] == ["behind"]


def test_it_stays_while_nobody_tells_it_to_leave(harness: MailboxHarness) -> None:
    """Other mail of the engine does it no harm."""
    mailbox = harness.mailbox()
    RejectingActor.start(mailbox, REFUSAL, ACME)

    mailbox.tell("something of the engine's")

    assert ask(mailbox, Ping(), WAIT) == PONG
    assert harness.watch.heard() == []


def test_with_once_it_leaves_as_soon_as_all_is_answered(harness: MailboxHarness) -> None:
    """Its leaving tells a draining supervisor so."""
    outlet = Watch()
    mailbox = harness.mailbox()
    for n in range(3):
        mailbox.tell(work(f"r{n}", outlet))

    RejectingActor.start(mailbox, REFUSAL, ACME, once=True)

    assert harness.watch.hear() == Stopped(mailbox)
    assert len(outlet.heard()) == 3
    assert mailbox.empty()


def test_with_once_a_passivation_on_the_way_is_no_trouble(harness: MailboxHarness) -> None:
    """It leaves once."""
    mailbox = harness.mailbox()
    mailbox.tell(Passivate())

    RejectingActor.start(mailbox, REFUSAL, ACME, once=True)

    assert harness.watch.hear() == Stopped(mailbox)
    assert mailbox.empty()


def test_its_refusals_stand_in_the_tenants_log(harness: MailboxHarness) -> None:
    """One message for a turn; nothing is said of a turn without requests."""
    outlet, log = Watch(), Watch()
    mailbox = harness.mailbox()
    mail = [work("one", outlet), DeadLetter(work("two", outlet), "Crash()")]
    for message in mail:
        mailbox.tell(message)

    RejectingActor.start(mailbox, REFUSAL, ACME, request_log=RequestLogClient(log))

    tenant, lines = log.hear()
    assert tenant is ACME
    assert [line.request_id for line in lines] == ["one", "two"]
    assert {(line.source, line.outcome, line.message) for line in lines} == {
        ("supervisor", "unavailable", "not now")
    }
    ask(mailbox, Ping(), WAIT)
    assert log.heard() == []


def test_behind_a_tombstone_everything_is_answered_and_nobody_registered(
    harness: MailboxHarness,
) -> None:
    """What waits at once, what comes later in its turn; anyone who asks is notified that no one is there."""
    outlet = Watch()
    mailbox = harness.mailbox()
    before = len(pykka.ActorRegistry.get_all())
    mailbox.tell(Passivate())
    mailbox.tell(PoisonMessage(work("killer", outlet), 1))
    mailbox.tell(DeadLetter(work("deadly", outlet), "Crash()"))
    mailbox.tell(PoisonMessage(DeadLetter(work("deadlier", outlet), "Crash()"), 1))
    install_tombstone(mailbox, REFUSAL)
    assert len(outlet.heard()) == 3

    with pytest.raises(pykka.ActorDeadError):
        ask(mailbox, Ping(), WAIT)
    mailbox.tell(work("late", outlet))

    assert decoded(outlet.hear())["id"] == "late"
    assert len(pykka.ActorRegistry.get_all()) == before

"""An actor that lives in a mailbox: turns, answers, failures, and how it leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.runtime.actor import MOST_PER_TURN, PONG, Actor, Ping, ask, stop
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Crashed, Mailbox, PoisonMessage, Stopped
from tests.actors.mailbox_harness import WAIT, Gate, MailboxHarness


class Crash(Exception):
    """What a test's message does to its actor."""


ENDS = pytest.mark.parametrize(
    "end", [Envelope(_ActorStop()), Crash()], ids=["as it stops", "as it fails"]
)


class Person(Actor):
    """Does what it is told: raises exceptions, calls functions, records the rest."""

    def __init__(self, mailbox: Mailbox, seen: SimpleQueue[Any]) -> None:
        super().__init__(mailbox)
        self._seen = seen

    def on_stop(self) -> None:
        """Say so."""
        self._seen.put("on_stop")

    def on_failure(self, *info: Any) -> None:
        """Say so, with the kind of failure."""
        self._seen.put(("on_failure", info[0]))

    def on_receive(self, message: Any) -> Any:
        """Raise it, call it, or record and return it."""
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message()
        self._seen.put(message)
        return message


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Two threads."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture
def seen() -> SimpleQueue[Any]:
    """What the actors of a test record."""
    return SimpleQueue()


def all_of(seen: SimpleQueue[Any]) -> list[Any]:
    """What has been recorded by now."""
    return [seen.get_nowait() for _ in range(seen.qsize())]


# Mail


def test_tells_are_handled_in_order(harness: MailboxHarness, seen: SimpleQueue[Any]) -> None:
    """Also those that came before the actor did."""
    mailbox = harness.mailbox()
    for n in range(10):
        mailbox.tell(n)
    Person.start(mailbox, seen)
    for n in range(10, 20):
        mailbox.tell(n)

    assert [seen.get(timeout=WAIT) for _ in range(20)] == list(range(20))


def test_ask_waits_for_the_answer(harness: MailboxHarness, seen: SimpleQueue[Any]) -> None:
    """What on_receive returns."""
    mailbox = harness.mailbox()
    Person.start(mailbox, seen)

    assert ask(mailbox, "question", WAIT) == "question"


def test_ask_gives_up_after_its_timeout(harness: MailboxHarness, seen: SimpleQueue[Any]) -> None:
    """Where the actor is busy for longer."""
    gate = Gate()
    mailbox = harness.mailbox()
    Person.start(mailbox, seen)
    mailbox.tell(gate.turn)

    with pytest.raises(pykka.Timeout):
        ask(mailbox, "question", 0.0)
    gate.open()


def test_every_actor_answers_a_ping(harness: MailboxHarness, seen: SimpleQueue[Any]) -> None:
    """Whatever its own messages are."""
    mailbox = harness.mailbox()
    Person.start(mailbox, seen)

    assert ask(mailbox, Ping(), WAIT) == PONG
    assert seen.empty()


def test_an_exception_goes_to_the_asker_and_the_actor_goes_on(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """It was the asker's question that was at fault."""
    mailbox = harness.mailbox()
    Person.start(mailbox, seen)

    with pytest.raises(Crash):
        ask(mailbox, Crash(), WAIT)

    assert ask(mailbox, "next", WAIT) == "next"
    assert harness.watch.heard() == []


def test_pykkas_own_ref_and_proxy_work(harness: MailboxHarness, seen: SimpleQueue[Any]) -> None:
    """It is a Pykka actor to everybody who knows Pykka."""
    ref = Person.start(harness.mailbox(supervised=False), seen)

    assert ref.is_alive()
    assert ref.ask("through the ref", timeout=WAIT) == "through the ref"
    assert ref.proxy().at.get(timeout=WAIT) == 0
    assert ref in pykka.ActorRegistry.get_by_class(Person)
    assert ref.stop(timeout=WAIT)
    assert not ref.is_alive()
    assert not ref.stop(timeout=WAIT)


def test_a_full_mailbox_is_shared_fairly(seen: SimpleQueue[Any]) -> None:
    """On one thread, a busy actor lets the other in after one turn of MOST_PER_TURN messages."""
    harness = MailboxHarness(threads=1)
    busy, other = harness.mailbox("busy"), harness.mailbox("other")
    gate = Gate()
    gate.block(harness.dispatcher.schedule)
    Person.start(busy, seen)
    Person.start(other, seen)
    for n in range(3 * MOST_PER_TURN):
        busy.tell(n)
    other.tell("other")

    gate.open()
    order = [seen.get(timeout=WAIT) for _ in range(3 * MOST_PER_TURN + 1)]

    assert order.index("other") == MOST_PER_TURN
    harness.empty()


# Failing


def test_the_mail_of_a_failed_actor_stays_in_order_for_the_next(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """What was handled is gone; what killed stands in front, marked; the rest stands behind it."""
    crash = Crash()
    mailbox = harness.mailbox()
    for message in ("before", crash, "behind"):
        mailbox.tell(message)
    Person.start(mailbox, seen)

    news = harness.watch.hear()

    assert news == Crashed(mailbox, crash, PoisonMessage(crash, 1))
    assert mailbox.incarnation is None
    assert mailbox.take_up_to(10) == [PoisonMessage(crash, 1), "behind"]
    assert all_of(seen) == ["before", ("on_failure", Crash)]


def test_a_message_that_killed_once_is_tried_again(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """It may not have been its fault; it comes back without its mark."""
    attempts = iter([Crash()])

    def fail_once() -> str:
        for attempt in attempts:
            raise attempt
        seen.put("second attempt")
        return "done"

    mailbox = harness.mailbox()
    mailbox.tell(fail_once)
    Person.start(mailbox, seen)
    harness.watch.hear()
    Person.start(mailbox, seen)

    assert seen.get(timeout=WAIT) == ("on_failure", Crash)
    assert seen.get(timeout=WAIT) == "second attempt"


def test_a_message_that_killed_twice_is_set_aside_and_the_others_are_served(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """One message cannot keep an actor from its mail for ever."""
    buried: SimpleQueue[Any] = SimpleQueue()

    class Sexton(Person):
        def dead_letter(self, message: Any, error: BaseException) -> list[Any]:
            buried.put((message, error))
            return ["in its place"]

    crash = Crash()
    mailbox = harness.mailbox()
    for message in ("before", crash, "behind"):
        mailbox.tell(message)
    deaths = []
    for _ in range(2):
        Sexton.start(mailbox, seen)
        deaths.append(harness.watch.hear().message.failures)
    Sexton.start(mailbox, seen)
    ask(mailbox, Ping(), WAIT)

    assert deaths == [1, 2]
    assert buried.get_nowait() == (crash, crash)
    assert [word for word in all_of(seen) if isinstance(word, str)] == [
        "before",
        "in its place",
        "behind",
    ]


def test_an_asker_whose_question_kills_twice_gets_the_error(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """SystemExit arrives as another error: it must not end the asker as well."""
    answer = ReplyFuture()
    mailbox = harness.mailbox()
    mailbox.tell(Envelope(SystemExit(3), reply_to=answer))
    for _ in range(2):
        Person.start(mailbox, seen)
        assert isinstance(harness.watch.hear().error, SystemExit)

    with pytest.raises(pykka.ActorDeadError, match=r"child ended on this message: SystemExit\(3\)"):
        answer.get(timeout=0)


class Enquiry:
    """A message whose `reply_to` is somebody's address, not the answer to an ask."""

    reply_to = Mailbox("elsewhere", lambda _: None)

    def __call__(self) -> None:
        """Kill."""
        raise Crash


def test_a_deadly_message_with_an_address_of_its_own_is_let_go(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """The supervisor is notified of both deaths, whatever the message looks like."""
    mailbox = harness.mailbox()
    mailbox.tell(Enquiry())

    for deaths in (1, 2):
        Person.start(mailbox, seen)
        assert harness.watch.hear().message.failures == deaths
    assert mailbox.empty()


def test_the_supervisor_hears_of_a_failure_even_where_cleaning_up_fails(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """The first error is reported, with notes of the others."""

    class Clumsy(Person):
        def on_failure(self, *_: Any) -> None:
            raise SystemExit("on_failure")

        def dead_letter(self, message: Any, error: BaseException) -> list[Any]:
            raise SystemExit("bury")

    crash = Crash()
    mailbox = harness.mailbox()
    mailbox.tell(crash)
    for _ in range(2):
        Clumsy.start(mailbox, seen)
        assert harness.watch.hear().error is crash

    assert any("on_failure failed too" in note for note in crash.__notes__)
    assert any("dead_letter failed too" in note for note in crash.__notes__)
    assert mailbox.empty()


def test_a_failure_after_the_mail_was_dealt_with_blames_no_message(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """As when a commit fails at the end of a turn."""

    class Committing(Person):
        def handle(self, mail: deque[Any]) -> None:
            self.at = len(mail)
            mail.popleft()
            raise Crash

    mailbox = harness.mailbox()
    mailbox.tell("dealt with")
    mailbox.tell("innocent")
    Committing.start(mailbox, seen)

    assert harness.watch.hear().message is None
    assert mailbox.take_up_to(10) == ["innocent"]


def test_no_incarnation_stays_registered(harness: MailboxHarness, seen: SimpleQueue[Any]) -> None:
    """Pykka's registry does not grow with failures and departures."""
    before = len(pykka.ActorRegistry.get_all())
    mailbox = harness.mailbox()
    for n in range(20):
        mailbox.tell(Crash() if n % 2 else Envelope(_ActorStop()))
        Person.start(mailbox, seen)
        harness.watch.hear()
        mailbox.take_up_to(10)

    assert len(pykka.ActorRegistry.get_all()) == before


# Leaving


def test_stop_handles_the_mail_before_it_and_leaves_the_rest(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """The mail behind it waits for the next incarnation; the token goes to the supervisor."""
    gate = Gate()
    mailbox = harness.mailbox()
    Person.start(mailbox, seen)
    mailbox.tell(gate.turn)
    mailbox.tell("before")
    answer = ReplyFuture()
    mailbox.tell(Envelope(_ActorStop(), reply_to=answer))
    mailbox.tell("behind")
    gate.open()

    assert harness.watch.hear() == Stopped(mailbox)
    assert answer.get(timeout=0) is None
    assert all_of(seen) == ["before", "on_stop"]
    assert mailbox.take_up_to(10) == ["behind"]


@ENDS
def test_more_mail_does_not_run_a_mailbox_whose_token_the_supervisor_has(
    harness: MailboxHarness, seen: SimpleQueue[Any], end: object
) -> None:
    """Left and Failed bring the token: until the supervisor acts, no other does."""
    mailbox = harness.mailbox()
    mailbox.tell(end)
    Person.start(mailbox, seen)
    harness.watch.hear()

    mailbox.tell("more")
    other = harness.mailbox("other")
    Person.start(other, seen)
    ask(other, Ping(), WAIT)

    assert harness.watch.heard() == []


def test_an_on_stop_that_fails_does_not_keep_the_actor(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """It has left; the error is logged."""

    class Clinging(Person):
        def on_stop(self) -> None:
            raise Crash

    mailbox = harness.mailbox()
    Clinging.start(mailbox, seen)

    stop(mailbox, WAIT)

    assert harness.watch.hear() == Stopped(mailbox)


@ENDS
def test_where_nobody_supervises_those_who_ask_are_told(
    harness: MailboxHarness, seen: SimpleQueue[Any], end: object
) -> None:
    """At once, whether they asked before the end or after it; a second stop is no error."""
    gate = Gate()
    waiting = ReplyFuture()
    mailbox = harness.mailbox(supervised=False)
    Person.start(mailbox, seen)
    for message in (gate.turn, end, Envelope("waiting", reply_to=waiting)):
        mailbox.tell(message)
    gate.open()

    with pytest.raises(pykka.ActorDeadError, match="child has stopped"):
        waiting.get(timeout=WAIT)
    with pytest.raises(pykka.ActorDeadError):
        ask(mailbox, "later", WAIT)
    stop(mailbox, WAIT)


def test_mail_for_an_address_that_is_given_up_does_not_pile_up(
    harness: MailboxHarness, seen: SimpleQueue[Any]
) -> None:
    """Anyone who still tells things to a stopped actor costs no memory."""
    mailbox = harness.mailbox(supervised=False)
    Person.start(mailbox, seen)
    stop(mailbox, WAIT)

    for n in range(100):
        mailbox.tell(n)
    stop(mailbox, WAIT)

    assert mailbox.empty()

"""The token law: a mailbox is on at most one thread at a time, and no mail is lost, doubled or forgotten."""

from __future__ import annotations

import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.runtime.actor import Actor
from actors.runtime.mailbox import Crashed, Mailbox, MailWaiting, Stopped
from actors.runtime.scheduler import Dispatcher

WAIT = 10.0
"""Seconds after which a test gives up on an event that should come at once."""


class Crash(Exception):
    """What a test's message does to its actor."""


class Leave:
    """Message: leave, as when passivated."""


def unscheduled(**options: Any) -> Mailbox:
    """A mailbox without an actor."""
    return Mailbox("test", lambda _: None, **options)


# Mail


def test_offer_refuses_what_is_over_the_limit_at_once() -> None:
    """Bounded means refused, not waited for."""
    mailbox = unscheduled(limit=2)

    assert [mailbox.try_enqueue(n) for n in range(3)] == [True, True, False]
    assert mailbox.take_up_to(10) == [0, 1]


def test_messages_of_the_engine_are_never_refused() -> None:
    """The supervisor must reach a child whose mailbox is full."""
    mailbox = unscheduled(limit=1)

    mailbox.try_enqueue("from outside")
    mailbox.tell("from the engine")

    assert mailbox.take_up_to(10) == ["from outside", "from the engine"]


def test_offer_does_not_schedule_until_the_mailbox_is_woken() -> None:
    """The router wakes a tenant once for all that came in one go."""
    scheduled: list[Mailbox] = []
    mailbox = Mailbox("test", scheduled.append)
    mailbox.release()

    mailbox.try_enqueue(1)
    assert scheduled == []

    mailbox.schedule()
    mailbox.schedule()
    assert scheduled == [mailbox]


def test_mail_that_comes_in_the_last_moment_before_rest_is_not_forgotten() -> None:
    """Its teller finds no token to take; so anyone who hands the token back looks once more."""
    scheduled: list[Mailbox] = []
    mailbox = Mailbox("test", scheduled.append)

    class Moment(deque[None]):
        def append(self, token: None) -> None:
            mailbox.tell("mail")
            super().append(token)

    mailbox._token = Moment()
    mailbox.release()

    assert scheduled == [mailbox]


def test_mail_for_nobody_is_told_to_the_supervisor_once_and_kept() -> None:
    """Vacant brings the token: until the supervisor acts, more mail notifies no one."""
    supervisor = unscheduled()
    scheduled: list[Mailbox] = []
    mailbox = Mailbox("child", scheduled.append, supervisor=supervisor)
    mailbox.release()

    mailbox.tell("first")
    scheduled.pop().run()
    mailbox.tell("second")

    assert supervisor.take_up_to(10) == [MailWaiting(mailbox)]
    assert scheduled == []
    assert mailbox.take_up_to(10) == ["first", "second"]


@given(mail=st.lists(st.integers()), taken=st.integers(0, 20), done=st.integers(0, 20))
def test_what_is_given_back_stands_in_front_in_its_order(
    mail: list[int], taken: int, done: int
) -> None:
    """A turn that ends early leaves the mail as if it had not been taken."""
    mailbox = unscheduled()
    for message in mail:
        mailbox.tell(message)

    turn = mailbox.take_up_to(taken)
    assert turn == mail[:taken]
    mailbox.requeue(turn[done:])

    assert mailbox.take_up_to(len(mail)) == turn[done:] + mail[taken:]
    assert mailbox.empty()


# The token, one step at a time


class Scripted(Actor):
    """Fails, leaves or records, as each message says."""

    def __init__(self, mailbox: Mailbox, seen: list[int]) -> None:
        super().__init__(mailbox)
        self._seen = seen

    def on_receive(self, message: Any) -> None:
        """An int is recorded; the others do what their names say, once."""
        if isinstance(message, Bomb) and not message.spent:
            message.spent.append(True)
            raise Crash
        if isinstance(message, Leave):
            self._stop()
        else:
            self._seen.append(message.number if isinstance(message, Bomb) else message)


class Bomb(NamedTuple):
    """Kills the first incarnation that handles it, and is handled by the next."""

    number: int
    spent: list[bool]


class OneToken(RuleBasedStateMachine):
    """Every order of telling, running, failing, leaving and adopting, on one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduled: list[Mailbox] = []
        self.supervisor = unscheduled()
        self.mailbox = Mailbox("child", self.scheduled.append, supervisor=self.supervisor)
        self.seen: list[int] = []
        self.sent: list[int] = []
        Scripted.start(self.mailbox, self.seen)

    @rule()
    def tell(self) -> None:
        """From the engine."""
        self.sent.append(len(self.sent))
        self.mailbox.tell(self.sent[-1])

    @rule()
    def offer(self) -> None:
        """From outside, and woken."""
        self.sent.append(len(self.sent))
        assert self.mailbox.try_enqueue(self.sent[-1])
        self.mailbox.schedule()

    @rule()
    def tell_what_kills(self) -> None:
        """The actor will fail on it."""
        self.sent.append(len(self.sent))
        self.mailbox.tell(Bomb(self.sent[-1], []))

    @rule()
    def tell_to_leave(self) -> None:
        """The actor will leave, whatever stands behind."""
        self.mailbox.tell(Leave())

    @rule()
    def schedule(self) -> None:
        """Anybody may try to, at any time."""
        self.mailbox.schedule()

    @precondition(lambda self: self.scheduled)
    @rule()
    def run(self) -> None:
        """A thread of the dispatcher comes along."""
        self.scheduled.pop().run()

    @precondition(lambda self: not self.supervisor.empty())
    @rule()
    def supervise(self) -> None:
        """The supervisor deals with what it was told; each of its messages brings the token."""
        message = self.supervisor.get()
        if isinstance(message, Stopped):
            message.mailbox.release()
        else:
            Scripted.start(message.mailbox, self.seen)

    @invariant()
    def there_is_one_token(self) -> None:
        """Scheduled once, or with the supervisor, or at rest; and at rest only without mail."""
        held = len(self.scheduled) + len(self.supervisor)
        assert held <= 1
        assert held == 1 or self.mailbox.empty()

    @invariant()
    def mail_is_handled_in_order(self) -> None:
        """Nothing lost, nothing twice, nothing overtaken, across incarnations."""
        assert self.seen == self.sent[: len(self.seen)]

    def teardown(self) -> None:
        """All mail is handled in the end."""
        while self.scheduled or not self.supervisor.empty():
            if self.scheduled:
                self.run()
            else:
                self.supervise()
        assert self.seen == self.sent
        self.mailbox.tell(Leave())
        for mailbox in self.scheduled:
            mailbox.run()


TestOneToken = OneToken.TestCase
TestOneToken.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)


# The token, under threads


class Ledger:
    """What happened in one mailbox, across all its incarnations."""

    def __init__(self, expected: int) -> None:
        self.seen: list[tuple[int, int]] = []
        self.incarnations = 0
        self.overlaps = 0
        self.inside: deque[None] = deque()
        self.expected = expected
        self.done: SimpleQueue[None] = SimpleQueue()


class Booked(Actor):
    """Enters all it does in a ledger; raises the first time it meets a message in `deadly`."""

    def __init__(self, mailbox: Mailbox, ledger: Ledger, deadly: set[tuple[int, int]]) -> None:
        super().__init__(mailbox)
        self._ledger = ledger
        self._deadly = deadly

    def on_start(self) -> None:
        """One more incarnation."""
        self._ledger.incarnations += 1

    def handle(self, mail: deque[Any]) -> None:
        """Two threads in here at once would break the law."""
        inside = self._ledger.inside
        self._ledger.overlaps += len(inside)
        inside.append(None)
        try:
            super().handle(mail)
        finally:
            inside.pop()

    def on_receive(self, message: Any) -> None:
        """Leave, crash once, or record."""
        if isinstance(message, Leave):
            self._stop()
            return
        if message in self._deadly:
            self._deadly.discard(message)
            raise Crash
        self._ledger.seen.append(message)
        if len(self._ledger.seen) == self._ledger.expected:
            self._ledger.done.put(None)


class Landlord(Actor):
    """The least supervisor: lets a new incarnation in whenever there is need of one."""

    def __init__(self, mailbox: Mailbox, ledger: Ledger, deadly: set[tuple[int, int]]) -> None:
        super().__init__(mailbox)
        self._tenancy = (ledger, deadly)

    def on_receive(self, message: Any) -> None:
        """Vacant, Failed and Left; with each of them comes the token."""
        if isinstance(message, MailWaiting | Crashed):
            Booked.start(message.mailbox, *self._tenancy)
        elif isinstance(message, Stopped):
            message.mailbox.release()


@pytest.fixture(scope="module")
def impatient() -> Iterator[None]:
    """Switch threads as often as the interpreter can, so that races have their chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def pool() -> Iterator[Dispatcher]:
    """Four threads."""
    dispatcher = Dispatcher("pool", threads=4)
    yield dispatcher
    assert dispatcher.stop()


PRODUCERS, EACH = 4, 200

any_message = st.tuples(st.integers(0, PRODUCERS - 1), st.integers(0, EACH - 1))


@given(deadly=st.sets(any_message, max_size=10), leaving=st.sets(any_message, max_size=10))
@settings(max_examples=40, deadline=None)
def test_many_producers_one_mailbox_several_threads(
    impatient: None,
    pool: Dispatcher,
    deadly: set[tuple[int, int]],
    leaving: set[tuple[int, int]],
) -> None:
    """Once each, never two at a time, each producer's order kept, across failures and passivation."""
    ledger = Ledger(PRODUCERS * EACH)
    failures = len(deadly)
    supervisor = Mailbox("landlord", pool.schedule)
    Landlord.start(supervisor, ledger, deadly)
    mailbox = Mailbox("child", pool.schedule, supervisor=supervisor)
    Booked.start(mailbox, ledger, deadly)

    together = threading.Barrier(PRODUCERS)

    def produce(producer: int) -> None:
        together.wait(WAIT)
        for n in range(EACH):
            if n % 2:
                mailbox.tell((producer, n))
            else:
                mailbox.try_enqueue((producer, n))
                mailbox.schedule()
            if (producer, n) in leaving:
                mailbox.tell(Leave())

    threads = [threading.Thread(target=produce, args=[n]) for n in range(PRODUCERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.done.get(timeout=WAIT)

    assert ledger.overlaps == 0
    assert max(Counter(ledger.seen).values()) == 1
    for producer in range(PRODUCERS):
        assert [n for who, n in ledger.seen if who == producer] == list(range(EACH))
    assert ledger.incarnations >= 1 + failures


def test_a_mailbox_that_fell_silent_is_woken_again_and_again(
    impatient: None, pool: Dispatcher
) -> None:
    """The moment between the last look at the mail and handing the token back loses no message."""
    answered: SimpleQueue[int] = SimpleQueue()

    class Echo(Actor):
        def on_receive(self, message: int) -> None:
            answered.put(message)

    mailbox = Mailbox("echo", pool.schedule)
    Echo.start(mailbox)
    for n in range(3000):  # each waits for the one before: the mailbox rests in between
        mailbox.tell(n)
        assert answered.get(timeout=WAIT) == n

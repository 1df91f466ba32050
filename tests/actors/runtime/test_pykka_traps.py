"""What Pykka does not do and we must: each trap shown on plain Pykka, and cured here.

The tests named `plain_pykka_…` say why each cure exists. Where one of them fails after an update of Pykka,
the trap may be gone, and its cure with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import queue
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope

from actors.runtime.actor import Actor, Ping, ask
from actors.runtime.clock import Clock, ClockMailbox, Once
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Crashed, Mailbox, MailWaiting, PoisonMessage
from tests.actors.mailbox_harness import WAIT, Gate, MailboxHarness


class Crash(Exception):
    """What a test's message does to its actor."""


class Doing:
    """What both kinds of actor do in these tests."""

    def on_receive(self, message: Any) -> Any:
        """Raise it, call it, or return it."""
        if isinstance(message, BaseException):
            raise message
        return message() if callable(message) else message


class Plain(Doing, pykka.ThreadingActor):
    """As Pykka has it."""

    use_daemon_thread = True


class Ours(Doing, Actor):
    """As we have it."""


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Two threads."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture(autouse=True)
def registry(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Pykka's global state as it was before, and its complaints kept out of the output."""
    caplog.set_level(logging.CRITICAL, "pykka")
    before = set(pykka.ActorRegistry.get_all())
    yield
    for ref in set(pykka.ActorRegistry.get_all()) - before:
        pykka.ActorRegistry.unregister(ref)
        ref.actor_stopped.set()
        with contextlib.suppress(queue.Full):  # it will wake for what is in there already
            ref.actor_inbox.put(Envelope("look at your flag"))


def ended(actor: pykka.ActorRef[Any]) -> bool:
    """True once the actor counts as stopped; waits for it."""
    return actor.actor_stopped.wait(WAIT)


# An exception in a tell


def test_plain_pykka_loses_the_mail_of_an_actor_whose_tell_raised() -> None:
    """The actor dies, and what was sent to it before is handled by none; its senders receive nothing."""
    gate, handled = Gate(), SimpleQueue[str]()
    actor = Plain.start()
    actor.tell(gate.turn)
    actor.tell(Crash())
    actor.tell(lambda: handled.put("behind"))
    gate.open()

    assert ended(actor)
    assert handled.empty()


def test_an_exception_in_a_tell_loses_no_mail(harness: MailboxHarness) -> None:
    """The supervisor is notified of it and lets the next incarnation in, which handles the rest."""
    handled = SimpleQueue[str]()
    mailbox = harness.mailbox()
    mailbox.tell(Crash())
    mailbox.tell(lambda: handled.put("behind"))
    for _ in range(2):  # the message is tried twice before it is set aside
        Ours.start(mailbox)
        assert isinstance(harness.watch.hear(), Crashed)
    Ours.start(mailbox)

    assert handled.get(timeout=WAIT) == "behind"


# An exception in on_start


class Unstartable:
    """Fails as it starts, and says when a hook is run for that."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.hooks: list[str] = []

    def on_start(self) -> None:
        """Fail."""
        raise Crash

    def on_failure(self, *_: Any) -> None:
        """A hook."""
        self.hooks.append("on_failure")

    def on_stop(self) -> None:
        """Another."""
        self.hooks.append("on_stop")


def test_plain_pykka_runs_no_hook_where_on_start_raises() -> None:
    """Its starter holds a ref, and no one closes what had been opened."""
    made: list[Any] = []

    class Half(Unstartable, pykka.ThreadingActor):
        use_daemon_thread = True

        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    ref = Half.start()

    assert ended(ref)
    assert made[0].hooks == []


def test_an_exception_in_on_start_is_a_failure_like_any_other(harness: MailboxHarness) -> None:
    """The hook runs, the supervisor is notified of it, the mail waits."""
    made: list[Any] = []

    class Half(Unstartable, Actor):
        def __init__(self, mailbox: Mailbox) -> None:
            super().__init__(mailbox)
            made.append(self)

    mailbox = harness.mailbox()
    mailbox.tell("early")
    Half.start(mailbox)
    news = harness.watch.hear()

    assert isinstance(news.error, Crash)
    assert news.message is None, "no message is to blame"
    assert made[0].hooks == ["on_failure"]
    assert mailbox.take_up_to(10) == ["early"]


# SystemExit in one actor


def test_plain_pykka_stops_every_actor_on_one_system_exit() -> None:
    """One tenant's function that calls sys.exit() would end all tenants."""
    one, bystander = Plain.start(), Plain.start()

    one.tell(SystemExit())

    assert ended(bystander)


def test_system_exit_in_one_actor_stops_no_other(harness: MailboxHarness) -> None:
    """It is a failure of that one like any other."""
    one, bystander = harness.mailbox("one"), harness.mailbox("bystander")
    Ours.start(one)
    ref = Ours.start(bystander)

    one.tell(SystemExit())

    assert isinstance(harness.watch.hear().error, SystemExit)
    assert ref.is_alive()
    assert ask(bystander, "still there?", WAIT) == "still there?"


# A reply set twice


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_plain_pykka_leaves_a_dead_actor_that_says_it_is_alive() -> None:
    """An answer that is set twice ends the thread; the ref's tells and asks go nowhere."""
    answer = pykka.ThreadingFuture[Any]()
    threads = SimpleQueue[threading.Thread]()

    def answer_early() -> None:
        threads.put(threading.current_thread())
        answer.set("early")

    actor = Plain.start()
    actor.actor_inbox.put(Envelope(answer_early, reply_to=answer))
    threads.get(timeout=WAIT).join(WAIT)

    assert actor.is_alive()
    with pytest.raises(pykka.Timeout):
        actor.ask("anybody there?", timeout=0.0)


def test_a_reply_set_twice_leaves_the_actor_alive(harness: MailboxHarness) -> None:
    """The first answer stands; the second is dropped, be it a value or an exception."""
    mailbox = harness.mailbox()
    Ours.start(mailbox)
    for second in ("late", Crash()):
        answer = ReplyFuture()

        def answer_early(answer: ReplyFuture = answer, second: object = second) -> object:
            answer.set("early")
            if isinstance(second, Crash):
                raise second
            return second

        mailbox.tell(Envelope(answer_early, reply_to=answer))

        assert ask(mailbox, "anybody there?", WAIT) == "anybody there?"
        assert answer.get(timeout=0) == "early"


# A bounded inbox


class Impatient(queue.Queue[Any]):
    """Raises queue.Full where Pykka would wait."""

    def put(self, item: Any, block: bool = False, timeout: float | None = None) -> None:
        """Without waiting."""
        super().put(item, block=False)


class PlainBounded(Plain):
    """Pykka's actor with a bounded queue as its inbox."""

    @staticmethod
    def _create_actor_inbox() -> Impatient:
        return Impatient(maxsize=1)


def test_plain_pykka_waits_for_itself_where_a_bounded_inbox_is_full_at_its_own_stop() -> None:
    """Stopping puts a message into the inbox, and only the actor itself could make room there."""
    outcome = SimpleQueue[object]()
    actor = PlainBounded.start()

    def stop_oneself() -> None:
        entered.set()
        filled.wait(WAIT)
        try:
            actor.stop(block=False)
        except queue.Full as deadlock:
            outcome.put(deadlock)
        else:
            outcome.put(None)

    entered, filled = threading.Event(), threading.Event()
    actor.tell(stop_oneself)
    entered.wait(WAIT)
    actor.tell("fills the inbox")
    filled.set()

    assert isinstance(outcome.get(timeout=WAIT), queue.Full)


def test_a_full_mailbox_takes_the_actors_own_stop(harness: MailboxHarness) -> None:
    """Only mail from outside is refused, and at once."""
    entered, filled = threading.Event(), threading.Event()
    mailbox = harness.mailbox(limit=1)
    ref = Ours.start(mailbox)

    def stop_oneself() -> None:
        entered.set()
        filled.wait(WAIT)
        ref.stop(block=False)

    mailbox.tell(stop_oneself)
    entered.wait(WAIT)
    assert mailbox.try_enqueue("fills the mailbox")
    assert not mailbox.try_enqueue("one too many")
    filled.set()

    assert ended(ref)


# await


def test_plain_pykka_blocks_the_event_loop_that_awaits_its_future() -> None:
    """What the loop alone could answer is never answered: `get` is called on the loop's own thread."""
    looked = SimpleQueue[threading.Thread]()

    class Traced(pykka.ThreadingFuture[Any]):
        def get(self, *, timeout: float | None = None) -> Any:
            looked.put(threading.current_thread())
            return super().get(timeout=0.0)  # without this, the loop would stand still for ever

    async def wait() -> None:
        future = Traced()
        asyncio.get_running_loop().call_later(0.001, future.set, "from the same loop")
        await future

    with pytest.raises(pykka.Timeout):
        asyncio.run(wait())
    assert looked.get_nowait() is threading.current_thread()


def test_awaiting_an_ask_lets_the_event_loop_go_on(harness: MailboxHarness) -> None:
    """The actor's answer depends on something that the awaiting loop does."""
    let_go = threading.Event()
    ref = Ours.start(harness.mailbox())

    async def wait() -> object:
        asyncio.get_running_loop().call_soon(let_go.set)
        async with asyncio.timeout(WAIT):
            return await ref.ask(lambda: let_go.wait(WAIT), block=False)

    assert asyncio.run(wait()) is True


# Supervision, bounds, passivation, timers


def test_plain_pykka_has_no_supervision_bound_passivation_or_timer() -> None:
    """There is nothing to set, to override or to call for any of them."""
    words = ("supervis", "restart", "limit", "maxsize", "passivat", "timer", "after", "idle")
    offered = [
        *dir(pykka),
        *dir(pykka.ThreadingActor),
        *dir(pykka.ActorRef),
        *inspect.signature(pykka.ThreadingActor.start).parameters,
        *inspect.signature(pykka.ActorRef.tell).parameters,
    ]

    assert [name for name in offered if any(word in name.lower() for word in words)] == []
    inbox = Plain.start().actor_inbox
    assert isinstance(inbox, queue.Queue)
    assert inbox.maxsize == 0, "it grows without bound"


def test_an_actor_has_a_supervisor(harness: MailboxHarness) -> None:
    """Its failures are told, with the message at fault and the right to fill its place."""
    crash = Crash()
    mailbox = harness.mailbox()
    Ours.start(mailbox)

    mailbox.tell(crash)

    assert harness.watch.hear() == Crashed(mailbox, crash, PoisonMessage(crash, 1))


def test_a_mailbox_is_bounded(harness: MailboxHarness) -> None:
    """And refuses at once, instead of growing or making its teller wait."""
    mailbox = harness.mailbox(limit=2)

    assert [mailbox.try_enqueue(n) for n in range(3)] == [True, True, False]


def test_an_actor_can_leave_and_its_address_stays_good(harness: MailboxHarness) -> None:
    """Passivation: what is told to the address later brings the next incarnation."""
    mailbox = harness.mailbox()
    ref = Ours.start(mailbox)
    ref.stop(timeout=WAIT)
    harness.watch.hear().mailbox.release()

    mailbox.tell("mail")

    assert harness.watch.hear() == MailWaiting(mailbox)
    Ours.start(mailbox)
    assert ask(mailbox, Ping(), WAIT)


def test_there_is_a_timer(harness: MailboxHarness) -> None:
    """No one keeps a thread of their own to wait on."""
    clock = ClockMailbox(harness.watch)
    ref = Clock.start(clock)

    clock.tell(Once(0.001, harness.watch, "now"))

    assert harness.watch.hear() == "now"
    ref.stop(timeout=WAIT)

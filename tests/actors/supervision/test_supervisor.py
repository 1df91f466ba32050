"""The Supervisor: who is started again, when, with which mail; and who may reside."""

from __future__ import annotations

import errno
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping
from queue import SimpleQueue
from typing import Any

import pykka
import pytest
from structlog.testing import capture_logs

from actors.errors import DatabaseProblem, MigrationNeeded
from actors.messages import (
    FindTenant,
    ListUnserved,
    Passivate,
    PassivationDeclined,
    Retire,
    Retired,
    TenantRecord,
)
from actors.runtime.actor import Actor, Ping, ask, stop
from actors.runtime.clock import Clock, ClockMailbox, Once
from actors.runtime.futures import ReplyFuture
from actors.runtime.lifecycle import ChildSpec, ChildState, ChildStopped
from actors.runtime.mailbox import Mailbox, MailWaiting, Stopped
from actors.supervision.backoff import MAX_BACKOFF, backoff
from actors.supervision.messages import Drain, EvictIdle, GrowPool
from actors.supervision.rejecting import unserved
from tests.actors.mailbox_harness import WAIT, Gate, Watch
from tests.actors.supervisor_harness import RunningAhead, SupervisorHarness
from tests.actors.tenant_messages import decoded, work


class Crash(Exception):
    """What a test's message does to its actor."""


class Servant(Actor):
    """A child that is no tenant: raises, calls or records what it is told."""

    def __init__(self, mailbox: Mailbox, seen: SimpleQueue[Any]) -> None:
        super().__init__(mailbox)
        self._seen = seen

    def on_start(self) -> None:
        """Say so."""
        self._seen.put("started")

    def on_receive(self, message: Any) -> Any:
        """Raise it, call it, or record it."""
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message()
        self._seen.put(message)
        return None


HotelMaker = Callable[..., SupervisorHarness]


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def make_hotel() -> Iterator[HotelMaker]:
    """Hotels that are closed at the end."""
    hotels: list[SupervisorHarness] = []

    def make(**options: Any) -> SupervisorHarness:
        hotels.append(SupervisorHarness(**options))
        return hotels[-1]

    yield make
    for harness in hotels:
        harness.close()


@pytest.fixture
def harness(make_hotel: HotelMaker) -> SupervisorHarness:
    """With room for everybody."""
    return make_hotel()


@pytest.fixture
def seen() -> SimpleQueue[Any]:
    """What the servants of a test record."""
    return SimpleQueue()


def hear(queue: SimpleQueue[Any], count: int) -> list[Any]:
    """The next ones, when they come."""
    return [queue.get(timeout=WAIT) for _ in range(count)]


def servant(harness: SupervisorHarness, seen: SimpleQueue[Any], **spec: Any) -> Mailbox:
    """A servant that has been started."""
    mailbox = harness.child_mailbox("servant")
    harness.adopt(ChildSpec("servant", lambda box: Servant.start(box, seen), **spec), mailbox)
    assert seen.get(timeout=WAIT) == "started"
    return mailbox


def once(error: BaseException) -> Callable[[], None]:
    """A message that kills the first who handles it, and no one after."""
    errors = [error]

    def call() -> None:
        if errors:
            raise errors.pop()

    return call


# Restarts of children


def test_backoff_is_none_first_and_doubles_up_to_its_most() -> None:
    """OTP has none; a child that cannot start must not spin."""
    assert [backoff(n) for n in range(1, 6)] == [0.0, 0.05, 0.1, 0.2, 0.4]
    assert backoff(11) == 25.6
    assert backoff(12) == backoff(1000) == MAX_BACKOFF


def test_restarts_are_counted_within_their_time() -> None:
    """OTP's intensity: those longer ago do not count."""
    child = ChildState(ChildSpec("child", lambda _: None, max_seconds=10.0))

    assert [child.count_restart(now) for now in (100.0, 105.0, 110.0)] == [1, 2, 3]
    assert child.count_restart(110.1) == 3, "the one at 100.0 is over"
    assert child.count_restart(200.0) == 1


@pytest.mark.parametrize("error", [Crash(), SystemExit()], ids=repr)
def test_a_child_that_fails_is_started_again_and_its_mail_handed_over(
    harness: SupervisorHarness, seen: SimpleQueue[Any], error: BaseException
) -> None:
    """In order; what killed it is tried twice."""
    mailbox = servant(harness, seen)
    gate = Gate()
    for message in (gate.turn, "before", error, "behind", "last"):
        mailbox.tell(message)
    gate.open()

    assert hear(seen, 5) == ["before", "started", "started", "behind", "last"]
    assert harness.given_up.empty()


def test_restarts_in_a_row_are_further_and_further_apart(
    make_hotel: HotelMaker, seen: SimpleQueue[Any]
) -> None:
    """The first is at once; the Clock is asked for the others."""
    clock = RunningAhead()
    mailbox = servant(make_hotel(clock=clock), seen)
    for _ in range(4):
        mailbox.tell(once(Crash()))
    mailbox.tell("done")

    assert hear(seen, 5) == ["started"] * 4 + ["done"]
    assert list(clock.waits) == [0.05, 0.1, 0.2]


def test_nobody_is_in_while_a_restart_waits(make_hotel: HotelMaker, seen: SimpleQueue[Any]) -> None:
    """Mail does not cut the wait short; it is handled after."""
    clock = RunningAhead()
    clock.holding = True
    harness = make_hotel(clock=clock)
    mailbox = servant(harness, seen)
    mailbox.tell(once(Crash()))
    mailbox.tell(once(Crash()))
    wait = clock.held.get(timeout=WAIT)
    mailbox.tell("mail")
    harness.settled()
    assert seen.get_nowait() == "started"
    assert seen.empty()

    wait.to.tell(wait.message)

    assert hear(seen, 2) == ["started", "mail"]


def test_too_many_restarts_of_an_essential_child_give_up_the_system(
    harness: SupervisorHarness, seen: SimpleQueue[Any]
) -> None:
    """More than max_restarts within max_seconds; it is told with the name and the last error."""
    mailbox = servant(harness, seen, max_restarts=2, max_seconds=3600.0)
    last = Crash("last")
    for error in (Crash(), Crash(), last):
        mailbox.tell(once(error))

    assert harness.given_up.get(timeout=WAIT) == ("servant", last)
    assert hear(seen, 2) == ["started", "started"]
    with pytest.raises(pykka.ActorDeadError):
        ask(mailbox, Ping(), WAIT)


def test_a_full_disk_or_missing_descriptors_are_no_failures_of_an_essential_child(
    make_hotel: HotelMaker, seen: SimpleQueue[Any]
) -> None:
    """However many there are: it is started again each time, and its mail handed over."""
    harness = make_hotel(clock=RunningAhead())
    mailbox = servant(harness, seen, max_restarts=0, max_seconds=3600.0)
    mailbox.tell("mail")
    for number in (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EIO):
        mailbox.tell(once(OSError(number, "for a while")))
    mailbox.tell("more mail")
    assert hear(seen, 6) == ["mail", *["started"] * 4, "more mail"]
    assert harness.given_up.empty()


def test_a_child_that_is_not_essential_is_tried_again_later_and_its_mail_waits(
    harness: SupervisorHarness, seen: SimpleQueue[Any]
) -> None:
    """The system goes on; nothing that it was told meanwhile is lost, nor answered by another."""
    assert isinstance(harness.clock, RunningAhead)
    mailbox = servant(harness, seen, max_restarts=1, max_seconds=3600.0, essential=False)
    harness.clock.holding = True
    for error in (Crash(), Crash()):
        mailbox.tell(once(error))
    wait = harness.clock.held.get(timeout=WAIT)
    assert wait.seconds == MAX_BACKOFF
    assert hear(seen, 1) == ["started"]
    mailbox.tell("mail")
    harness.settled()
    assert seen.empty()
    wait.to.tell(wait.message)
    assert hear(seen, 2) == ["started", "mail"]
    assert harness.given_up.empty()


@pytest.mark.parametrize("error", [Crash(), SystemExit()], ids=repr)
def test_a_constructor_that_fails_is_a_failure_of_the_child(
    harness: SupervisorHarness, seen: SimpleQueue[Any], error: BaseException
) -> None:
    """And not of the Supervisor."""
    errors = [error, error]

    def start(mailbox: Mailbox) -> object:
        if errors:
            raise errors.pop()
        return Servant.start(mailbox, seen)

    mailbox = harness.child_mailbox("servant")
    mailbox.tell("early")
    harness.adopt(ChildSpec("servant", start), mailbox)

    assert hear(seen, 2) == ["started", "early"]


def test_a_permanent_child_that_stops_is_started_again(
    harness: SupervisorHarness, seen: SimpleQueue[Any]
) -> None:
    """Every time, whether mail waits or not: no wake-up is lost between leaving and coming back."""
    mailbox = servant(harness, seen, max_restarts=1000)
    for _ in range(200):
        stop(mailbox, WAIT)
        assert seen.get(timeout=WAIT) == "started"


def test_a_permanent_child_that_stops_time_and_again_is_given_up(
    harness: SupervisorHarness, seen: SimpleQueue[Any]
) -> None:
    """It would spin otherwise."""
    mailbox = servant(harness, seen, max_restarts=3)
    for _ in range(4):
        stop(mailbox, WAIT)

    name, error = harness.given_up.get(timeout=WAIT)
    assert name == "servant"
    assert isinstance(error, ChildStopped)


def test_a_transient_child_is_started_again_after_a_failure_but_not_after_a_stop(
    harness: SupervisorHarness, seen: SimpleQueue[Any]
) -> None:
    """Until there is mail for it."""
    mailbox = servant(harness, seen, restart="transient")
    mailbox.tell(once(Crash()))
    assert seen.get(timeout=WAIT) == "started"

    stop(mailbox, WAIT)
    harness.supervisor.hear(Stopped(mailbox))
    harness.settled()
    assert mailbox.incarnation is None

    mailbox.tell("mail")
    assert hear(seen, 2) == ["started", "mail"]


@pytest.mark.parametrize("end", ["stop", "failure"])
def test_a_temporary_child_is_never_started_again(
    harness: SupervisorHarness, seen: SimpleQueue[Any], end: str
) -> None:
    """Anyone who asks it is told so at once."""
    mailbox = servant(harness, seen, restart="temporary")
    if end == "stop":
        stop(mailbox, WAIT)
    else:
        mailbox.tell(Crash())

    with pytest.raises(pykka.ActorDeadError):
        ask(mailbox, "anybody?", WAIT)
    assert seen.empty()


def test_the_clock_is_restarted_without_the_clock(make_hotel: HotelMaker) -> None:
    """It cannot time its own return; a few bad messages must not end all timers."""
    clock = ClockMailbox()
    harness = make_hotel(clock=clock)
    clock.supervisor = harness.supervisor
    harness.adopt(ChildSpec("clock", Clock.start), clock)
    for _ in range(2):
        clock.tell("neither After nor Every")

    reader = Watch()
    clock.tell(Once(0.0, reader, "still there"))

    assert reader.hear() == "still there"
    stop(harness.supervisor, WAIT)
    stop(clock, WAIT)


def test_a_failure_of_the_supervisor_itself_gives_up_the_system(harness: SupervisorHarness) -> None:
    """No one supervises it."""
    harness.supervisor.tell("nonsense")

    name, error = harness.given_up.get(timeout=WAIT)

    assert name == "supervisor"
    assert isinstance(error, TypeError)
    with pytest.raises(pykka.ActorDeadError):
        ask(harness.supervisor, Ping(), WAIT)


def test_pykkas_registry_holds_who_lives_and_no_other(
    harness: SupervisorHarness, seen: SimpleQueue[Any]
) -> None:
    """It does not grow with restarts."""
    mailbox = servant(harness, seen, max_restarts=1000)
    ask(mailbox, Ping(), WAIT)
    before = len(pykka.ActorRegistry.get_all())
    for _ in range(50):
        mailbox.tell(once(Crash()))
        assert seen.get(timeout=WAIT) == "started"

    assert len(pykka.ActorRegistry.get_all()) == before


# Tenants that fail


def test_a_tenant_has_one_address_for_good(harness: SupervisorHarness) -> None:
    """No matter who asks for it, and whether it is resident or not."""
    assert harness.address("acme") is harness.address("acme")
    assert harness.address("acme") is not harness.address("globex")


def test_a_tenant_is_opened_by_its_first_mail(harness: SupervisorHarness) -> None:
    """Asking for its address opens nothing."""
    mailbox = harness.address("acme")
    harness.settled()
    assert harness.life.empty()

    mailbox.tell("mail")

    assert harness.seen.get(timeout=WAIT) == ("acme", "mail")
    assert harness.life.get_nowait() == "+acme"


def test_mail_survives_a_tenants_failure_in_order(harness: SupervisorHarness) -> None:
    """Handed over to the next incarnation."""
    mailbox = harness.address("acme")
    for message in ("before", once(Crash()), "behind", once(SystemExit()), "last"):
        mailbox.tell(message)

    assert hear(harness.seen, 3) == [("acme", "before"), ("acme", "behind"), ("acme", "last")]


def test_a_message_that_kills_twice_is_buried_and_the_others_are_served(
    harness: SupervisorHarness,
) -> None:
    """Tenants beside it notice nothing."""
    crash = Crash()
    acme, globex = harness.address("acme"), harness.address("globex")
    for message in ("before", crash, "behind"):
        acme.tell(message)
    globex.tell("next door")

    news = hear(harness.seen, 4)

    assert [what for who, what in news if who == "acme"] == ["before", ("buried", crash), "behind"]
    assert ("globex", "next door") in news


def test_a_tenant_that_keeps_failing_is_refused_for_a_while_and_tried_again(
    make_hotel: HotelMaker,
) -> None:
    """It costs no one but its own callers anything, and them no waiting."""
    clock = RunningAhead()
    harness = make_hotel(clock=clock)
    outlet = Watch()
    harness.troubles["acme"] = deque([Crash()])
    mailbox = harness.address("acme")
    mailbox.tell(work("first", outlet))

    assert decoded(outlet.hear())["error"]["code"] == "unavailable"
    assert list(clock.waits) == [0.05, 0.1, 0.2, 0.4, MAX_BACKOFF]
    assert harness.given_up.empty()

    harness.troubles.clear()
    mailbox.tell(
        Passivate()
    )  # what the Clock was asked for: told at once, it found the mail before it
    mailbox.tell(once(Crash()))
    mailbox.tell("later")
    assert harness.seen.get(timeout=WAIT) == ("acme", "later"), "it begins with a clean record"


def test_a_tenant_whose_file_is_wrong_is_not_tried_again_at_once(make_hotel: HotelMaker) -> None:
    """A restart does not mend a damaged file."""
    clock = RunningAhead()
    clock.holding = True
    harness = make_hotel(clock=clock)
    outlet = Watch()
    harness.troubles["acme"] = deque([DatabaseProblem("another tenant's file")])
    mailbox = harness.address("acme")
    mailbox.tell(work("first", outlet))

    assert decoded(outlet.hear())["error"]["retry_after_ms"] == 30_000
    mailbox.tell(work("second", outlet))
    assert decoded(outlet.hear())["id"] == "second"
    assert clock.held.get(timeout=WAIT) == Once(MAX_BACKOFF, mailbox, Passivate())
    assert clock.held.empty()


def test_tenants_that_cannot_be_served_are_listed_until_they_are_tried_again(
    make_hotel: HotelMaker,
) -> None:
    """With the reason; of a defect its kind alone, since its words may be a caller's."""
    clock = RunningAhead()
    clock.holding = True
    harness = make_hotel(clock=clock)
    outlet = Watch()
    harness.troubles["globex"] = deque([DatabaseProblem("another tenant's file")])
    harness.troubles["acme"] = deque([OSError(errno.EIO, "for a while")])
    boxes = {name: harness.address(name) for name in ("globex", "acme")}
    for box in boxes.values():
        box.tell(work("first", outlet))
    assert not any(decoded(outlet.hear())["ok"] for _ in boxes)

    acme, globex = ask(harness.supervisor, ListUnserved(), WAIT)
    assert (acme.tenant.name, acme.cause) == ("acme", "Input/output error")
    assert (globex.tenant.name, globex.cause) == ("globex", "another tenant's file")
    assert globex.refusal.code == "unavailable"
    harness.troubles["globex"].clear()
    boxes["globex"].tell(Passivate())
    boxes["globex"].tell("mail")
    assert harness.seen.get(timeout=WAIT) == ("globex", "mail")
    assert [each.tenant.name for each in ask(harness.supervisor, ListUnserved(), WAIT)] == ["acme"]


def test_what_a_defect_says_is_not_told_to_who_asks_which_tenants_are_served() -> None:
    """It may quote what a request held."""
    found = unserved(TenantRecord("acme", "0" * 32), KeyError("hunter2"), 30.0)
    assert found.cause == "KeyError; see the error log"


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EIO, "unavailable"), (errno.ENOSPC, "resource_exhausted")]
)
def test_a_tenant_whose_disk_is_in_trouble_is_tried_again_within_a_second(
    make_hotel: HotelMaker, number: int, code: str
) -> None:
    """However long it lasts; its callers learn when, and what is in the way where that is the room."""
    clock = RunningAhead()
    clock.holding = True
    harness = make_hotel(clock=clock)
    outlet = Watch()
    trouble = DatabaseProblem("acme.db cannot be used")
    trouble.__cause__ = OSError(number, "trouble")
    harness.troubles["acme"] = deque([trouble])
    mailbox = harness.address("acme")
    waits = []
    for attempt in range(7):
        mailbox.tell(work(f"{attempt}", outlet))
        error = decoded(outlet.hear())["error"]
        due = clock.held.get(timeout=WAIT)
        assert due == Once(due.seconds, mailbox, Passivate())
        assert (error["code"], error["retry_after_ms"]) == (code, int(due.seconds * 1000))
        waits.append(due.seconds)
        mailbox.tell(due.message)
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8]

    harness.troubles.clear()
    mailbox.tell("later")
    assert harness.seen.get(timeout=WAIT) == ("acme", "later")


def test_what_is_logged_of_a_failure_names_the_message_and_shows_nothing_of_it(
    harness: SupervisorHarness, logged: list[MutableMapping[str, Any]]
) -> None:
    """Content is the tenant's; the kind and the number of deaths are ours."""

    class Secret(str):
        def __call__(self) -> None:
            raise Crash

    mailbox = harness.address("acme")
    mailbox.tell(Secret("4111 1111 1111 1111"))
    mailbox.tell("for the third incarnation")
    hear(harness.seen, 2)

    assert [line["culprit"] for line in logged] == ["Secret, death 1", "Secret, death 2"]
    assert {line["actor"] for line in logged} == {"tenant acme"}
    assert "4111" not in repr(logged)


# Migrations


def test_a_tenant_of_an_older_schema_is_migrated_and_served(harness: SupervisorHarness) -> None:
    """Its mail waits for that."""
    harness.troubles["acme"] = deque([MigrationNeeded("at 1, head is 3")])

    harness.address("acme").tell("mail")

    assert harness.seen.get(timeout=WAIT) == ("acme", "mail")
    assert harness.migrations.get_nowait() == "acme"
    assert harness.migrations.empty()


def test_a_tenant_whose_migration_fails_is_refused(harness: SupervisorHarness) -> None:
    """And the others are served."""
    outlet = Watch()
    harness.troubles["acme"] = deque([MigrationNeeded("at 1, head is 3")])
    harness.migration_error = DatabaseProblem("revision 2 failed")

    harness.address("acme").tell(work("r1", outlet))
    harness.address("globex").tell("mail")

    assert decoded(outlet.hear())["error"]["code"] == "unavailable"
    assert harness.seen.get(timeout=WAIT) == ("globex", "mail")


def test_migrations_in_vain_come_to_an_end(harness: SupervisorHarness) -> None:
    """A Migrator that reports success and changes nothing does not keep the two busy for ever."""
    outlet = Watch()
    harness.troubles["acme"] = deque([MigrationNeeded("at 1, head is 3")] * 100)

    harness.address("acme").tell(work("r1", outlet))

    assert decoded(outlet.hear())["error"]["code"] == "unavailable"
    assert harness.migrations.qsize() < 10


# Residence


def test_the_least_recently_used_leaves_for_one_who_waits(make_hotel: HotelMaker) -> None:
    """And comes back when there is mail for it."""
    harness = make_hotel(cap=2)
    addresses = {name: harness.address(name) for name in "abc"}
    for name in "aba":
        addresses[name].tell("mail")
        harness.seen.get(timeout=WAIT)

    addresses["c"].tell("mail")
    assert harness.seen.get(timeout=WAIT) == ("c", "mail")
    assert hear(harness.life, 4) == ["+a", "+b", "-b", "+c"]

    addresses["b"].tell("mail")
    assert harness.seen.get(timeout=WAIT) == ("b", "mail")
    assert hear(harness.life, 2) == ["-a", "+b"]


def test_one_to_whom_mail_has_come_stays_until_it_is_done(make_hotel: HotelMaker) -> None:
    """It is not closed and opened again between two messages; the one who waits comes in after."""
    harness = make_hotel(cap=1)
    harness.stubborn = True
    a, b = harness.address("a"), harness.address("b")
    gate = Gate()
    a.tell(gate.turn)
    gate.entered()
    b.tell("waiting")
    harness.supervisor.hear(MailWaiting(b))
    harness.settled()  # a has been told to leave
    a.tell("more")
    gate.open()

    assert hear(harness.seen, 2) == [("a", "more"), ("b", "waiting")]
    assert hear(harness.life, 3) == ["+a", "-a", "+b"]
    harness.supervisor.hear(PassivationDeclined(a))


def test_a_sweep_passivates_the_idle(make_hotel: HotelMaker) -> None:
    """Their addresses stay good."""
    harness = make_hotel(idle_seconds=0.0)
    mailbox = harness.address("acme")
    mailbox.tell("mail")
    harness.seen.get(timeout=WAIT)

    harness.supervisor.tell(EvictIdle())

    assert hear(harness.life, 2) == ["+acme", "-acme"]
    mailbox.tell("mail again")
    assert harness.seen.get(timeout=WAIT) == ("acme", "mail again")


def test_a_sweep_leaves_those_alone_who_had_a_turn_lately(harness: SupervisorHarness) -> None:
    """Within idle_seconds."""
    mailbox = harness.address("acme")
    mailbox.tell("mail")
    harness.seen.get(timeout=WAIT)

    harness.supervisor.tell(EvictIdle())
    harness.settled()
    ask(mailbox, Ping(), WAIT)

    assert harness.life.get_nowait() == "+acme"
    assert harness.life.empty()


@pytest.mark.parametrize("seed", range(3))
def test_many_tenants_in_few_places_under_failures(make_hotel: HotelMaker, seed: int) -> None:
    """Every message once and in its order, never more than the cap inside, whatever fails and leaves."""
    names, each, cap = [f"t{n}" for n in range(12)], 60, 3
    harness = make_hotel(cap=cap, idle_seconds=0.0)
    chance = random.Random(seed)
    addresses = {name: harness.address(name) for name in names}
    plan = [(name, n) for name in names for n in range(each)]
    failing = {step: once(Crash()) for step in chance.sample(plan, 10)}

    def produce(mine: list[str]) -> None:
        for n in range(each):
            for name in mine:
                addresses[name].try_enqueue(n)
                if (name, n) in failing:
                    addresses[name].try_enqueue(failing[name, n])
                addresses[name].schedule()
            if n % 10 == 0:
                harness.supervisor.tell(EvictIdle())

    producers = [threading.Thread(target=produce, args=[names[n::3]]) for n in range(3)]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()

    found: dict[str, list[int]] = {name: [] for name in names}
    for name, n in hear(harness.seen, len(plan)):
        found[name].append(n)
    assert all(found[name] == list(range(each)) for name in names)
    assert not harness.overfull
    assert harness.seen.empty()


# Retiring: a tenant that is deleted


def record(name: str) -> TenantRecord:
    """As SupervisorHarness.address has it."""
    return TenantRecord(name, f"id of {name}")


def retire(harness: SupervisorHarness, name: str) -> Watch:
    """Have a tenant retired; where the answer comes."""
    watch = Watch()
    harness.supervisor.tell(Retire(record(name), watch))
    return watch


def is_deleted(reply: Any, id_: str, name: str) -> bool:
    """Whether a request was refused for good, by the name of the tenant."""
    error = decoded(reply)["error"]
    return (
        decoded(reply)["id"] == id_
        and error["code"] == "unavailable"
        and error["message"] == f"tenant {name} is deleted"
        and "retry_after_ms" not in error
    )


def test_retiring_a_tenant_that_nobody_asked_for_is_done_at_once(
    harness: SupervisorHarness,
) -> None:
    """Its file is open nowhere, and it is not opened for that."""
    assert retire(harness, "acme").hear() == Retired(record("acme"))
    assert harness.life.empty()


def test_retiring_a_tenant_that_is_not_resident_opens_nothing(harness: SupervisorHarness) -> None:
    """Its address is known and refuses from then on, for good."""
    outlet = Watch()
    mailbox = harness.address("acme")

    assert retire(harness, "acme").hear() == Retired(record("acme"))

    for n in range(3):
        mailbox.tell(work(f"r{n}", outlet))
        assert is_deleted(outlet.hear(), f"r{n}", "acme")
    assert harness.life.empty()


def test_a_resident_closes_its_file_before_it_counts_as_retired(harness: SupervisorHarness) -> None:
    """What it had begun is done; what waited behind is refused before the answer is there."""
    outlet, gate = Watch(), Gate()
    mailbox = harness.address("acme")
    mailbox.tell(gate.turn)
    gate.entered()

    answer = retire(harness, "acme")
    harness.settled()
    for n in range(3):
        mailbox.tell(work(f"r{n}", outlet))
    assert answer.heard() == []
    gate.open()

    assert answer.hear() == Retired(record("acme"))
    assert harness.rooms == set()
    refused = outlet.heard()
    assert len(refused) == 3
    assert all(is_deleted(reply, f"r{n}", "acme") for n, reply in enumerate(refused))
    assert hear(harness.life, 2) == ["+acme", "-acme"]
    assert harness.seen.empty()


def test_a_retired_tenant_is_not_brought_back_by_whoever_has_not_heard_of_it(
    harness: SupervisorHarness,
) -> None:
    """The router may ask with a record of yesterday; its callers get an answer."""
    outlet = Watch()
    retire(harness, "acme").hear()

    mailbox = harness.address("acme")
    mailbox.tell(work("r1", outlet))

    assert is_deleted(outlet.hear(), "r1", "acme")
    assert harness.life.empty()


def test_another_tenant_of_the_same_name_is_another_tenant(harness: SupervisorHarness) -> None:
    """A name is free again; the id is not the old one's."""
    retire(harness, "acme").hear()
    reader = Watch()
    harness.supervisor.tell(FindTenant(TenantRecord("acme", "another id"), reader))

    reader.hear().mailbox.tell("mail")

    assert harness.seen.get(timeout=WAIT) == ("acme", "mail")


def test_everybody_who_has_a_tenant_retired_is_told(harness: SupervisorHarness) -> None:
    """While it is under way and when it is over: anyone who is not sure asks again."""
    gate = Gate()
    mailbox = harness.address("acme")
    mailbox.tell(gate.turn)
    gate.entered()
    first, second = retire(harness, "acme"), retire(harness, "acme")
    harness.settled()
    gate.open()

    assert first.hear() == second.hear() == Retired(record("acme"))
    assert retire(harness, "acme").hear() == Retired(record("acme"))


def test_one_that_waits_for_a_place_is_retired_without_it(make_hotel: HotelMaker) -> None:
    """Those behind it in the queue come in before it would have."""
    harness = make_hotel(cap=1)
    outlet, gate = Watch(), Gate()
    inside, waiting, behind = (harness.address(name) for name in ("inside", "waiting", "behind"))
    inside.tell(gate.turn)
    gate.entered()
    waiting.tell(work("r1", outlet))
    harness.supervisor.hear(MailWaiting(waiting))
    behind.tell("mail")
    harness.supervisor.hear(MailWaiting(behind))

    assert retire(harness, "waiting").hear() == Retired(record("waiting"))
    assert is_deleted(outlet.hear(), "r1", "waiting")
    gate.open()

    assert harness.seen.get(timeout=WAIT) == ("behind", "mail")
    assert hear(harness.life, 3) == ["+inside", "-inside", "+behind"]


def test_the_place_of_one_that_retires_is_free_for_others(make_hotel: HotelMaker) -> None:
    """It counts until its file is closed, and not longer."""
    harness = make_hotel(cap=1)
    inside, waiting = harness.address("inside"), harness.address("waiting")
    inside.tell("mail")
    harness.seen.get(timeout=WAIT)
    retire(harness, "inside").hear()

    waiting.tell("mail")

    assert harness.seen.get(timeout=WAIT) == ("waiting", "mail")
    assert not harness.overfull


def test_one_that_is_starting_retires_when_it_has(harness: SupervisorHarness) -> None:
    """Opening a file is not cut short."""
    outlet, gate = Watch(), Gate()
    harness.opening = gate.turn
    mailbox = harness.address("acme")
    mailbox.schedule()
    gate.entered()

    answer = retire(harness, "acme")
    harness.settled()
    mailbox.tell(work("r1", outlet))
    assert answer.heard() == []
    gate.open()

    assert answer.hear() == Retired(record("acme"))
    assert is_deleted(outlet.hear(), "r1", "acme")
    assert harness.rooms == set()


@pytest.mark.parametrize("trouble", [Crash(), DatabaseProblem("gone"), MigrationNeeded("old")])
def test_one_that_cannot_start_is_not_tried_again(
    harness: SupervisorHarness, trouble: BaseException
) -> None:
    """Nor migrated: a file that will be archived needs no new tables."""
    gate = Gate()
    harness.opening = gate.turn
    harness.troubles["acme"] = deque([trouble])
    harness.address("acme").schedule()
    gate.entered()
    answer = retire(harness, "acme")
    harness.settled()
    gate.open()

    assert answer.hear() == Retired(record("acme"))
    assert harness.migrations.empty()
    assert harness.life.empty()


def test_one_that_fails_while_it_should_leave_is_not_started_again(
    harness: SupervisorHarness,
) -> None:
    """Whatever it died of, its mail is refused like the rest."""
    outlet, gate = Watch(), Gate()
    mailbox = harness.address("acme")
    mailbox.tell(gate.turn)
    gate.entered()
    mailbox.tell(once(Crash()))
    mailbox.tell(work("r1", outlet))

    answer = retire(harness, "acme")
    harness.settled()
    gate.open()

    assert answer.hear() == Retired(record("acme"))
    assert is_deleted(outlet.hear(), "r1", "acme")
    assert hear(harness.life, 2) == ["+acme", "-acme"]
    assert harness.life.empty()


def test_one_that_waits_for_its_restart_is_retired_at_once(make_hotel: HotelMaker) -> None:
    """The restart finds nothing to start."""
    clock = RunningAhead()
    clock.holding = True
    harness = make_hotel(clock=clock)
    outlet = Watch()
    mailbox = harness.address("acme")
    for message in (once(Crash()), once(Crash()), work("r1", outlet)):
        mailbox.tell(message)
    wait = clock.held.get(timeout=WAIT)

    assert retire(harness, "acme").hear() == Retired(record("acme"))
    assert is_deleted(outlet.hear(), "r1", "acme")
    wait.to.tell(wait.message)
    harness.settled()

    assert hear(harness.life, 4) == ["+acme", "-acme", "+acme", "-acme"]
    assert harness.life.empty()
    assert harness.given_up.empty()


@pytest.mark.parametrize("error", [None, DatabaseProblem("migration failed")], ids=repr)
def test_one_that_is_being_migrated_retires_when_that_is_over(
    harness: SupervisorHarness, error: Exception | None
) -> None:
    """The Migrator has its file open until then."""
    outlet, gate = Watch(), Gate()
    harness.troubles["acme"] = deque([MigrationNeeded("old")])
    harness.migration_error = error
    harness.migrating = gate.turn
    harness.address("acme").tell(work("r1", outlet))
    gate.entered()

    answer = retire(harness, "acme")
    harness.settled()
    assert answer.heard() == []
    gate.open()

    assert answer.hear() == Retired(record("acme"))
    assert is_deleted(outlet.hear(), "r1", "acme")
    assert harness.life.empty()


def test_one_that_was_given_up_for_a_while_is_retired_for_good(make_hotel: HotelMaker) -> None:
    """What the Clock has for it later finds no one."""
    clock = RunningAhead()
    clock.holding = True
    harness = make_hotel(clock=clock)
    outlet = Watch()
    harness.troubles["acme"] = deque([DatabaseProblem("damaged")])
    mailbox = harness.address("acme")
    mailbox.tell(work("r1", outlet))
    assert "cannot be served now" in decoded(outlet.hear())["error"]["message"]
    wait = clock.held.get(timeout=WAIT)

    assert retire(harness, "acme").hear() == Retired(record("acme"))
    wait.to.tell(wait.message)
    mailbox.tell(work("r2", outlet))

    assert is_deleted(outlet.hear(), "r2", "acme")


@pytest.mark.parametrize("resident", [True, False])
def test_a_drain_waits_for_one_that_retires(harness: SupervisorHarness, resident: bool) -> None:
    """Whichever came first; its mail is refused while the way of the replies is open."""
    outlet, gate = Watch(), Gate()
    mailbox, other = harness.address("acme"), harness.address("other")
    other.tell(gate.turn)
    gate.entered()
    if resident:
        mailbox.tell("mail")
        harness.seen.get(timeout=WAIT)
    done = drain(harness)
    answer = retire(harness, "acme")
    harness.settled()
    mailbox.tell(work("r1", outlet))

    assert answer.hear() == Retired(record("acme"))
    assert is_deleted(outlet.hear(), "r1", "acme")
    assert not done.done()
    gate.open()

    assert done.get(timeout=WAIT) is True


def test_a_drain_is_done_when_the_last_one_has_retired(harness: SupervisorHarness) -> None:
    """Leaving for good is leaving."""
    gate = Gate()
    harness.address("acme").tell(gate.turn)
    gate.entered()
    done = drain(harness)
    answer = retire(harness, "acme")
    harness.settled()
    gate.open()

    assert answer.hear() == Retired(record("acme"))
    assert done.get(timeout=WAIT) is True


def test_a_retired_tenant_leaves_nothing_behind(harness: SupervisorHarness) -> None:
    """Neither a registered actor nor a place; asks find no one."""
    ask(harness.migrator, Ping(), WAIT)
    before = len(pykka.ActorRegistry.get_all())
    mailbox = harness.address("acme")
    mailbox.tell("mail")
    harness.seen.get(timeout=WAIT)

    retire(harness, "acme").hear()

    assert len(pykka.ActorRegistry.get_all()) == before
    with pytest.raises(pykka.ActorDeadError):
        ask(mailbox, Ping(), WAIT)


@pytest.mark.parametrize("seed", range(3))
def test_many_tenants_retire_while_others_come_and_fail(make_hotel: HotelMaker, seed: int) -> None:
    """Every retirement is answered, every request served or refused, and no one is open afterwards."""

    class Refused(Watch):
        __slots__ = ()

        def tell(self, message: Any) -> None:
            made.seen.put(("refused", message))

    names = [f"t{n}" for n in range(12)]
    made = make_hotel(cap=3, idle_seconds=0.0)
    chance = random.Random(seed)
    addresses = {name: made.address(name) for name in names}
    answers = []
    sent = 0
    for step in range(300):
        mailbox = addresses[chance.choice(names)]
        if chance.random() < 0.1:
            mailbox.tell(once(Crash()))
        if chance.random() < 0.2:
            made.supervisor.tell(EvictIdle())
        if step % 25 == 24:
            answers.append((names[step // 25], retire(made, names[step // 25])))
        mailbox.tell(work(f"r{step}", Refused()))
        sent += 1

    for name, answer in answers:
        assert answer.hear() == Retired(record(name))
    hear(made.seen, sent)
    assert made.seen.empty()
    assert made.rooms == set()
    assert not made.overfull
    outlet = Watch()
    for name in names:
        addresses[name].tell(work("late", outlet))
        assert is_deleted(outlet.hear(), "late", name)


# Draining


def drain(harness: SupervisorHarness) -> ReplyFuture:
    """Have the Supervisor drain; what is set when all have left."""
    done = ReplyFuture()
    harness.supervisor.tell(Drain(done, closing=0.0))
    return done


def test_a_drain_without_tenants_is_done_at_once(harness: SupervisorHarness) -> None:
    """Nothing to wait for."""
    assert drain(harness).get(timeout=WAIT) is True


def test_a_drain_waits_for_the_mail_that_tenants_have(harness: SupervisorHarness) -> None:
    """Each answers what it has, closes and leaves; those told to close by a certain time know it."""
    gate = Gate()
    mailbox = harness.address("acme")
    mailbox.tell(gate.turn)
    gate.entered()
    mailbox.tell("accepted before")

    done = drain(harness)
    harness.settled()
    assert not done.done()
    assert mailbox.closing == 0.0
    gate.open()

    assert done.get(timeout=WAIT) is True
    assert harness.seen.get_nowait() == ("acme", "accepted before")
    assert hear(harness.life, 2) == ["+acme", "-acme"]


def test_what_comes_after_a_drain_is_refused(harness: SupervisorHarness) -> None:
    """No tenant is opened any more."""
    outlet = Watch()
    mailbox = harness.address("acme")
    assert drain(harness).get(timeout=WAIT) is True

    for n in range(3):
        mailbox.tell(work(f"r{n}", outlet))

    replies = [decoded(outlet.hear()) for _ in range(3)]
    assert [reply["id"] for reply in replies] == ["r0", "r1", "r2"]
    assert {reply["error"]["code"] for reply in replies} == {"unavailable"}
    assert harness.life.empty()


def test_those_that_wait_for_a_place_are_refused_before_the_drain_is_done(
    make_hotel: HotelMaker,
) -> None:
    """When it is done, the way of their replies is still open."""

    class Slow(Watch):
        __slots__ = ()

        def tell(self, message: Any) -> None:
            on_the_way.turn()
            super().tell(message)

    harness = make_hotel(cap=1)
    outlet = Slow()
    gate, on_the_way = Gate(), Gate()
    inside, waiting = harness.address("inside"), harness.address("waiting")
    inside.tell(gate.turn)
    gate.entered()
    waiting.tell(work("r1", outlet))
    harness.supervisor.hear(MailWaiting(waiting))

    done = drain(harness)
    on_the_way.entered()
    gate.open()
    harness.supervisor.hear(Stopped(inside))
    harness.settled()
    assert not done.done()
    on_the_way.open()

    assert done.get(timeout=WAIT) is True
    assert decoded(outlet.hear())["error"]["code"] == "unavailable"


def test_a_drain_waits_for_mail_that_has_not_been_noticed_yet(harness: SupervisorHarness) -> None:
    """The router has left it and is about to wake the mailbox."""
    outlet = Watch()
    mailbox = harness.address("acme")
    mailbox.try_enqueue(work("r1", outlet))

    done = drain(harness)
    harness.settled()
    assert not done.done()
    mailbox.schedule()

    assert done.get(timeout=WAIT) is True
    assert decoded(outlet.hear())["error"]["code"] == "unavailable"


def test_a_drain_comes_back_to_one_who_stayed(harness: SupervisorHarness) -> None:
    """Mail that came behind its Passivate is answered first."""
    gate = Gate()
    mailbox = harness.address("acme")
    mailbox.tell(gate.turn)
    gate.entered()

    done = drain(harness)
    harness.settled()
    mailbox.tell("behind")
    gate.open()

    assert done.get(timeout=WAIT) is True
    harness.supervisor.hear(PassivationDeclined(mailbox))
    assert harness.seen.get_nowait() == ("acme", "behind")


def test_a_drain_reaches_a_tenant_that_waits_for_its_restart(make_hotel: HotelMaker) -> None:
    """It is started, answers, and leaves."""
    clock = RunningAhead()
    clock.holding = True
    harness = make_hotel(clock=clock)
    mailbox = harness.address("acme")
    for message in (once(Crash()), once(Crash()), "behind"):
        mailbox.tell(message)
    wait = clock.held.get(timeout=WAIT)

    done = drain(harness)
    harness.settled()
    assert not done.done()
    wait.to.tell(wait.message)

    assert done.get(timeout=WAIT) is True
    assert harness.seen.get_nowait() == ("acme", "behind")


def test_a_child_that_the_wiring_stops_during_a_drain_stays_away(
    harness: SupervisorHarness, seen: SimpleQueue[Any]
) -> None:
    """Permanent or not, and whatever is still told to it."""
    mailbox = servant(harness, seen)
    drain(harness)

    stop(mailbox, WAIT)
    harness.supervisor.hear(Stopped(mailbox))
    mailbox.tell("mail")
    harness.settled()

    assert seen.empty()
    assert mailbox.incarnation is None


def test_relief_is_asked_for_when_the_clock_says_so(harness: SupervisorHarness) -> None:
    """By the Supervisor alone, as the dispatcher wants it."""
    harness.supervisor.tell(GrowPool())

    harness.relieved.get(timeout=WAIT)

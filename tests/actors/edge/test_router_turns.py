"""How long a turn of the Router is, who computes after it, and what is charged, by clocks of the test."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

import pytest

from actors.edge.channel import TURN_SECONDS, FlushUses
from actors.edge.router import COUNT_SECONDS, HURRY_SECONDS, REFUSING_SECONDS
from actors.settings import UNLIMITED, Rates
from tests.actors.router_harness import Reception, token
from tests.raw_client import Map
from transport.frames import Frame
from transport.router_socket import RouterSocket

STEP = 0.0005
"""Seconds by which the clock moves at each look."""

REFUSED: Map = {"tenant": "acme", "token": "ann", "action": "no.such_action"}
MARK: Map = {**REFUSED, "action": "marks.add"}
DESCRIBE: Map = {**REFUSED, "action": "system.describe"}


class Clocks:
    """In place of the module `time`: some time goes by at each look, and some of a processor's."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.computed = 0.0
        self.step = self.computing = STEP

    def monotonic(self) -> float:
        """One step later."""
        self.now += self.step
        return self.now

    def thread_time(self) -> float:
        """So much of a processor later."""
        self.computed += self.computing
        return self.computed


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """Those of the Router and of what it shares with the admin channel."""
    made = Clocks()
    monkeypatch.setattr("actors.edge.channel.time", made)
    monkeypatch.setattr("actors.edge.router.time", made)
    monkeypatch.setattr("actors.edge.allowance.time", made)
    return made


def known(rates: Rates = UNLIMITED) -> Iterator[Reception]:
    """A Router that the test runs, and acme's ann."""
    reception = Reception(started=False, rates=rates)
    try:
        reception.knows(token("ann"))
        yield reception
    finally:
        reception.close()


reception = pytest.fixture(known)


def turn(reception: Reception, frames: list[Frame]) -> int:
    """Have one turn; how many messages are handled in it."""
    assert reception.router is not None
    mail = deque(frames)
    reception.router.handle(mail)
    return len(frames) - len(mail)


def test_a_turn_of_messages_that_are_passed_on_is_as_long_as_turns_are(
    reception: Reception, clocks: Clocks
) -> None:
    """The clock is looked at as a message begins and as it has ended."""
    handled = turn(reception, [reception.frame(**MARK) for _ in range(200)])
    assert handled * 2 * STEP == pytest.approx(TURN_SECONDS, abs=2 * STEP)


def test_a_turn_goes_on_for_two_milliseconds_after_its_first_refusal(
    reception: Reception, clocks: Clocks
) -> None:
    """Others' messages wait for the end of it, and what is left is put back."""
    frames = [reception.frame(**each) for each in [MARK] * 10 + [REFUSED] * 100]
    refused = turn(reception, frames) - 10
    assert REFUSING_SECONDS == 0.002
    assert refused * 3 * STEP == pytest.approx(REFUSING_SECONDS, abs=4 * STEP)


def test_for_a_moment_after_a_refusal_others_may_compute_between_two_turns(
    reception: Reception, clocks: Clocks
) -> None:
    """It is as if more of a flood were to come."""
    socket, hurried = reception.mailbox.socket, []
    clocks.step = HURRY_SECONDS / 9
    for action in (MARK, REFUSED, MARK, MARK, MARK, MARK):
        turn(reception, [reception.frame(**action)])
        hurried.append(socket.is_hurried)
    assert hurried == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("by_the_clock", "computed", "answered"),
    [
        (1.0, STEP, 3),  # the machine is busy
        (STEP, 1.0, 3),  # what came before it in the turn took long
        (1.0, 1.0, 1),
    ],
)
def test_what_is_charged_is_processor_time(
    monkeypatch: pytest.MonkeyPatch,
    clocks: Clocks,
    by_the_clock: float,
    computed: float,
    answered: int,
) -> None:
    """A lawful reader of pages is not refused because others compute."""
    sent: list[bytes] = []
    monkeypatch.setattr(RouterSocket, "send", lambda _, __, parts: sent.append(parts[-1]))
    clocks.step, clocks.computing = by_the_clock, computed
    for reception in known(Rates(refused_ms=100.0)):
        for _ in range(3):
            assert turn(reception, [reception.frame(**DESCRIBE)]) == 1
    assert sum(b"resource_exhausted" not in body for body in sent) == answered


def test_counts_of_a_flood_are_told_now_and_then_and_all_of_them_in_the_end(clocks: Clocks) -> None:
    """Each time Stats would take the turn of another actor that waits to compute."""
    for reception in known(Rates(refused_ms=1e-6)):
        for _ in range(50):
            turn(reception, [reception.frame(action="system.ping")])
        some = reception.stats.heard()
        assert reception.router is not None
        reception.router.handle(deque([FlushUses()]))
        rest = reception.stats.heard()
        assert len(some) <= 2 + int(50 * 6 * STEP / COUNT_SECONDS)
        assert sum(each.by for each in (*some, *rest)) == 49

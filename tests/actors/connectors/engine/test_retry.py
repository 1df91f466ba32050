"""Tries and breakers: how long between them, how often, and never past the deadline. No one sleeps here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from actors.connectors.contract import Permanent, Transient
from actors.connectors.engine.retry import (
    JITTER,
    MAX_ATTEMPTS,
    CircuitBreakers,
    CircuitOpen,
    RetryPolicy,
)
from actors.errors import DeadlineExceeded
from tests.actors.connectors.calls import call

Send = Callable[[], Awaitable[Mapping[str, Any]]]


class Bench:
    """Tries whose waits are noted and not waited for."""

    def __init__(self, failures: int = 100, seconds: float = 30.0, **options: Any) -> None:
        self.waits: list[float] = []
        self.breakers = CircuitBreakers(failures, seconds)
        self.tries = RetryPolicy(self.breakers, self._sleep, **options)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def run(self, send: Send, url: str | None = None, **options: Any) -> Any:
        """One call."""
        self.call = call(**options)
        self.call.outer = {"url": url}
        return asyncio.run(self.tries.exchange(self.call, send))


def failing(*errors: Exception) -> Send:
    """Raises these, one for each try, and then answers."""
    left = list(errors)

    async def send() -> Mapping[str, Any]:
        if left:
            raise left.pop(0)
        return {"said": "at last"}

    return send


async def hang() -> Mapping[str, Any]:
    """Answers never."""
    await asyncio.Event().wait()
    raise AssertionError


def test_each_wait_is_twice_the_one_before_and_a_little_at_random() -> None:
    bench = Bench()
    assert bench.run(failing(*[Transient("busy")] * 4)) == {"said": "at last"}
    for wait, least in zip(bench.waits, (0.2, 0.4, 0.8, 1.6), strict=True):
        assert least <= wait <= least + JITTER
    assert [each.error for each in bench.call.attempts] == ["Transient: busy"] * 4 + [None]


def test_a_service_that_says_when_is_not_asked_sooner() -> None:
    bench = Bench()
    bench.run(failing(Transient("busy", 7.5), Transient("busy", 0.0)))
    assert bench.waits[0] == 7.5
    assert bench.waits[1] >= 0.4


def test_after_the_last_try_its_error_is_the_answer() -> None:
    bench = Bench()
    with pytest.raises(Transient, match="number 4"):
        bench.run(failing(*[Transient(f"number {n}") for n in range(9)]))
    assert len(bench.call.attempts) == MAX_ATTEMPTS


@pytest.mark.parametrize("error", [Permanent("no"), RuntimeError("a defect"), TimeoutError()])
def test_what_is_not_transient_is_not_tried_again(error: Exception) -> None:
    bench = Bench()
    with pytest.raises(type(error)):
        bench.run(failing(error))
    assert bench.waits == []


def test_no_try_begins_past_the_deadline() -> None:
    bench = Bench()
    with pytest.raises(Transient):
        bench.run(failing(Transient("busy", 61.0)), within=60.0)
    assert bench.waits == []


def test_a_try_that_hangs_is_cut_off_and_is_transient() -> None:
    bench = Bench(attempt_seconds=0.01)
    with pytest.raises(Transient, match="no answer within"):
        bench.run(hang)
    assert len(bench.call.attempts) == MAX_ATTEMPTS


def test_a_caller_in_a_hurry_says_nothing_of_the_service() -> None:
    bench = Bench(failures=1)
    with pytest.raises(DeadlineExceeded):
        bench.run(hang, within=0.01)
    assert bench.run(failing()) == {"said": "at last"}


class TestBreakers:
    """Only Transient opens one; one try closes it."""

    def test_it_opens_after_so_many_failures_in_a_row_for_that_tenant_alone(self) -> None:
        bench = Bench(failures=3)
        with pytest.raises(CircuitOpen) as opened:
            bench.run(failing(*[Transient("busy")] * 9))
        assert len(bench.call.attempts) == 3
        assert 0 < opened.value.seconds <= 30.0
        with pytest.raises(CircuitOpen):
            bench.run(failing())
        assert bench.call.attempts == []
        assert bench.run(failing(), tenant="globex")

    def test_a_service_that_refuses_is_there(self) -> None:
        bench = Bench(failures=2)
        for error in [Transient("busy", 100.0), Permanent("no")] * 4:
            with pytest.raises((Transient, Permanent)):
                bench.run(failing(error))

    def test_one_target_that_fails_keeps_no_other_from_being_tried(self) -> None:
        """Where calls name where they go."""
        bench = Bench(failures=2)
        for _ in range(2):
            with pytest.raises(CircuitOpen):
                bench.run(failing(*[Transient("busy")] * 9), url="https://one.example/a")
        assert bench.run(failing(), url="https://two.example/a")
        with pytest.raises(CircuitOpen):
            bench.run(failing(), url="https://ONE.example/b")

    def test_what_is_remembered_is_bounded_and_what_answers_is_forgotten(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("actors.connectors.engine.retry.MAX_BREAKERS", 3)
        breakers = CircuitBreakers(1)
        for party in ("a", "b", "c", "d"):
            with pytest.raises(Transient), breakers.attempt(party):
                raise Transient("busy")
        with breakers.attempt("a"):
            pass
        with pytest.raises(CircuitOpen), breakers.attempt("b"):
            pass

    def test_half_open_it_lets_one_try_through_and_closes_by_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [1000.0]
        monkeypatch.setattr("actors.connectors.engine.retry.time", Watch(now))
        bench = Bench(failures=1)
        asyncio.run(self._half_open(bench.breakers, now))

    async def _half_open(self, breakers: CircuitBreakers, now: list[float]) -> None:
        await self._fail(breakers)
        assert breakers.count_open() == 1
        now[0] += 29.0
        with pytest.raises(CircuitOpen) as opened:
            await self._pass(breakers)
        assert opened.value.seconds == pytest.approx(1.0)
        now[0] += 2.0
        await self._fail(breakers)  # the one try fails: open again, for as long
        with pytest.raises(CircuitOpen):
            await self._pass(breakers)
        now[0] += 31.0
        with breakers.attempt("acme"), pytest.raises(CircuitOpen):
            await self._pass(breakers)  # another one at the same time
        await self._pass(breakers)
        assert breakers.count_open() == 0

    async def _fail(self, breakers: CircuitBreakers) -> None:
        with pytest.raises(Transient), breakers.attempt("acme"):
            raise Transient("busy")

    async def _pass(self, breakers: CircuitBreakers) -> None:
        with breakers.attempt("acme"):
            pass


class Watch:
    """In the place of the module time."""

    def __init__(self, now: list[float]) -> None:
        self._now = now

    def monotonic(self) -> float:
        """As the test has it."""
        return self._now[0]

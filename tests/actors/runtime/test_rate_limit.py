"""The limit of functions' time: an average over ten seconds, of the processor's time alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from actors.errors import ResourceExhausted
from actors.runtime import rate_limit as module
from actors.runtime.rate_limit import BURST_SECONDS, CpuBudget, cpu_budget


class Clocks(SimpleNamespace):
    """Stands where the module has `time`: seconds that the test lets pass."""

    passed = 1000.0
    used = 5.0

    def monotonic(self) -> float:
        """What passes for everybody."""
        return self.passed

    def thread_time(self) -> float:
        """What the thread has used of the processor."""
        return self.used


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """Both clocks, standing."""
    made = Clocks()
    monkeypatch.setattr(module, "time", made)
    return made


def call(
    limited: CpuBudget,
    clocks: Clocks,
    used_ms: float,
    passed_ms: float = 0.0,
    error: Exception | None = None,
) -> None:
    """A function that uses and lets pass so much, and may raise."""
    with limited:
        clocks.used += used_ms / 1000
        clocks.passed += passed_ms / 1000
        if error is not None:
            raise error


def wait_of(limited: CpuBudget) -> int:
    """Milliseconds that a refused call is told to wait."""
    with pytest.raises(ResourceExhausted) as caught, limited:
        pytest.fail("the call was let in")
    assert caught.value.refusal.retry_after_ms is not None
    return caught.value.refusal.retry_after_ms


def test_ten_seconds_worth_can_be_used_at_once_and_no_more(clocks: Clocks) -> None:
    """Who was quiet has saved that much; the call that goes beyond it is the last one."""
    limited = CpuBudget("acme", 20.0)
    for _ in range(3):
        call(limited, clocks, used_ms=100.0)
    assert wait_of(limited) == 100 / 20 * 1000


def test_whoever_waits_as_long_as_told_is_let_in(clocks: Clocks) -> None:
    """And not a millisecond earlier."""
    limited = CpuBudget("acme", 20.0)
    call(limited, clocks, used_ms=20.0 * BURST_SECONDS + 50.0)
    wait = wait_of(limited)
    assert wait in (2500, 2501)
    clocks.passed += (wait - 2) / 1000
    assert wait_of(limited) in (1, 2)
    clocks.passed += 0.002
    call(limited, clocks, used_ms=0.0)


def test_waiting_for_something_else_is_not_charged(clocks: Clocks) -> None:
    """A disk, an outside service, another tenant's turn."""
    limited = CpuBudget("acme", 1.0)
    for _ in range(10):
        call(limited, clocks, used_ms=0.1, passed_ms=60_000.0)
    call(limited, clocks, used_ms=0.0)


def test_a_call_that_fails_is_charged_and_a_refused_one_is_not(clocks: Clocks) -> None:
    """Trying again and again makes no wait longer."""
    limited = CpuBudget("acme", 1.0)
    with pytest.raises(ZeroDivisionError):
        call(limited, clocks, used_ms=11.0, error=ZeroDivisionError())
    clocks.used += 100.0
    waits = {wait_of(limited) for _ in range(100)}
    assert len(waits) == 1
    assert waits <= {1000, 1001}


def test_a_tenant_without_a_limit_has_nothing_to_measure_it() -> None:
    """So that nothing is measured."""
    assert cpu_budget("acme", None) is None
    assert isinstance(cpu_budget("acme", 5.0), CpuBudget)

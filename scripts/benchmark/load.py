"""The result of one measurement's load, over either protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from scripts.benchmark.plan import ADD, Call

IN_FLIGHT = 256
PATIENCE = 30.0
"""Seconds without any reply after which a peer has failed."""


class LoadFailed(Exception):
    """A peer did not answer, or answered wrongly: its figures would mean nothing."""


class Answer(NamedTuple):
    """One reply, matched to its request."""

    number: int
    """The request's place in the sequence that was sent."""
    at: float
    """Arrival, on the clock of `LoadResult.sent`."""
    problem: str
    """Empty when the peer said it was done; else its error, in short."""
    result: Mapping[str, Any]


class LoadResult(NamedTuple):
    """Everything sent and received in one measurement, in seconds of time.perf_counter()."""

    began: float
    sent: Sequence[float]
    answers: Sequence[Answer]


def due_times(began: float, count: int, pace: float) -> list[float]:
    """Return when each of so many requests is to be sent, at so many in a second."""
    return [began + number / pace for number in range(count)]


class LoadClient(Protocol):
    """A way to reach a peer: packs calls beforehand, then drives them as fast as it answers, or at a pace."""

    def pack(self, call: Call) -> bytes:
        """The call as the bytes that go out."""
        ...

    def drive(self, bodies: Sequence[bytes], seconds: float) -> LoadResult:
        """Send for so many seconds or until none is left, IN_FLIGHT at once; await the rest."""
        ...

    def drive_at(self, bodies: Sequence[bytes], pace: float) -> LoadResult:
        """Send all, so many in a second, whatever has been answered; await the rest.

        `sent` has the moments at which they were due: what is sent late has waited, too.
        """
        ...

    def close(self) -> None:
        """Let go of sockets."""
        ...


def problems(asked: Sequence[Call], answers: Sequence[Answer]) -> Iterator[str]:
    """What is wrong with the answers: refusals, wrong rows, the same new id twice in one tenant."""
    given: set[tuple[str, int]] = set()
    for answer in answers:
        call = asked[answer.number]
        if answer.problem:
            yield answer.problem
        elif call.action != ADD and answer.result.get("id") != call.params["id"]:
            yield f"{call.action} answered another row"
        elif call.action == ADD and (call.tenant, answer.result["id"]) in given:
            yield f"{call.action} gave one id twice"
        elif call.action == ADD:
            given.add((call.tenant, answer.result["id"]))


def check(peer: str, asked: Sequence[Call], result: LoadResult) -> None:
    """Raise LoadFailed unless every request was answered once, and rightly."""
    missing = len(result.sent) - len({answer.number for answer in result.answers})
    counted = Counter(problems(asked, result.answers))
    if missing:
        counted["no answer"] += missing
    if counted:
        found = "; ".join(f"{count} x {problem}" for problem, count in counted.most_common(5))
        raise LoadFailed(
            f"{peer}: {counted.total()} of {len(result.sent)} requests went wrong: {found}"
        )

"""Marks keep the place of a reply, and are never taken for one."""

from __future__ import annotations

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from actors.tenant.request.idempotency import Progress, progress_in
from transport import codec
from transport.message import UNAVAILABLE, Refusal

TIMES = st.floats(min_value=0, max_value=4e9)


@given(st.integers(min_value=1, max_value=10**9), TIMES, TIMES)
def test_progress_is_read_as_it_was_written(steps: int, first: float, last: float) -> None:
    """And says so many."""
    progress = Progress(steps, first, last)
    assert progress_in(progress.encode()) == progress
    assert str(progress).startswith("one step" if steps == 1 else f"{steps} steps")


@given(st.dictionaries(st.text("abc"), st.integers(0, 9), max_size=40))
def test_a_reply_is_no_progress(reply: dict[str, int]) -> None:
    """In either encoding, however many fields it has."""
    assert progress_in(msgpack.packb(reply)) is None
    assert progress_in(codec.encode({"id": "x", **reply}, "json")) is None


def test_each_stretch_that_wrote_counts() -> None:
    """The first and the last time are remembered."""
    progress = Progress.advance(Progress.advance(Progress.advance(None, 10.0), 20.0), 30.25)
    assert progress == (3, 10.0, 30.25)
    assert str(progress) == (
        "3 steps of it were committed, the first at 1970-01-01T00:00:10.000Z, the last at "
        "1970-01-01T00:00:30.250Z"
    )


def test_a_refusal_with_progress_does_not_ask_for_a_retry() -> None:
    """It is the answer for good."""
    refusal = Progress(1, 0.0, 0.0).annotate(
        Refusal(UNAVAILABLE, "no", "Sorry.", retry_after_ms=100)
    )
    assert (refusal.code, refusal.user_message, refusal.retry_after_ms) == (
        UNAVAILABLE, "Sorry.", None,
    )  # fmt: skip
    assert refusal.message.startswith("no; one step of it was committed, at 1970")

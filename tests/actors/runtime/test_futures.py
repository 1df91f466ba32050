"""A function stepped by hand: what an actor does with an `async def` function, without any actor."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest
from pykka._envelope import Envelope

from actors.runtime.futures import (
    NOT_AWAITABLE,
    Awaiting,
    CoroutineDriver,
    PendingReply,
    Raised,
    ReplyFuture,
    Returned,
    ask_async,
    resolve,
    resolve_with_error,
)
from actors.runtime.mailbox import Mailbox


async def sum_of(*answers: ReplyFuture) -> int:
    """Await each in turn."""
    return sum([await PendingReply(answer) for answer in answers])


def test_a_function_that_awaits_nothing_ends_in_its_first_step() -> None:
    """As a plain function would."""
    assert CoroutineDriver(sum_of()).step() == Returned(0)


def test_a_function_runs_to_each_await_and_goes_on_with_the_answer() -> None:
    """The answers are given in the order in which they are awaited, whenever they came."""
    first, second = ReplyFuture(), ReplyFuture()
    stepper = CoroutineDriver(sum_of(first, second))

    assert stepper.step() == Awaiting(first)
    resolve(second, 2)
    resolve(first, 1)
    assert stepper.step(first) == Awaiting(second)
    assert stepper.step(second) == Returned(3)


def test_an_error_that_is_answered_is_raised_where_it_was_awaited() -> None:
    """A function may catch it, as any other."""

    async def forgiving(answer: ReplyFuture) -> str:
        try:
            await PendingReply(answer)
        except LookupError as error:
            return f"caught {error}"
        return "none"

    answer = ReplyFuture()
    resolve_with_error(answer, LookupError("nobody"))
    stepper = CoroutineDriver(forgiving(answer))

    assert stepper.step() == Awaiting(answer)
    assert stepper.step(answer) == Returned("caught nobody")


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3), StopIteration(1)])
def test_whatever_a_function_raises_is_a_value_for_its_actor(error: BaseException) -> None:
    """Anyone who steps goes on, whatever it was; StopIteration would pass for a return otherwise."""

    async def fails() -> None:
        raise error

    step = CoroutineDriver(fails()).step()

    assert isinstance(step, Raised)
    assert error in (step.error, step.error.__cause__)


def test_awaiting_anything_else_raises_an_error_that_says_so() -> None:
    """At the await, so that the traceback shows it; and what the function cleans up may still wait."""
    cleaned = ReplyFuture()

    async def sleeps() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            await PendingReply(cleaned)

    stepper = CoroutineDriver(sleeps())
    assert stepper.step() == Awaiting(cleaned)
    resolve(cleaned, None)
    step = stepper.step(cleaned)

    assert isinstance(step, Raised)
    assert (type(step.error), str(step.error)) == (TypeError, NOT_AWAITABLE)


def test_whoever_steps_says_what_may_be_awaited() -> None:
    """A kind of its own in place of a ReplyFuture, and words of its own for everything else."""

    class Question:
        def __await__(self) -> Generator[Question, str, str]:
            return (yield self)

    async def asks(*questions: Any) -> list[Any]:
        return [await question for question in questions]

    question = Question()
    stepper = CoroutineDriver(
        asks(question, PendingReply(ReplyFuture())), Question, "only questions"
    )
    assert stepper.step() == Awaiting(question)
    answer = ReplyFuture()
    resolve(answer, "because")
    step = stepper.step(answer)

    assert isinstance(step, Raised)
    assert (type(step.error), str(step.error)) == (TypeError, "only questions")


def test_what_asyncio_says_is_explained() -> None:
    """Most of its functions fail before anything is awaited."""
    step = CoroutineDriver(asyncio.sleep(1)).step()

    assert isinstance(step, Raised)
    assert (type(step.error), step.error.__notes__) == (RuntimeError, [NOT_AWAITABLE])


def test_a_function_that_will_not_be_abandoned_is_no_trouble_to_who_steps() -> None:
    """It may not wait for anything any more; what it raises is told."""

    async def clings(answer: ReplyFuture) -> None:
        try:
            await PendingReply(answer)
        finally:
            await PendingReply(answer)

    stepper = CoroutineDriver(clings(ReplyFuture()))
    stepper.step()

    assert isinstance(stepper.close(), RuntimeError)
    assert stepper.close() is None


def test_an_abandoned_function_cleans_up() -> None:
    """What it holds is let go, without a warning of a coroutine that was never awaited."""
    let_go: list[str] = []

    async def holds(answer: ReplyFuture) -> None:
        try:
            await PendingReply(answer)
        finally:
            let_go.append("it")

    stepper = CoroutineDriver(holds(ReplyFuture()))
    stepper.step()
    stepper.close()

    assert let_go == ["it"]


def test_asking_happens_at_once_and_awaiting_later() -> None:
    """So a function can ask two actors and then wait for both."""
    told: list[Any] = []
    mailbox = Mailbox("asked", lambda box: told.extend(box.take_up_to(9)))
    mailbox.release()

    pending = ask_async(mailbox, "how much?")

    assert [type(each) for each in told] == [Envelope]
    assert told[0].message == "how much?"
    assert told[0].reply_to is pending.future

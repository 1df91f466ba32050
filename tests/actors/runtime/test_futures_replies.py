"""The answer to an ask: awaited without blocking the loop, and given once."""

from __future__ import annotations

import asyncio
import queue
import threading

import pykka
import pytest

from actors.runtime.futures import ReplyFuture, resolve, resolve_with_error

WAIT = 10.0
"""Seconds after which a test gives up on an event that should come at once."""


def run(answer: ReplyFuture) -> object:
    """Await an answer on an event loop of its own."""

    async def wait() -> object:
        async with asyncio.timeout(WAIT):
            return await answer

    return asyncio.run(wait())


def test_get_returns_what_was_set() -> None:
    """As Pykka's does."""
    answer = ReplyFuture()
    assert not answer.done()

    answer.set("value")

    assert answer.done()
    assert answer.get(timeout=0) == "value"


def test_get_gives_up_after_its_timeout() -> None:
    """No caller waits for ever."""
    with pytest.raises(pykka.Timeout):
        ReplyFuture().get(timeout=0)


def test_awaiting_what_is_answered_already() -> None:
    """No one will notify it again."""
    answer = ReplyFuture()
    answer.set("early")

    assert run(answer) == "early"


def test_awaiting_raises_what_the_actor_raised() -> None:
    """An exception is an answer, too."""
    answer = ReplyFuture()
    resolve_with_error(answer, KeyError("missing"))

    with pytest.raises(KeyError, match="missing"):
        run(answer)


def test_the_loop_goes_on_while_an_answer_is_awaited() -> None:
    """What is awaited here can only be answered by the loop itself."""
    answer = ReplyFuture()

    async def ask_and_answer() -> object:
        asyncio.get_running_loop().call_soon(answer.set, "from the same loop")
        async with asyncio.timeout(WAIT):
            return await answer

    assert asyncio.run(ask_and_answer()) == "from the same loop"


def test_many_await_one_answer_that_another_thread_gives() -> None:
    """Each waiter is notified of it."""
    answer = ReplyFuture()

    async def ask() -> list[object]:
        waiters = [asyncio.ensure_future(wait()) for _ in range(10)]
        await asyncio.sleep(0)  # lets them all begin to wait
        thread = threading.Thread(target=answer.set, args=["for all"])
        thread.start()
        async with asyncio.timeout(WAIT):
            found = await asyncio.gather(*waiters)
        thread.join()
        return found

    async def wait() -> object:
        return await answer

    assert asyncio.run(ask()) == ["for all"] * 10


def test_an_answer_given_while_it_begins_to_be_awaited_is_not_missed() -> None:
    """Set before the callback is there or after: one of the two looks finds it."""

    async def ask_often() -> None:
        for n in range(300):
            answer = ReplyFuture()
            thread = threading.Thread(target=answer.set, args=[n])
            thread.start()
            async with asyncio.timeout(WAIT):
                assert await answer == n
            thread.join()

    asyncio.run(ask_often())


def test_an_answer_made_from_others_is_awaited_without_blocking() -> None:
    """`map`, `join` and `stop(block=False)` give futures that no one sets."""
    asked = ReplyFuture()
    mapped = asked.map(lambda value: value * 2)

    async def ask_and_answer() -> object:
        asyncio.get_running_loop().call_soon(asked.set, 21)
        async with asyncio.timeout(WAIT):
            return await mapped

    assert asyncio.run(ask_and_answer()) == 42


def test_answering_one_who_has_gone_is_no_trouble_for_the_one_who_answers() -> None:
    """The asker gave up and its loop is closed; the actor must not fail on that."""
    answer = ReplyFuture()

    async def give_up() -> None:
        waiter = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        waiter.cancel()

    async def wait() -> object:
        return await answer

    asyncio.run(give_up())

    assert resolve(answer, "too late")


def test_settle_answers_once() -> None:
    """The second answer is dropped, and anyone who gives it is told."""
    answer = ReplyFuture()

    assert resolve(answer, "first")
    assert not resolve(answer, "second")
    assert not resolve_with_error(answer, KeyError())

    assert answer.get(timeout=0) == "first"


def test_set_itself_refuses_a_second_answer() -> None:
    """As Pykka's does: settle is for those who cannot know."""
    answer = ReplyFuture()
    answer.set(1)

    with pytest.raises(queue.Full):
        answer.set(2)


def test_a_listener_hears_of_an_answer_whether_it_comes_before_or_after() -> None:
    """Anyone who waits without a thread of its own is told, and never forgotten."""
    early, late = ReplyFuture(), ReplyFuture()
    heard: list[str] = []

    resolve(early, 1)
    early.add_callback(lambda: heard.append("early"))
    late.add_callback(lambda: heard.append("late"))
    assert heard == ["early"]
    resolve_with_error(late, KeyError("an error is an answer, too"))

    assert heard == ["early", "late"]

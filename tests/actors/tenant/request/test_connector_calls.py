"""ctx.call: what the index does not allow is refused where it is written, and says what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from actors.errors import CallRefused
from actors.messages import Principal
from actors.profiles import Config
from actors.runtime.futures import Awaiting, CoroutineDriver, Raised, ReplyFuture, Returned, resolve
from actors.schema.schema import ResultProblem
from actors.tenant.context import Context
from actors.tenant.database.statements import ScopedDatabase
from actors.tenant.request.connector_calls import AWAITABLE, ConnectorCall, ConnectorCalls
from tests.actors.tenant.async_harness import TABLE
from tests.actors.tenant.subscriptions import subscribed

ACTION = TABLE.routes["marks.slowly"].action


def context(calls: ConnectorCalls | None = None) -> Context:
    """What a function of marks.slowly gets."""
    caller = Principal("t_1", "acme", "member")
    now = datetime.now(UTC)
    return Context(ScopedDatabase(), "acme", caller, ACTION.name, now, "0" * 32, Config(), calls)


@pytest.fixture
def calls() -> ConnectorCalls:
    """Of one function."""
    return ConnectorCalls(ACTION, TABLE.operations, subscribed)


def test_a_plain_function_hears_that_it_cannot_wait() -> None:
    """And how it could."""
    with pytest.raises(CallRefused, match="write async def, and await"):
        context().call("timer.sleep", seconds=1)


@pytest.mark.parametrize("name", ["mail.send", "timer", "timer.wake", ""])
def test_an_operation_that_the_action_does_not_list_is_not_called(
    calls: ConnectorCalls, name: str
) -> None:
    """Whether or not there is one."""
    with pytest.raises(CallRefused, match="is not among its connectors: add it to connectors"):
        context(calls).call(name)


def test_one_that_the_index_has_and_the_action_does_not_list_neither() -> None:
    """The list says what a developer of the index has to expect of the action."""
    calls = ConnectorCalls(ACTION._replace(connectors=("post.send",)), TABLE.operations, subscribed)
    with pytest.raises(CallRefused, match=r"timer\.sleep.*marks\.slowly"):
        context(calls).call("timer.sleep", seconds=1)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "seconds"),
        ({"seconds": 601}, "seconds"),
        ({"seconds": "1"}, "seconds"),
        ({"seconds": 1, "minutes": 1}, "minutes"),
        ({"seconds": datetime.now(UTC)}, "plain JSON"),
    ],
)
def test_params_that_do_not_fit_never_leave(calls: ConnectorCalls, params: Any, says: str) -> None:
    """It is a defect of the function, not of its caller's request."""
    with pytest.raises(CallRefused, match=says):
        context(calls).call("timer.sleep", **params)
    calls.require_awaited()


def test_params_may_have_any_name() -> None:
    """Also that of the operation itself."""
    operation = TABLE.operations["post.send"]
    loose = operation._replace(params=TABLE.routes["owners.only"].result)
    calls = ConnectorCalls(ACTION, {"post.send": loose}, subscribed)
    with pytest.raises(CallRefused, match="operation"):
        context(calls).call("post.send", operation="x", self="y")


def test_a_call_is_what_its_function_awaits_and_gives_the_answer(calls: ConnectorCalls) -> None:
    """With an attribute for each property."""

    async def function(ctx: Context) -> float:
        slept = await ctx.call("timer.sleep", seconds=2.5)
        return float(slept.seconds)

    stepper = CoroutineDriver(function(context(calls)), ConnectorCall, AWAITABLE)
    step = stepper.step()
    assert isinstance(step, Awaiting)
    assert (step.awaited.operation.name, step.awaited.params) == ("timer.sleep", {"seconds": 2.5})
    answer = ReplyFuture()
    resolve(answer, {"seconds": 2.75})
    assert stepper.step(answer) == Returned(2.75)
    calls.require_awaited()


def test_an_answer_that_does_not_fit_is_raised_at_the_await(calls: ConnectorCalls) -> None:
    """Every rule of the schema counts, not only the types."""

    async def function(ctx: Context) -> None:
        await ctx.call("timer.sleep", seconds=2.5)

    stepper = CoroutineDriver(function(context(calls)), ConnectorCall, AWAITABLE)
    stepper.step()
    answer = ReplyFuture()
    resolve(answer, {"seconds": -1})
    step = stepper.step(answer)
    assert isinstance(step, Raised)
    assert isinstance(step.error, ResultProblem)


def test_a_call_is_awaited_once(calls: ConnectorCalls) -> None:
    """The second time it would be sent again."""

    async def function(ctx: Context) -> None:
        call = ctx.call("timer.sleep", seconds=1)
        calls.start(call)  # type: ignore[arg-type] # it is a Call; functions see no more than an Awaitable
        await call

    step = CoroutineDriver(function(context(calls)), ConnectorCall, AWAITABLE).step()
    assert isinstance(step, Raised)
    assert isinstance(step.error, CallRefused)
    assert "awaited before" in str(step.error)


def test_a_call_that_is_not_awaited_is_noticed(calls: ConnectorCalls) -> None:
    """A letter that was forgotten is worse than an error."""
    context(calls).call("post.send", to="reader")
    with pytest.raises(CallRefused, match=r"post\.send without awaiting it, so nothing was sent"):
        calls.require_awaited()

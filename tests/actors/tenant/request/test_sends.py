"""ctx.send: what may be sent, and what anyone who tries otherwise is told."""

from __future__ import annotations

from typing import Any

import pytest

from actors.errors import CallRefused, MisfitCall
from actors.index.entries import Operation
from actors.messages import Principal
from actors.profiles import Config
from actors.tenant.context import Context
from actors.tenant.outbox.attempt import ATTEMPT_SECONDS
from actors.tenant.request.connector_calls import NotEntitled
from actors.tenant.request.sends import LONGEST_SLEEP, MOST_AT_ONCE, Sends
from tests.actors.tenant.outbox_harness import TABLE
from tests.actors.tenant.subscriptions import subscribed


def sends(action: str = "parcels.send") -> Sends:
    """Of a function of that action."""
    return Sends(TABLE.routes[action].action, TABLE, subscribed)


def context(sends: Sends | None) -> Context:
    """What a function gets; it has no need of a database here."""
    nothing: Any = None
    caller = Principal("t_1", "acme", "member")
    return Context(
        nothing, "acme", caller, "parcels.send", nothing, "0" * 32, Config(), None, sends
    )


def test_a_send_has_a_key_of_its_own_and_all_that_was_said() -> None:
    """Params are a map: an operation may have one that is called `then`."""
    made = sends()
    ctx = context(made)
    params = {"name": "a"}
    one = ctx.send("post.deliver", params, then="parcels.heard", ordered=True)
    params["name"] = "changed after it was sent"
    other = ctx.send("post.deliver", {"name": "a"})
    assert one != other
    taken = made.take()
    assert taken is not None
    assert [each.key for each in taken] == [one, other]
    assert taken[0].params == b'{"name":"a"}'
    assert (taken[0].then, taken[0].ordered) == ("parcels.heard", True)
    assert (taken[1].then, taken[1].ordered) == (None, False)
    assert made.take() is None


@pytest.mark.parametrize(
    ("action", "operation", "params", "then", "why"),
    [
        ("parcels.count", "post.deliver", {"name": "a"}, None, 'its effect is "read"'),
        ("parcels.send", "post.collect", {"name": "a"}, None, "is not among its connectors"),
        ("parcels.send", "post.burn", {"name": "a"}, None, "is not among its connectors"),
        ("parcels.send", "post.deliver", {}, None, "name"),
        ("parcels.send", "post.deliver", {"name": "a", "then": "x"}, None, "then"),
        ("parcels.send", "post.deliver", {"name": object()}, None, "plain JSON"),
        ("parcels.send", "post.deliver", {"name": "\udce9"}, None, "plain JSON"),
        ("parcels.send", "post.deliver", {"name": "a"}, "parcels.herd", "did you mean"),
        ("parcels.send", "post.deliver", {"name": "a"}, "tenants.delete", "no action of the index"),
        ("parcels.send", "post.deliver", {"name": "a"}, "parcels.count", 'effect = "write"'),
        ("parcels.send", "post.deliver", {"name": "a"}, "parcels.send", "has to take id, key"),
    ],
)
def test_what_the_index_does_not_allow_is_refused_with_a_reason(
    action: str, operation: str, params: dict[str, Any], then: str | None, why: str
) -> None:
    """Where it is sent, and not when the outcome is there."""
    made = sends(action)
    with pytest.raises(CallRefused, match=r"ctx\.send of") as refused:
        made.create(operation, params, then, ordered=False)
    assert why in str(refused.value)
    assert made.take() is None


def test_nothing_is_sent_without_a_subscription() -> None:
    """The function receives it where it sends, and may catch it."""

    def refuse(operation: Operation) -> None:
        raise NotEntitled(operation.name)

    made = Sends(TABLE.routes["parcels.send"].action, TABLE, refuse)
    with pytest.raises(NotEntitled, match="needs a subscription to post"):
        made.create("post.deliver", {"name": "a"}, None, ordered=False)
    assert made.take() is None


def test_one_message_sends_no_more_than_so_many() -> None:
    """A loop that does not end would fill the outbox."""
    made = sends()
    for _ in range(MOST_AT_ONCE):
        made.create("post.deliver", {"name": "a"}, None, ordered=False)
    with pytest.raises(CallRefused, match="more than 1,000"):
        made.create("post.deliver", {"name": "a"}, None, ordered=False)


def test_a_sleep_that_no_attempt_outlasts_is_refused_where_it_is_sent() -> None:
    action = TABLE.routes["parcels.send"].action._replace(connectors=("timer.sleep",))
    made = Sends(action, TABLE, subscribed)
    assert LONGEST_SLEEP < ATTEMPT_SECONDS
    assert made.create("timer.sleep", {"seconds": LONGEST_SLEEP}, None, ordered=False)
    with pytest.raises(MisfitCall, match=r"more than 59 s .* await ctx\.call waits longer"):
        made.create("timer.sleep", {"seconds": LONGEST_SLEEP + 1}, None, ordered=False)


def test_nothing_is_sent_from_where_nothing_can_be() -> None:
    """Such as a function that a test calls by itself."""
    with pytest.raises(CallRefused, match=r"cannot send post\.deliver from here"):
        context(None).send("post.deliver", {"name": "a"})

"""What goes in comes out: hostile values are stored by every way, and every page that shows them is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.access import ADMIN_OWNER, DEVELOPER_ADMIN
from actors.log.events import Events
from tests.actors.callers import Being, Caller, MovableClock, Stage
from tests.actors.servers import INDEX
from tests.conftest import Server

HOW = ("refuse", "fail", "log", "answer")

PAGES = ("logs.tenant", "logs.errors", "logs.audit", "audit.list", "members.list", "config.show")

HOSTILE = st.text(
    st.sampled_from(
        '\0\x01\x1b\x7f\x85\x9b\u200b\u202e\u2028\ud800\udce9\udfff\ufeff\U000e0001{}"\\a '
    )
    | st.characters(),
    max_size=30,
)
"""What a function may say."""

SENDABLE = st.text(
    st.sampled_from('\x01\x1b\x7f\x85\x9b\u200b\u202e\u2028\ufeff\U000e0001{}"\\ ')
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=30,
)
"""What a caller may send."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, events: Events) -> Iterator[Stage]:
    """A server whose functions return anything, and whose error log records it."""
    clock = MovableClock()
    server = Server(tmp_path_factory.mktemp("data"), clock=clock, registry=INDEX)
    events.connect(server.system.logs.errors)
    made = Stage(server, clock)
    yield made
    made.close()
    events.disconnect()
    server.stop()


@pytest.fixture(scope="module")
def reader(stage: Stage) -> Caller:
    """Who may read all of it."""
    return stage.make(Being(DEVELOPER_ADMIN, grant="live"))


@pytest.fixture(scope="module")
def owner(stage: Stage) -> Caller:
    """Who names members and settings."""
    return stage.make(Being(ADMIN_OWNER))


def require_readable(stage: Stage, reader: Caller, traces: list[Any]) -> None:
    """Every page, and the story of each request."""
    for name in PAGES:
        reply = stage.call("admin", reader.text, "acme", name, {})
        assert reply["ok"], (name, reply)
    for trace in traces:
        reply = stage.call("admin", reader.text, "acme", "logs.trace", {"trace_id": trace})
        assert reply["ok"], reply


@given(said=HOSTILE, sent=SENDABLE)
@example(said="a\0b", sent="\x9b")
@example(said="\udce9", sent="\u202e")
@settings(max_examples=4, derandomize=True, deadline=None)
def test_whatever_was_stored_every_page_can_be_read(
    stage: Stage, reader: Caller, owner: Caller, said: str, sent: str
) -> None:
    """By functions in refusals, errors, log events and results; by callers in params, names and settings."""
    member, spelt = stage.server.tokens["acme"], said.encode("utf-16-be", "surrogatepass").hex()
    traces = []
    params: dict[str, Any]
    for how in HOW:
        params = {"text": spelt, "how": how}
        reply = stage.call("data", member, "acme", "trouble.quote", params)
        assert reply["ok"] or reply["error"]["code"] in ("failed_precondition", "internal"), reply
        traces.append(reply["meta"]["trace_id"])
    for params in ({"text": sent}, {"text": 1, sent: sent}):
        reply = stage.call("data", member, "acme", "marks.add", params)
        traces.append(reply["meta"]["trace_id"])
    shown = stage.call("admin", owner.text, "acme", "config.show", {})
    revision = shown["result"]["config"]["revision"]
    for name, params in (
        ("members.add", {"name": f"M {sent}"}),
        ("members.add", {"name": "M", sent: 1}),
        ("config.patch", {"revision": revision, "patch": {"settings": {sent: [sent]}}}),
    ):
        stage.call("admin", owner.text, "acme", name, params)
    require_readable(stage, reader, traces)


def test_a_tenant_goes_on_after_all_of_that(stage: Stage) -> None:
    """No actor was given up, and none of its versions taken out for what it says in a refusal."""
    reply = stage.call("data", stage.server.tokens["acme"], "acme", "marks.add", {"text": "after"})
    assert reply["ok"], reply

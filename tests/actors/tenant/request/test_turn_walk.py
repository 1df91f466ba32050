"""A request's way from message to held reply: once through the handler, and nothing climbs back into it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from actors.tenant.context import Context
from actors.tenant.request import handler
from tests.actors.tenant.turn_harness import MIB, TurnHarness
from tests.faulty.functions import ADD


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[TurnHarness]:
    """A tenant whose first messages are served."""
    made = TurnHarness(tmp_path)
    made.call("marks.add", text="first")
    made.call("marks.count")
    yield made
    made.close()


def files_visited(tenant: TurnHarness, action: str, **params: Any) -> list[str]:
    """The files of the calls that one request makes, in order; calls within one file are one visit."""
    calls: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls.append(frame.f_code.co_filename)

    request = tenant.request(action, **params)
    sys.setprofile(note)
    try:
        tenant.turn(request)
    finally:
        sys.setprofile(None)
    return [file for file, _ in groupby(calls)]


@pytest.mark.parametrize(
    ("action", "params"), [("marks.add", {"text": "one"}), ("marks.count", {})]
)
def test_a_request_enters_the_handler_once(
    tenant: TurnHarness, action: str, params: dict[str, Any]
) -> None:
    """A write and a read."""
    assert files_visited(tenant, action, **params).count(str(Path(handler.__file__))) == 1


def test_a_function_that_goes_on_without_its_transaction_leaves_nothing(
    tenant: TurnHarness,
) -> None:
    """Neither its effect nor what it sent, although it hides that the quota has ended the transaction."""
    tenant.limit(database_bytes=MIB)

    def swallow(ctx: Context, params: Any) -> dict[str, Any]:
        ctx.send("post.send", {"to": "ada"})
        with suppress(Exception):
            while True:
                ctx.db.run(ADD, {"text": "x" * 100_000})
        return {"ids": []}

    tenant.serve("marks.slowly", swallow, is_async=False)
    reply, beside = tenant.turn(
        tenant.request("marks.slowly", text="sent"), tenant.request("marks.add", text="beside")
    )
    assert reply.error is not None
    assert reply.error.code == "internal"
    assert beside.ok
    assert tenant.marks() == ["first", "beside"]
    assert tenant.rows("SELECT count(*) FROM tenantry_outbox") == [(0,)]

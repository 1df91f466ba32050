"""What counts against a version in its tenants' turns, and what is served once it is out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.errors import NotFound
from actors.health import Health, Threshold
from actors.index.messages import TakeOut
from actors.messages import DeadLetter
from actors.registry import load_table
from actors.routing import RoutingTable
from tests.actors.house import House, Watch
from tests.actors.servers import INDEX
from tests.actors.tenant.test_profile import Desk

LIMIT = Threshold(failures=3, calls=10, seconds=60.0)


@pytest.fixture(scope="module")
def table() -> RoutingTable:
    """Of the actions that misbehave."""
    return load_table(INDEX, "hosted-live")


@pytest.fixture
def house() -> Iterator[House]:
    """Two threads."""
    made = House()
    yield made
    made.empty()


@pytest.fixture
def desk(tmp_path: Path, table: RoutingTable, house: House) -> Desk:
    """With a new file; `marks.add` has a sound version to fall back on, and the test is the Registry."""
    made = Desk(tmp_path / "data", table, house)
    sound = table.routes["marks.add"]
    made.replace("marks.add", health=Health(LIMIT), fallback=sound, version=2)
    made.tables.registry = Watch()
    return made


def told(desk: Desk) -> list[Any]:
    """What the Registry has been told."""
    assert isinstance(desk.tables.registry, Watch)
    return desk.tables.registry.heard()


def test_messages_that_killed_their_tenant_count_and_one_word_of_it_is_enough(desk: Desk) -> None:
    for _ in range(LIMIT.failures + 2):
        desk.mailbox.tell(DeadLetter(desk.work("marks.add", text="deadly"), "Crash()"))
        assert desk.hear()["error"]["code"] == "internal"
    (word,) = told(desk)
    assert isinstance(word, TakeOut)
    assert (word.name, word.version, len(word.failures)) == ("marks.add", 2, LIMIT.failures)
    assert desk.ask("marks.add", text="x")["meta"]["version"] == 1


def test_a_result_that_does_not_fit_counts_as_much_as_an_error(desk: Desk) -> None:
    def misshape(ctx: Any, params: Any) -> Any:
        return {"id": "seven"}

    desk.replace("marks.add", misshape)
    replies = [desk.ask("marks.add", text="x") for _ in range(LIMIT.failures + 1)]
    assert [reply["ok"] for reply in replies] == [False] * LIMIT.failures + [True]
    assert len(told(desk)) == 1


def test_refusals_of_any_kind_do_not_count(desk: Desk) -> None:
    def refuse(ctx: Any, params: Any) -> Any:
        raise NotFound("no such mark")

    desk.replace("marks.add", refuse)
    for _ in range(LIMIT.failures * 2):
        assert desk.ask("marks.add", text="x")["error"]["code"] == "not_found"
        assert desk.ask("marks.add")["error"]["code"] == "invalid_argument"
    assert told(desk) == []


def test_where_there_is_nothing_to_fall_back_on_it_is_unavailable(desk: Desk) -> None:
    def fail(ctx: Any, params: Any) -> Any:
        raise RuntimeError

    desk.replace("marks.add", fail, fallback=None)
    codes = [desk.ask("marks.add", text="x")["error"]["code"] for _ in range(LIMIT.failures + 1)]
    assert codes == ["internal"] * LIMIT.failures + ["unavailable"]

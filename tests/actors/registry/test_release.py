"""Several moves as one, on a real server: all of them or none, in one write and one record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.log.messages import MOVE
from actors.registry.version_states import FILE
from tests.actors.developer_project import VERSION, Workshop
from tests.raw_client import RawClient

HERE: dict[str, Any] = {"environment": "hosted-live", "states": "data"}

COUNTING = """
[[actions."marks.count".versions]]
version = 2
state   = "under user test"
code    = "marks_count_2:count"
"""

ONWARD = [
    {"function": "marks.add", "version": 2, "to": "release", "request": "R-1"},
    {"function": "marks.add", "version": 1, "to": "reverted"},
    {"function": "marks.count", "version": 2, "to": "release"},
]
BACK = [
    {"function": "marks.add", "version": 1, "to": "release"},
    {"function": "marks.add", "version": 2, "to": "reverted"},
    {"function": "marks.count", "version": 2, "to": "reverted"},
]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """An index with a second version of two functions, both ready to be released."""
    with Workshop(tmp_path) as workshop:
        workshop.write(2, "under user test")
        (workshop.index.parent / "marks_count_2.py").write_text(
            "def count(ctx, params):\n    return {'count': 42}\n"
        )
        with workshop.index.open("a") as file:
            file.write(COUNTING)
        workshop.serve(**HERE)
        yield workshop


def release(shop: Workshop, moves: list[dict[str, Any]], **given: Any) -> dict[str, Any]:
    """Make these moves."""
    asked = {"moves": moves, "why": "the test says so", "release": "shop-7", **given}
    return shop.ask("functions.release", **asked)


def refusal(shop: Workshop, moves: list[dict[str, Any]]) -> Any:
    """Why they are not made."""
    return shop.refusal("functions.release", moves=moves, why="x")


def kept(shop: Workshop) -> dict[str, Any]:
    """What the environment's file of states has."""
    content: dict[str, Any] = json.loads((shop.data / FILE).read_text())
    return content


def count(shop: Workshop) -> Any:
    """What marks.count answers."""
    return shop.call("marks.count", "acme")["result"]


def test_all_moves_are_made_in_one_write_and_one_record(shop: Workshop) -> None:
    done = release(shop, ONWARD)
    assert done["settled"] is True
    assert [(each["function"], each["origin"], each["to"]) for each in done["moves"]] == [
        ("marks.add", "under user test", "release"),
        ("marks.add", "release", "reverted"),
        ("marks.count", "under user test", "release"),
    ]
    assert shop.answered_by() == (2, "newest")
    assert count(shop) == {"count": 42}
    history = kept(shop)["history"][-3:]
    assert len({each["at"] for each in history}) == 1
    records = shop.ask("audit.list", action="functions.move")["records"]
    (record,) = [each for each in records if each["kind"] == MOVE]
    assert record["params"]["release"] == "shop-7"
    assert [each["from"] for each in record["params"]["moves"]] == [
        each["origin"] for each in done["moves"]
    ]


def test_the_history_of_a_function_has_its_moves_of_a_release(shop: Workshop) -> None:
    release(shop, ONWARD)
    shop.move(2, "reverted")
    told = shop.ask("functions.history", function="marks.add")["moves"]
    assert [(each["version"], each["to"]) for each in told] == [
        (2, "reverted"),
        (2, "release"),
        (1, "reverted"),
    ]
    assert told[1]["request"] == "R-1"


def test_a_release_goes_back_as_a_whole(shop: Workshop) -> None:
    """Also a version that it had reverted, which no single move takes back to release."""
    release(shop, ONWARD)
    assert refusal(shop, BACK).code == "failed_precondition"
    release(shop, BACK, back=True)
    assert shop.answered_by() == (1, "fallback after reverted")
    assert count(shop) != {"count": 42}
    assert shop.states() == {2: "reverted", 1: "release"}


def test_where_one_is_refused_none_is_made_and_each_refused_one_is_named(shop: Workshop) -> None:
    before = kept(shop)
    wrong = [
        ONWARD[0],
        {"function": "marks.add", "version": 1, "to": "under user test"},
        {"function": "marks.count", "version": 2, "to": "release", "expected": "under dev"},
    ]
    refused = refusal(shop, wrong)
    assert refused.code == "failed_precondition"
    assert [each.field for each in refused.refusal.details] == ["marks.add@1", "marks.count@2"]
    assert "2 of 3 moves are refused" in str(refused)
    assert "'under user test' by now" in str(refused)
    assert kept(shop) == before
    assert shop.answered_by() == (1, "newest")


def test_code_that_cannot_be_loaded_stops_all(shop: Workshop) -> None:
    before = kept(shop)
    (shop.index.parent / "marks_count_2.py").write_text("def count(ctx):\n    return {}\n")
    refused = refusal(shop, ONWARD)
    assert refused.code == "failed_precondition"
    assert "marks_count_2" in str(refused)
    assert kept(shop) == before
    assert shop.answered_by() == (1, "newest")


def test_what_is_not_there_is_named_and_a_version_is_moved_once(shop: Workshop) -> None:
    one = ONWARD[0]
    refused = refusal(shop, [one, {**one, "function": "marks.ad"}, {**one, "function": "x.y"}])
    assert refused.code == "not_found"
    fields = [each.field for each in refused.refusal.details]
    assert fields == ["params.moves.1", "params.moves.2"]
    assert "lists twice: marks.add version 2" in str(refusal(shop, [one, one]))


def test_one_sent_twice_with_one_id_is_made_once_also_after_a_restart(shop: Workshop) -> None:
    admin = shop.ask("developers.add", name="Ada", role="developer")["developer"]["id"]
    token = shop.ask("developers.issue", person=admin, label="test")["text"]
    params = {"moves": ONWARD, "why": "ready", "release": "shop-7"}
    sent = {"id": "m-1", "token": token, "action": "functions.release"}
    with RawClient(shop.server.system.admin_endpoint) as raw_client:
        first = raw_client.ask(**sent, params=params)["result"]
    server = shop.serve(**HERE)
    with RawClient(server.system.admin_endpoint) as raw_client:
        again = raw_client.ask(**sent, params=params)["result"]
        other = raw_client.ask(**sent, params={**params, "moves": ONWARD[:1]})
    assert again == first
    assert other["error"]["code"] == "invalid_argument"
    assert len(shop.ask("functions.history", function="marks.count")["moves"]) == 1


def test_in_local_dev_one_edit_of_the_index_has_all_of_them(shop: Workshop) -> None:
    with shop.index.open("a") as file:
        file.write(VERSION.format(number=3, state="potential release"))
    shop.write_code(3)
    shop.serve()
    release(shop, [{**each, "request": "R-9"} for each in ONWARD])
    text = shop.index.read_text()
    assert text.count("R-9") == 3
    assert shop.states() == {3: "potential release", 2: "release", 1: "reverted"}

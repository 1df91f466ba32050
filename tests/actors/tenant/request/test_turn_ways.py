"""Nearly all messages go a short way. That they do is counted here, since a test of times could not tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.index.parser import read_index
from actors.routing.table import RoutingTable
from actors.screening.fields import FieldScreen
from actors.screening.screener import Screener
from actors.screening.turn import MOST_TOGETHER
from actors.tenant.database.statements import FallbackPath
from tests.actors.tenant.turn_harness import TurnHarness
from transport import codec

DESK = RoutingTable.build(read_index(Path(__file__).parents[4] / "registry.toml"), "local-dev")

NAMES = ("Ada Lovelace", "North & Sons", "Zoë Çelik", "O-Neill, 2nd @ home")
"""Names that no rule of the screening has to be asked about one by one."""

LONG_WAYS = (
    (FallbackPath, "rows"),
    (FallbackPath, "count"),
    (Screener, "find"),
    (FieldScreen, "check"),
    (codec, "_checked"),
)
"""SQLAlchemy's own path, a text and a message screened by itself, and a reply walked value by value."""

ODD = (207, 256)
"""Ids of contacts with a byte that might be a NUL, or begin an integer of 64 bits: walked."""

Taken = Counter[str]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TurnHarness]:
    """The desk's tenant, which serves in one turn all that it is given."""
    monkeypatch.setattr("actors.tenant.actor.TURN_SECONDS", 60.0)
    made = TurnHarness(tmp_path, DESK)
    yield made
    made.close()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """How often each of the long ways was taken."""
    counted: Taken = Counter()

    def counting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def count(*given: Any) -> Any:
            counted[name] += 1
            return original(*given)

        return count

    for owner, name in LONG_WAYS:
        monkeypatch.setattr(owner, name, counting(name, getattr(owner, name)))
    return counted


def test_adds_and_gets_go_the_short_way_once_their_statements_were_met(
    desk: TurnHarness, taken: Taken
) -> None:
    """Also with ids of two bytes, some of which look like headers of maps."""
    names = [f"{name} {n}" for n in range(75) for name in NAMES]
    desk.turn(*(desk.request("contacts.add", name=name) for name in names[:2]))
    desk.turn(*(desk.request("contacts.get", id=1) for _ in range(2)))
    assert taken["count"] + taken["rows"] > 0
    taken.clear()
    replies = desk.turn(*(desk.request("contacts.add", name=name) for name in names[2:]))
    assert [reply.ok for reply in replies] == [True] * len(names[2:])
    replies = desk.turn(*(desk.request("contacts.get", id=1 + n) for n in range(200)))
    assert [reply.result["name"] for reply in replies if reply.result] == names[:200]
    assert taken.pop("_checked") == len(ODD)
    assert not taken


def test_fields_that_look_like_a_header_only_side_by_side_take_the_short_way(
    desk: TurnHarness, taken: Taken
) -> None:
    """`to` at the beginning of a line begins a header; a name, a line break and Tony's address do not."""
    [reply] = desk.turn(
        desk.request(
            "contacts.add", name="Tony Hoare", email="tony@example.com", company="Host & Co"
        )
    )
    assert reply.ok
    assert taken["find"] == 0
    [reply] = desk.turn(
        desk.request("contacts.add", name="A\nto: b@example.com", email="tony@b.co")
    )
    assert reply.error is not None
    assert reply.error.code == "rejected"


def test_the_texts_of_as_many_messages_as_are_looked_at_together_are_looked_at_once(
    desk: TurnHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    original = Screener.is_harmless

    def counted(self: Screener, kind: str, texts: Sequence[str]) -> bool:
        looked.append(len(texts))
        return original(self, kind, texts)

    monkeypatch.setattr(Screener, "is_harmless", counted)
    added = [
        desk.request("contacts.add", name=name, email="a@example.com")
        for name in NAMES
        for _ in range(MOST_TOGETHER // 2)
    ]
    assert all(reply.ok for reply in desk.turn(*added))
    assert looked == [2 * MOST_TOGETHER] * 2


def test_of_a_turn_only_the_attack_is_rejected(desk: TurnHarness) -> None:
    names = ["Ada", "1' or '1'='1", "Grace", "Edsger"]
    replies = desk.turn(*(desk.request("contacts.add", name=name) for name in names))
    assert [reply.ok for reply in replies] == [True, False, True, True]
    assert replies[1].error is not None
    assert replies[1].error.code == "rejected"

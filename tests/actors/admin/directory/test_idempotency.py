"""Receipts: an order has its effect once however often it is sent, for 24 hours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from actors.admin.messages import (
    AddMember,
    CreateTenant,
    IssueToken,
    ListMembers,
    PatchConfig,
    RemoveMember,
    RevertConfig,
    RevokeToken,
    ShowConfig,
    TransferOwnership,
)
from actors.errors import Aborted, AlreadyExists, InvalidArgument, NotFound
from actors.messages import Receipt
from tests.actors.admin.directory_harness import CONSOLE, DAY, START, TownHall, receipt

JOAN = AddMember("acme", "Joan", None)


def names(town: TownHall) -> list[str]:
    """Of everybody in acme."""
    return sorted(each["name"] for each in town.ask(ListMembers("acme", "", 200))["members"])


def receipts_of(town: TownHall) -> list[Any]:
    """In the file."""
    with closing(sqlite3.connect(f"file:{town.path}?mode=ro", uri=True)) as reader:
        return reader.execute("SELECT * FROM receipts").fetchall()


def test_a_repeated_order_gets_the_first_result_and_does_nothing(town: TownHall) -> None:
    """It says that it is a replay; nobody is told anything."""
    town.tenant()
    first = town.done(JOAN, CONSOLE, receipt())
    town.changes()
    again = town.done(JOAN, CONSOLE, receipt())
    assert (first.replayed, again.replayed) == (False, True)
    assert again.result == first.result
    assert names(town) == ["Ada", "Joan"]
    assert town.changes() == []


def test_it_holds_across_a_restart(town: TownHall) -> None:
    """It is in the file with what it did."""
    town.tenant()
    first = town.done(JOAN, CONSOLE, receipt())
    town.restart()
    assert town.done(JOAN, CONSOLE, receipt()).result == first.result
    assert names(town) == ["Ada", "Joan"]


def test_an_id_is_its_caller_s_own(town: TownHall) -> None:
    """Two callers may choose the same; one without a receipt repeats nothing."""
    town.tenant()
    for caller in ("t_1", "t_2"):
        assert not town.done(JOAN, CONSOLE, receipt("same", caller)).replayed
    for _ in range(2):
        assert not town.done(JOAN, CONSOLE, None).replayed
    assert names(town) == ["Ada", *["Joan"] * 4]


def test_an_id_used_for_something_else_is_refused(town: TownHall) -> None:
    """As tenants refuse it; nothing is done, and the first result stays."""
    town.tenant()
    first = town.done(JOAN, CONSOLE, receipt())
    with pytest.raises(InvalidArgument, match="'first' was used for another request within 24 h"):
        town.order(AddMember("acme", "Mary", None), receipt=receipt(digest=b"b" * 32))
    assert names(town) == ["Ada", "Joan"]
    assert town.done(JOAN, CONSOLE, receipt()).result == first.result


def test_after_a_day_an_id_is_new(town: TownHall) -> None:
    """Whether or not a sweep has come by; until then it is not."""
    town.tenant()
    town.order(JOAN, receipt=receipt())
    town.now += DAY
    assert town.done(JOAN, CONSOLE, receipt()).replayed
    town.now += 1
    assert not town.done(JOAN, CONSOLE, receipt()).replayed
    assert town.done(JOAN, CONSOLE, receipt()).replayed
    assert names(town) == ["Ada", "Joan", "Joan"]


def test_a_sweep_forgets_those_that_no_longer_count(town: TownHall) -> None:
    """So that the file does not grow with every order ever given."""
    town.tenant()
    town.order(JOAN, receipt=receipt("old"))
    town.now += DAY / 2
    town.order(JOAN, receipt=receipt("new"))
    town.sweep()
    assert len(receipts_of(town)) == 2
    town.now += DAY / 2 + 1
    town.sweep()
    assert len(receipts_of(town)) == 1
    assert town.done(JOAN, CONSOLE, receipt("new")).replayed


def test_a_clock_set_back_makes_nothing_repeatable(town: TownHall) -> None:
    """Neither while the server runs nor after a restart."""
    town.tenant()
    town.now += 10 * DAY
    town.order(JOAN, receipt=receipt())
    town.now = START
    assert town.done(JOAN, CONSOLE, receipt()).replayed
    town.restart()
    town.sweep()
    assert town.done(JOAN, CONSOLE, receipt()).replayed


def test_what_was_refused_leaves_no_receipt(town: TownHall) -> None:
    """The same request may succeed once what was missing is there."""
    with pytest.raises(NotFound):
        town.order(JOAN, receipt=receipt())
    town.tenant()
    assert not town.done(JOAN, CONSOLE, receipt()).replayed


def test_a_token_s_text_is_shown_once(town: TownHall) -> None:
    """The order repeated names the token, which is there to be revoked, and issues no other."""
    ada = town.tenant()
    wanted = IssueToken("acme", ada.person, "shop", None, None)
    made = town.order(wanted, receipt=receipt())["token"]["id"]
    town.changes()
    for _ in range(2):
        with pytest.raises(AlreadyExists, match=f"{made}.*revoke it and issue another"):
            town.order(wanted, receipt=receipt())
    assert town.changes() == []
    town.order(RevokeToken("acme", made))


def test_a_tenant_made_with_a_token_is_made_once(town: TownHall) -> None:
    """Its admin owner's token is named; without a token the result is there to be repeated."""
    wanted = CreateTenant("acme", "Ada", None, token=True)
    made = town.order(wanted, receipt=receipt("1"))["token"]["id"]
    with pytest.raises(AlreadyExists, match=made):
        town.order(wanted, receipt=receipt("1"))
    quiet = CreateTenant("globex", "Ada", None, token=False)
    first = town.done(quiet, CONSOLE, receipt("2"))
    assert town.done(quiet, CONSOLE, receipt("2")).result == first.result
    assert len(town.files) == 2


def test_an_order_is_the_same_under_another_token_of_the_person(town: TownHall) -> None:
    """Also one whose receipt was kept for the token."""
    town.tenant()
    town.order(JOAN, receipt=Receipt("p_1", "r1", b"a" * 32, "t_1"))
    assert town.done(JOAN, CONSOLE, Receipt("p_1", "r1", b"a" * 32, "t_2")).replayed
    town.order(JOAN, receipt=Receipt("t_1", "r2", b"b" * 32))
    assert town.done(JOAN, CONSOLE, Receipt("p_1", "r2", b"b" * 32, "t_1")).replayed
    assert not town.done(JOAN, CONSOLE, Receipt("p_2", "r1", b"a" * 32, "t_3")).replayed


def test_what_was_answered_is_only_for_who_may_still_ask(town: TownHall) -> None:
    """Whoever lost his role, by that very order or since, hears so; nothing is done a second time."""
    ada, joan = town.tenant(), town.member()
    kept_by_ada = Receipt(ada.id, "add", b"c" * 32)
    town.done(JOAN, ada, kept_by_ada)
    handed = TransferOwnership("acme", joan.person)
    town.done(handed, ada, Receipt(ada.id, "hand over", b"d" * 32))
    with pytest.raises(Aborted, match="no longer admin owner"):
        town.done(handed, ada, Receipt(ada.id, "hand over", b"d" * 32))
    with pytest.raises(Aborted, match="no longer admin owner"):
        town.done(JOAN, ada, kept_by_ada)
    assert town.admin_owners() == [joan.person]
    assert names(town) == ["Ada", "Joan", "Joan"]


def test_a_config_is_not_kept_a_second_time(town: TownHall) -> None:
    """The order repeated gets its own revision, whatever came since; the receipt is short."""
    town.tenant()
    text = "x" * 60_000
    patch = PatchConfig("acme", {"settings": {"text": text}}, 0)
    revert = RevertConfig("acme", 1, 1)
    first = {
        id_: town.done(command, CONSOLE, receipt(id_))
        for id_, command in (("patch", patch), ("revert", revert))
    }
    town.order(PatchConfig("acme", {"settings": None}, 2))
    for id_, command in (("patch", patch), ("revert", revert)):
        assert town.done(command, CONSOLE, receipt(id_)) == first[id_]._replace(replayed=True)
    assert not any(text in str(row) for row in receipts_of(town))


def test_a_revision_that_is_kept_no_longer_was_made_all_the_same(town: TownHall) -> None:
    """Whoever repeats its order hears which it was, and nothing is done."""
    town.tenant()
    wanted = PatchConfig("acme", {"settings": {"n": 1}}, 0)
    town.order(wanted, receipt=receipt())
    for revision in range(1, 201):
        town.order(PatchConfig("acme", {}, revision))
    with pytest.raises(AlreadyExists, match="as revision 1 of the config"):
        town.order(wanted, receipt=receipt())
    assert town.ask(ShowConfig("acme", None))["config"]["revision"] == 201


def test_a_long_answer_is_not_kept(town: TownHall) -> None:
    """The order repeated is refused as done: who repeats it looks for himself."""
    ada = town.tenant()
    scope = frozenset(f"{number:03}".ljust(128, "x") for number in range(200))
    wide = town.with_token("acme", ada.person, scope=scope)
    town.order(RevokeToken("acme", wide.id), receipt=receipt())
    with pytest.raises(AlreadyExists, match="was done when it first came"):
        town.order(RevokeToken("acme", wide.id), receipt=receipt())
    assert all(len(str(row)) < 500 for row in receipts_of(town))


def test_a_result_is_what_it_was_and_not_what_is(town: TownHall) -> None:
    """The person has been removed meanwhile."""
    town.tenant()
    first = town.done(JOAN, CONSOLE, receipt())
    town.order(RemoveMember("acme", first.result["member"]["id"]))
    assert town.done(JOAN, CONSOLE, receipt()).result == first.result

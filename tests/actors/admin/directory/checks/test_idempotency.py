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
from tests.actors.admin.directory_harness import CONSOLE, DAY, START, DirectoryHarness, receipt

JOAN = AddMember("acme", "Joan", None)


def names(directory: DirectoryHarness) -> list[str]:
    """Of everybody in acme."""
    return sorted(each["name"] for each in directory.ask(ListMembers("acme", "", 200))["members"])


def receipts_of(directory: DirectoryHarness) -> list[Any]:
    """In the file."""
    with closing(sqlite3.connect(f"file:{directory.path}?mode=ro", uri=True)) as reader:
        return reader.execute("SELECT * FROM receipts").fetchall()


def test_a_repeated_order_gets_the_first_result_and_does_nothing(
    directory: DirectoryHarness,
) -> None:
    """It says that it is a replay; no one is told anything."""
    directory.tenant()
    first = directory.done(JOAN, CONSOLE, receipt())
    directory.changes()
    again = directory.done(JOAN, CONSOLE, receipt())
    assert (first.replayed, again.replayed) == (False, True)
    assert again.result == first.result
    assert names(directory) == ["Ada", "Joan"]
    assert directory.changes() == []


def test_it_holds_across_a_restart(directory: DirectoryHarness) -> None:
    """It is in the file with what it did."""
    directory.tenant()
    first = directory.done(JOAN, CONSOLE, receipt())
    directory.restart()
    assert directory.done(JOAN, CONSOLE, receipt()).result == first.result
    assert names(directory) == ["Ada", "Joan"]


def test_an_id_is_its_caller_s_own(directory: DirectoryHarness) -> None:
    """Two callers may choose the same; one without a receipt repeats nothing."""
    directory.tenant()
    for caller in ("t_1", "t_2"):
        assert not directory.done(JOAN, CONSOLE, receipt("same", caller)).replayed
    for _ in range(2):
        assert not directory.done(JOAN, CONSOLE, None).replayed
    assert names(directory) == ["Ada", *["Joan"] * 4]


def test_an_id_used_for_something_else_is_refused(directory: DirectoryHarness) -> None:
    """As tenants refuse it; nothing is done, and the first result stays."""
    directory.tenant()
    first = directory.done(JOAN, CONSOLE, receipt())
    with pytest.raises(InvalidArgument, match="'first' was used for another request within 24 h"):
        directory.execute(AddMember("acme", "Mary", None), receipt=receipt(digest=b"b" * 32))
    assert names(directory) == ["Ada", "Joan"]
    assert directory.done(JOAN, CONSOLE, receipt()).result == first.result


def test_after_a_day_an_id_is_new(directory: DirectoryHarness) -> None:
    """Whether or not a sweep has come by; until then it is not."""
    directory.tenant()
    directory.execute(JOAN, receipt=receipt())
    directory.now += DAY
    assert directory.done(JOAN, CONSOLE, receipt()).replayed
    directory.now += 1
    assert not directory.done(JOAN, CONSOLE, receipt()).replayed
    assert directory.done(JOAN, CONSOLE, receipt()).replayed
    assert names(directory) == ["Ada", "Joan", "Joan"]


def test_a_sweep_forgets_those_that_no_longer_count(directory: DirectoryHarness) -> None:
    """So that the file does not grow with every order ever given."""
    directory.tenant()
    directory.execute(JOAN, receipt=receipt("old"))
    directory.now += DAY / 2
    directory.execute(JOAN, receipt=receipt("new"))
    directory.sweep()
    assert len(receipts_of(directory)) == 2
    directory.now += DAY / 2 + 1
    directory.sweep()
    assert len(receipts_of(directory)) == 1
    assert directory.done(JOAN, CONSOLE, receipt("new")).replayed


def test_a_clock_set_back_makes_nothing_repeatable(directory: DirectoryHarness) -> None:
    """Neither while the server runs nor after a restart."""
    directory.tenant()
    directory.now += 10 * DAY
    directory.execute(JOAN, receipt=receipt())
    directory.now = START
    assert directory.done(JOAN, CONSOLE, receipt()).replayed
    directory.restart()
    directory.sweep()
    assert directory.done(JOAN, CONSOLE, receipt()).replayed


def test_what_was_refused_leaves_no_receipt(directory: DirectoryHarness) -> None:
    """The same request may succeed once what was missing is there."""
    with pytest.raises(NotFound):
        directory.execute(JOAN, receipt=receipt())
    directory.tenant()
    assert not directory.done(JOAN, CONSOLE, receipt()).replayed


def test_a_token_s_text_is_shown_once(directory: DirectoryHarness) -> None:
    """The order repeated names the token, which is there to be revoked, and issues no other."""
    ada = directory.tenant()
    wanted = IssueToken("acme", ada.person, "shop", None, None)
    made = directory.execute(wanted, receipt=receipt())["token"]["id"]
    directory.changes()
    for _ in range(2):
        with pytest.raises(AlreadyExists, match=f"{made}.*revoke it and issue another"):
            directory.execute(wanted, receipt=receipt())
    assert directory.changes() == []
    directory.execute(RevokeToken("acme", made))


def test_a_tenant_made_with_a_token_is_made_once(directory: DirectoryHarness) -> None:
    """Its admin owner's token is named; without a token the result is there to be repeated."""
    wanted = CreateTenant("acme", "Ada", None, token=True)
    made = directory.execute(wanted, receipt=receipt("1"))["token"]["id"]
    with pytest.raises(AlreadyExists, match=made):
        directory.execute(wanted, receipt=receipt("1"))
    quiet = CreateTenant("globex", "Ada", None, token=False)
    first = directory.done(quiet, CONSOLE, receipt("2"))
    assert directory.done(quiet, CONSOLE, receipt("2")).result == first.result
    assert len(directory.files) == 2


def test_an_order_is_the_same_under_another_token_of_the_person(
    directory: DirectoryHarness,
) -> None:
    """Also one whose receipt was kept for the token."""
    directory.tenant()
    directory.execute(JOAN, receipt=Receipt("p_1", "r1", b"a" * 32, "t_1"))
    assert directory.done(JOAN, CONSOLE, Receipt("p_1", "r1", b"a" * 32, "t_2")).replayed
    directory.execute(JOAN, receipt=Receipt("t_1", "r2", b"b" * 32))
    assert directory.done(JOAN, CONSOLE, Receipt("p_1", "r2", b"b" * 32, "t_1")).replayed
    assert not directory.done(JOAN, CONSOLE, Receipt("p_2", "r1", b"a" * 32, "t_3")).replayed


def test_what_was_answered_is_only_for_who_may_still_ask(directory: DirectoryHarness) -> None:
    """Anyone who lost his role, by that very order or since, is notified; nothing is done a second time."""
    ada, joan = directory.tenant(), directory.member()
    kept_by_ada = Receipt(ada.id, "add", b"c" * 32)
    directory.done(JOAN, ada, kept_by_ada)
    handed = TransferOwnership("acme", joan.person)
    directory.done(handed, ada, Receipt(ada.id, "hand over", b"d" * 32))
    with pytest.raises(Aborted, match="no longer admin owner"):
        directory.done(handed, ada, Receipt(ada.id, "hand over", b"d" * 32))
    with pytest.raises(Aborted, match="no longer admin owner"):
        directory.done(JOAN, ada, kept_by_ada)
    assert directory.admin_owners() == [joan.person]
    assert names(directory) == ["Ada", "Joan", "Joan"]


def test_a_config_is_not_kept_a_second_time(directory: DirectoryHarness) -> None:
    """The order repeated gets its own revision, whatever came since; the receipt is short."""
    directory.tenant()
    text = "x" * 60_000
    patch = PatchConfig("acme", {"settings": {"text": text}}, 0)
    revert = RevertConfig("acme", 1, 1)
    first = {
        id_: directory.done(command, CONSOLE, receipt(id_))
        for id_, command in (("patch", patch), ("revert", revert))
    }
    directory.execute(PatchConfig("acme", {"settings": None}, 2))
    for id_, command in (("patch", patch), ("revert", revert)):
        assert directory.done(command, CONSOLE, receipt(id_)) == first[id_]._replace(replayed=True)
    assert not any(text in str(row) for row in receipts_of(directory))


def test_a_revision_that_is_kept_no_longer_was_made_all_the_same(
    directory: DirectoryHarness,
) -> None:
    """Anyone who repeats its order receives which it was, and nothing is done."""
    directory.tenant()
    wanted = PatchConfig("acme", {"settings": {"n": 1}}, 0)
    directory.execute(wanted, receipt=receipt())
    for revision in range(1, 201):
        directory.execute(PatchConfig("acme", {}, revision))
    with pytest.raises(AlreadyExists, match="as revision 1 of the config"):
        directory.execute(wanted, receipt=receipt())
    assert directory.ask(ShowConfig("acme", None))["config"]["revision"] == 201


def test_a_long_answer_is_not_kept(directory: DirectoryHarness) -> None:
    """The order repeated is refused as done: who repeats it looks for himself."""
    ada = directory.tenant()
    scope = frozenset(f"{number:03}".ljust(128, "x") for number in range(200))
    wide = directory.with_token("acme", ada.person, scope=scope)
    directory.execute(RevokeToken("acme", wide.id), receipt=receipt())
    with pytest.raises(AlreadyExists, match="was already executed"):
        directory.execute(RevokeToken("acme", wide.id), receipt=receipt())
    assert all(len(str(row)) < 500 for row in receipts_of(directory))


def test_a_result_is_what_it_was_and_not_what_is(directory: DirectoryHarness) -> None:
    """The person has been removed meanwhile."""
    directory.tenant()
    first = directory.done(JOAN, CONSOLE, receipt())
    directory.execute(RemoveMember("acme", first.result["member"]["id"]))
    assert directory.done(JOAN, CONSOLE, receipt()).result == first.result

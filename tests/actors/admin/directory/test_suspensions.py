"""Suspended tokens in the Directory: refused by every channel, after a restart too, until they are lifted."""

from __future__ import annotations

import pytest

from actors.admin.intent_messages import (
    LiftSuspension,
    ListSuspended,
    SuspendToken,
    TokenSuspended,
)
from actors.admin.messages import AddMember, RevokeToken
from actors.errors import Aborted, NotFound, PermissionDenied
from actors.runtime.actor import Ping, ask
from tests.actors.admin.directory_harness import DirectoryHarness
from tests.actors.mailbox_harness import WAIT, Watch

WHY = "enumeration: more than 20 different ids that do not exist, beside one each 10 s"


def suspend(directory: DirectoryHarness, token: str) -> None:
    """As the monitor orders it, confirmed."""
    monitor = Watch()
    directory.mailbox.tell(SuspendToken(token, WHY, monitor))
    assert monitor.hear() == TokenSuspended(token)
    ask(directory.mailbox, Ping(), WAIT)


def suspended_ids(directory: DirectoryHarness) -> set[str]:
    """Of the tokens that the channels refuse."""
    directory.changes()
    return {each.id for each in directory.known.principals.values() if each.is_suspended}


def test_a_suspended_token_is_published_as_expired_and_no_other_is(
    directory: DirectoryHarness,
) -> None:
    directory.tenant()
    joan = directory.member()
    other = directory.with_token("acme", joan.person)
    suspend(directory, joan.id)
    assert suspended_ids(directory) == {joan.id}
    found = {each.id: each.expires for each in directory.known.principals.values()}
    assert found[joan.id] == float("-inf")
    assert found[other.id] is None
    assert directory.fresh_view() == directory.known


def test_a_suspension_outlives_a_restart(directory: DirectoryHarness) -> None:
    directory.tenant()
    joan = directory.member()
    suspend(directory, joan.id)
    (told,) = directory.restart()
    assert [each.principal.id for each in told.tokens if each.principal.is_suspended] == [joan.id]


def test_a_suspended_token_is_listed_with_why(directory: DirectoryHarness) -> None:
    directory.tenant()
    directory.tenant("globex")
    joan = directory.member()
    suspend(directory, joan.id)
    (standing,) = directory.ask(ListSuspended("acme", 10))["standings"]
    assert (standing["id"], standing["signals"]) == (joan.id, ["enumeration"])
    assert directory.ask(ListSuspended("globex", 10))["standings"] == []
    assert len(directory.ask(ListSuspended(None, 10))["standings"]) == 1


def test_what_a_suspended_token_has_ordered_just_before_is_not_done(
    directory: DirectoryHarness,
) -> None:
    ada = directory.tenant()
    suspend(directory, ada.id)
    refused = directory.refusal(AddMember("acme", "Mallory", None), by=ada)
    assert isinstance(refused, Aborted)


def test_a_suspension_is_lifted_with_another_token_of_an_owner(
    directory: DirectoryHarness,
) -> None:
    ada, joan = directory.tenant(), directory.member()
    suspend(directory, joan.id)
    done = directory.execute(LiftSuspension("acme", joan.id), by=ada)
    assert done == {"token": joan.id, "was_suspended": True}
    assert suspended_ids(directory) == set()
    again = directory.execute(LiftSuspension("acme", joan.id), by=ada)
    assert again == {"token": joan.id, "was_suspended": False}


def test_no_token_lifts_itself_and_no_owner_one_above(directory: DirectoryHarness) -> None:
    ada, owner = directory.tenant(), directory.owner("tokens")
    for token, by in ((ada.id, owner), (ada.id, ada)):
        assert isinstance(directory.refusal(LiftSuspension("acme", token), by=by), PermissionDenied)


def test_a_token_of_another_tenant_is_as_unknown_as_any(directory: DirectoryHarness) -> None:
    directory.tenant()
    other = directory.tenant("globex")
    suspend(directory, other.id)
    assert isinstance(directory.refusal(LiftSuspension("acme", other.id)), NotFound)
    assert suspended_ids(directory) == {other.id}


@pytest.mark.parametrize("is_known", [True, False])
def test_a_token_that_is_gone_is_confirmed_and_stays_gone(
    directory: DirectoryHarness, is_known: bool
) -> None:
    directory.tenant()
    joan = directory.member()
    directory.execute(RevokeToken("acme", joan.id))
    suspend(directory, joan.id if is_known else "t_0000000000000000")
    assert suspended_ids(directory) == set()
    assert directory.ask(ListSuspended("acme", 10))["standings"] == []

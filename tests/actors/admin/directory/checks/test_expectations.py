"""A command that carries the digest of what its caller was shown: refused if anything of that has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.admin.directory.checks.expectations import ELSEWHERE, SUBJECTS
from actors.admin.messages import (
    ChangeMember,
    Delegate,
    DeleteTenant,
    Execute,
    ListTokens,
    RemoveMember,
    ShowTenant,
    SuspendTenant,
)
from actors.errors import Aborted, InvalidArgument
from actors.expectations import EXPECTED, Expected, ShowDigest
from actors.index.parser import built_in_index
from actors.messages import Receipt, TokensUsed
from actors.runtime.actor import ask
from tests.actors.admin.directory_harness import CONSOLE, DirectoryHarness, receipt
from tests.actors.mailbox_harness import WAIT

DIGEST_PATTERN = "^[0-9a-f]{12}$"


def digest(directory: DirectoryHarness, action: str, tenant: str | None, **params: Any) -> str:
    """Of what the action is about at this moment."""
    return str(ask(directory.mailbox, ShowDigest(action, params, tenant), WAIT)["digest"])


def tenant_id(directory: DirectoryHarness) -> str:
    return str(directory.ask(ShowTenant("acme"))["tenant"]["id"])


def execute(
    directory: DirectoryHarness, command: Any, expected: Expected, given: Receipt | None = None
) -> Any:
    message = Execute(command, CONSOLE, given, tenant_id(directory), expected)
    return ask(directory.mailbox, message, WAIT)


def test_the_index_offers_it_for_the_actions_that_have_rows_to_compare() -> None:
    offered = set()
    for action in built_in_index().actions.values():
        schema = action.params.source.get("properties", {}).get(EXPECTED)
        if schema is not None and "enum" not in str(schema):
            offered.add(action.name)
    assert offered - {"functions.move"} == SUBJECTS.keys() | ELSEWHERE


def test_each_action_has_a_digest_that_its_params_are_part_of(directory: DirectoryHarness) -> None:
    directory.tenant()
    acme, seen = tenant_id(directory), set()
    for action in SUBJECTS:
        for person in ("p_" + "1" * 16, "p_" + "2" * 16):
            params = {"person": person, "to": person, "request": "R-1", EXPECTED: "0" * 12}
            seen.add(digest(directory, action, acme, **params))
    assert len(seen) == 2 * len(SUBJECTS)


def test_what_is_as_it_was_shown_is_done(directory: DirectoryHarness) -> None:
    directory.tenant()
    params = {"reason": "unpaid"}
    shown = digest(directory, "tenants.suspend", tenant_id(directory), **params)
    expected = Expected("tenants.suspend", {**params, EXPECTED: shown}, shown)
    execute(directory, SuspendTenant("acme", "unpaid"), expected)
    assert directory.ask(ShowTenant("acme"))["tenant"]["status"] == "suspended"


def test_what_has_changed_since_is_refused_and_nothing_is_done(
    directory: DirectoryHarness,
) -> None:
    """The list of owners is part of what is deleted, and grows between the look and the command."""
    directory.tenant()
    joan = directory.member()
    params = {"reason": "they left"}
    shown = digest(directory, "tenants.delete", tenant_id(directory), **params)
    directory.execute(Delegate("acme", joan.person, frozenset({"tokens"})))
    expected = Expected("tenants.delete", params, shown)
    with pytest.raises(Aborted) as caught:
        execute(directory, DeleteTenant("acme", 30, "they left"), expected)
    (problem,) = caught.value.refusal.details
    assert problem.field == "params.expected"
    now = digest(directory, "tenants.delete", tenant_id(directory), **params)
    assert now in problem.problem
    assert directory.ask(ShowTenant("acme"))["tenant"]["status"] == "active"


Change = Callable[[DirectoryHarness, str], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda directory, person: directory.execute(ChangeMember("acme", person, "Eve", None)),
        lambda directory, person: directory.with_token("acme", person),
        lambda directory, person: directory.execute(
            Delegate("acme", person, frozenset({"members"}))
        ),
    ],
    ids=["another name", "another token", "another role"],
)
def test_a_person_is_removed_with_what_was_shown_of_them_and_with_no_more(
    directory: DirectoryHarness, change: Change
) -> None:
    directory.tenant()
    joan = directory.member()
    params = {"person": joan.person}
    shown = digest(directory, "members.remove", tenant_id(directory), **params)
    change(directory, joan.person)
    with pytest.raises(Aborted):
        execute(
            directory,
            RemoveMember("acme", joan.person),
            Expected("members.remove", params, shown),
        )
    assert directory.ask(ListTokens("acme", joan.person, "", 9))["tokens"][0]["revoked_at"] is None


def test_that_a_token_was_used_changes_no_digest(directory: DirectoryHarness) -> None:
    directory.tenant()
    joan = directory.member()
    acme = tenant_id(directory)
    shown = digest(directory, "tokens.revoke", acme, token=joan.id)
    directory.mailbox.tell(TokensUsed({joan.id: directory.now}))
    assert digest(directory, "tokens.revoke", acme, token=joan.id) == shown


def test_a_command_that_is_sent_again_has_its_first_result(directory: DirectoryHarness) -> None:
    """Its own effect is a change of what it was about: that refuses no repetition."""
    directory.tenant()
    shown = digest(directory, "tenants.suspend", tenant_id(directory), reason="unpaid")
    expected = Expected("tenants.suspend", {"reason": "unpaid"}, shown)
    command = SuspendTenant("acme", "unpaid")
    first, again = (execute(directory, command, expected, receipt()) for _ in range(2))
    assert (first.replayed, again.replayed) == (False, True)
    assert first.result == again.result


def test_an_action_without_a_digest_is_named_with_those_that_have_one(
    directory: DirectoryHarness,
) -> None:
    with pytest.raises(InvalidArgument, match=r"functions\.move takes no digest; .*tokens\.revoke"):
        digest(directory, "functions.move", None)

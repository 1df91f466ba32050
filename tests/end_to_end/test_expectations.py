"""What was shown before a change, over the admin channel: if it is another by now, nothing is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actors.access import ADMIN_OWNER, DEVELOPER, MEMBER, OWNER
from tests.actors.callers import Being, Caller, MovableClock, Stage
from tests.conftest import Server
from tests.raw_client import Map


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server for all of these tests: each has people of its own."""
    clock = MovableClock()
    server = Server(tmp_path_factory.mktemp("expectations") / "data", clock=clock)
    made = Stage(server, clock)
    yield made
    made.close()
    server.stop()


def order(stage: Stage, caller: Caller, action: str, /, **params: Any) -> Map:
    """One order about acme on the admin channel."""
    return stage.call("admin", caller.text, "acme", action, params)


def digest(stage: Stage, caller: Caller, action: str, /, **params: Any) -> Map:
    return order(stage, caller, "changes.digest", action=action, params=params)


def test_what_has_changed_after_it_was_shown_is_not_taken_away(stage: Stage) -> None:
    """A token more is issued between the look and the removal."""
    owner, member = stage.make(Being(ADMIN_OWNER)), stage.make(Being(MEMBER))
    about = {"person": member.person}
    shown = digest(stage, owner, "members.remove", **about)["result"]["digest"]
    assert order(stage, owner, "tokens.issue", **about, label="second")["ok"]
    late = order(stage, owner, "members.remove", **about, expected=shown)
    assert late["error"]["code"] == "aborted"
    assert late["error"]["details"][0]["field"] == "params.expected"
    assert stage.call("data", member.text, "acme", "contacts.find", {})["ok"]
    again = digest(stage, owner, "members.remove", **about)["result"]["digest"]
    assert order(stage, owner, "members.remove", **about, expected=again)["ok"]
    refused = stage.call("data", member.text, "acme", "contacts.find", {})
    assert refused["error"]["code"] == "unauthenticated"


def test_the_digest_of_limits_is_no_limit_itself(stage: Stage) -> None:
    developer = stage.make(Being(DEVELOPER))
    shown = digest(stage, developer, "limits.set", burst=None)["result"]["digest"]
    assert order(stage, developer, "limits.set", burst=None, expected=shown)["ok"]
    assert order(stage, developer, "limits.set", mailbox=77)["ok"]
    late = order(stage, developer, "limits.set", burst=None, expected=shown)
    assert late["error"]["code"] == "aborted"


def test_a_digest_is_for_callers_who_may_do_what_it_is_of(stage: Stage) -> None:
    plain = stage.make(Being(OWNER, areas=frozenset({"config"})))
    developer = stage.make(Being(DEVELOPER))
    for caller, action in (
        (plain, "tenants.delete"),
        (developer, "tenants.delete"),
        (plain, "tokens.revoke"),
    ):
        assert digest(stage, caller, action)["error"]["code"] == "invalid_argument"


@pytest.mark.parametrize("channel", ["admin", "data"])
def test_a_request_that_was_answered_meanwhile_is_not_withdrawn(stage: Stage, channel: str) -> None:
    """On either channel; the digest is for the tenant's owners."""
    owner, developer = stage.make(Being(ADMIN_OWNER)), stage.make(Being(DEVELOPER))
    made = stage.call("data", owner.text, "acme", "requests.submit", {"text": "Export contacts"})
    about = {"request": made["result"]["request"]["id"], "why": "no longer wanted"}
    shown = digest(stage, owner, "requests.withdraw", **about)["result"]["digest"]
    assert order(stage, developer, "requests.answer", request=about["request"], text="soon")["ok"]

    def withdraw(expected: str) -> Map:
        params = {**about, "expected": expected}
        return stage.call(channel, owner.text, "acme", "requests.withdraw", params)

    assert withdraw(shown)["error"]["code"] == "aborted"
    again = digest(stage, owner, "requests.withdraw", **about)["result"]["digest"]
    assert withdraw(again)["result"]["request"]["state"] == "closed"


def test_the_request_of_another_tenant_has_the_digest_of_none(stage: Stage) -> None:
    owner, other = stage.make(Being(ADMIN_OWNER)), stage.make(Being(ADMIN_OWNER), "globex")
    made = stage.call("data", other.text, "globex", "requests.submit", {"text": "Export notes"})
    about = {"request": made["result"]["request"]["id"], "why": "not mine"}
    before = digest(stage, owner, "requests.withdraw", **about)["result"]
    text = {"request": about["request"], "text": "please"}
    assert stage.call("data", other.text, "globex", "requests.answer", text)["ok"]
    assert digest(stage, owner, "requests.withdraw", **about)["result"] == before


@pytest.mark.parametrize("params", [{}, {"token": {}}, {"token": "t_" + "1" * 16, "more": 1}])
def test_a_digest_takes_the_params_that_the_action_takes(
    stage: Stage, params: dict[str, Any]
) -> None:
    owner = stage.make(Being(ADMIN_OWNER))
    refused = order(stage, owner, "changes.digest", action="tokens.revoke", params=params)
    assert refused["error"]["code"] == "invalid_argument"

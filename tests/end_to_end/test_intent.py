"""Bad intent on a served index: what an attacker gets, when the ladder is climbed, what the owner reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.access import ADMIN_OWNER, MEMBER
from actors.runtime.actor import Ping, ask
from tests.actors.callers import Being, Caller, MovableClock, Stage
from tests.conftest import Server
from tests.raw_client import Map

INDEX = """
[intent]
slow = "1ms"

[[intent.signals]]
name = "bulk-delete"
capacity = 5

[[intent.signals]]
name = "enumeration"
capacity = 4

[actions."notes.read"]
summary = "Read a note."
access = "member"
effect = "read"
[actions."notes.read".params]
required = ["id"]
properties.id = { type = "integer" }
properties.text = { type = "string", maxLength = 100 }
[actions."notes.read".result]
required = ["text"]
properties.text = { type = "string" }
[[actions."notes.read".versions]]
version = 1
state = "release"
code = "notes:read"

[actions."notes.remove"]
summary = "Remove a note."
access = "member"
effect = "write"
[actions."notes.remove".params]
required = ["id"]
properties.id = { type = "integer" }
[actions."notes.remove".result]
[[actions."notes.remove".versions]]
version = 1
state = "release"
code = "notes:remove"
"""

CODE = """
from actors.errors import NotFound


def read(ctx, params):
    if params.id > 3:
        raise NotFound(f"there is no note {params.id}")
    return {"text": "a note"}


def remove(ctx, params):
    return {}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One server for all this."""
    clock = MovableClock()
    folder = tmp_path_factory.mktemp("shop")
    (folder / "registry.toml").write_text(INDEX)
    (folder / "notes.py").write_text(CODE)
    server = Server(
        folder / "data", clock=clock, registry=folder / "registry.toml", watches_intent=True
    )
    made = Stage(server, clock)
    yield made
    made.close()
    server.stop()


@pytest.fixture(scope="module")
def owner(stage: Stage) -> Caller:
    return stage.make(Being(ADMIN_OWNER))


def read(stage: Stage, caller: Caller, id_: int) -> Map:
    return stage.call("data", caller.text, "acme", "notes.read", {"id": id_})


def standing(stage: Stage, owner: Caller, caller: Caller) -> Map | None:
    """What the owner reads of a caller's token, once all that was sent has been counted."""
    settle(stage)
    listed = stage.call("admin", owner.text, "acme", "intent.list", {})["result"]["standings"]
    return next((each for each in listed if each["id"] == caller.id), None)


def settle(stage: Stage) -> None:
    """Wait until each actor on the way of a suspicion has done what it was sent."""
    actors = stage.server.system.actors
    for mailbox in (actors.router, actors.intent_monitor, actors.directory, actors.router):
        ask(mailbox, Ping(), 10)


def until_suspended(stage: Stage, caller: Caller) -> list[str]:
    """Try one id after the other, as slowly as is asked; the codes of the replies."""
    codes: list[str] = []
    for id_ in range(100, 400):
        reply = read(stage, caller, id_)
        codes.append(reply["error"]["code"])
        if codes[-1] == "permission_denied":
            break
    return codes


def steps(stage: Stage, owner: Caller, caller: Caller) -> list[str]:
    """The steps against a token in the admin log, the oldest first."""
    ask(stage.server.system.actors.audit_log, Ping(), 10)
    page = stage.call("admin", owner.text, "acme", "audit.list", {"limit": 100})["result"]
    records = [each for each in page["records"] if each["kind"] == "alert"]
    return [each["action"] for each in reversed(records) if each["token"] == caller.id]


def test_an_enumeration_climbs_the_ladder_to_the_suspension_of_its_token(
    stage: Stage, owner: Caller
) -> None:
    thief, other = stage.make(Being(MEMBER)), stage.make(Being(MEMBER))
    codes = until_suspended(stage, thief)
    assert codes[-1] == "permission_denied"
    assert codes.count("not_found") < 60
    found = standing(stage, owner, thief)
    assert found is not None
    assert (found["step"], found["signals"], found["decays_at"]) == (
        "suspend",
        ["enumeration"],
        None,
    )
    assert found["person"] == thief.person
    assert steps(stage, owner, thief) == ["intent.log", "intent.slow", "intent.suspend"]
    assert read(stage, other, 1)["ok"]
    assert standing(stage, owner, other) is None


def removals(stage: Stage, caller: Caller) -> list[str]:
    """Remove one note after the other, as slowly as is asked; the codes of the replies."""
    codes = []
    for id_ in range(200):
        reply = stage.call("data", caller.text, "acme", "notes.remove", {"id": id_})
        codes.append("ok" if reply["ok"] else reply["error"]["code"])
    settle(stage)
    return codes


def test_deletion_after_deletion_suspends_a_token_that_may_do_anything(
    stage: Stage, owner: Caller
) -> None:
    thief = stage.make(Being(MEMBER))
    assert removals(stage, thief)[-1] == "permission_denied"
    assert steps(stage, owner, thief) == ["intent.log", "intent.slow", "intent.suspend"]


def test_a_token_that_was_issued_for_deletions_is_slowed_at_most(
    stage: Stage, owner: Caller
) -> None:
    program = stage.make(Being(MEMBER, scope=frozenset({"notes.remove"})))
    assert set(removals(stage, program)) <= {"ok", "resource_exhausted"}
    assert steps(stage, owner, program) == ["intent.log", "intent.slow"]


def test_a_token_with_a_scope_is_suspended_for_what_it_may_not_do(
    stage: Stage, owner: Caller
) -> None:
    program = stage.make(Being(MEMBER, scope=frozenset({"notes.read"})))
    assert until_suspended(stage, program)[-1] == "permission_denied"
    assert steps(stage, owner, program)[-1] == "intent.suspend"


def test_an_owner_lifts_a_suspension_and_the_token_begins_anew(stage: Stage, owner: Caller) -> None:
    member = stage.make(Being(MEMBER))
    until_suspended(stage, member)
    settle(stage)
    done = stage.call("admin", owner.text, "acme", "intent.clear", {"token": member.id})["result"]
    assert done == {"token": member.id, "was_suspended": True, "was_counted": True}
    assert read(stage, member, 1)["ok"]
    assert standing(stage, owner, member) is None

"""Screening on a served desk: attacks are rejected on both channels, and what passes comes back as it was."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.access import ADMIN_OWNER, MEMBER
from tests.actors.callers import Being, Caller, MovableClock, Stage
from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Map

CORPORA = Path(__file__).parents[1] / "actors" / "screening" / "corpora"

ATTACK = "x'; DROP TABLE contacts; --"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One server for all this."""
    clock = MovableClock()
    server = Server(tmp_path_factory.mktemp("data"), clock=clock)
    made = Stage(server, clock)
    yield made
    made.close()
    server.stop()


@pytest.fixture(scope="module")
def member(stage: Stage) -> Caller:
    return stage.make(Being(MEMBER))


def call(stage: Stage, member: Caller, action: str, /, **params: object) -> Map:
    return stage.call("data", member.text, "acme", action, params)


def stored_names(data: Path) -> dict[int, str]:
    """Name by id, of every tenant's contacts as they are on disk."""
    names: dict[int, str] = {}
    for path in data.glob("tenants/**/*.db"):
        with closing(sqlite3.connect(path)) as file:
            names |= dict(file.execute("SELECT id, name FROM contacts"))
    return names


def sample() -> Iterator[str]:
    """Every seventh text of each set that a name has room for."""
    for file in sorted(CORPORA.glob("*.jsonl")):
        lines = file.read_text(encoding="utf-8").split("\n")
        yield from (json.loads(line) for line in lines[::7] if line)


def test_an_attack_is_rejected_by_field_and_class(stage: Stage, member: Caller) -> None:
    refused = call(stage, member, "contacts.add", name=ATTACK)["error"]
    assert refused["code"] == "rejected"
    assert refused["details"] == [{"field": "params.name", "problem": "sql injection"}]
    assert ATTACK not in str(refused)
    assert "sql-" not in str(refused)


def test_an_attack_is_rejected_on_the_admin_channel_and_recorded_with_its_rule(
    stage: Stage,
) -> None:
    owner = stage.make(Being(ADMIN_OWNER))
    params = {"name": "<script>alert(1)</script>"}
    reply = stage.call("admin", owner.text, "acme", "members.add", params)
    assert reply["error"]["code"] == "rejected"
    assert "rules:" not in str(reply)
    page = stage.call("admin", owner.text, "acme", "audit.list", {"action": "members.add"})
    assert "(rules: xss-" in page["result"]["records"][0]["message"]


def test_the_log_of_the_tenant_names_the_rule(stage: Stage, member: Caller) -> None:
    owner = stage.make(Being(ADMIN_OWNER))
    call(stage, member, "contacts.add", name=ATTACK)

    def lines() -> list[Map]:
        asked = stage.call("admin", owner.text, "acme", "logs.tenant", {"outcome": "rejected"})
        return list(asked["result"]["lines"])

    until(lines, "the refusal is in the tenant's log")
    assert "(rules: sql-" in lines()[0]["message"]


def test_an_operator_may_look_for_what_an_attacker_has_sent(stage: Stage) -> None:
    owner = stage.make(Being(ADMIN_OWNER))
    assert stage.call("admin", owner.text, "acme", "logs.tenant", {"text": ATTACK})["ok"]


def test_the_description_lists_the_engines(stage: Stage, member: Caller) -> None:
    assert call(stage, member, "system.describe", limit=1)["result"]["screening"][0] == "re2"


def test_what_passes_comes_back_as_it_was_and_changes_no_other_row(
    stage: Stage, member: Caller
) -> None:
    """Screening is not what keeps the database: each text that it lets pass is stored as a value."""
    kept: dict[int, str] = {}
    for text in sample():
        reply = call(stage, member, "contacts.add", name=text)
        assert reply["ok"] or reply["error"]["code"] in {"rejected", "invalid_argument"}, text
        if reply["ok"]:
            kept[reply["result"]["id"]] = text
    assert len(kept) > 50
    for id_, text in kept.items():
        assert call(stage, member, "contacts.get", id=id_)["result"]["name"] == text
    assert kept.items() <= stored_names(stage.server.system.settings.data).items()

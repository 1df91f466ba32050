"""A super admin's action: on record before it happens, or not done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.access import DEVELOPER_ADMIN
from tests.actors.callers import DAY, Being, Caller, MovableClock, Stage
from tests.conftest import Server
from tests.raw_client import Map


class Scene(Stage):
    """A stage with one super admin of acme, and sight of the audit files."""

    def __init__(self, server: Server, clock: MovableClock) -> None:
        super().__init__(server, clock)
        self.admin = self.make(Being(DEVELOPER_ADMIN, grant="live"))

    def act(self, action: str, caller: Caller | None = None, /, **params: Any) -> Map:
        """One message of the super admin on acme, through the admin channel."""
        return self.call("admin", (caller or self.admin).text, "acme", action, params)

    def local(self, action: str, /, **params: Any) -> Map:
        """What the process itself sees of acme."""
        return self.server.system.local.ask(action, "acme", **params)

    def records(self, action: str) -> list[Map]:
        """What the log says of an action on acme, the oldest first."""
        return list(reversed(self.local("audit.list", action=action)["records"]))

    @property
    def files(self) -> list[Path]:
        """The audit files."""
        return [
            each
            for each in (self.server.system.settings.data / "audit").iterdir()
            if each.suffix == ".jsonl"
        ]

    def count(self) -> int:
        """How many contacts acme has."""
        with self.server.client() as client:
            return len(client.call("contacts.find")["contacts"])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """One for each test: the log is broken in them."""
    clock = MovableClock()
    server = Server(tmp_path / "data", clock=clock)
    made = Scene(server, clock)
    yield made
    made.close()
    server.stop()


def test_it_is_on_record_before_and_after_with_until_when_he_may(scene: Scene) -> None:
    """Intent, then outcome, of the same trace; the owner of the tenant can read both."""
    assert scene.act("contacts.add", name="Ada")["ok"]
    intent, outcome = scene.records("contacts.add")
    assert (intent["kind"], outcome["kind"]) == ("intent", "outcome")
    assert intent["trace_id"] == outcome["trace_id"]
    assert intent["outcome"] is None
    assert outcome["outcome"] == "ok"
    for record in (intent, outcome):
        assert record["capacity"].startswith("super admin until 20")
        assert record["person"] == scene.admin.person


def test_with_a_log_that_cannot_be_written_nothing_is_done(scene: Scene) -> None:
    """Neither in the tenant's database nor in the Directory; afterwards, all works again."""
    before, members = scene.count(), scene.local("members.list")["members"]
    for file in scene.files:
        file.chmod(0o400)
    for action, name in (("contacts.add", "Ada"), ("members.add", "Bob")):
        reply = scene.act(action, name=name)
        assert reply["error"]["code"] == "unavailable"
        assert "nothing was done" in reply["error"]["message"]
        assert reply["error"]["retry_after_ms"] > 0
    for file in scene.files:
        file.chmod(0o600)
    assert scene.count() == before
    assert scene.local("members.list")["members"] == members
    assert scene.act("contacts.add", name="Ada")["ok"]
    assert scene.count() == before + 1


def test_with_a_log_that_is_gone_nothing_is_done(scene: Scene) -> None:
    """A person who removes the file must not act unseen afterwards."""
    before = scene.count()
    for file in scene.files:
        file.rename(file.with_suffix(".taken"))
    assert scene.act("contacts.add", name="Ada")["error"]["code"] == "unavailable"
    assert scene.count() == before


def test_after_the_grant_has_expired_he_is_a_developer_admin_again(scene: Scene) -> None:
    """From the next message on, even if the machine's clock jumps back afterwards."""
    brief = scene.make(Being(DEVELOPER_ADMIN, grant="live"))
    assert scene.act("contacts.find", brief)["ok"]
    scene.advance(8 * DAY)
    assert scene.act("contacts.find", brief)["error"]["code"] == "permission_denied"
    scene.advance(-8 * DAY)
    assert scene.act("contacts.find", brief)["error"]["code"] == "permission_denied"


def test_a_grant_on_one_tenant_says_nothing_of_another(scene: Scene) -> None:
    """And nothing at all on the data channel."""
    text = scene.admin.text
    other = scene.call("admin", text, "globex", "contacts.find", {})
    assert other["error"]["code"] == "permission_denied"
    data = scene.call("data", text, "acme", "contacts.find", {})
    assert data["error"]["code"] == "permission_denied"

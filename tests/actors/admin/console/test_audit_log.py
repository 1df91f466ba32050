"""The console with the real admin log, its files and its reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.log.audit.actor import AdminLog
from actors.log.audit.reader import AuditReader
from tests.actors.admin.console_harness import PERSON, REMOVED, ConsoleHarness, fields
from tests.actors.mailbox_harness import MailboxHarness
from tests.raw_client import Map, RawClient


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """Where the log's files are."""
    return tmp_path / "audit"


@pytest.fixture
def console(tmp_path: Path, audit: Path) -> Iterator[ConsoleHarness]:
    """A console whose log is real."""
    harness = MailboxHarness()
    log, reader = harness.mailbox("audit log"), harness.mailbox("audit reader")
    AdminLog.start(log, audit)
    AuditReader.start(reader, audit)
    made = ConsoleHarness(tmp_path, audit_log=log, audit_reader=reader)
    yield made
    made.close()
    harness.empty()


def records(raw_client: RawClient) -> list[Map]:
    """What acme's admin owner reads in the log, the oldest first, but for his reading it."""
    page = raw_client.ask(**fields("admin owner", "audit.list"))["result"]["records"]
    return [each for each in reversed(page) if each["action"] != "audit.list"]


def test_owners_read_what_super_admins_did_on_their_tenant(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Intent and outcome, who and until when; nothing of other tenants."""
    assert (
        raw_client.ask(**fields("super admin", "members.remove", person=PERSON))["result"]
        == REMOVED
    )
    raw_client.ask(**fields("developer", "limits.set", "globex", mailbox=5))
    intent, outcome = records(raw_client)

    assert (intent["kind"], outcome["kind"]) == ("intent", "outcome")
    assert (intent["outcome"], outcome["outcome"]) == (None, "ok")
    assert outcome["capacity"].startswith("super admin until 20")
    assert outcome["params"] == {"person": PERSON}


def test_a_log_that_an_operator_has_closed_stops_super_admins_and_all_changes(
    console: ConsoleHarness, raw_client: RawClient, audit: Path
) -> None:
    """Nothing is done; once it is open again, everything that was refused stands in it."""
    raw_client.ask(**fields("developer", "limits.show"))
    (file,) = audit.glob("*.jsonl")
    file.chmod(0o400)
    for who, action in (("super admin", "members.remove"), ("owner of members", "members.remove")):
        reply = raw_client.ask(**fields(who, action, person=PERSON))
        assert reply["error"]["code"] == "unavailable"
        assert "nothing was done" in reply["error"]["message"]
    assert console.ordered() == []

    file.chmod(0o600)
    assert raw_client.ask(**fields("owner of members", "members.remove", person=PERSON))["ok"]
    assert [each["outcome"] for each in records(raw_client)][1:] == [
        "unavailable",
        "unavailable",
        "ok",
    ]


def test_the_chain_holds_and_its_head_can_be_kept(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """As developers see it through the console."""
    raw_client.ask(**fields("developer", "limits.show"))
    head = raw_client.ask(**fields("developer", "audit.head", None))["result"]["head"]
    found = raw_client.ask(**fields("developer", "audit.verify", None, head=head))["result"]
    assert (found["ok"], found["records"] >= 2) == (True, True)

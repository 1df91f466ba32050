"""Administration from end to end: over the admin socket, on a real server with real files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.access import ADMIN_OWNER, DEVELOPER, DEVELOPER_ADMIN, MEMBER, OWNER
from actors.admin.messages import PurgeExpired
from tests.actors.callers import DAY, Being, Caller, MovableClock, Stage
from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Map, RawClient


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A server of its own for each test: most of them leave tenants behind that are not as they were."""
    clock = MovableClock()
    server = Server(tmp_path / "data", clock=clock)
    made = Stage(server, clock)
    yield made
    made.close()
    server.stop()


def order(stage: Stage, caller: Caller, action: str, /, **params: Any) -> Map:
    """One order about acme on the admin channel."""
    return stage.call("admin", caller.text, "acme", action, params)


def code(reply: Map) -> str:
    """Of a refusal."""
    assert not reply["ok"], reply
    return str(reply["error"]["code"])


# ---------------------------------------------------------------- tenants that cannot be served


def test_a_tenant_whose_file_is_damaged_is_listed_with_the_reason(stage: Stage) -> None:
    """To operators of the server; a tenant's own people see what its callers see."""
    developer, owner = stage.make(Being(DEVELOPER)), stage.make(Being(ADMIN_OWNER))
    assert order(stage, developer, "tenants.unserved")["result"] == {"tenants": [], "more": 0}
    shown = order(stage, owner, "tenants.show")["result"]
    assert shown["unserved"] is None
    file = stage.server.system.settings.data / "tenants" / f"{shown['tenant']['id']}.db"
    file.write_bytes(b"noise" * 2000)
    refused = stage.call("data", owner.text, "acme", "contacts.find", {})
    assert code(refused) == "unavailable"

    (listed,) = order(stage, developer, "tenants.unserved")["result"]["tenants"]
    assert listed["name"] == "acme"
    assert file.name in listed["why"]
    told = order(stage, owner, "tenants.show")["result"]["unserved"]
    assert told["why"] == refused["error"]["message"]
    seen = order(stage, developer, "tenants.show")["result"]["unserved"]
    assert seen["why"] == listed["why"]


# ---------------------------------------------------------------- ownership


def test_of_two_transfers_at_once_one_is_done_and_there_is_one_admin_owner(stage: Stage) -> None:
    """Both were allowed when they were sent; the second is aborted."""
    giver = stage.make(Being(ADMIN_OWNER))
    takers = [stage.make(Being(MEMBER)) for _ in range(2)]
    with RawClient(stage.server.system.admin_endpoint) as one:
        sent = [
            one.post(
                tenant="acme",
                token=giver.text,
                action="owners.transfer",
                params={"to": taker.person},
            )
            for taker in takers
        ]
        replies = one.replies(2)
    first, second = (replies[id] for id in sent)
    assert first["ok"]
    assert first["result"]["admin_owner"]["id"] == takers[0].person
    assert first["result"]["owner"]["role"] == OWNER
    assert code(second) == "aborted"
    owners = stage.server.system.local.ask("owners.list", "acme")["owners"]
    admin_owners = [each["id"] for each in owners if each["role"] == ADMIN_OWNER]
    assert admin_owners == [takers[0].person]


def test_the_admin_owner_can_be_neither_removed_nor_withdrawn(stage: Stage) -> None:
    """Not by himself either; the refusal says what to do first."""
    admin_owner = stage.make(Being(ADMIN_OWNER))
    for action in ("members.remove", "owners.withdraw"):
        reply = order(stage, admin_owner, action, person=admin_owner.person)
        assert code(reply) == "failed_precondition"
        assert "owners.transfer" in reply["error"]["message"]


def test_what_an_owner_made_works_on_after_he_is_an_owner_no_longer(stage: Stage) -> None:
    """A token that he issued, and the member that he added."""
    owner = stage.make(Being(OWNER, frozenset({"members", "tokens"})))
    added = order(stage, owner, "members.add", name="Bob")["result"]["member"]
    issued = order(stage, owner, "tokens.issue", person=added["id"], label="his")["result"]
    admin_owner = stage.make(Being(ADMIN_OWNER))
    assert order(stage, admin_owner, "owners.withdraw", person=owner.person)["ok"]
    assert code(order(stage, owner, "members.add", name="Eve")) == "permission_denied"
    assert stage.call("data", issued["text"], "acme", "contacts.find", {})["ok"]


def test_delegation_is_narrowed_from_the_next_message_on(stage: Stage) -> None:
    """To the areas that are named now."""
    admin_owner, owner = (
        stage.make(Being(ADMIN_OWNER)),
        stage.make(Being(OWNER, frozenset({"members"}))),
    )
    assert order(stage, owner, "members.add", name="Bob")["ok"]
    narrowed = {"person": owner.person, "areas": ["config"]}
    assert order(stage, admin_owner, "owners.delegate", **narrowed)["ok"]
    refused = order(stage, owner, "members.add", name="Eve")
    assert code(refused) == "permission_denied"
    assert "'members'" in refused["error"]["message"]


def test_nobody_makes_himself_super_admin(stage: Stage) -> None:
    """Another one has to."""
    one, other = (stage.make(Being(DEVELOPER_ADMIN)) for _ in range(2))
    wanted: Map = {"minutes": 5, "reason": "looking into a ticket"}
    assert (
        code(order(stage, one, "supers.grant", person=one.person, **wanted)) == "permission_denied"
    )
    assert order(stage, other, "supers.grant", person=one.person, **wanted)["ok"]
    assert order(stage, one, "contacts.find")["ok"]


# ---------------------------------------------------------------- tokens


def test_a_revoked_token_is_good_for_nothing_from_the_next_message_on(stage: Stage) -> None:
    """On both channels."""
    admin_owner, member = stage.make(Being(ADMIN_OWNER)), stage.make(Being(MEMBER))
    assert stage.call("data", member.text, "acme", "contacts.find", {})["ok"]
    assert order(stage, admin_owner, "tokens.revoke", token=member.id)["ok"]
    for channel in ("data", "admin"):
        reply = stage.call(channel, member.text, "acme", "contacts.find", {})
        assert code(reply) == "unauthenticated"


def test_a_token_s_text_is_shown_once_and_stands_in_no_file(stage: Stage) -> None:
    """Neither in the Directory nor in the log; the same request again does not show it."""
    admin_owner = stage.make(Being(ADMIN_OWNER))
    wanted = {"person": admin_owner.person, "label": "laptop"}
    with RawClient(stage.server.system.admin_endpoint) as raw_client:
        fields = {"id": "same", "tenant": "acme", "token": admin_owner.text}
        first = raw_client.ask(**fields, action="tokens.issue", params=wanted)
        again = raw_client.ask(**fields, action="tokens.issue", params=wanted)
    assert code(again) == "already_exists"
    assert first["result"]["token"]["id"] in again["error"]["message"]
    text = first["result"]["text"].encode()
    for file in stage.server.system.settings.data.rglob("*"):
        assert not file.is_file() or text not in file.read_bytes(), file


# ---------------------------------------------------------------- config


def test_refusals_speak_the_words_of_the_tenant(stage: Stage) -> None:
    """From the message after the patch on; other tenants' do not change."""
    owner = stage.make(Being(OWNER, frozenset({"config"})))
    texts = {"not_found": "{product_name} has no such thing; ask {support_address}."}
    whitelabel = {"product_name": "Desk", "support_address": "help@example.org", "texts": texts}
    made = order(stage, owner, "config.patch", revision=0, patch={"whitelabel": whitelabel})
    assert made["result"]["config"]["revision"] == 1
    refused = stage.call("data", stage.server.tokens["acme"], "acme", "contacts.get", {"id": 999})
    assert refused["error"]["user_message"] == "Desk has no such thing; ask help@example.org."
    other = stage.call("data", stage.server.tokens["globex"], "globex", "contacts.get", {"id": 999})
    assert "Desk" not in str(other)


@pytest.mark.parametrize(
    ("patch", "expected", "told"),
    [
        ({"settings": {"big": "x" * 70_000}}, "invalid_argument", "65536"),
        (
            {"settings": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}}},
            "invalid_argument",
            "8",
        ),
        ({"whitelabel": {"logo_url": "javascript:alert(1)"}}, "rejected", "whitelabel.logo_url"),
        (
            {"whitelabel": {"logo_url": "http://example.com"}},
            "invalid_argument",
            "whitelabel.logo_url",
        ),
        (
            {"whitelabel": {"texts": {"not_found": "<script>"}}},
            "rejected",
            "whitelabel.texts.not_found",
        ),
        ({"whitelabel": {"colour": "red"}}, "invalid_argument", "whitelabel.colour"),
        ({"wrong": {}}, "invalid_argument", "wrong"),
    ],
    ids=[
        "too large",
        "too deep",
        "script address",
        "plain address",
        "script",
        "unknown",
        "another part",
    ],
)
def test_a_config_that_cannot_be_is_refused_and_changes_nothing(
    stage: Stage, patch: Map, expected: str, told: str
) -> None:
    """The refusal names what is wrong, and never more than that."""
    admin_owner = stage.make(Being(ADMIN_OWNER))
    reply = order(stage, admin_owner, "config.patch", revision=0, patch=patch)
    assert code(reply) == expected
    assert told in str(reply["error"])
    assert "alert(1)" not in str(reply)
    assert order(stage, admin_owner, "config.show")["result"]["config"]["revision"] == 0


def test_a_patch_for_a_revision_that_moved_is_aborted(stage: Stage) -> None:
    """And a revert makes a new revision that says what an old one said."""
    admin_owner = stage.make(Being(ADMIN_OWNER))
    for revision, product in enumerate(("One", "Two")):
        patch = {"whitelabel": {"product_name": product}}
        assert order(stage, admin_owner, "config.patch", revision=revision, patch=patch)["ok"]
    late = order(stage, admin_owner, "config.patch", revision=1, patch={"settings": {"a": 1}})
    assert code(late) == "aborted"
    back = order(stage, admin_owner, "config.revert", to=1, revision=2)["result"]["config"]
    assert (back["revision"], back["whitelabel"]["product_name"]) == (3, "One")
    told = stage.call("data", stage.server.tokens["acme"], "acme", "config.get", {})["result"]
    assert told["whitelabel"] == {"product_name": "One"}


# ---------------------------------------------------------------- tenants and limits


def test_a_suspended_tenant_s_callers_are_told_so_until_it_is_resumed(stage: Stage) -> None:
    """Its owners can still look at it on the admin channel."""
    developer_admin, admin_owner = (
        stage.make(Being(DEVELOPER_ADMIN)),
        stage.make(Being(ADMIN_OWNER)),
    )
    token = stage.server.tokens["acme"]
    assert order(stage, developer_admin, "tenants.suspend", reason="unpaid")["ok"]
    refused = stage.call("data", token, "acme", "contacts.find", {})
    assert code(refused) == "unavailable"
    shown = order(stage, admin_owner, "tenants.show")["result"]["tenant"]
    assert (shown["status"], shown["reason"]) == ("suspended", "unpaid")
    assert order(stage, developer_admin, "tenants.resume")["ok"]
    assert stage.call("data", token, "acme", "contacts.find", {})["ok"]


def test_a_deleted_tenant_is_backed_up_a_last_time_and_gone_after_its_grace(stage: Stage) -> None:
    """Its name is free again, and the next tenant of that name inherits nothing."""
    system, token = stage.server.system, stage.server.tokens["acme"]
    developer_admin = stage.make(Being(DEVELOPER_ADMIN))
    assert stage.call("data", token, "acme", "contacts.add", {"name": "Ada"})["ok"]
    record = system.local.find_tenant("acme")
    assert record is not None
    assert order(stage, developer_admin, "tenants.delete", reason="closed", grace_days=30)["ok"]
    assert code(stage.call("data", token, "acme", "contacts.find", {})) == "unavailable"
    stage.advance(31 * DAY)
    system.actors.directory.tell(PurgeExpired())
    until(lambda: system.local.find_tenant("acme") is None, "the tenant's end")
    data = system.settings.data
    assert not (data / "tenants" / f"{record.id}.db").exists()
    (backup,) = (data / "backups").iterdir()
    with sqlite3.connect(backup) as kept:
        assert kept.execute("SELECT name FROM contacts").fetchall() == [("Ada",)]
    assert code(stage.call("data", token, "acme", "contacts.find", {})) == "unauthenticated"
    assert system.local.create_tenant("acme").id != record.id
    assert code(stage.call("data", token, "acme", "contacts.find", {})) == "unauthenticated"


def test_a_tenant_has_as_many_requests_a_second_as_a_developer_sets(stage: Stage) -> None:
    """One too many is refused with the time to wait; owners see the limit, other tenants notice nothing."""
    developer, admin_owner = stage.make(Being(DEVELOPER)), stage.make(Being(ADMIN_OWNER))
    limits = {"requests_per_second": 0.01, "burst": 2}
    assert order(stage, developer, "limits.set", **limits)["ok"]
    token = stage.server.tokens["acme"]
    replies = [stage.call("data", token, "acme", "contacts.find", {}) for _ in range(3)]
    assert [reply["ok"] for reply in replies] == [True, True, False]
    assert code(replies[2]) == "resource_exhausted"
    assert 0 < replies[2]["error"]["retry_after_ms"] <= 100_000
    assert order(stage, admin_owner, "limits.show")["result"]["limits"]["burst"] == 2
    assert code(order(stage, admin_owner, "limits.set", burst=None)) == "permission_denied"
    globex = stage.call("data", stage.server.tokens["globex"], "globex", "contacts.find", {})
    assert globex["ok"]


# ---------------------------------------------------------------- testers


def test_testers_are_enrolled_by_owners_with_the_area_and_by_developers(stage: Stage) -> None:
    """An owner on his own tenant, a developer on any; an owner without the area on none."""
    owner = stage.make(Being(OWNER, frozenset({"testers"})))
    other, developer = stage.make(Being(OWNER, frozenset({"config"}))), stage.make(Being(DEVELOPER))
    refused = order(stage, other, "functions.enrol", function="contacts.add")
    assert code(refused) == "permission_denied"
    assert "'testers'" in refused["error"]["message"]
    made = order(stage, owner, "functions.enrol", function="contacts.add")["result"]["tester"]
    assert (made["tenant"], made["enrolled_by"]) == ("acme", owner.person)
    again = order(stage, developer, "functions.enrol", function="contacts.add")
    assert again["result"]["tester"] == made
    globex = stage.call(
        "admin", owner.text, "globex", "functions.enrol", {"function": "contacts.add"}
    )
    assert code(globex) == "unauthenticated"
    for action in ("functions.testers", "functions.withdraw"):
        assert code(order(stage, other, action, function="contacts.add")) == "permission_denied"
    assert order(stage, owner, "functions.testers")["result"] == {"testers": [made], "next": None}


def test_developers_see_testers_of_all_tenants_and_owners_of_theirs(stage: Stage) -> None:
    """Page after page; people of a tenant have to name it."""
    developer = stage.make(Being(DEVELOPER))
    owner = stage.make(Being(OWNER, frozenset({"testers"})))
    for tenant, function in (
        ("globex", "notes.add"),
        ("acme", "notes.add"),
        ("acme", "notes.list"),
    ):
        stage.call("admin", developer.text, tenant, "functions.enrol", {"function": function})

    def read(caller: Caller, tenant: str | None, **params: Any) -> Map:
        return stage.call("admin", caller.text, tenant, "functions.testers", params)

    page = read(developer, None, limit=2)["result"]
    assert [(each["tenant"], each["function"]) for each in page["testers"]] == [
        ("acme", "notes.add"),
        ("acme", "notes.list"),
    ]
    (last,) = read(developer, None, limit=2, after=page["next"])["result"]["testers"]
    assert (last["tenant"], last["enrolled_by"]) == ("globex", developer.person)
    of_one = read(developer, None, function="notes.add")["result"]["testers"]
    assert [each["tenant"] for each in of_one] == ["acme", "globex"]
    assert [each["tenant"] for each in read(owner, "acme")["result"]["testers"]] == ["acme"] * 2
    assert code(read(owner, None)) == "invalid_argument"
    assert code(read(owner, "globex")) == "unauthenticated"


def test_a_typing_error_enrols_nobody_and_every_enrolment_is_on_record(stage: Stage) -> None:
    """With what was asked for, and what came of it."""
    owner = stage.make(Being(ADMIN_OWNER))
    wrong = order(stage, owner, "functions.enrol", function="contacts.ad")
    assert code(wrong) == "not_found"
    assert "did you mean contacts.add?" in wrong["error"]["message"]
    for action in ("functions.enrol", "functions.withdraw"):
        assert order(stage, owner, action, function="contacts.add")["ok"]
    assert code(order(stage, owner, "functions.withdraw", function="contacts.add")) == "not_found"
    records = order(stage, owner, "audit.list", person=owner.person)["result"]["records"]
    assert [
        (each["action"], each["params"]["function"], each["outcome"], each["person"])
        for each in reversed(records)
    ] == [
        ("functions.enrol", "contacts.ad", "not_found", owner.person),
        ("functions.enrol", "contacts.add", "ok", owner.person),
        ("functions.withdraw", "contacts.add", "ok", owner.person),
        ("functions.withdraw", "contacts.add", "not_found", owner.person),
    ]


# ---------------------------------------------------------------- the log


def test_owners_read_the_records_of_their_tenant_and_of_no_other(stage: Stage) -> None:
    """Those of refused orders and of super admins included."""
    admin_owner = stage.make(Being(ADMIN_OWNER))
    super_admin = stage.make(Being(DEVELOPER_ADMIN, grant="live"))
    member = stage.make(Being(MEMBER))
    assert code(order(stage, member, "members.add", name="Eve")) == "permission_denied"
    assert order(stage, super_admin, "contacts.find")["ok"]
    stage.make(Being(MEMBER), tenant="globex")
    records = order(stage, admin_owner, "audit.list", limit=100)["result"]["records"]
    assert {record["tenant"] for record in records} == {"acme"}
    seen = {(record["action"], record["kind"], record["outcome"]) for record in records}
    assert ("members.add", "action", "permission_denied") in seen
    assert ("contacts.find", "intent", None) in seen
    assert ("contacts.find", "outcome", "ok") in seen


def test_the_platforms_people_read_in_the_log_nothing_that_they_may_not_read_elsewhere(
    stage: Stage,
) -> None:
    """A tenant's config and data stand in params; the platform's own, and one's own, stay."""
    owner, developer = stage.make(Being(ADMIN_OWNER)), stage.make(Being(DEVELOPER_ADMIN))
    super_admin = stage.make(Being(DEVELOPER_ADMIN, grant="live"))
    assert order(stage, owner, "config.patch", patch={"settings": {"iban": "NEEDLE"}}, revision=0)[
        "ok"
    ]
    assert order(stage, super_admin, "contacts.add", name="NEEDLE")["ok"]
    assert order(stage, developer, "limits.set", mailbox=77)["ok"]
    assert code(order(stage, developer, "contacts.find", text="mine")) == "permission_denied"

    def read(caller: Caller, tenant: str | None = "acme") -> str:
        reply = stage.call("admin", caller.text, tenant, "audit.list", {"limit": 100})
        return str(reply["result"]["records"])

    for tenant in ("acme", None):
        seen = read(developer, tenant)
        assert "NEEDLE" not in seen
        assert "config.patch" in seen
        assert "'mailbox': 77" in seen
        assert "'text': 'mine'" in seen
    assert read(owner).count("NEEDLE") == 3
    assert read(super_admin).count("NEEDLE") == 3


def test_the_head_that_was_kept_elsewhere_proves_the_log(stage: Stage) -> None:
    """audit.verify takes it, and reports if it is not in the chain."""
    developer = stage.make(Being(DEVELOPER))
    head = stage.call("admin", developer.text, None, "audit.head", {})["result"]
    sound = stage.call("admin", developer.text, None, "audit.verify", {"head": head["head"]})
    assert sound["result"]["ok"]
    wrong = stage.call("admin", developer.text, None, "audit.verify", {"head": "0" * 63 + "1"})
    assert not wrong["result"]["ok"]
    assert "problem" in wrong["result"]["broken"]

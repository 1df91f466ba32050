"""Requests of tenants on a real server: submitted by members, served by versions, released."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.access import DEVELOPER, MEMBER, OWNER
from actors.admin.messages import ListDevelopers
from actors.edge.administration import BURST
from actors.runtime.actor import ask
from tests.actors.callers import Being, Caller, MovableClock, Stage
from tests.actors.developer_project import Workshop
from tests.conftest import Server
from tests.raw_client import Map, RawClient


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server with two tenants, for all tests of this module but the last."""
    clock = MovableClock()
    server = Server(tmp_path_factory.mktemp("requests"), clock=clock)
    made = Stage(server, clock)
    yield made
    made.close()
    server.stop()


@pytest.fixture(scope="module")
def member(stage: Stage) -> Caller:
    """A member of acme."""
    return stage.make(Being(MEMBER))


@pytest.fixture(scope="module")
def other(stage: Stage) -> Caller:
    """A member of globex."""
    return stage.make(Being(MEMBER), "globex")


@pytest.fixture(scope="module")
def developer(stage: Stage) -> Caller:
    """A developer of the platform."""
    return stage.make(Being(DEVELOPER))


def of(reply: Map) -> Any:
    """The result."""
    assert reply["ok"], reply
    return reply["result"]


def code(reply: Map) -> str:
    """Of a refusal."""
    assert not reply["ok"], reply
    return str(reply["error"]["code"])


def submit(
    stage: Stage, caller: Caller, text: str = "Export contacts", tenant: str = "acme"
) -> str:
    """Submit on the data channel; the request's id."""
    reply = stage.call("data", caller.text, tenant, "requests.submit", {"text": text})
    return str(of(reply)["request"]["id"])


def shown(stage: Stage, caller: Caller, request: str, tenant: str | None = "acme") -> Map:
    """The request, and what was said and done about it."""
    reply = stage.call("admin", caller.text, tenant, "requests.show", {"request": request})
    found: Map = of(reply)
    return found


class TestMembers:
    """On the data channel, where members are."""

    def test_a_member_submits_and_reads_it_in_the_tenant_s_list(
        self, stage: Stage, member: Caller
    ) -> None:
        id = submit(stage, member, "Export contacts\r\nas a spreadsheet")
        listed = of(stage.call("data", member.text, "acme", "requests.list", {"limit": 1}))
        (first,) = listed["requests"]
        assert (first["id"], first["state"], first["by"]) == (id, "open", member.person)
        assert first["text"] == "Export contacts\nas a spreadsheet"
        assert (first["votes"], first["voted"]) == (1, True)
        assert listed["counts"]["open"] >= 1

    def test_one_id_has_one_effect(self, stage: Stage, member: Caller) -> None:
        fields: Map = {"tenant": "acme", "token": member.text, "action": "requests.submit"}
        with RawClient(stage.server.endpoint) as raw_client:
            first, again = (
                raw_client.ask(id="same", **fields, params={"text": "x"}) for _ in range(2)
            )
            changed = raw_client.ask(id="same", **fields, params={"text": "y"})
        assert first["result"] == again["result"]
        assert again["meta"]["replayed"]
        assert code(changed) == "invalid_argument"

    def test_what_does_not_fit_or_looks_like_an_attack_is_refused(
        self, stage: Stage, member: Caller
    ) -> None:
        def refused(**params: Any) -> str:
            return code(stage.call("data", member.text, "acme", "requests.submit", params))

        assert refused(text="x" * 2001) == "invalid_argument"
        assert refused(text=" \n\u200b") == "invalid_argument"
        assert refused(text="a bell \x07") in ("invalid_argument", "rejected")
        assert refused(text="<script>alert(1)</script>") == "rejected"
        assert refused(text="fine", function="contacts.ad") == "not_found"

    def test_a_request_of_another_tenant_is_not_found(
        self, stage: Stage, member: Caller, other: Caller
    ) -> None:
        id = submit(stage, member)
        for action, params in (
            ("requests.show", {}),
            ("requests.vote", {}),
            ("requests.answer", {"text": "mine"}),
            ("requests.withdraw", {"why": "mine"}),
        ):
            asked = {"request": id, **params}
            assert code(stage.call("data", other.text, "globex", action, asked)) == "not_found"
        listed = of(stage.call("data", other.text, "globex", "requests.list", {}))
        assert id not in [each["id"] for each in listed["requests"]]

    def test_what_is_the_platform_s_is_refused_to_members(
        self, stage: Stage, member: Caller
    ) -> None:
        params = {"request": "R-1", "why": "because"}
        for channel in ("data", "admin"):
            reply = stage.call(channel, member.text, "acme", "requests.close", params)
            assert code(reply) == "permission_denied"

    def test_a_token_for_other_actions_submits_nothing(self, stage: Stage) -> None:
        scoped = stage.make(Being(MEMBER, scope=frozenset({"contacts.find"})))
        reply = stage.call("data", scoped.text, "acme", "requests.submit", {"text": "x"})
        assert code(reply) == "permission_denied"

    def test_a_member_withdraws_their_own_and_an_owner_any(
        self, stage: Stage, member: Caller
    ) -> None:
        colleague, owner = stage.make(Being(MEMBER)), stage.make(Being(OWNER))
        ids = [submit(stage, member) for _ in range(2)]

        def withdraw(caller: Caller, id: str) -> Map:
            params = {"request": id, "why": "no longer wanted"}
            return stage.call("data", caller.text, "acme", "requests.withdraw", params)

        assert code(withdraw(colleague, ids[0])) == "permission_denied"
        assert of(withdraw(member, ids[0]))["request"]["state"] == "closed"
        assert of(withdraw(owner, ids[1]))["request"]["state"] == "closed"
        assert code(withdraw(owner, ids[1])) == "failed_precondition"

    def test_what_members_do_is_in_the_admin_log(self, stage: Stage, member: Caller) -> None:
        submit(stage, member, "to be recorded")
        records = stage.server.system.local.ask("audit.list", action="requests.submit", limit=1)
        (record,) = records["records"]
        assert (record["person"], record["tenant"]) == (member.person, "acme")
        assert (record["params"], record["outcome"]) == ({"text": "to be recorded"}, "ok")

    def test_who_sends_more_than_a_few_a_second_waits(self, stage: Stage) -> None:
        stage.server.add_tenant("eager")
        eager = stage.make(Being(MEMBER), "eager")
        with RawClient(stage.server.endpoint) as raw_client:
            for _ in range(int(BURST) + 10):
                raw_client.post(tenant="eager", token=eager.text, action="requests.list")
            replies = raw_client.replies(int(BURST) + 10)
        refused = [each["error"] for each in replies.values() if not each["ok"]]
        assert refused
        assert {each["code"] for each in refused} == {"resource_exhausted"}
        assert all(each["retry_after_ms"] > 0 for each in refused)


class TestDevelopers:
    """On the admin channel."""

    def test_they_see_all_tenants_requests_with_filters(
        self, stage: Stage, member: Caller, other: Caller, developer: Caller
    ) -> None:
        mine, theirs = submit(stage, member), submit(stage, other, "Print", "globex")
        urgent = {"request": theirs, "priority": "urgent"}
        of(stage.call("admin", developer.text, None, "requests.prioritise", urgent))

        def listed(tenant: str | None = None, **params: Any) -> list[str]:
            reply = stage.call("admin", developer.text, tenant, "requests.list", params)
            return [each["id"] for each in of(reply)["requests"]]

        assert listed(limit=2) == [theirs, mine]
        assert listed(priority="urgent") == [theirs]
        assert listed(sort="priority")[0] == theirs
        assert theirs not in listed("acme")
        assert listed(state="declined") == []

    def test_an_answer_is_read_by_the_tenant_without_the_developer_s_id(
        self, stage: Stage, member: Caller, developer: Caller
    ) -> None:
        id = submit(stage, member)
        answer = {"request": id, "text": "Which columns?\nAll of them?"}
        of(stage.call("admin", developer.text, None, "requests.answer", answer))
        word = {"request": id, "text": "name and address"}
        of(stage.call("data", member.text, "acme", "requests.answer", word))
        found = shown(stage, member, id)
        assert found["request"]["answer"] == "Which columns?\nAll of them?"
        said = [(each["kind"], each["by"]) for each in found["events"]]
        assert said == [
            ("submitted", member.person),
            ("answered", "developer"),
            ("added", member.person),
        ]
        events = shown(stage, developer, id, None)["events"]
        assert events[1]["by"] == developer.person

    def test_what_is_declined_says_why_and_can_be_reopened(
        self, stage: Stage, member: Caller, developer: Caller
    ) -> None:
        id = submit(stage, member)
        ended = {
            "request": id,
            "state": "declined",
            "why": "it is on the roadmap of another product",
        }
        of(stage.call("admin", developer.text, None, "requests.close", ended))
        assert code(stage.call("admin", developer.text, None, "requests.close", ended)) == (
            "failed_precondition"
        )
        found = shown(stage, member, id)
        assert found["request"]["state"] == "declined"
        assert found["events"][-1]["text"] == "it is on the roadmap of another product"
        again = {"request": id, "why": "it is not after all"}
        of(stage.call("admin", developer.text, None, "requests.reopen", again))
        assert shown(stage, member, id)["request"]["state"] == "open"

    def test_every_tenant_votes_once_for_what_is_published_and_reads_the_title_alone(
        self, stage: Stage, member: Caller, other: Caller, developer: Caller
    ) -> None:
        id = submit(stage, member, "Our auditor Smith wants an export")
        title = {"request": id, "title": "Export of contacts"}
        of(stage.call("admin", developer.text, None, "requests.publish", title))

        def vote(given: bool) -> int:
            params = {"request": id, "vote": given}
            reply = stage.call("data", other.text, "globex", "requests.vote", params)
            return int(of(reply)["request"]["votes"])

        assert [vote(True), vote(True), vote(False), vote(False), vote(True)] == [2, 2, 1, 1, 2]
        listed = of(stage.call("data", other.text, "globex", "requests.list", {"published": True}))
        seen = next(each for each in listed["requests"] if each["id"] == id)
        assert (seen["text"], seen["tenant"], seen["by"]) == ("Export of contacts", None, None)
        assert "Smith" not in str(shown(stage, other, id, "globex"))
        of(stage.call("admin", developer.text, None, "requests.publish", {**title, "title": None}))
        refused = stage.call("data", other.text, "globex", "requests.show", {"request": id})
        assert code(refused) == "not_found"

    def test_they_submit_for_a_tenant_what_came_by_phone(
        self, stage: Stage, member: Caller, developer: Caller
    ) -> None:
        said = {"text": "They called: quotes as PDF"}
        reply = stage.call("admin", developer.text, "acme", "requests.submit", said)
        found = shown(stage, member, of(reply)["request"]["id"])
        assert (found["request"]["by"], found["request"]["tenant"]) == (None, "acme")
        assert found["request"]["voted"]
        assert found["events"][0]["by"] == "developer"
        nowhere = stage.call("admin", developer.text, None, "requests.submit", said)
        assert code(nowhere) == "invalid_argument"

    def test_they_do_not_submit_on_the_data_channel(self, stage: Stage, developer: Caller) -> None:
        refused = stage.call("data", developer.text, "acme", "requests.submit", {"text": "x"})
        assert code(refused) in ("permission_denied", "unauthenticated")


def settled(shop: Workshop) -> None:
    """Wait until the Directory has dealt with the latest table."""
    ask(shop.server.system.actors.directory, ListDevelopers(), 20.0)


def state_of(shop: Workshop, request: str) -> Map:
    """The request as its tenant lists it."""
    settled(shop)
    listed = of(shop.call("requests.list", "acme", limit=10))["requests"]
    found: Map = next(each for each in listed if each["id"] == request)
    return found


def described_to_developers(shop: Workshop) -> Map:
    """What system.describe tells them of marks.add."""
    person = shop.ask("developers.add", name="Grace", role=DEVELOPER)["developer"]["id"]
    token = shop.ask("developers.issue", person=person, label="test")["text"]
    with RawClient(shop.server.system.admin_endpoint) as raw_client:
        asked = {"action": "system.describe", "params": {"action": "marks.add"}}
        entry: Map = of(raw_client.ask(token=token, **asked))["actions"][0]
    return entry


def test_a_request_follows_the_version_that_names_it_to_its_release_and_back(
    tmp_path: Path,
) -> None:
    """Also over a restart, and when a newer version takes the place of the one that was released."""
    with Workshop(tmp_path) as shop:
        shop.serve("hosted-live")
        id = of(shop.call("requests.submit", "acme", text="Marks"))["request"]["id"]
        shop.write(2)
        shop.edit("version = 2\n", f'version = 2\nrequests = ["{id}", "R-999"]\n')
        shop.reload()
        assert state_of(shop, id)["state"] == "linked"
        shop.move(2, "potential release")
        assert state_of(shop, id)["state"] == "in release"
        shop.move(2, "under user test")
        move = {"function": "marks.add", "version": 2, "to": "release"}
        shop.ask("functions.release", None, moves=[move], why="it is good", release="shop-7")
        released = state_of(shop, id)
        assert released["state"] == "released"
        release = released["release"]
        assert (release["function"], release["version"]) == ("marks.add", 2)
        assert (release["environment"], release["release"]) == ("hosted-live", "shop-7")

        assert shop.show()["versions"][0]["requests"] == [id, "R-999"]
        assert described_to_developers(shop)["requests"] == [id, "R-999"]
        assert "requests" not in shop.described()

        shop.serve("hosted-live")
        assert state_of(shop, id)["release"] == release
        shop.move(2, "reverted", why="it is slow")
        back = state_of(shop, id)
        assert (back["state"], back["release"]) == ("linked", None)
        shop.move(2, "under dev")
        shop.move(2, "potential release")
        shop.move(2, "under user test")
        shop.move(2, "release")
        shop.write(3)
        shop.reload()
        for to in ("potential release", "under user test", "release"):
            shop.move(3, to)
        shop.move(2, "reverted", why="version 3 has it")
        assert state_of(shop, id)["state"] == "released"
        events = of(shop.call("requests.show", "acme", request=id))["events"]
        assert [each["kind"] for each in events] == [
            *("submitted", "linked", "in release", "released"),
            *("linked", "in release", "released"),
        ]
        assert {each["by"] for each in events[1:]} == {"machine"}


def test_a_developer_links_a_version_and_takes_the_link_back(tmp_path: Path) -> None:
    """A version that is released already releases the request; another function's name is refused."""
    with Workshop(tmp_path) as shop:
        shop.serve()
        id = of(shop.call("requests.submit", "acme", text="Marks"))["request"]["id"]
        link = {"request": id, "function": "marks.add"}
        shop.ask("requests.link", None, **link)
        assert state_of(shop, id)["state"] == "linked"
        shop.ask("requests.link", None, **link, version=1)
        assert state_of(shop, id)["state"] == "released"
        shop.ask("requests.unlink", None, **link, version=1)
        shop.ask("requests.unlink", None, **link)
        assert state_of(shop, id)["state"] == "open"
        assert shop.refusal("requests.unlink", **link).code == "not_found"
        wrong = {"request": id, "function": "marks.ad"}
        assert "marks.add" in str(shop.refusal("requests.link", **wrong))
        assert shop.refusal("requests.link", **link, version=9).code == "not_found"

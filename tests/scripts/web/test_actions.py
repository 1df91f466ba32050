"""Any action by its form: what it takes away is shown first, and done only if it is still the same."""

from __future__ import annotations

import pytest

from tests.scripts.web.conftest import Dashboard, People, Person, hidden, text_of


@pytest.fixture
def shop(people: People, request: pytest.FixtureRequest) -> str:
    """A tenant of the test's own."""
    name = f"shop-{abs(hash(request.node.name)) % 10**8}"
    people.call(people.admin, "tenants.create", name=name, owner={"name": "Ada"}, token=False)
    return name


def status(people: People, tenant: str) -> str:
    """As the server has it."""
    return str(people.call(people.admin, "tenants.show", tenant)["tenant"]["status"])


def asked(admin: Person, shop: str) -> dict[str, str]:
    """The form that confirms a suspension, filled in but for the name."""
    page = admin.send("/actions/tenants.suspend", tenant=shop, **{"p.reason": "unpaid"})
    assert page.status_code == 200, page.text
    return {
        "tenant": shop,
        "p.reason": "unpaid",
        "digest": hidden(page.text, "digest"),
        "id": hidden(page.text, "id"),
    }


def test_what_adds_is_done_at_once(admin: Person, people: People) -> None:
    answer = admin.send(
        "/actions/tenants.create", **{"p.name": "made-here", "p.owner.name": "Ada Lovelace"}
    )
    assert "Done." in text_of(answer.text)
    assert "tnt_" in answer.text
    assert status(people, "made-here") == "active"


def test_what_takes_away_is_shown_and_waits_for_the_name(
    admin: Person, people: People, shop: str
) -> None:
    form = asked(admin, shop)
    refused = admin.send("/actions/tenants.suspend", confirm="acme", **form)
    assert refused.status_code == 409
    assert status(people, shop) == "active"
    done = admin.send("/actions/tenants.suspend", confirm=shop, **form)
    assert "Done." in text_of(done.text)
    assert status(people, shop) == "suspended"


def test_nothing_is_done_if_it_has_changed_since_it_was_shown(
    admin: Person, people: People, shop: str
) -> None:
    form = asked(admin, shop)
    people.call(people.admin, "tenants.delete", shop, reason="they left", grace_days=3)
    answer = admin.send("/actions/tenants.suspend", confirm=shop, **form)
    assert answer.status_code == 409
    assert "has changed since it was shown" in text_of(answer.text)
    assert status(people, shop) == "deleting"


def test_the_server_is_given_the_digest_of_what_was_shown(
    admin: Person, people: People, shop: str
) -> None:
    """So that it refuses what changes between the dashboard's look and the change; its record has it."""
    assert "p.expected" not in admin.page("/actions/tenants.suspend")
    form = asked(admin, shop)
    assert admin.send("/actions/tenants.suspend", confirm=shop, **form).status_code == 200
    records = people.call(people.admin, "audit.list", shop, action="tenants.suspend")["records"]
    assert records[0]["params"]["expected"] == form["digest"]


def test_a_form_sent_twice_has_one_effect(admin: Person, people: People) -> None:
    form = {"id": "twice-1", "p.name": "Added Twice", "p.role": "developer"}
    for _ in range(2):
        assert admin.send("/actions/developers.add", **form).status_code == 200
    listed = people.call(people.admin, "developers.list")["developers"]
    assert [each["name"] for each in listed].count("Added Twice") == 1


def test_the_second_of_two_moves_of_one_version_is_refused(
    admin: Person, dashboard: Dashboard, people: People
) -> None:
    other = dashboard.person(people.admin)
    move = {"p.function": "contacts.get", "p.version": "1", "p.to": "reverted", "p.why": "slow"}
    pages = [each.send("/actions/functions.move", **move).text for each in (admin, other)]
    first, second = (
        each.send(
            "/actions/functions.move",
            digest=hidden(page, "digest"),
            id=hidden(page, "id"),
            confirm="contacts.get",
            **move,
        )
        for each, page in zip((admin, other), pages, strict=True)
    )
    assert first.status_code == 200
    assert second.status_code == 409
    assert "has changed since it was shown" in text_of(second.text)


def test_what_the_server_refuses_stays_in_the_form_with_the_reason(admin: Person) -> None:
    answer = admin.send(
        "/actions/tenants.create", **{"p.name": "Not A Name", "p.owner.name": "Ada"}
    )
    assert answer.status_code == 400
    assert "invalid_argument" in text_of(answer.text)
    assert 'value="Not A Name"' in answer.text


def test_a_field_that_is_no_number_is_named(admin: Person) -> None:
    answer = admin.send("/actions/limits.set", tenant="acme", **{"p.burst": "many"})
    assert answer.status_code == 400
    assert "burst: 'many' is not JSON" in text_of(answer.text)


def test_a_limit_is_set_and_taken_away(admin: Person, people: People, shop: str) -> None:
    """Of a tenant of its own: the limit stays."""
    sent = {"tenant": shop, "p.requests_per_second": "50", "p.burst": "100"}
    assert admin.send("/actions/limits.set", **sent).status_code == 200
    limits = people.call(people.admin, "limits.show", shop)["limits"]
    assert (limits["requests_per_second"], limits["burst"]) == (50, 100)
    assert "Type" in text_of(
        admin.send("/actions/limits.set", tenant=shop, **{"p.burst": "null"}).text
    )


def test_there_is_a_form_for_each_action_of_the_admin_channel(
    admin: Person, people: People
) -> None:
    listed = admin.page("/actions")
    after: str | None = ""
    while after is not None:
        page = people.call(people.admin, "system.describe", after=after, limit=200)
        after = page["next"]
        for each in page["actions"]:
            is_own = each["access"] in ("developer", "developer admin") or each["platform"]
            is_there = f'href="/actions/{each["name"]}"' in listed
            assert is_there == bool(each["channel"] != "data" and is_own), each["name"]


def test_an_action_that_the_person_may_not_call_has_no_form(owner: Person) -> None:
    assert owner.get("/actions/tenants.create").status_code == 404
    assert owner.get("/actions/contacts.add").status_code == 404
    assert owner.get("/actions/no.such").status_code == 404

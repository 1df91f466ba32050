"""The pages: what each shows to whom, and that nothing in the data is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scripts.cli.console.conftest import Served
from tests.scripts.web.conftest import Dashboard, People, Person, text_of
from transport.client import Client

PLATFORM = (
    *("/", "/tenants", "/tenants/acme", "/tenants/acme/people", "/tenants/acme/figures"),
    *("/functions", "/functions/contacts.add", "/functions/mail?kind=connector", "/index"),
    *("/requests", "/requests?sort=votes&state=open&tenant=acme", "/requests?published=1"),
    *("/connectors", "/connectors/outbox?tenant=acme", "/connectors/dead?tenant=acme"),
    *("/errors", "/errors?tenant=acme", "/audit", "/actors", "/actors?actor=registry"),
    *("/stacks", "/developers", "/actions", "/releases"),
)

OWNERS = (
    *("/tenants/acme", "/tenants/acme/people", "/tenants/acme/tokens", "/tenants/acme/config"),
    *("/tenants/acme/figures", "/tenants/acme/log", "/connectors", "/connectors/outbox"),
    *("/connectors/dead", "/errors", "/audit", "/actions", "/requests", "/requests?sort=votes"),
)

NOT_OWNERS = (
    *("/tenants", "/functions", "/functions/contacts.add", "/index", "/actors", "/stacks"),
    *("/developers", "/tenants/globex", "/tenants/globex/people", "/releases", "/releases/shop-7"),
)


@pytest.fixture(scope="module")
def member(served: Served) -> Iterator[Client]:
    """Acme's admin owner on the data channel."""
    with Client(served.endpoint, tenant="acme", token=served.token) as client:
        yield client


@pytest.mark.parametrize("path", PLATFORM)
def test_the_platform_s_people_have_every_page(admin: Person, path: str) -> None:
    page = admin.page(path)
    assert "<b>?</b>" not in page
    assert "Read at" in page


@pytest.mark.parametrize("path", OWNERS)
def test_an_owner_has_every_page_of_the_own_tenant(owner: Person, path: str) -> None:
    assert "<b>?</b>" not in owner.page(path)


@pytest.mark.parametrize("path", NOT_OWNERS)
def test_an_owner_has_nothing_else_and_stays_logged_in(owner: Person, path: str) -> None:
    assert owner.get(path).status_code == 403
    assert owner.page("/tenants/acme")


def test_an_owner_s_first_page_is_the_own_tenant(owner: Person) -> None:
    assert owner.get("/").headers["location"] == "/tenants/acme"
    links = re.findall(r'href="(/[a-z]*)', owner.page("/tenants/acme"))
    assert {"/functions", "/actors", "/developers"} & set(links) == set()


def test_an_owner_is_drawn_what_was_delegated_and_no_more(
    dashboard: Dashboard, people: People
) -> None:
    added = people.call(people.owner, "members.add", "acme", name="Joan")["member"]["id"]
    people.call(people.owner, "owners.delegate", "acme", person=added, areas=["tokens"])
    token = people.call(people.owner, "tokens.issue", "acme", person=added, label="t")["text"]
    joan = dashboard.person(token)
    assert "/actions/tokens.issue" in joan.page("/tenants/acme/people")
    assert "/actions/members.add" not in joan.page("/tenants/acme/people")
    assert 'name="config"' not in joan.page("/tenants/acme/config")
    assert joan.get("/connectors").status_code == 403


def test_a_developer_admin_sees_the_data_of_a_tenant_as_its_super_admin(
    dashboard: Dashboard, people: People
) -> None:
    person = people.call(people.admin, "developers.add", name="Kit", role="developer admin")
    id = person["developer"]["id"]
    token = people.call(people.admin, "developers.issue", person=id, label="t")["text"]
    kit = dashboard.person(token)
    assert "/tenants/acme/tokens" not in kit.page("/tenants/acme")
    people.call(people.owner, "supers.grant", "acme", person=id, minutes=5, reason="ticket 3")
    assert "/tenants/acme/tokens" in kit.page("/tenants/acme")
    assert "<b>?</b>" not in kit.page("/tenants/acme/tokens")


def test_an_error_leads_to_the_whole_story_of_its_request(admin: Person, broken_trace: str) -> None:
    assert f"/trace/{broken_trace}" in admin.page("/errors?tenant=acme&action=contacts.get")
    story = text_of(admin.page(f"/trace/{broken_trace}?tenant=acme"))
    assert "ValueError" in story
    assert "contacts.get" in story


def test_nothing_in_the_data_is_markup_or_turns_text_around(
    admin: Person, broken_trace: str
) -> None:
    page = admin.page(f"/trace/{broken_trace}?tenant=acme")
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_reason_of_a_move_is_no_markup_either(admin: Person, people: People) -> None:
    why = "it is < 3 & 'slow' \"now\""
    people.call(
        people.admin, "functions.move", function="notes.list", version=1, to="reverted", why=why
    )
    page = admin.page("/functions/notes.list")
    assert why in text_of(page)
    assert "< 3 &" not in page


def test_a_function_shows_its_versions_where_they_may_go_and_what_failed(
    admin: Person, broken_trace: str
) -> None:
    page = admin.page("/functions/contacts.get?version=2&against=1")
    assert "/actions/functions.move?function=contacts.get" in page
    assert f"/trace/{broken_trace}" in page
    assert 'class="added"' in page


def test_functions_are_listed_by_state_and_name(admin: Person, broken_trace: str) -> None:
    assert broken_trace
    page = text_of(admin.page("/functions?state=under+dev"))
    assert "contacts.get" in page
    assert "contacts.find" not in page
    assert "tickets.open" not in text_of(admin.page("/functions?prefix=contacts."))


def test_a_request_is_answered_by_a_form_and_its_tenant_reads_that(
    admin: Person, owner: Person, member: Client
) -> None:
    """Its text is no markup, and what developers alone do is not drawn for owners."""
    made = member.call("requests.submit", {"text": "Export < 3 & 'more'\nas a table"})
    id = made["request"]["id"]
    assert f'href="/requests/{id}"' in admin.page("/requests?sort=newest")
    sent = {"p.request": id, "p.text": "Which columns?\r\nAll?"}
    assert "Done." in text_of(admin.send("/actions/requests.answer", **sent).text)
    page = owner.page(f"/requests/{id}")
    assert "Export &lt; 3 &amp; " in page
    assert "Which columns?" in text_of(page)
    assert "requests.close" not in page
    assert "/actions/requests.close" in admin.page(f"/requests/{id}")


def test_releases_lead_to_what_they_moved_and_for_whom(admin: Person, release: str) -> None:
    """Of the deploy that is under way there is the step."""
    page = admin.page("/releases")
    for link in (f"/releases/{release}", "/functions/contacts.add", "/requests/R-1"):
        assert f'href="{link}"' in page
    assert "too <slow>" in text_of(page)
    assert "too <slow>" not in page
    assert "shop-8 is being deployed since 2026-11-02 12:00:00 UTC ; the latest step is moved" in (
        " ".join(text_of(page).split())
    )
    assert "2026-11-01 11:00:00 UTC" in text_of(page)
    page = admin.page("/releases/shop-7")
    for word in ("0001_orders.py", "params.sku is required now", "0123abcd", "# shop-7"):
        assert word in text_of(page)
    assert "no release 'shop-9' was deployed here" in text_of(admin.page("/releases/shop-9"))


def test_a_time_that_is_said_as_ago_becomes_one_that_stays(admin: Person) -> None:
    location = admin.get("/errors?tenant=acme&last=1h").headers["location"]
    assert re.fullmatch(r"/errors\?tenant=acme&since=\d{4}-\d\d-\d\dT.*", location)
    assert "No line is like that" in admin.page(
        "/errors?since=2001-01-01T00:00:00Z&until=2001-01-02T00:00:00Z"
    )


def test_the_audit_shows_what_was_done_and_that_its_records_are_whole(
    admin: Person, people: People
) -> None:
    people.call(people.admin, "limits.set", "acme", mailbox=321)
    assert "limits.set" in text_of(admin.page("/audit?tenant=acme&action=limits.set"))
    asked = admin.page("/audit?verify=1")
    assert "records are read and checked" in text_of(asked)
    assert 'hx-get="/audit/check?part=1"' in asked
    assert admin.page("/audit/check?part=1").lstrip().startswith("<p")
    assert 'href="/audit/check"' in asked, "without scripts a link leads to the check"
    checked = admin.page("/audit/check")
    assert "records are as they were written" in text_of(checked)
    assert "<nav" in checked
    elsewhere = admin.page(f"/audit/check?head={'0' * 63}1")
    assert "no record has the hash" in text_of(elsewhere)


def test_a_log_that_is_followed_shows_what_comes(owner: Person, member: Client) -> None:
    with owner.http.stream("GET", "/follow/log/live?tenant=acme&action=contacts.find") as stream:
        lines = stream.iter_lines()
        assert any(line == "event: looked" for line in lines)
        member.call("contacts.find", {"text": "followed"})
        assert any("contacts.find" in line for line in lines)


def test_what_is_true_is_a_yes(admin: Person) -> None:
    page = text_of(admin.page("/actors?actor=directory"))
    assert re.search(r"\b(true|false)\b", page) is None
    assert re.search(r"is leaving (yes|no)", text_of(admin.page("/actors?actor=acme")))


def test_the_overview_says_how_much_disk_is_free_and_how_many_breakers_are_open(
    admin: Person,
) -> None:
    page = text_of(admin.page("/"))
    assert re.search(r"Disk free [\d,.]+ [KMGT]iB of [\d,.]+ [KMGT]iB", page)
    assert "Open breakers 0" in page


def test_the_editor_says_what_a_config_may_hold(owner: Person) -> None:
    assert re.search(r"whitelabel: [^:]*product_name", text_of(owner.page("/tenants/acme/config")))


def config_form(page: str) -> dict[str, str]:
    """Text and revision of the editor."""
    found = re.search(r'name="revision" value="(\d+)"', page)
    assert found is not None
    return {"revision": found[1]}


def test_a_config_is_edited_and_the_slower_of_two_is_refused_with_the_text_kept(
    owner: Person, people: People
) -> None:
    form = config_form(owner.page("/tenants/acme/config"))
    first = owner.send(
        "/tenants/acme/config", config='{"whitelabel": {"product_name": "Desk One"}}', **form
    )
    assert first.status_code == 303
    config = people.call(people.owner, "config.show", "acme")["config"]
    assert config["whitelabel"] == {"product_name": "Desk One"}
    second = owner.send(
        "/tenants/acme/config", config='{"whitelabel": {"product_name": "Desk Two"}}', **form
    )
    assert second.status_code == 409
    assert "Desk Two" in second.text
    revised = owner.page(f"/tenants/acme/config?revision={form['revision']}")
    assert "Desk One" in text_of(revised)
    assert "/actions/config.revert?" in revised


@pytest.mark.parametrize("text", ["", "[]", "{", '{"settings": 3}', '{"else": {}}'])
def test_a_config_that_is_none_changes_nothing(owner: Person, people: People, text: str) -> None:
    before = people.call(people.owner, "config.show", "acme")["config"]
    form = config_form(owner.page("/tenants/acme/config"))
    answer = owner.send("/tenants/acme/config", config=text, **form)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert people.call(people.owner, "config.show", "acme")["config"] == before


def test_a_call_of_a_connector_is_shown_whole(owner: Person, call_trace: str) -> None:
    assert "loopback" in owner.page("/connectors?outcome=failed_precondition")
    page = text_of(owner.page(f"/connectors/trace?trace_id={call_trace}"))
    for words in ("what the function asked for", "what went out", "what came back", "Permanent:"):
        assert words in page
    assert '"type": "contact.removed"' in page


@pytest.mark.parametrize(
    "path", ["/nothing", "/tenants/nosuch", "/follow/nothing/live", "/static/nothing"]
)
def test_what_is_not_there_is_said(admin: Person, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code == 404
    assert 'role="alert"' in answer.text


def test_a_query_without_end_is_refused(admin: Person) -> None:
    assert admin.get("/tenants?" + "&".join(f"a{n}=1" for n in range(300))).status_code == 400


def test_another_method_is_refused(admin: Person) -> None:
    assert admin.http.request("DELETE", "/tenants").status_code == 405
    assert admin.send("/tenants").status_code == 405


def test_a_page_without_a_server_says_so(people: People, served: Served) -> None:
    with Dashboard(people.endpoint) as own:
        person: Any = own.person(people.admin)
        assert person.page("/tenants")
        served.stop()
        try:
            answer = person.get("/tenants")
            assert "no server listens" in text_of(answer.text)
        finally:
            served.start()
        assert "acme" in person.page("/tenants")

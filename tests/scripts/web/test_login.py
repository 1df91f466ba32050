"""Logging in: the token becomes a session, which other sites cannot use and which ends with the token."""

from __future__ import annotations

from contextlib import ExitStack
from signal import SIGTERM

import pytest

from scripts.web.sessions import MOST_STREAMS
from tests.child import Child
from tests.deadline import until
from tests.scripts.web.conftest import PROGRAM, Dashboard, People, Person, text_of

FOLLOWED = "/follow/errors/live"

DEVELOPER = {"name": "Grace Hopper", "role": "developer"}


def new_token(people: People) -> tuple[str, str]:
    """A developer's of the platform, and its id."""
    person = people.call(people.admin, "developers.add", **DEVELOPER)["developer"]["id"]
    made = people.call(people.admin, "developers.issue", person=person, label="test")
    return made["text"], made["token"]["id"]


def test_without_a_session_every_page_is_the_login(dashboard: Dashboard) -> None:
    answer = dashboard.stranger().get("/tenants?prefix=a")
    assert answer.status_code == 401
    assert 'name="next" value="/tenants?prefix=a"' in answer.text
    assert "acme" not in answer.text


def test_the_cookie_is_for_this_site_and_no_script_and_holds_no_token(
    dashboard: Dashboard, people: People
) -> None:
    person = dashboard.stranger()
    answer = person.post("/login", token=people.admin, next="/tenants")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tenants")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert people.admin not in cookie
    assert people.admin not in person.page("/tenants")


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_no_login_leads_to_another_site(dashboard: Dashboard, people: People, address: str) -> None:
    answer = dashboard.stranger().post("/login", token=people.admin, next=address)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    ("token", "status"), [("tnt_unknown", 401), ("", 400), ("two\nlines", 400), ("x" * 600, 400)]
)
def test_a_token_that_is_not_good_is_refused_with_its_reason(
    dashboard: Dashboard, token: str, status: int
) -> None:
    answer = dashboard.stranger().post("/login", token=token)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


def test_a_member_has_no_pages(dashboard: Dashboard, people: People) -> None:
    added = people.call(people.owner, "members.add", "acme", name="Joan Clarke")["member"]["id"]
    made = people.call(people.owner, "tokens.issue", "acme", person=added, label="test")
    answer = dashboard.stranger().post("/login", token=made["text"])
    assert answer.status_code == 403
    assert "a member's" in text_of(answer.text)


def test_a_form_of_another_site_does_nothing(dashboard: Dashboard, people: People) -> None:
    person = dashboard.person(people.admin)
    forged = {"csrf": person.csrf()}
    for headers in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        answer = person.http.post("/logout", data=forged, headers=headers)
        assert answer.status_code == 403
        assert "nothing was done" in answer.text
    assert person.page("/tenants")


def test_a_form_without_the_session_s_secret_does_nothing(
    dashboard: Dashboard, people: People
) -> None:
    person = dashboard.person(people.admin)
    for form in ({}, {"csrf": ""}, {"csrf": dashboard.person(people.admin).csrf()}):
        assert person.post("/logout", **form).status_code == 403
    assert person.page("/tenants")


def test_who_logs_out_has_no_session_any_more(dashboard: Dashboard, people: People) -> None:
    person = dashboard.person(people.admin)
    kept = dict(person.http.cookies)
    assert person.send("/logout").headers["location"] == "/login"
    person.http.cookies.update(kept)
    assert person.get("/tenants").status_code == 401


def test_a_token_that_is_revoked_ends_its_session_with_the_next_page(
    dashboard: Dashboard, people: People
) -> None:
    token, id = new_token(people)
    person = dashboard.person(token)
    assert person.page("/tenants")
    people.call(people.admin, "developers.revoke", token=id)
    answer = person.get("/tenants")
    assert answer.headers["location"] == "/login?ended=1"
    assert "log in again" in text_of(person.page("/login?ended=1"))
    assert person.get("/tenants").status_code == 401


def test_a_page_that_follows_is_told_that_its_token_has_ended(
    dashboard: Dashboard, people: People
) -> None:
    token, id = new_token(people)
    person = dashboard.person(token)
    with person.http.stream("GET", "/live") as stream:
        lines = stream.iter_lines()
        assert any(line == "event: figures" for line in lines)
        people.call(people.admin, "developers.revoke", token=id)
        assert any(line == "event: ended" for line in lines)


def test_a_link_of_another_site_opens_the_page_that_it_names(dashboard: Dashboard) -> None:
    answer = dashboard.stranger().get(
        "/tenants?prefix=a&status=active", **{"sec-fetch-site": "cross-site"}
    )
    assert 'content="0; url=/tenants?prefix=a&amp;status=active"' in answer.text


def test_nothing_comes_from_outside_and_nothing_is_kept(admin: Person) -> None:
    headers = admin.get("/tenants").headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"


def test_who_tries_tokens_is_slowed_down(people: People) -> None:
    with Dashboard(people.endpoint, "--login-rate", 0.5) as slow:
        stranger = slow.stranger()
        statuses = [stranger.post("/login", token="tnt_guess").status_code for _ in range(4)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_a_session_ends_when_its_hours_are_over(people: People) -> None:
    with Dashboard(people.endpoint, "--session-hours", 1e-9) as short:
        person = short.person(people.admin)
        assert person.get("/tenants").status_code == 401


def test_where_there_are_too_many_sessions_the_oldest_ends(people: People) -> None:
    with Dashboard(people.endpoint, "--sessions", 2) as small:
        first, second, third = (small.person(people.admin) for _ in range(3))
        assert first.get("/tenants").status_code == 401
        assert second.page("/tenants")
        assert third.page("/tenants")


def test_a_session_follows_a_few_pages_at_most(dashboard: Dashboard, people: People) -> None:
    person = dashboard.person(people.admin)
    with ExitStack() as streams:
        open_streams = [
            streams.enter_context(person.http.stream("GET", FOLLOWED)).iter_lines()
            for _ in range(MOST_STREAMS)
        ]
        for lines in open_streams:
            assert any(line == "event: looked" for line in lines)
        assert person.get(FOLLOWED).status_code == 429
    until(lambda: follows(person), "a stream to be free again")


def follows(person: Person) -> bool:
    """Whether one more page may follow."""
    with person.http.stream("GET", FOLLOWED) as stream:
        return stream.status_code == 200


def test_a_dashboard_that_stops_ends_what_follows(people: People) -> None:
    with Dashboard(people.endpoint) as stopped:
        person = stopped.person(people.admin)
        with person.http.stream("GET", FOLLOWED) as stream:
            lines = stream.iter_lines()
            assert any(line == "event: looked" for line in lines)
            stopped.child.process.send_signal(SIGTERM)
            assert "event: ended" not in list(lines)  # whole to its end, which is not the session's
        assert stopped.child.ended() == 0
        assert "error" not in stopped.child.log()


def test_beyond_loopback_it_wants_tls() -> None:
    with Child("--host", "0.0.0.0", program=PROGRAM) as child:
        assert child.ended() == 78
        assert "without TLS" in child.log()


def test_behind_a_proxy_with_tls_the_cookie_is_for_https_alone(people: People) -> None:
    with Dashboard(people.endpoint, "--plain") as behind:
        answer = behind.stranger().post("/login", token=people.admin)
    assert answer.headers["set-cookie"].startswith("__Host-tenantry=")
    assert answer.headers["set-cookie"].endswith("; Secure")

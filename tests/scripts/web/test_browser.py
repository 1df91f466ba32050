"""The dashboard in a browser: what a developer admin and an owner do there, and what no one can."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.browser import Browser
from tests.scripts.cli.console.conftest import Served
from tests.scripts.web.conftest import Dashboard, People
from transport.client import Client

ATTACK = "<script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'>"

SHOWN = "document.getElementById('live').innerText"


@pytest.fixture(scope="module")
def member(served: Served) -> Iterator[Client]:
    """Acme's admin owner on the data channel."""
    with Client(served.endpoint, tenant="acme", token=served.token) as client:
        yield client


def log_in(browser: Browser, dashboard: Dashboard, token: str, path: str = "/") -> None:
    """As a person does, who wanted to see this page."""
    browser.command("Network.clearBrowserCookies")
    browser.open(dashboard.address + path)
    browser.fill("login", token=token)
    browser.arrive(f"location.pathname === {json.dumps(path)} && !!document.querySelector('nav')")


@pytest.fixture
def admin(browser: Browser, dashboard: Dashboard, people: People) -> Iterator[Browser]:
    """The developer admin's, whose pages ask no other and throw nothing."""
    browser.requests.clear()
    log_in(browser, dashboard, people.admin)
    yield browser
    assert browser.errors == []
    away = [each for each in browser.requests if not each.startswith(dashboard.address)]
    assert away == []


def test_a_rate_moves_under_load_without_loading_the_page_again(
    admin: Browser, member: Client
) -> None:
    admin.run("window.isSame = true")
    admin.until("document.querySelectorAll('.chart canvas').length === 2")
    rows = "[...document.querySelectorAll('#live tr')].map(each => each.innerText.trim())"
    row = f"({rows}.find(each => /^ok\\t/.test(each)) || 'ok\\t0')"
    answered = f"Number({row}.split('\\t')[1].replaceAll(',', ''))"
    before = int(admin.run(answered))
    calls = [member.submit("contacts.add", {"name": f"Load {n}"}) for n in range(300)]
    member.gather(*calls)
    admin.until(f"{answered} >= {before + 300}")
    assert admin.run("window.isSame")
    assert admin.run("document.getElementById('live-state').innerText").startswith("Live")


def test_a_server_that_stops_is_said_and_followed_again(
    admin: Browser, people: People, served: Served
) -> None:
    served.stop()
    try:
        admin.until("document.getElementById('live-state').innerText.includes('not answer')")
        assert "?" in admin.run(SHOWN)
    finally:
        served.start()
    admin.until("document.getElementById('live-state').innerText.startsWith('Live')")


def test_an_error_leads_by_a_link_to_its_story(
    admin: Browser, dashboard: Dashboard, broken_trace: str
) -> None:
    admin.open(f"{dashboard.address}/errors")
    admin.run(f"document.querySelector('tbody a[href^=\"/trace/{broken_trace}\"]').click()")
    admin.arrive("document.querySelector('main').innerText.includes('ValueError')")
    assert admin.run("document.querySelectorAll('.story img').length") == 0


def test_a_chart_is_enlarged_by_its_button_and_by_a_click_and_closed_by_escape(
    admin: Browser, dashboard: Dashboard
) -> None:
    admin.open(f"{dashboard.address}/")
    admin.until("!!document.querySelector('#rates canvas')")
    height = "document.querySelector('#rates canvas').clientHeight"
    small = admin.run(height)
    for opened in ("#rates", "[aria-controls=rates]"):
        admin.run(f"document.querySelector('{opened}').click()")
        admin.until(f"{height} > 2 * {small}")
        admin.run("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))")
        admin.until(f"{height} === {small}")
    assert admin.errors == []


def test_the_check_of_the_chain_comes_after_the_page(admin: Browser, dashboard: Dashboard) -> None:
    admin.open(f"{dashboard.address}/audit?verify=1")
    admin.until("document.getElementById('check').innerText.includes('as they were written')")


def test_a_version_is_moved_by_what_is_typed(
    admin: Browser, dashboard: Dashboard, people: People
) -> None:
    admin.open(f"{dashboard.address}/functions/notes.remove")
    admin.run("document.querySelector('a[href*=\"to=reverted\"]').click()")
    admin.arrive("!!document.getElementById('action')")
    admin.fill("action", **{'"p.why"': "it breaks on every call"})
    admin.arrive("!!document.getElementById('confirm')")
    admin.fill("confirm", confirm="notes.remove")
    admin.arrive("document.querySelector('main').innerText.includes('Done.')")
    shown = people.call(people.admin, "functions.show", function="notes.remove")
    assert shown["states"]["1"] == "reverted"
    assert shown["moves"][0]["why"] == "it breaks on every call"


def test_an_owner_edits_the_config_and_it_is_on_record(
    browser: Browser, dashboard: Dashboard, people: People
) -> None:
    log_in(browser, dashboard, people.owner, "/tenants/acme/config")
    revision = "document.querySelector('[name=revision]').value"
    before = browser.run(revision)
    browser.fill("config", config='{"whitelabel": {"product_name": "Desk & Co"}}')
    browser.arrive(f"{revision} > {before}")
    assert "Desk & Co" in browser.run("document.getElementById('config-text').value")
    browser.open(f"{dashboard.address}/audit?action=config.patch")
    assert "config.patch" in browser.run("document.querySelector('tbody').innerText")
    links = browser.run(
        "[...document.querySelectorAll('header nav a')].map(each => each.innerText)"
    )
    assert links[0] == "acme"
    assert not {"Overview", "Tenants", "Functions", "Actors", "Developers"} & set(links)


def test_a_script_in_what_the_server_says_is_not_run(admin: Browser, dashboard: Dashboard) -> None:
    for path in ("/tenants?prefix=", "/functions/", "/tenants/acme?x=", "/errors?text="):
        admin.open(dashboard.address + path + json.dumps(ATTACK).replace("/", "%2f"))
        assert admin.run("window.attacked") is None


def test_a_form_of_another_site_is_refused(
    browser: Browser, dashboard: Dashboard, people: People
) -> None:
    log_in(browser, dashboard, people.admin)
    action = f"{dashboard.address}/actions/tenants.suspend"
    form = f"<form id=f method=post action={action}><input name=tenant value=acme>"
    browser.open(f"data:text/html,{form}")
    browser.run("document.getElementById('f').submit()")
    browser.arrive("document.body.innerText.includes('nothing was done')")
    assert people.call(people.admin, "tenants.show", "acme")["tenant"]["status"] == "active"


def test_a_link_of_another_site_opens_the_page_of_who_is_logged_in(
    admin: Browser, dashboard: Dashboard
) -> None:
    admin.open(f"data:text/html,<a id=a href={dashboard.address}/tenants>look</a>")
    admin.run("document.getElementById('a').click()")
    admin.arrive("location.pathname === '/tenants' && !!document.querySelector('header nav')")
    admin.requests.clear()

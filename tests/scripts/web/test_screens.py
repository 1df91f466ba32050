"""Each page as it is seen, judged by axe-core, with a picture.

Wide and light, or narrow and dark, in turn; `pytest --screens DIR` takes all four, a minute of a processor.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.web.routes import ROUTES
from tests.accessibility import AXE, serious
from tests.browser import Browser, Chromium
from tests.scripts.web.conftest import Dashboard, People
from tests.scripts.web.test_browser import log_in

Judge = Callable[[Browser, str], None]

PAGES = (
    *("/", "/tenants", "/tenants/acme", "/tenants/acme/figures", "/functions", "/index"),
    *("/functions/contacts.get", "/connectors", "/connectors/outbox", "/connectors/dead"),
    *(
        "/errors",
        "/trace/TRACE",
        "/audit?action=functions.reload",
        "/actors",
        "/actors?actor=acme",
        "/stacks",
        "/requests",
        "/requests/REQUEST",
        "/releases",
        "/releases/RELEASE",
        "/connectors/trace?trace_id=CALL",
        "/audit/check",
        "/tenants/acme/people",
    ),
    *(
        "/nothing",
        "/developers",
        "/actions",
        "/actions/functions.move?function=contacts.add&version=1",
    ),
)

OWN_PAGES = (
    *(f"/tenants/acme{part}" for part in ("", "/people", "/tokens", "/config", "/log")),
    "/requests/REQUEST",
)
"""Of an owner, whose the data is."""

LOOKS = ((1280, "light"), (400, "dark"), (1280, "dark"), (400, "light"))

TURN = itertools.cycle(LOOKS[:2])


@pytest.fixture(scope="module")
def developer(chromium: Chromium, dashboard: Dashboard, people: People) -> Iterator[Browser]:
    """The developer admin's page."""
    with Browser(chromium) as opened:
        log_in(opened, dashboard, people.admin)
        yield opened


@pytest.fixture(scope="module")
def owner_page(chromium: Chromium, dashboard: Dashboard, people: People) -> Iterator[Browser]:
    """The owner's."""
    with Browser(chromium) as opened:
        log_in(opened, dashboard, people.owner, "/tenants/acme")
        yield opened


@pytest.fixture
def judge(screens: Path, pytestconfig: pytest.Config) -> Judge:
    """What looks at the page that is open, and keeps pictures under a name."""
    looks = LOOKS if pytestconfig.getoption("--screens") else (next(TURN),)

    def look(browser: Browser, name: str) -> None:
        for width, scheme in looks:
            browser.look(width, 900, scheme)
            (screens / f"{name}-{width}-{scheme}.png").write_bytes(browser.picture())
            assert serious(browser) == [], (width, scheme)
            assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.errors == [], "it threw, or asked for what its policy refuses"

    return look


def named(path: str) -> str:
    """The path as a part of a file's name."""
    return path.strip("/").partition("&")[0].translate(str.maketrans("/?=", "___")) or "overview"


@pytest.fixture(scope="session")
def names(broken_trace: str, call_trace: str, wish: str, release: str) -> dict[str, str]:
    """What the capitals in paths stand for."""
    return {"TRACE": broken_trace, "CALL": call_trace, "REQUEST": wish, "RELEASE": release}


def filled(path: str, names: dict[str, str]) -> str:
    """The path of what there is."""
    return "".join(names.get(part, part) for part in re.split(r"([A-Z]+)", path))


def test_each_page_that_there_is_has_its_picture() -> None:
    pages = [
        each
        for each in ROUTES
        if each.method == "GET" and not each.pattern.pattern.endswith("/live")
    ]
    seen = [urlsplit(path).path for path in (*PAGES, *OWN_PAGES)]
    without = [each.pattern.pattern for each in pages if not any(map(each.pattern.fullmatch, seen))]
    assert without == []


def test_the_library_is_what_was_published() -> None:
    published = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
    assert sha256(AXE.read_bytes()).hexdigest() == published


def test_a_poor_page_would_be_seen(browser: Browser) -> None:
    browser.open("data:text/html,<p style='color:%23bbb'>faint</p><input><img src=x>")
    assert {"color-contrast", "label", "image-alt"} <= {rule for rule, _ in serious(browser)}


def test_the_login(browser: Browser, dashboard: Dashboard, judge: Judge) -> None:
    browser.open(f"{dashboard.address}/login")
    judge(browser, "login")


@pytest.mark.parametrize("path", PAGES)
def test_a_developers_page(
    developer: Browser, dashboard: Dashboard, judge: Judge, path: str, names: dict[str, str]
) -> None:
    developer.open(dashboard.address + filled(path, names))
    judge(developer, named(path))


def test_what_is_shown_before_something_is_taken_away(
    developer: Browser, dashboard: Dashboard, judge: Judge
) -> None:
    developer.open(f"{dashboard.address}/actions/tenants.suspend?tenant=acme")
    developer.fill("action", **{'"p.reason"': "unpaid"})
    developer.arrive("!!document.getElementById('confirm')")
    judge(developer, "confirm")


def test_what_is_shown_after_something_was_done(
    developer: Browser, dashboard: Dashboard, judge: Judge
) -> None:
    developer.open(f"{dashboard.address}/actions/limits.set?tenant=acme")
    developer.fill("action", **{'"p.mailbox"': "900"})
    developer.arrive("document.querySelector('main').innerText.includes('Done.')")
    judge(developer, "done")


def test_a_login_that_is_refused(browser: Browser, dashboard: Dashboard, judge: Judge) -> None:
    browser.open(f"{dashboard.address}/login")
    browser.fill("login", token="tnt_of-another-person")
    browser.arrive("!!document.querySelector('[role=alert]')")
    judge(browser, "login_refused")


@pytest.mark.parametrize("path", OWN_PAGES)
def test_an_owners_page(
    owner_page: Browser, dashboard: Dashboard, judge: Judge, path: str, names: dict[str, str]
) -> None:
    owner_page.open(dashboard.address + filled(path, names))
    judge(owner_page, f"owner_{named(path)}")

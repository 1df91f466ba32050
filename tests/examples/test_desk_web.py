"""The example page in a browser, on another origin than the gateway; gateway and server go away meanwhile."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accessibility import serious
from tests.browser import Browser, served_folder
from tests.child import ROOT
from tests.served import Served

PAGE = ROOT / "examples" / "desk-web"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[str]:
    """The address at which it is served."""
    with served_folder(PAGE) as address:
        yield address


@pytest.fixture(scope="module")
def served(page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that pages of that origin may call."""
    origins = json.dumps([page])
    with Served(tmp_path_factory.mktemp("data"), "--origins", origins) as running:
        yield running


@pytest.fixture
def desk(browser: Browser, page: str, served: Served) -> Iterator[Browser]:
    """The page, opened again and signed in."""
    browser.look(1280, 800, "light")
    browser.open(f"{page}/?{secrets.token_hex(4)}")
    browser.fill("sign-in", url=served.address, tenant="acme", token=served.token())
    browser.until("document.querySelectorAll('#found li').length > 20")
    yield browser
    assert browser.errors == []


def found(desk: Browser, name: str) -> int:
    """How many contacts of that name the page finds."""
    desk.fill("find", text=name)
    shown = "[...document.querySelectorAll('#found strong')].map(each => each.textContent)"
    is_found = f"{shown}.length && {shown}.every(each => each === '{name}')"
    return int(desk.until(f"{is_found} && {shown}.length"))


def add(desk: Browser, name: str) -> None:
    """By its form."""
    desk.run("document.getElementById('adding').open = true")
    desk.fill("add", name=name, email="someone@example.com")


def test_a_contact_is_added_and_found(desk: Browser) -> None:
    name = f"Added {secrets.token_hex(4)}"
    desk.press("Add a contact")
    add(desk, name)
    desk.until("document.getElementById('status').textContent.includes('Everything is stored')")
    assert found(desk, name) == 1


def test_a_ticket_is_opened_and_answered(desk: Browser) -> None:
    desk.press("Ada Lovelace")
    desk.press("Open a ticket")
    subject = f"Diagram {secrets.token_hex(4)}"
    desk.fill("open", subject=subject, body="Where is it & why?")
    desk.until(f"document.getElementById('ticket-subject').textContent === '{subject}'")
    desk.fill("reply", body="On its way.\nBy Friday.")
    desk.until("document.querySelectorAll('#thread li').length === 2")
    assert "Where is it & why?" in desk.text("thread")
    assert "On its way.\nBy Friday." in desk.text("thread")
    desk.until("document.getElementById('tickets').textContent.includes('pending')")


def test_what_is_written_offline_is_stored_once_when_the_network_is_back(desk: Browser) -> None:
    name = f"Offline {secrets.token_hex(4)}"
    desk.go_offline(True)
    add(desk, name)
    desk.until("document.getElementById('status').textContent.includes('kept here and sent once')")
    desk.go_offline(False)
    desk.until("document.getElementById('status').textContent.includes('Everything is stored')")
    assert found(desk, name) == 1


def test_nothing_is_lost_or_doubled_when_gateway_and_server_are_killed(
    desk: Browser, served: Served
) -> None:
    names = [f"Killed{number} {secrets.token_hex(4)}" for number in range(4)]
    add(desk, names[0])
    served.kill_server()
    add(desk, names[1])
    served.kill_gateway()
    add(desk, names[2])
    desk.until("document.getElementById('status').textContent.includes('kept here and sent once')")
    assert names[2] in desk.text("entries")
    served.start_server()
    served.start_gateway()
    add(desk, names[3])
    desk.until("document.getElementById('status').textContent.includes('Everything is stored')")
    assert desk.run("document.getElementById('outbox').hidden") is True
    assert [found(desk, name) for name in names] == [1, 1, 1, 1]


def test_what_the_server_refuses_is_shown_and_can_be_dismissed(desk: Browser) -> None:
    add(desk, "<script>alert(1)</script>")
    desk.until("document.querySelectorAll('#entries li').length === 1")
    desk.press("Dismiss")
    assert desk.run("document.getElementById('outbox').hidden") is True


def test_a_wrong_token_is_said(browser: Browser, page: str, served: Served) -> None:
    browser.open(f"{page}/?{secrets.token_hex(4)}")
    browser.fill("sign-in", url=served.address, tenant="acme", token="t_wrong")
    browser.until("document.querySelector('#sign-in .error').textContent.includes('is not valid')")


def test_the_token_is_kept_nowhere(desk: Browser, page: str) -> None:
    kept = "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"
    assert desk.run(kept) == desk.run("JSON.stringify([{}, {}, '', location.href])")
    assert desk.run("document.querySelector('#sign-in [name=token]').value") == ""
    desk.open(f"{page}/?{secrets.token_hex(4)}")
    assert desk.run("document.getElementById('desk').hidden") is True


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_all_can_be_read_and_nothing_is_cut_off(
    desk: Browser, screens: Path, width: int, scheme: str
) -> None:
    desk.look(width, 800, scheme)
    for press in ("Add a contact", "Ada Lovelace", "The engine divides by zero"):
        desk.press(press)
        assert desk.run("document.documentElement.scrollWidth") <= width
    assert serious(desk) == []
    (screens / f"desk-{width}-{scheme}.png").write_bytes(desk.picture())


def test_it_works_without_a_mouse(desk: Browser) -> None:
    assert desk.run("document.activeElement.id") == "find-text"
    for _ in range(2):
        desk.command("Input.dispatchKeyEvent", type="keyDown", key="Tab", windowsVirtualKeyCode=9)
    desk.command(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r", windowsVirtualKeyCode=13
    )
    desk.until("document.activeElement.id === 'contact-name'")

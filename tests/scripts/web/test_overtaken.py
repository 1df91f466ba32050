"""Two operators: one is faster between the look of the dashboard and the change that the other confirmed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx2
import pytest

from scripts.cli.console.confirmation import Preview, Read, look
from scripts.cli.console.grammar import ParsedCall
from scripts.web.app import Dashboard
from scripts.web.pages import actions
from scripts.web.settings import read_settings
from tests.scripts.web.conftest import People, hidden, text_of

ADDRESS = "http://127.0.0.1"


async def overtake(people: People, patch: pytest.MonkeyPatch) -> httpx2.Response:
    """The answer to a confirmed suspension, when the tenant is deleted after the dashboard's last look."""
    app = Dashboard(read_settings(["--server", people.endpoint, "--port", "0"]))
    signals: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    started: asyncio.Queue[object] = asyncio.Queue()
    signals.put_nowait({"type": "lifespan.startup"})
    life = asyncio.ensure_future(app({"type": "lifespan"}, signals.get, started.put))
    await started.get()
    transport = httpx2.ASGITransport(cast("Any", app))
    async with httpx2.AsyncClient(transport=transport, base_url=ADDRESS) as browser:
        sent = {"origin": ADDRESS}
        await browser.post("/login", data={"token": people.admin}, headers=sent)
        csrf = hidden((await browser.get("/actions")).text, "csrf")
        form = {"csrf": csrf, "tenant": "overtaken", "p.reason": "unpaid"}
        asked = await browser.post("/actions/tenants.suspend", data=form, headers=sent)

        async def look_and_wait(call: ParsedCall, read: Read) -> Preview:
            found = await look(call, read)
            patch.setattr(actions, "look", look)
            people.call(people.admin, "tenants.delete", "overtaken", reason="left", grace_days=3)
            return found

        patch.setattr(actions, "look", look_and_wait)
        form |= {"digest": hidden(asked.text, "digest"), "confirm": "overtaken"}
        answer = await browser.post("/actions/tenants.suspend", data=form, headers=sent)
    signals.put_nowait({"type": "lifespan.shutdown"})
    await life
    assert hidden(answer.text, "digest") != form["digest"]
    return answer


def test_what_another_operator_changed_in_between_is_shown_anew_and_nothing_is_done(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.call(
        people.admin, "tenants.create", name="overtaken", owner={"name": "Ada"}, token=False
    )
    answer = asyncio.run(overtake(people, monkeypatch))
    assert answer.status_code == 409
    assert "has changed since it was shown" in text_of(answer.text)
    shown = people.call(people.admin, "tenants.show", "overtaken")["tenant"]
    assert shown["status"] == "deleting"

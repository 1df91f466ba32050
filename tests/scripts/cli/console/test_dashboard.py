"""The dashboard of the console: what it shows of a running server, its keys, and how it is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from scripts.cli.console.connection import ConsoleConnection
from scripts.cli.console.dashboard import DashboardScreen, actors, figures, lines
from scripts.cli.target import ServerTarget
from tests.scripts.cli.console.conftest import Served
from tests.scripts.cli.console.screen import Screen
from transport.client import Client

MOST_PAUSES = 400

Steps = Callable[["Pilot[None]", DashboardScreen], Awaitable[None]]


def played(served: Served, steps: Steps, tenant: str | None = None) -> None:
    """Run the dashboard on a screen of 80 columns, over a real connection, and play some steps."""

    async def play() -> None:
        token = (served.data / "admin.token").read_text().strip()
        connection = ConsoleConnection(ServerTarget(f"ipc://{served.data}/admin.sock", token, ""))
        app = DashboardScreen(connection, "local-dev", tenant)
        try:
            async with app.run_test(size=(80, 24)) as pilot:
                await steps(pilot, app)
        finally:
            await connection.close()

    asyncio.run(play())


async def seen(pilot: Pilot[None], app: DashboardScreen, words: str) -> list[list[str]]:
    """Wait until the line above the table says this; return the table."""
    for _ in range(MOST_PAUSES):
        if words in str(app.query_one("#about", Static).content):
            break
        await pilot.pause(0.05)
    else:
        pytest.fail(f"waited for {words!r}, and saw {app.query_one('#about', Static).content}")
    table = app.query_one(DataTable)
    return [[str(cell) for cell in table.get_row_at(place)] for place in range(table.row_count)]


def test_tenants_are_shown_first_and_enter_looks_into_one(served: Served) -> None:
    async def steps(pilot: Pilot[None], app: DashboardScreen) -> None:
        rows = await seen(pilot, app, "tenants: 1")
        assert rows[0][0] == "acme"
        assert "messages" in str(app.query_one("#top", Static).content)
        await pilot.press("enter")
        functions = await seen(pilot, app, "functions of acme: 1")
        await pilot.press("enter")
        fields = await seen(pilot, app, f"function {functions[0][0]}")
        assert ["name", functions[0][0]] in fields
        await pilot.press("escape", "escape")
        assert await seen(pilot, app, "tenants: 1")

    with Client(served.endpoint, tenant="acme", token=served.token) as client:
        client.call("contacts.find", {"text": "ada"})
    played(served, steps)


@pytest.mark.parametrize(
    ("key", "words", "first"),
    [("2", "functions: ", ""), ("3", "actors: ", "state"), ("4", "errors", "")],
)
def test_a_key_shows_another_table(served: Served, key: str, words: str, first: str) -> None:
    async def steps(pilot: Pilot[None], app: DashboardScreen) -> None:
        await seen(pilot, app, "tenants: 1")
        await pilot.press(key)
        rows = await seen(pilot, app, words)
        if first:
            assert "router" in [row[0] for row in rows]

    played(served, steps)


def test_what_the_caller_may_not_see_is_said_and_does_not_end_it(served: Served) -> None:
    """A tenant that is not there stands for any refusal."""

    async def steps(pilot: Pilot[None], app: DashboardScreen) -> None:
        await seen(pilot, app, "functions: ? ")
        await pilot.press("3")
        await seen(pilot, app, "actors: ")

    played(served, steps, tenant="nowhere")


def test_a_slow_server_is_not_asked_anew_before_it_has_answered(served: Served) -> None:
    """Each look would give the one before up, and no figure would ever be shown."""

    class SlowConnection(ConsoleConnection):
        """Asks the server once it may."""

        asked, may_go_on = 0, asyncio.Event()

        async def call(
            self, action: str, params: Mapping[str, Any], tenant: str | None = None
        ) -> Mapping[str, Any]:
            self.asked += 1
            await self.may_go_on.wait()
            return await super().call(action, params, tenant)

    async def play() -> None:
        token = (served.data / "admin.token").read_text().strip()
        connection = SlowConnection(ServerTarget(f"ipc://{served.data}/admin.sock", token, ""))
        app = DashboardScreen(connection, "local-dev", None)
        try:
            async with app.run_test(size=(80, 24)) as pilot:
                while not connection.asked:
                    await pilot.pause()
                for _ in range(3):
                    app.look_again()
                    await pilot.pause()
                assert connection.asked == 1
                connection.may_go_on.set()
                await seen(pilot, app, "tenants: 1")
        finally:
            await connection.close()

    asyncio.run(play())


def test_q_leaves_it_and_the_console_goes_on(served: Served) -> None:
    with Screen(served.data) as screen:
        screen.enter("dashboard")
        screen.until_sent("tenants: 1")
        screen.press("q")
        screen.until_sent("local-dev as first developer admin>", after="\x1b[?1049l")
        assert "contacts.add" in screen.run("functions contacts.")


def test_it_takes_a_terminal_and_nothing_else(served: Served) -> None:
    with Screen(served.data, TERM="dumb") as screen:
        assert "watch stats" in screen.run("dashboard")
    with Screen(served.data) as screen:
        assert "dashboard takes nothing" in screen.run("dashboard acme")


def test_a_figure_that_is_missing_is_a_question_mark() -> None:
    assert figures({}) == ("?", "?", "?", "?", "?")
    whole = {"requests": 1234, "errors": 0, "handled_ms": {"p50": 0.5, "p99": 12.25}}
    assert figures({**whole, "per_second": {"minute": 3.0}}) == (
        "1,234",
        "0",
        "3.0",
        "0.50",
        "12.2",
    )


def test_an_actor_that_is_not_resident_has_no_age() -> None:
    row = {"actor": "tenant acme", "state": "not resident", "mailbox": 0, "turns": 0, "restarts": 0}
    (shown,) = actors({"actors": [{**row, "age_seconds": None}]})
    assert shown.cells[-1] == "–"


def test_control_characters_of_a_log_line_are_shown_and_not_sent() -> None:
    (row,) = lines({"lines": [{"at": "now", "event": "\x1b[31mred\x9b2J", "trace_id": None}]})
    assert row.key == ""
    assert row.cells[3] == "\\x1b[31mred\\x9b2J"

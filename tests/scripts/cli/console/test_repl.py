"""The console as a person has it: on a terminal, with a server behind it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.scripts.cli.console.conftest import Served
from tests.scripts.cli.console.screen import PROMPT, ROOT, Screen
from transport.client import Client


def test_the_prompt_says_where_this_is_as_whom_and_for_which_tenant(served: Served) -> None:
    with Screen(served.data) as screen:
        assert "(developer admin)" in " ".join(screen.shown.split())
        assert screen.run("use acme").endswith("\nlocal-dev acme as first developer admin>")
        assert screen.run("use -").endswith("\nlocal-dev as first developer admin>")


COMPLETED = {
    "unse": "unserved",
    "tenants.sus": "tenants.suspend",
    "use ac": "use acme",
    "owners ac": "owners acme",
    "move contacts.add@": "move contacts.add@1",
    "move contacts.add@1 rev": "move contacts.add@1 reverted",
    "move contacts.add@1 pot": "move contacts.add@1 'potential release'",
    "functions sta": "functions state=",
    "tenants --dr": "tenants --dry-run",
}
"""What was typed, and what it is after Tab."""


def test_tab_completes_from_the_index(served: Served) -> None:
    with Screen(served.data) as screen:
        for typed, completed in COMPLETED.items():
            screen.press(f"{typed}\t")
            screen.until(rf"> {re.escape(completed)}$")
            screen.press("\x15")
            screen.until(PROMPT)


@pytest.mark.parametrize(("columns", "left_out"), [(80, True), (120, False)])
def test_a_table_is_as_wide_as_the_terminal_at_most(
    served: Served, columns: int, left_out: bool
) -> None:
    with Screen(served.data, columns=columns) as screen:
        shown = screen.run(
            "functions prefix=tickets."
        ).splitlines()  # other tests move contacts.add
        assert max(map(len, shown)) <= columns
        rows = [line for line in shown if line.startswith("tickets.")]
        assert len(rows) == len({line.split()[0] for line in rows}) > 5
        assert any(line.startswith("left out: ") for line in shown) is left_out


def test_wide_shows_every_column_whole(served: Served) -> None:
    with Screen(served.data) as screen:
        shown = screen.run("functions contacts. --wide")
        assert "left out" not in shown
        assert "…" not in shown


def test_control_c_ends_the_command_and_not_the_console(served: Served) -> None:
    with Screen(served.data) as screen:
        screen.enter("watch stats")
        screen.until("uptime_seconds")
        screen.until("Ctrl-C ends it")
        screen.press("\x03")
        screen.until(rf"interrupted(.|\n)*{PROMPT}")
        assert "acme" in screen.run("tenants")
        screen.press("half a line")
        screen.until("half a line")
        screen.press("\x03")
        screen.until(rf"\n{PROMPT}")
        screen.press("\x04")
        assert screen.ended() == 0


def test_the_prompt_does_not_wait_for_what_talks_to_the_server() -> None:
    """That takes three times as long to import as the prompt."""
    slow = "{'pydantic', 'zmq', 'rich', 'msgpack'}"
    code = f"import sys, scripts.cli.console.repl; sys.exit(bool({slow} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_what_is_wrong_is_said_and_the_console_goes_on(served: Served) -> None:
    with Screen(served.data) as screen:
        assert "did you mean tenant" in screen.run("tenannt")
        assert "a quote is not closed" in screen.run("create 'x")
        assert "not_found: there is no tenant 'nowhere'" in screen.run("tenant nowhere")
        assert "acme" in screen.run("tenants")


def test_what_takes_away_is_shown_and_asks_for_the_name(served: Served) -> None:
    with Screen(served.data) as screen:
        screen.run("create doomed 'Ada Lovelace'")
        screen.enter("suspend doomed 'unpaid'")
        asked = screen.until("type doomed to do it:")
        assert re.search(r"^digest [0-9a-f]{12}$", asked, re.MULTILINE)
        screen.press("acme\r")
        assert "nothing was done: that is not doomed" in screen.until(PROMPT)
        assert "active" in screen.run("tenant doomed")
        screen.enter("suspend doomed 'unpaid'")
        screen.until("type doomed to do it:")
        screen.press("doomed\r")
        screen.until(PROMPT)
        assert "suspended" in screen.run("tenant doomed")


def test_an_owner_sees_the_next_messages_of_the_tenant_as_they_pass(served: Served) -> None:
    with (
        Screen(served.data, TENANTRY_ADMIN_TOKEN=served.token) as screen,
        Client(served.endpoint, tenant="acme", token=served.token) as client,
    ):
        screen.enter("trace on acme contacts.add 2")
        screen.until("the next 2 messages of acme")
        client.call("contacts.find", {"text": "nothing"})
        client.call("contacts.add", {"name": "Ada", "phone": "+44 20 7946"})
        client.call("contacts.add", {"name": "Grace"})
        shown = screen.until(rf"\n{PROMPT}")
        assert shown.count("contacts.add@1") == 2
        assert '"phone": "+44 20 7946"' in shown
        assert "contacts.find" not in shown


def operate(served: Served, command: str) -> dict[str, Any]:
    """What another operator does meanwhile; the result, or what a dry run shows."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cli.console", "--json", "-c", command],
        env={**os.environ, "TENANTRY_DATA": str(served.data)},
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    printed: dict[str, Any] = json.loads(done.stdout)
    result: dict[str, Any] = printed.get("result", printed)
    return result


def test_what_another_operator_changes_before_the_answer_is_seen(served: Served) -> None:
    """The digest is compared again when the name has been typed."""
    asked = "move notes.add@1 reverted 'loses notes'"
    with Screen(served.data) as screen:
        screen.enter(asked)
        screen.until("type notes.add to do it:")
        digest = operate(served, f"{asked} --dry-run")["digest"]
        operate(served, f"{asked} --confirm notes.add --digest {digest}")
        screen.press("notes.add\r")
        assert "nothing was done: what it is about was" in " ".join(screen.until(PROMPT).split())


def test_the_server_refuses_what_has_changed_when_the_change_arrives(served: Served) -> None:
    """The console compares nothing in between: it sends the digest of what it has shown."""
    asked = "delete hasty 'they left'"
    with Screen(served.data) as screen:
        screen.run("create hasty 'Ada Lovelace'")
        screen.enter(asked)
        screen.until("type hasty to do it:")
        suspension = "suspend hasty 'unpaid'"
        digest = operate(served, f"{suspension} --dry-run")["digest"]
        operate(served, f"{suspension} --confirm hasty --digest {digest}")
        screen.press("hasty\r")
        refused = " ".join(screen.until(PROMPT).split())
        assert "aborted: what tenants.delete is about has changed" in refused
        assert "suspended" in screen.run("tenant hasty")


def test_a_token_that_ends_while_the_console_is_open_is_replaced_by_another(served: Served) -> None:
    """Which nothing shows, and no history keeps."""
    grace = operate(served, "developers.add name=Grace role='developer admin'")["developer"]["id"]
    issue = f"developers.issue person={grace} label=laptop"
    first, second = (operate(served, issue) for _ in range(2))
    with Screen(served.data, TENANTRY_ADMIN_TOKEN=first["text"]) as screen:
        assert "as Grace>" in screen.shown
        preview = f"developers.revoke token={first['token']['id']}"
        digest = operate(served, f"{preview} --dry-run")["digest"]
        operate(served, f"{preview} --confirm {first['token']['id']} --digest {digest}")
        assert "`login` asks for another token" in screen.run("tenants")
        screen.enter("login")
        screen.until("token:")
        screen.press(f"{second['text']}\r")
        assert "Grace (developer admin)" in screen.until(rf"\n{PROMPT}")
        assert "acme" in screen.run("tenants")
        assert second["text"] not in screen.raw
        assert "tnt_" not in (served.data / "state/tenantry/console_history").read_text()


def test_the_prompt_says_that_one_is_super_admin(served: Served) -> None:
    """Whom it may be is found by a part of the name."""
    issued = operate(served, "developers.add name=Barbara role='developer admin'")["developer"]
    token = operate(served, f"developers.issue person={issued['id']} label=laptop")["text"]
    asked = "super acme 'ticket 318' 30m barb"
    digest = operate(served, f"{asked} --dry-run")["digest"]
    granted = operate(served, f"{asked} --confirm acme --digest {digest}")["grant"]
    assert granted["person"] == issued["id"]
    with Screen(served.data, TENANTRY_ADMIN_TOKEN=token) as screen:
        assert screen.run("use acme").endswith("local-dev acme as Barbara (super admin)>")
        assert screen.run("use -").endswith("local-dev as Barbara>")


def test_a_terminal_without_colour_gets_none(served: Served) -> None:
    with Screen(served.data, TERM="dumb", NO_COLOR="1") as screen:
        assert "acme" in screen.run("tenants")
        screen.run("nonsense")
        assert not re.search(r"\x1b\[[0-9;]+m", screen.raw)


def test_the_console_goes_on_when_the_server_is_there_again(served: Served) -> None:
    with Screen(served.data) as screen:
        screen.enter("watch stats")
        screen.until("Ctrl-C ends it")
        served.stop()
        screen.until("no server listens")
        served.start()
        screen.until(r"the server is there again(.|\n)*uptime_seconds")
        screen.press("\x03")
        screen.until(PROMPT)
        assert "acme" in screen.run("tenants")

"""scripts/logs: the logs of a real server, as a person at a terminal and a pipe have them."""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.access import ADMIN_OWNER, DEVELOPER
from actors.log.events import Events
from scripts.cli.log_lines import line_of, story_of
from scripts.cli.logs import main, moment
from tests.actors.callers import Being, MovableClock, Stage
from tests.actors.servers import INDEX
from tests.conftest import Server

ROOT = Path(__file__).parent.parent.parent

LINE = re.compile(r"\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  (\S+) +(\S+) +(.*)")


class Desk:
    """A server that has been called, and its operators' command line."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.tokens = {
            "owner": stage.make(Being(ADMIN_OWNER)).text,
            "developer": stage.make(Being(DEVELOPER)).text,
            "nobody": "tnt_nobody",
        }

    def arguments(self, who: str, *words: str) -> list[str]:
        """A command line of this person's."""
        endpoint = self.stage.server.system.admin_endpoint
        return [*words, "--endpoint", endpoint, "--token", self.tokens[who]]

    def call(self, action: str, **params: Any) -> str:
        """A member's message, once it is in the log; its trace id."""
        stage = self.stage
        reply = stage.call("data", stage.server.tokens["acme"], "acme", action, params)
        trace = str(reply["meta"]["trace_id"])
        self.wait_for("tenant", trace)
        return trace

    def wait_for(self, log: str, trace: str) -> None:
        """Until it is there."""
        wanted = {"after": "0000-00.0", "wait_ms": 10_000, "trace_id": trace}
        found = self.stage.call("admin", self.tokens["owner"], "acme", f"logs.{log}", wanted)
        assert found["result"]["lines"], found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, events: Events) -> Iterator[Desk]:
    """With one message that was served and one that failed."""
    clock = MovableClock()
    server = Server(tmp_path_factory.mktemp("data"), clock=clock, registry=INDEX)
    events.connect(server.system.logs.errors)
    stage = Stage(server, clock)
    made = Desk(stage)
    made.call("marks.add", text="Ada")
    made.wait_for("errors", made.call("trouble.make", kind="fail"))
    yield made
    stage.close()
    events.disconnect()
    server.stop()


def shown(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, ...]]:
    """Action, outcome and the rest of each line on standard output."""
    lines = capsys.readouterr().out.splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    return [match.groups() for match in found if match is not None]


def test_the_newest_lines_are_shown_the_newest_last(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """What, how it went, who, how long, and the trace id."""
    assert main(desk.arguments("owner", "acme")) == 0
    found = shown(capsys)
    assert [line[:2] for line in found][:2] == [
        ("marks.add@1", "ok"),
        ("trouble.make@1", "internal"),
    ]
    assert re.match(r"member p_\w{16} t_\w{16}  [\d.]+\+[\d.]+ ms  \w{32}$", found[0][2])

    assert main(desk.arguments("owner", "acme", "-n", "1")) == 0
    assert shown(capsys) == found[-1:]


@pytest.mark.parametrize(
    ("words", "actions"),
    [
        (["--outcome", "internal"], ["trouble.make@1"]),
        (["--action", "marks.add"], ["marks.add@1"]),
        (["--text", "ADA"], ["marks.add@1"]),
        (["--since", "1h"], ["marks.add@1", "trouble.make@1"]),
        (["--until", "1h"], []),
        (["--errors"], ["trouble.make"]),
        (["--audit", "--action", "members.remove"], []),
    ],
)
def test_what_is_asked_for_is_shown(
    desk: Desk, capsys: pytest.CaptureFixture[str], words: list[str], actions: list[str]
) -> None:
    """And nothing else."""
    assert main(desk.arguments("owner", "acme", *words)) == 0
    assert [line[0] for line in shown(capsys)] == actions


def test_developers_read_why_it_failed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all tenants, if none is named; owners do not."""
    assert main(desk.arguments("developer", "-", "--errors")) == 0
    assert "RuntimeError: secret detail" in shown(capsys)[-1][2]
    assert main(desk.arguments("owner", "acme", "--errors")) == 0
    assert "secret" not in shown(capsys)[-1][2]


def test_the_records_whole_are_for_other_programs(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """One JSON map a line."""
    assert main(desk.arguments("owner", "acme", "--json", "--action", "marks.add")) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["params"] == {"text": "Ada"}


def test_a_trace_id_tells_a_story(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line with the log it is from, and what else it says below."""
    trace = desk.call("trouble.make", kind="fail")
    desk.wait_for("errors", trace)
    assert main(desk.arguments("owner", "acme", "--trace", trace)) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told if not line.startswith(" ")] == ["errors", "tenant"]
    assert '         params {"kind": "fail"}' in told

    assert main(desk.arguments("developer", "-", "--trace", trace)) == 0
    assert "in make_trouble" in capsys.readouterr().out
    assert main(desk.arguments("owner", "acme", "--trace", trace, "--json")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["log"] for each in lines] == ["errors", "tenant"]


def test_a_trace_id_that_is_nowhere_is_said_to_be(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than nothing at all."""
    assert main(desk.arguments("owner", "acme", "--trace", "f" * 32)) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no log that you may read" in said.err


def test_what_comes_is_shown_as_it_comes(desk: Desk) -> None:
    """After what was there, until Ctrl-C."""
    words = desk.arguments("owner", "acme", "--follow", "-n", "1", "--action", "marks.add")
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.cli.logs", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "marks.add@1" in process.stdout.readline()
        for text in ("first", "second"):
            trace = desk.call("marks.add", text=text)
            assert trace in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stdout.read() == ""


def test_a_refusal_is_said_and_is_the_exit_status(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do about it."""
    assert main(desk.arguments("developer", "acme")) == 1
    assert "supers.grant" in capsys.readouterr().err
    assert main(desk.arguments("nobody", "acme")) == 1
    assert "unauthenticated" in capsys.readouterr().err
    assert main(desk.arguments("owner", "-")) == 1
    assert "tenant" in capsys.readouterr().err


def test_if_no_server_listens_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rather than to wait."""
    assert main(["acme", "--endpoint", f"ipc://{tmp_path}/none.sock", "--token", "x"]) == 3
    assert "is it running?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["acme", "--errors", "--outcome", "ok"],
        ["acme", "--follow", "--trace", "f"],
        ["acme", "--follow", "--until", "1h"],
        ["acme", "--since", "yesterday"],
        ["acme", "--since", "999999d"],
        ["acme", "--lines", "0"],
        ["acme", "--errors", "--audit"],
        [],
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any request is sent."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: scripts/logs" in capsys.readouterr().err


def test_times_are_typed_as_people_say_them() -> None:
    """So long ago, or a date; one without an offset is the caller's own."""
    before = datetime.now(UTC)
    assert before <= moment("90m") + timedelta(minutes=90) <= datetime.now(UTC)
    assert moment("2026-11-24T12:30Z") == datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    assert moment("2026-11-24") == datetime(2026, 11, 24).astimezone()
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        moment("tomorrow")


def test_an_error_line_has_its_reason_and_the_ids_last() -> None:
    """A reader with 80 columns sees what is wrong before what to look it up by."""
    record = {
        "at": "2026-11-24T00:00:00+00:00",
        "action": None,
        "source": "tenant.deliveries",
        "level": "warning",
        "tenant": "acme",
        "trace_id": "f" * 32,
        "event": "delivery given up",
        "error": "failed_precondition: 127.0.0.1 is refused",
    }
    line = line_of("errors", record).plain
    assert line.endswith(
        "  delivery given up: failed_precondition: 127.0.0.1 is refused  " + "f" * 32
    )


@pytest.mark.parametrize("log", ["tenant", "audit"])
def test_why_something_was_refused_stands_before_every_id(log: str) -> None:
    """A reader with 80 columns sees it."""
    ids = {"person": "p_" + "1" * 16, "caller": "t_" + "2" * 16, "trace_id": "f" * 32}
    words = {"action": "contacts.add", "outcome": "not_found", "message": "no contact 7"}
    others = ("version", "role", "capacity", "tenant", "queued_ms", "handled_ms", "replayed")
    record = {"at": "2026-11-24T00:00:00+00:00", **dict.fromkeys(others), **ids, **words}
    said = line_of(log, record).plain
    assert said.index("no contact 7") < min(said.find(id) for id in ids.values() if id in said)
    assert said.index("no contact 7") < 80


def test_a_line_that_sums_up_others_is_no_message() -> None:
    """It has no action, no outcome and no caller."""
    record = {
        "at": "2026-11-24T00:00:00+00:00",
        "action": None,
        "source": "tenant log",
        "message": "1204 lines left out until midnight",
    }
    said = line_of("tenant", record).plain
    assert said.split("  ", 1)[1].split() == [
        *("tenant", "log", "1204", "lines", "left", "out", "until", "midnight"),
    ]


HOSTILE = "x\n11-24 00:00:00.000  forged\x1b[31m [red]\t"


def test_what_callers_have_chosen_can_neither_forge_a_line_nor_colour_the_terminal() -> None:
    """Line breaks and control characters are spelt out; a story keeps what belongs to it indented."""
    members = ("action", "role", "person", "caller", "outcome", "message", "state", "version")
    record = {
        **dict.fromkeys(members, HOSTILE),
        "at": "2026-11-24T00:00:00+00:00",
        "trace_id": HOSTILE,
        "replayed": True,
        "queued_ms": None,
        "handled_ms": None,
        "request_id": HOSTILE,
        "params": {HOSTILE: HOSTILE},
        "exception": {"stack": HOSTILE},
    }
    line = line_of("tenant", record).plain
    assert "\n" not in line
    assert "\x1b" not in line
    assert "[red]" in line
    head, *below = "\n".join(text.plain for text in story_of("tenant", record)).split("\n")
    assert head == f"tenant   {line}"
    assert all(each.startswith("         ") for each in below)
    assert not any("\x1b" in each for each in below)

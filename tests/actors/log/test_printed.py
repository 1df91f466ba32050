"""What functions print is in the log, and standard output is the server's alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import structlog

from actors.log.printed import MOST_CHARACTERS, Printed, Streams
from actors.watchdog.running import RunningCalls
from tests.actors.watchdog.test_running import call
from tests.child import ROOT, Child
from tests.raw_client import Map, RawClient

INDEX = Path(__file__).parents[2] / "faulty" / "registry.toml"


@pytest.fixture
def told() -> Iterator[list[Map]]:
    with structlog.testing.capture_logs() as lines:
        yield cast("list[Map]", lines)


@pytest.fixture
def streams() -> Streams:
    """Not entered: nothing of the process is replaced."""
    made = Streams()
    made.running_calls = RunningCalls()
    return made


def test_a_function_that_prints_is_named_in_the_log(tmp_path: Path) -> None:
    """Line by line, without secrets and control characters; not a word of it is on standard output."""
    with Child("--tenant", "acme", data=tmp_path, registry=INDEX) as child:
        endpoint = child.ready()
        who = {"tenant": "acme", "token": child.said[0].split()[-1]}
        with RawClient(endpoint) as raw_client:
            params = {"kind": "talk", "path": "/somewhere"}
            assert raw_client.ask(**who, action="trouble.make", params=params)["ok"]
        child.process.terminate()
        assert child.output() == ""
        log = child.log()
    assert "\x1b" not in log
    assert "tnt_aaaa" not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    first, second, third = [line for line in lines if line["event"] == "printed"]
    assert first["text"] == "two"
    assert second["text"].startswith("lines, and ")
    assert (third["text"], third["level"]) == ("in vain", "warning")
    for each in (first, second, third):
        assert (each["tenant"], each["action"], each["version"]) == ("acme", "trouble.make", 1)
    assert "a program says" in log


def test_a_line_is_told_when_it_is_whole(streams: Streams, told: list[Map]) -> None:
    """However many pieces it comes in."""
    out = cast(io.TextIOBase, Printed(streams, "info"))
    for piece in ("a", " ", "b", "\n", "\n", "c"):
        out.write(piece)
    assert [each["text"] for each in told] == ["a b"]
    out.flush()
    assert [each["text"] for each in told] == ["a b", "c"]


def test_a_line_is_of_the_call_that_began_it(streams: Streams, told: list[Map]) -> None:
    """Also where that did not end it."""
    out = Printed(streams, "info")
    with call(streams.running_calls, "first"):
        out.write("of the first")
    out.write("of no call\n")
    first, second = told
    assert (first["text"], first["tenant"]) == ("of the first", "acme")
    assert second["text"] == "of no call"
    assert "tenant" not in second


def test_an_endless_line_is_cut(streams: Streams, told: list[Map]) -> None:
    Printed(streams, "info").write("x" * 10_000_000)
    (line,) = told
    assert line["text"] == "x" * MOST_CHARACTERS


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_server_whose_streams_are_closed_serves(tmp_path: Path, closed: str) -> None:
    """None of its files takes their place."""
    endpoint = f"ipc://{tmp_path}/data.sock"
    command = (
        f"exec {sys.executable} -m actors --data {tmp_path}/data --endpoint {endpoint} {closed}"
    )
    with (
        subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server,
        RawClient(endpoint) as raw_client,
    ):
        assert raw_client.ask(action="system.ping")["ok"]
        files = [str(Path(f"/proc/{server.pid}/fd/{number}").readlink()) for number in range(3)]
        server.terminate()
        assert server.wait(30) == 0
    assert [file for file in files if str(tmp_path) in file] == []

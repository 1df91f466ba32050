"""The heartbeat and its watchdog: a stall of the interpreter is reported while it lasts and afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from actors.watchdog import process
from tests.child import Child
from tests.deadline import until
from tests.raw_client import RawClient

INDEX = Path(__file__).parents[2] / "faulty" / "registry.toml"


def test_a_function_that_holds_the_interpreter_is_named(tmp_path: Path) -> None:
    """By the watchdog in its file and on standard error; by the server once it can, with how long it was."""
    with Child("--tenant", "acme", data=tmp_path, registry=INDEX) as child:
        endpoint = child.ready()
        who = {"tenant": "acme", "token": child.said[0].split()[-1]}
        with RawClient(endpoint) as raw_client:
            params = {"kind": "hold"}
            assert raw_client.ask(**who, action="trouble.make", params=params)["ok"]
        until(lambda: "interpreter stall ended" in child.log(), "the server's own word")
        told = [
            json.loads(line) for line in child.log().splitlines() if "interpreter stall" in line
        ]
        assert child.stop() == 0
    during, after = told
    assert during["source"] == "watchdog"
    assert after["seconds"] >= 2
    for each in told:
        assert (each["tenant"], each["action"], each["version"]) == ("acme", "trouble.make", 1)
    assert during["trace_id"] == after["trace_id"]
    assert json.loads((tmp_path / "watchdog.log").read_text()) == during


def test_what_the_watchdog_says_is_bounded(tmp_path: Path) -> None:
    """Its file begins anew when it is large."""
    file = tmp_path / "watchdog.log"
    file.write_bytes(b"x" * (process.MAX_LOG_BYTES + 1))
    process.write_line(b"new\n", file)
    process.write_line(b"newer\n", file)
    assert file.read_bytes() == b"new\nnewer\n"

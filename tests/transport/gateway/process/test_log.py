"""Log lines of the gateway and the dashboard."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]

EVENTS = """
import logging, structlog
from transport.gateway.process.log import log_to_standard_error
log_to_standard_error()
structlog.get_logger().info("connected to the server", endpoint="tcp://127.0.0.1:5570")
logging.getLogger("uvicorn.error").error("%s failed\\n", "bind")
logging.getLogger("uvicorn.error").info("left out")
try:
    raise ValueError("a reason")
except ValueError:
    structlog.get_logger().error("request failed", exc_info=True)
"""


def test_lines_have_the_members_of_the_servers_in_their_order() -> None:
    """A program that reads the server's log reads the gateway's."""
    first, second, third = map(json.loads, _run(EVENTS).splitlines())
    assert list(first) == ["at", "level", "event", "source", "endpoint"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["at"])
    assert (second["level"], second["event"], second["source"]) == (
        "error",
        "bind failed\n",
        "uvicorn.error",
    )
    assert "ValueError: a reason" in third["exception"]


def test_lines_on_a_terminal_are_for_people() -> None:
    """No braces, no quotes around names."""
    leader, follower = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", EVENTS], cwd=ROOT, check=True, stderr=follower)
        shown = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert "connected to the server" in shown
    assert '"event"' not in shown


def test_a_reader_that_sleeps_does_not_stop_the_process() -> None:
    """Its pipe is full after 64 KiB; the lines after that are lost."""
    code = EVENTS + "for _ in range(2000): structlog.get_logger().info('x' * 100)\nprint('served')"
    read, write = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=write
        )
    finally:
        os.close(read)
        os.close(write)
    assert done.stdout == b"served\n"


def _run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stderr

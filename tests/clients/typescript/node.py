"""A client in Node, whose calls are made from a test."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.child import ROOT, WAIT

MODULES = ROOT / "examples" / "desk-web" / "tenantry"
"""The client's files as JavaScript; test_package.py compares them with what TypeScript makes."""

DRIVER = Path(__file__).with_name("driver.mjs")


def node_or_skip() -> str:
    """The program; a machine without a usable one skips the test."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version[1:].partition(".")[0]) < 20:
        pytest.skip(f"node {version.strip()} is older than 20")
    return node


class NodeClient:
    """One client in a process of its own; a context manager that ends it."""

    def __init__(self, **options: Any) -> None:
        command = [node_or_skip(), "--experimental-websocket", "--no-warnings", str(DRIVER)]
        self._process = subprocess.Popen(
            [*command, str(MODULES), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._count = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.waits: list[Any] = []
        """What `onWaiting` was called with, up to the last answer that was read."""

    def post(self, action: str, params: Any = None, **own: Any) -> int:
        """Begin a call; its number. `own` are options of this call."""
        self._count += 1
        call = {"n": self._count, "action": action, "params": params or {}, "own": own}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        return self._count

    def answer(self, number: int) -> dict[str, Any]:
        """Wait for the reply to one call."""
        lines = self._lines()
        while number not in self._answers:
            self._take(next(lines))
        return self._answers.pop(number)

    def call(self, action: str, params: Any = None, **own: Any) -> dict[str, Any]:
        """Both."""
        return self.answer(self.post(action, params, **own))

    def wait_until_it_waits(self) -> dict[str, Any]:
        """What it waits for, once it does."""
        lines = self._lines()
        while not (self.waits and self.waits[-1]):
            self._take(next(lines))
        waiting: dict[str, Any] = self.waits[-1]
        return waiting

    def _take(self, line: dict[str, Any]) -> None:
        if "waiting" in line:
            self.waits.append(line["waiting"])
        else:
            self._answers[line["n"]] = line

    def _lines(self) -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield json.loads(line)
        pytest.fail(f"the client ended with {self._process.wait(WAIT)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

"""The TypeScript client as JavaScript, in Node or in a page, whose calls are made from a test."""

from __future__ import annotations

import json
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.browser import Browser
from tests.child import ROOT, WAIT

MODULES = ROOT / "examples" / "desk-web" / "tenantry"
"""The client's files as JavaScript; test_package.py compares them with what TypeScript makes."""

DRIVER = Path(__file__).with_name("driver.mjs")

LINES = "driven.lines.length > 0 && JSON.stringify(driven.lines.splice(0))"

BEGIN = """
import("/DRIVER").then(async ({ driven }) => {
  const lines = [];
  window.driven = { lines, ...await driven("/MODULES", OPTIONS, (line) => lines.push(line)) };
})
"""


def node_or_skip() -> str:
    """The program; a machine without a usable one skips the test."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version[1:].partition(".")[0]) < 20:
        pytest.skip(f"node {version.strip()} is older than 20")
    return node


class DrivenClient(ABC):
    """One client somewhere else; a context manager that ends it."""

    def __init__(self) -> None:
        self._count = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.waits: list[Any] = []
        """What `onWaiting` was called with, up to the last answer that was read."""

    @abstractmethod
    def _send(self, line: str) -> None:
        """Have it make a call."""

    @abstractmethod
    def _lines(self) -> Iterator[str]:
        """What it writes."""

    @abstractmethod
    def _end(self) -> None:
        """End it."""

    def post(self, action: str, params: Any = None, **own: Any) -> int:
        """Begin a call; its number. `own` are options of this call."""
        self._count += 1
        call = {"n": self._count, "action": action, "params": params or {}, "own": own}
        self._send(json.dumps(call))
        return self._count

    def answer(self, number: int) -> dict[str, Any]:
        """Wait for the reply to one call."""
        lines = self._lines()
        while number not in self._answers:
            self._take(json.loads(next(lines)))
        return self._answers.pop(number)

    def call(self, action: str, params: Any = None, **own: Any) -> dict[str, Any]:
        """Both."""
        return self.answer(self.post(action, params, **own))

    def wait_until_it_waits(self) -> dict[str, Any]:
        """What it waits for, once it does."""
        lines = self._lines()
        while not (self.waits and self.waits[-1]):
            self._take(json.loads(next(lines)))
        waiting: dict[str, Any] = self.waits[-1]
        return waiting

    def _take(self, line: dict[str, Any]) -> None:
        if "waiting" in line:
            self.waits.append(line["waiting"])
        else:
            self._answers[line["n"]] = line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()


class NodeClient(DrivenClient):
    """One in a process of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        command = [node_or_skip(), "--experimental-websocket", "--no-warnings", str(DRIVER)]
        self._process = subprocess.Popen(
            [*command, str(MODULES), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        yield from iter(self._process.stdout.readline, "")
        pytest.fail(f"the client ended with {self._process.wait(WAIT)}")

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()


class PageClient(DrivenClient):
    """One in a page, which is at an address that serves the repository's files."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        super().__init__()
        self._browser = browser
        self._read: list[str] = []
        script = BEGIN.replace("DRIVER", str(DRIVER.relative_to(ROOT)))
        script = script.replace("MODULES", str(MODULES.relative_to(ROOT)))
        browser.run(script.replace("OPTIONS", json.dumps(json.dumps(options))))

    def _send(self, line: str) -> None:
        self._browser.run(f"void driven.take({json.dumps(line)})")

    def _lines(self) -> Iterator[str]:
        while True:
            if not self._read:
                self._read = json.loads(self._browser.until(LINES))
            yield self._read.pop(0)

    def _end(self) -> None:
        self._browser.run("driven.close()")

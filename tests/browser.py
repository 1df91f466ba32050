"""Chromium without a window, by its own protocol (CDP) over a WebSocket."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from websockets.sync.client import connect

from tests.child import WAIT
from tests.deadline import until

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0"),
)

SETTLED = """
new Promise((resolve, reject) => {
  const look = () => {
    let found;
    try { found = CONDITION; } catch { found = false; }
    if (found) { clearInterval(timer); clearTimeout(end); resolve(found); }
  };
  const timer = setInterval(look, 20);
  const end = setTimeout(() => { clearInterval(timer); reject(document.body.innerText); }, 20000);
  look();
})
"""


def chromium_or_skip() -> str:
    """The program; a machine without it skips the test."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    return program


@contextmanager
def served_folder(folder: Path) -> Iterator[str]:
    """Serve its files as `python3 -m http.server` does; the address."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--directory", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().partition("(")[2].partition(")")[0].rstrip("/")
        server.kill()


class Chromium:
    """The program, for any number of pages; a context manager that ends it."""

    def __init__(self, profile: Path) -> None:
        command = [chromium_or_skip(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        listening = profile / "DevToolsActivePort"
        until(lambda: listening.is_file() and "\n" in listening.read_text(), "chromium to listen")
        port, path = listening.read_text().split()
        self.address = f"ws://127.0.0.1:{port}{path}"
        """Where it takes commands."""

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


class Browser:
    """One page with cookies and a cache of its own; a context manager that closes it."""

    def __init__(self, chromium: Chromium) -> None:
        self._stack = ExitStack()
        opening = connect(chromium.address, max_size=None, compression=None, proxy=None)
        self._socket = self._stack.enter_context(opening)
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.errors: list[str] = []
        """What the page threw or was refused."""
        self.requests: list[str] = []
        """Addresses that it has asked for."""
        context = self.command("Target.createBrowserContext", disposeOnDetach=True)
        page = self.command("Target.createTarget", url="about:blank", **context)
        attached = self.command("Target.attachToTarget", flatten=True, **page)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command; its result."""
        number = next(self._numbers)
        session = {} if self._session is None else {"sessionId": self._session}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **session}))
        while True:
            message = json.loads(self._socket.recv(timeout=WAIT + 10))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        if event["method"] == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(event["params"]["exceptionDetails"]))
        if event["method"] == "Log.entryAdded" and event["params"]["entry"]["source"] == "security":
            self.errors.append(event["params"]["entry"]["text"])
        if event["method"] == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])

    def run(self, script: str) -> Any:
        """The value of an expression; promises are waited for."""
        given = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self.command("Runtime.evaluate", **given)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, condition: str) -> Any:
        """Wait until an expression is true; its value."""
        return self.run(SETTLED.replace("CONDITION", condition))

    def is_so(self, condition: str) -> bool:
        """Whether an expression is true; False while one page gives way to another."""
        given = {"expression": condition, "returnByValue": True}
        try:
            return self.command("Runtime.evaluate", **given)["result"].get("value") is True
        except AssertionError:
            return False

    def arrive(self, condition: str) -> None:
        """Wait until it is true of the page that comes next."""
        until(lambda: self.is_so(f"document.readyState === 'complete' && ({condition})"), condition)

    def open(self, address: str) -> None:
        """Go there."""
        self.command("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def fill(self, form: str, **fields: str) -> None:
        """Fill a form by its id as a person does, and send it."""
        for name, text in fields.items():
            self.run(f"document.querySelector('#{form} [name={name}]').select()")
            self.run(f"document.querySelector('#{form} [name={name}]').focus()")
            self.command("Input.insertText", text=text)
        self.run(f"document.getElementById('{form}').requestSubmit()")

    def press(self, words: str) -> None:
        """Press the button, or open what is folded, that has these words."""
        buttons = "[...document.querySelectorAll('button, summary')]"
        match = f"each => each.checkVisibility() && each.textContent.includes({json.dumps(words)})"
        self.until(f"{buttons}.some({match})")
        self.run(f"{buttons}.find({match}).click()")

    def text(self, id: str) -> str:
        """What an element shows."""
        return str(self.run(f"document.getElementById('{id}').innerText"))

    def go_offline(self, is_offline: bool) -> None:
        """Cut the network, or mend it."""
        conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.command("Network.emulateNetworkConditions", offline=is_offline, **conditions)

    def look(self, width: int, height: int, scheme: str) -> None:
        """Take a size, and light or dark colours, and wait until the page is drawn with them."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **size)
        colours = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", features=[colours])
        self.run(
            "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
        )

    def picture(self) -> bytes:
        """A PNG of what is seen."""
        return base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

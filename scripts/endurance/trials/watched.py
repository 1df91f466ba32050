"""Both dashboards watch while a tenant adds contacts: what an add costs the server, with them and without."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Final, NamedTuple, Self

import httpx2

from actors.assembly.provisioning import TOKEN_FILE
from scripts.benchmark.peers import HERE
from scripts.benchmark.plan import ADD, Call
from scripts.endurance.connection import LoadConnection, NoReply, problem
from scripts.endurance.server import Installation, Server
from scripts.endurance.trials.pages import dashboard_flags
from scripts.endurance.verdict import Report

TENANT: Final = "watched"
PATIENCE: Final = 60.0
"""Seconds until a dashboard has to show something."""
COLUMNS: Final = 120
ROWS: Final = 40

ESCAPE: Final = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
PROMPT: Final = re.compile(rb"leaves.* as .*>", re.DOTALL)
"""The console's first line, and its prompt: from here on it reads what is typed."""


class Plan(NamedTuple):
    """How long and how often."""

    pairs: int
    seconds: float
    settle: float
    in_flight: int
    share: float


FULL: Final = Plan(pairs=8, seconds=7.0, settle=3.0, in_flight=64, share=0.05)
QUICK: Final = FULL._replace(pairs=3, seconds=5.0, settle=1.0)

MEANINGS: Final = {
    "pairs": "measurements with both dashboards, each beside one without",
    "seconds": "of one measurement",
    "settle": "seconds of load before each",
    "in_flight": "adds under way at once: as fast as they are answered",
    "share": "by which the server's processor time for an add may grow",
}


class Cost(NamedTuple):
    """One measurement."""

    microseconds: float
    """Processor time of the server for one add, all of its threads."""
    rate: float
    """Adds a second."""


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """Measure in pairs, the order of each turned around. ChildFailed, NoReply."""
    report = Report(
        f"watched: {plan.pairs} pairs of {plan.seconds:g} s of adds, with both dashboards and without"
    )
    installation = Installation(folder, [TENANT], {})
    server = installation.start()
    dashboard = Server("scripts.web", dashboard_flags(installation), folder / "dashboard.log", HERE)
    try:
        dashboard.wait_ready()
        load = Load(server, installation, plan.in_flight)
        load.run(plan.settle)
        progress("measuring")
        pairs = [
            measured(plan, load, installation, dashboard, bool(n % 2)) for n in range(plan.pairs)
        ]
        load.close()
    finally:
        dashboard.end()
        server.end()
    tell(plan, pairs, report)
    return report


def measured(
    plan: Plan, load: Load, installation: Installation, dashboard: Server, is_watched_first: bool
) -> tuple[Cost, Cost]:
    """Return the cost of an add without anybody watching, and with both."""

    def alone() -> Cost:
        load.run(plan.settle)
        return load.run(plan.seconds)

    def watched() -> Cost:
        with Page(installation, dashboard) as page, Screen(installation) as screen:
            while not (page.shows and screen.shows):
                load.run(0.1)
            load.run(plan.settle)
            return load.run(plan.seconds)

    if is_watched_first:
        with_both = watched()
        return alone(), with_both
    return alone(), watched()


def tell(plan: Plan, pairs: Sequence[tuple[Cost, Cost]], report: Report) -> None:
    """Add figures, and the promise."""
    without, beside = (median(each[at].microseconds for each in pairs) for at in (0, 1))
    more = median(watched.microseconds / alone.microseconds for alone, watched in pairs) - 1
    rates = [median(each[at].rate for each in pairs) for at in (0, 1)]
    report.figure("an add without", f"{without:.0f} us, {rates[0]:,.0f} a second")
    report.figure("an add watched", f"{beside:.0f} us, {rates[1]:,.0f} a second")
    report.promise(
        f"watching costs {more:+.1%} processor time an add at the median of {len(pairs)} pairs, "
        f"at most {plan.share:.0%}",
        more <= plan.share,
    )


class Load:
    """Adds of one tenant, always so many under way."""

    def __init__(self, server: Server, installation: Installation, in_flight: int) -> None:
        self._server = server
        self._connection = LoadConnection(server.endpoint, installation.tokens)
        self._numbers = count()
        for _ in range(in_flight):
            self._send()

    def run(self, seconds: float) -> Cost:
        """Go on for so long. NoReply if one is refused, or none is answered."""
        began, cpu, done = time.perf_counter(), self._server.cpu_seconds(), 0
        while time.perf_counter() - began < seconds:
            if wrong := problem(self._connection.reply()):
                raise NoReply(f"an add was refused: {wrong}")
            done += 1
            self._send()
        cpu = self._server.cpu_seconds() - cpu
        return Cost(cpu / done * 1e6, done / (time.perf_counter() - began))

    def close(self) -> None:
        """Leave what is under way."""
        self._connection.close()

    def _send(self) -> None:
        number = next(self._numbers)
        params = {"name": f"Ada {number}", "email": f"ada{number}@example.org"}
        self._connection.send(Call(f"add-{number}", TENANT, ADD, params))


class Page:
    """The overview of the web dashboard, followed as a browser does."""

    def __init__(self, installation: Installation, dashboard: Server) -> None:
        self._browser = httpx2.Client(base_url=dashboard.endpoint, timeout=PATIENCE)
        token = (installation.data / TOKEN_FILE).read_text().strip()
        headers = {"origin": dashboard.endpoint}
        self._browser.post("/login", data={"token": token}, headers=headers)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._is_over = False
        self.shows = False
        """Whether figures have come."""

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over = True
        self._reader.join(PATIENCE)
        self._browser.close()

    def _read(self) -> None:
        with self._browser.stream("GET", "/live") as answer:
            for line in answer.iter_lines():
                self.shows |= line.startswith("event: figures")
                if self._is_over:
                    return


class Screen:
    """The dashboard of a console on a pseudo-terminal."""

    def __init__(self, installation: Installation) -> None:
        self._screen, terminal = os.openpty()
        termios.tcsetwinsize(terminal, (ROWS, COLUMNS))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "scripts.cli.console"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={
                **os.environ,
                "TENANTRY_DATA": str(installation.data),
                "PYTHONPATH": str(HERE),
                "TERM": "xterm-256color",
                "XDG_STATE_HOME": str(installation.data),
            },
            cwd=HERE,
            start_new_session=True,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.shows = False
        """Whether the dashboard is there."""

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join(PATIENCE)
        os.close(self._screen)

    def _read(self) -> None:
        seen, is_typed = b"", False
        while True:
            try:
                more = os.read(self._screen, 1 << 16)
            except OSError:  # the console has ended
                return
            seen = (seen + more)[-(1 << 16) :]
            if not is_typed and PROMPT.search(ESCAPE.sub(b"", seen)):
                is_typed = True
                os.write(self._screen, b"dashboard\r")
            self.shows |= b" a second" in seen

"""Ten thousand tenants, a thousand functions, a million log lines: how long each page and command takes."""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

import httpx2

from actors.assembly.provisioning import TOKEN_FILE
from actors.log.daily.rotation import DayFiles
from actors.log.error_record import encode_record
from scripts.benchmark.growth import register
from scripts.benchmark.log_search import DAY_SECONDS, DAYS, Week, write_week
from scripts.benchmark.peers import HERE
from scripts.endurance.connection import NoReply
from scripts.endurance.desk import own_desk
from scripts.endurance.server import Installation, Server
from scripts.endurance.verdict import Report

TENANT: Final = "full"
"""The tenant that has the log."""
UTC: Final = ZoneInfo("UTC")
ERRORS_AT_ONCE: Final = 1000
PATIENCE: Final = 60.0
"""Seconds until a command of the console counts as not answered."""

FUNCTION: Final = """
[actions."wide.f{number}"]
summary = "Show contact {number}."
access  = "member"
channel = "data"
effect  = "read"
[actions."wide.f{number}".params]
required = ["id"]
properties.id = {{ type = "integer", minimum = 1 }}
[actions."wide.f{number}".result]
required = ["id"]
additionalProperties = true
properties.id = {{ type = "integer" }}
[[actions."wide.f{number}".versions]]
version = 1
state   = "release"
code    = "actors.tenant.functions.contacts:get"
"""

PAGES: Final = (
    *("/", "/tenants", "/tenants?after=registered-5", "/tenants?prefix=registered-9"),
    *("/tenants?status=suspended", "/tenants/full", "/tenants/full/figures"),
    *("/functions", "/functions/wide.f7", "/functions/contacts.add", "/index", "/requests"),
    *("/releases", "/connectors", "/connectors/outbox", "/connectors/dead"),
    *("/errors", "/errors?text=wide", "/errors?tenant=full", "/trace/TRACE"),
    *("/audit", "/audit?action=tenants.show"),
    *("/actors", "/actors?actor=supervisor", "/stacks", "/developers", "/actions"),
    "/actions/tenants.suspend?tenant=full",
)
"""Of the first developer admin; TRACE is the trace id of a line in the middle of the log."""

OWN_PAGES: Final = (
    *("/tenants/full", "/tenants/full/people", "/tenants/full/tokens", "/tenants/full/config"),
    *("/tenants/full/log", "/tenants/full/log?outcome=already_exists"),
    *("/tenants/full/log?action=contacts.find", "/tenants/full/log?since=SINCE&until=UNTIL"),
    *("/tenants/full/log?text=Person", "/trace/TRACE?since=SINCE&until=UNTIL", "/trace/TRACE"),
)
"""Of the tenant's admin owner; SINCE and UNTIL are an hour in the middle of the log, the trace's."""

COMMANDS: Final = (
    *("tenants", "tenants.list after=registered-5", "tenant full", "owners full", "functions"),
    *("functions.show function=wide.f7", "todo", "errors", "errors last 1h", "trace TRACE"),
    *("audit", "audit full", "actors", "actor supervisor", "slow", "stats", "developers"),
)


class Plan(NamedTuple):
    """How much there is, how often it is looked at, and how long that may take."""

    tenants: int
    functions: int
    lines: int
    looks: int
    pause: float
    milliseconds: float


FULL: Final = Plan(
    tenants=10_000,
    functions=1_000,
    lines=1_000_000,
    looks=15,
    pause=0.4,
    milliseconds=300.0,
)
QUICK: Final = FULL._replace(tenants=500, functions=100, lines=20_000, looks=5, pause=0.0)

MEANINGS: Final = {
    "tenants": "tenants in the directory",
    "functions": "functions in the index, besides those of the desk",
    "lines": "lines of one tenant's log, of seven days; the error log has a tenth of that",
    "looks": "times that each page and command is asked for",
    "pause": "seconds between two looks, as a person takes; without them the rate limit is measured",
    "milliseconds": "that each may take at the median",
}


class Took(NamedTuple):
    """One page or command."""

    name: str
    milliseconds: Sequence[float]

    @property
    def median(self) -> float:
        """In milliseconds."""
        return statistics.median(self.milliseconds)


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """Fill a server, and look at everything. ChildFailed, NoReply."""
    report = Report(
        f"pages: {plan.tenants:,} tenants, {plan.functions:,} functions, {plan.lines:,} log lines"
    )
    progress("filling the server")
    index = own_desk(folder, "".join(FUNCTION.format(number=at) for at in range(plan.functions)))
    installation = Installation(folder, [TENANT], {}, index, owners=True)
    week = fill(plan, installation)
    server = installation.start()
    dashboard = Server("scripts.web", dashboard_flags(installation), folder / "dashboard.log", HERE)
    try:
        dashboard.wait_ready()
        found = list(looked_at(plan, installation, dashboard, week, progress))
        tell(plan, found, report)
        report.promise("server and dashboard live", server.running and dashboard.running)
    finally:
        dashboard.end()
        server.end()
    return report


def fill(plan: Plan, installation: Installation) -> Week:
    """Register the tenants, and write the logs; the server is not running yet."""
    register(installation.data / "directory.db", plan.tenants)
    midnight = int(time.time()) // DAY_SECONDS * DAY_SECONDS
    begun = midnight - (DAYS - 1) * DAY_SECONDS
    id = tenant_id(installation)
    logs = installation.data / "logs"
    week = write_week(logs / "tenants" / id, plan.lines, begun, time.time())
    write_errors(logs / "errors", plan.lines // 10, begun, id)
    return week


def tenant_id(installation: Installation) -> str:
    """Return the id of the tenant that has the log: its file is the only one."""
    (file,) = (installation.data / "tenants").glob("*.db")
    return file.stem


def write_errors(directory: Path, lines: int, begun: int, id: str) -> None:
    """Write a week of the error log, in its own form."""
    files = DayFiles(directory, UTC, DAYS)
    span = time.time() - begun
    for first in range(0, lines, ERRORS_AT_ONCE):
        numbers = range(first, min(first + ERRORS_AT_ONCE, lines))
        files.append(
            [encode_record(failure(begun + span * at / lines, at, id), UTC) for at in numbers]
        )
    files.rotate(time.time())
    files.close()


def failure(at: float, number: int, id: str) -> dict[str, object]:
    """A function that failed."""
    return {
        "at": at,
        "level": "error",
        "event": "function failed",
        "source": "tenant",
        "tenant": TENANT,
        "tenant_id": id,
        "action": f"wide.f{number % 1000}",
        "trace_id": f"{number:032x}",
        "params": {"id": number},
    }


def dashboard_flags(installation: Installation) -> list[str]:
    """Return the dashboard's arguments."""
    endpoint = f"ipc://{installation.data / 'admin.sock'}"
    return ["--server", endpoint, "--port=0", "--login-rate=0"]


def looked_at(
    plan: Plan,
    installation: Installation,
    dashboard: Server,
    week: Week,
    progress: Callable[[str], None],
) -> Iterator[Took]:
    """Yield how long each took: pages of the admin, of the owner, then commands."""
    trace = week.traces[DAYS // 2]
    admin = (installation.data / TOKEN_FILE).read_text().strip()
    noon = (
        int(time.time()) // DAY_SECONDS * DAY_SECONDS - (DAYS // 2) * DAY_SECONDS + DAY_SECONDS // 2
    )
    named = {
        "TRACE": trace,
        "SINCE": rfc3339(noon - 1800),
        "UNTIL": rfc3339(noon + 1800),
    }
    progress("pages of a developer admin")
    yield from pages(plan, dashboard.endpoint, admin, filled(PAGES, named))
    progress("pages of the owner")
    owner = installation.tokens[TENANT]
    yield from pages(plan, dashboard.endpoint, owner, filled(OWN_PAGES, named), "owner: ")
    progress("commands")
    with Shell(installation.data) as shell:
        for command in filled(COMMANDS, named):
            yield Took(f"console: {command}", looks(plan, partial(shell.run, command)))


def filled(templates: Sequence[str], named: dict[str, str]) -> list[str]:
    """Return the pages or commands with what their capitals stand for."""
    found = []
    for each in templates:
        for name, value in named.items():
            each = each.replace(name, value)
        found.append(each)
    return found


def rfc3339(at: int) -> str:
    """Return a moment as pages take it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def pages(
    plan: Plan, address: str, token: str, paths: Sequence[str], prefix: str = ""
) -> Iterator[Took]:
    """Yield how long each page took; NoReply for one that is refused, or that shows a question mark."""
    with httpx2.Client(base_url=address, timeout=PATIENCE) as browser:
        browser.post("/login", data={"token": token}, headers={"origin": address})
        for path in paths:
            yield Took(prefix + path, looks(plan, partial(look, browser, path)))


def looks(plan: Plan, look_once: Callable[[], float]) -> list[float]:
    """Return how long each look took, with pauses between them."""
    took = []
    for _ in range(plan.looks):
        took.append(look_once())
        time.sleep(plan.pause)
    return took


def look(browser: httpx2.Client, path: str) -> float:
    """Return the milliseconds of one page."""
    began = time.perf_counter()
    answer = browser.get(path)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != 200 or "<b>?</b>" in answer.text:
        raise NoReply(f"{path} was answered {answer.status_code}: {answer.text[-500:]}")
    return took


class Shell:
    """A console that reads commands from a pipe, and answers each with a line of JSON."""

    def __init__(self, data: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "scripts.cli.console", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TENANTRY_DATA": str(data), "PYTHONPATH": str(HERE)},
            cwd=HERE,
        )

    def __enter__(self) -> Self:
        self.run("tenants")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, command: str) -> float:
        """Return the milliseconds of one command; NoReply if it is refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        began = time.perf_counter()
        self._process.stdin.write(f"{command}\n".encode())
        self._process.stdin.flush()
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
            more = os.read(self._process.stdout.fileno(), 1 << 20) if ready else b""
            if not more:
                raise NoReply(f"the console did not answer {command!r}")
            line += more
        took = (time.perf_counter() - began) * 1000
        if not json.loads(line)["ok"]:
            raise NoReply(f"{command!r} was refused: {line[:500]!r}")
        return took


def tell(plan: Plan, found: Sequence[Took], report: Report) -> None:
    """Add a figure of each, and the promises."""
    for took in found:
        report.figure(took.name, f"{took.median:.0f} ms, at most {max(took.milliseconds):.0f}")
    worst = max(found, key=lambda each: each.median)
    report.promise(
        f"each page and command within {plan.milliseconds:g} ms at the median; the longest, "
        f"{worst.name}, took {worst.median:.0f}",
        worst.median <= plan.milliseconds,
    )

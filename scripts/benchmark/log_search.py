"""How long a search for one trace id takes in a week of a tenant's log, through the real LogReader.

    python -m scripts.benchmark.log_search [--lines 1000000] [--repeat 5]

Makes the week in a temporary directory (some 120 MB, six of its days compressed), then asks for trace ids of
its oldest, a middle and its newest day, for one that is not there, for a text, and for the newest page.
"""

from __future__ import annotations

import argparse
import math
import secrets
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from actors.log.daily.reader import LogReader
from actors.log.daily.rotation import DayFiles
from actors.log.lines import Formatter
from actors.log.messages import TENANT, Line, SearchLogs
from actors.runtime.actor import ask, stop
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import Dispatcher

UTC = ZoneInfo("UTC")
DAYS = 7
DAY_SECONDS = 86_400
BEGUN = 1_795_000_000 // DAY_SECONDS * DAY_SECONDS
"""The first midnight, in seconds since the epoch."""

TENANT_ID = "a" * 32
BATCH = 1000
"""Lines that are written at a time."""

WAIT = 120.0
"""Seconds after which an answer counts as none."""


class Week(NamedTuple):
    """What was written."""

    lines: int
    written: int
    """Bytes, before compression."""
    traces: Sequence[str]
    """Of one line of each day, in their middle."""


class Measured(NamedTuple):
    """One query."""

    name: str
    found: int
    pages: int
    seconds: Sequence[float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the week, ask, print."""
    parser = argparse.ArgumentParser(prog="python -m scripts.benchmark.log_search")
    parser.add_argument(
        "--lines", type=int, default=1_000_000, help="in the week (default 1000000)"
    )
    parser.add_argument("--repeat", type=int, default=5, help="of each query (default 5)")
    given = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="log-search") as place:
        logs = Path(place)
        week = write_week(logs / "tenants" / TENANT_ID, given.lines)
        on_disk = sum(file.stat().st_size for file in logs.rglob("*.jsonl*"))
        print(f"{week.lines} lines, {week.written / 1e6:.0f} MB, {on_disk / 1e6:.0f} MB on disk")
        for measured in measure(logs, week, given.repeat):
            show(measured, week)
    return 0


def write_week(directory: Path, lines: int, begun: int = BEGUN, until: float = math.inf) -> Week:
    """Through the log's own format and files, from a midnight on; all days but the last are compressed.

    The last day may end before its midnight, at `until`.
    """
    files, formatter = DayFiles(directory, UTC, DAYS), Formatter(UTC)
    each, written = lines // DAYS, 0
    traces: list[str] = []
    for day in range(DAYS):
        first = begun + day * DAY_SECONDS
        for number, batch in enumerate(batches(first, each, min(DAY_SECONDS, until - first))):
            packed = [(line.at, formatter.format("acme", line)) for line in batch]
            files.append(packed)
            written += sum(len(text) + 1 for _, text in packed)
            if number == each // BATCH // 2:
                traces.append(batch[-1].trace_id)
    files.rotate(first)
    files.close()
    return Week(each * DAYS, written, traces)


def batches(begun: int, lines: int, seconds: float) -> Iterator[list[Line]]:
    """Lines spread over so many seconds from `begun` on."""
    for first in range(0, lines, BATCH):
        numbers = range(first, min(first + BATCH, lines))
        yield [line_at(begun + number * seconds / lines, number) for number in numbers]


def line_at(at: float, number: int) -> Line:
    """A contact that is added, one in fifty refused."""
    is_refused = number % 50 == 0
    return Line(
        at=at,
        source="tenant",
        action="contacts.add" if number % 3 else "contacts.find",
        version=1,
        state="release",
        reason="newest",
        params={"name": f"Person {number}", "email": f"p{number}@example.org"},
        schema={"properties": {"name": {"type": "string"}, "email": {"type": "string"}}},
        caller="t_4f1c22ab90de7731",
        person="p_91ab03f7c2d45e68",
        role="member",
        outcome="already_exists" if is_refused else "ok",
        message=f"there is a contact p{number}@example.org" if is_refused else None,
        replayed=False,
        request_id=secrets.token_hex(16),
        trace_id=secrets.token_hex(16),
        queued_ms=number % 700 / 100,
        handled_ms=number % 300 / 100,
        reply_bytes=120 + number % 50,
    )


def measure(logs: Path, week: Week, repeat: int) -> Iterator[Measured]:
    """Each query so often."""
    dispatcher = Dispatcher("log reader")
    clock = Mailbox("clock", lambda _: None)
    mailbox = Mailbox("log reader", dispatcher.schedule)
    LogReader.start(mailbox, logs, logs / "audit", UTC, clock)
    queries: dict[str, dict[str, Any]] = {
        "trace id of the oldest day": {"trace_id": week.traces[0]},
        "trace id of the middle": {"trace_id": week.traces[DAYS // 2]},
        "trace id of the newest day": {"trace_id": week.traces[-1]},
        "trace id that is not there": {"trace_id": "0" * 32},
        "text that is not there": {"text": "Nobody at all"},
        "outcome, one page": {"outcome": "already_exists"},
        "the newest page": {},
    }
    for name, wanted in queries.items():
        runs = [search(mailbox, wanted) for _ in range(repeat)]
        yield Measured(name, *runs[-1][:2], [seconds for _, _, seconds in runs])
    stop(mailbox, WAIT)
    dispatcher.stop()


def search(mailbox: Mailbox, wanted: dict[str, Any]) -> tuple[int, int, float]:
    """All pages until something is found; how much, in how many pages, in how many seconds."""
    begun, before, pages = time.perf_counter(), None, 0
    while True:
        page = ask(mailbox, SearchLogs(TENANT, TENANT_ID, before=before, **wanted), WAIT)
        pages, before = pages + 1, page["next"]
        if before is None or len(page["lines"]) > 1:
            return len(page["lines"]), pages, time.perf_counter() - begun


def show(measured: Measured, week: Week) -> None:
    """One row."""
    seconds = statistics.median(measured.seconds)
    rate = "" if "page" in measured.name else f"{week.lines / seconds / 1e6:6.2f} M lines/s"
    worst = max(measured.seconds)
    print(
        f"{measured.name:28} {seconds:7.3f} s (most {worst:.3f})  {measured.found:3} found, "
        f"{measured.pages} asked {rate}"
    )


if __name__ == "__main__":
    sys.exit(main())

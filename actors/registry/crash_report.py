"""How the server before this one ended, and what it ran then.

What ends the process ends it for every tenant, and its sender sends it again: so each function that ran
counts as failed, and a request that ran at two such ends is not begun a third time.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import structlog

from actors.host.files import write_private
from actors.index.entries import Threshold
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.route import Route
from actors.routing.table import RoutingTable
from actors.watchdog.process import CallRecord
from actors.watchdog.running import (
    NO_PREVIOUS_RUN,
    RUNNING,
    RunningCalls,
    create_file,
    read_previous_run,
)

log = structlog.get_logger()

DEATHS = "deaths.json"
"""In the data directory: calls that ran when a server ended without a stop, the oldest first."""

MOST_DEATHS = 1000
"""That are remembered, the newest."""

MAX_DELIVERIES = 2
"""Ends of the process after which a request is not begun any more."""


class Deaths:
    """Looks at what the server before has left, and begins the file of this one."""

    def __init__(self, data: Path, calls: int) -> None:
        """`calls` may run at a time. Where the disk refuses, the next start learns nothing, as is logged."""
        self.running_calls = RunningCalls()
        self._past = NO_PREVIOUS_RUN
        self._known: list[dict[str, Any]] = []
        try:
            self._known = _read(data / DEATHS)
            self._past = read_previous_run(data / RUNNING)
            self._add(data / DEATHS)
            self.running_calls = RunningCalls(create_file(data / RUNNING, calls))
        except OSError as error:
            log.error("the next start will not find out what this server ran", error=str(error))
        ends = Counter(_key(each) for each in self._known)
        self.running_calls.deadly = {
            key: True for key, times in ends.items() if times >= MAX_DELIVERIES
        }

    def tell(self, snapshot: RoutingSnapshot) -> None:
        """Log how the server before ended, and count what ran as failures of its versions."""
        past = self._past
        if past.stopped:
            return
        cause = "it was ended" if past.same_boot else "the machine was started anew"
        log.error(
            "the server before ended without a stop", pid=past.pid, ran=len(past.calls), cause=cause
        )
        for call in past.calls:
            log.error("the server before ended while this ran", **call.log_fields())
        since = time.time() - Threshold().seconds
        for each in self._known:
            if each["at"] >= since:
                _count(each, snapshot)

    def _add(self, path: Path) -> None:
        """On disk before the file that tells of them is replaced; none is added twice."""
        known = {(each["trace_id"], each["began"]) for each in self._known}
        new = [each for each in self._past.calls if (each.trace_id, each.began) not in known]
        if self._past.stopped or not new:
            return
        self._known += [{"at": time.time(), **each._asdict()} for each in new]
        self._known = self._known[-MOST_DEATHS:]
        write_private(path, json.dumps(self._known, indent=1) + "\n")


def _read(path: Path) -> list[dict[str, Any]]:
    """Those that are whole: a person may have edited the file."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return []
    except ValueError as error:
        log.error("requests that ended the server are forgotten", file=str(path), error=str(error))
        return []
    names = {"at", *CallRecord._fields}
    entries = found if isinstance(found, list) else []
    return [each for each in entries if isinstance(each, dict) and names <= each.keys()]


def _key(death: dict[str, Any]) -> tuple[str, str, str]:
    return death["tenant_id"], death["caller"], death["id"]


def _count(death: dict[str, Any], snapshot: RoutingSnapshot) -> None:
    route = _route(snapshot.current, death["action"], death["version"])
    if route is not None and route.detector is not None:
        with route.detector.start(death["tenant_id"], death["trace_id"]) as running:
            snapshot.report_failure(route, running)


def _route(table: RoutingTable, action: str, version: int) -> Route | None:
    """The version that it was, if it is still among those that are served or would take over."""
    for served in (table.routes, table.testers):
        found = served.get(action)
        while found is not None and found.version != version:
            found = found.fallback
        if found is not None:
            return found
    return None

"""Reports how the previous server ended, and which calls it ran then.

A request that ends the process ends it for every tenant, and its sender sends it again: so each function that
ran counts as failed, and a request that ran at two such ends is not started a third time.
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
"""Most calls kept, the newest."""

MAX_DELIVERIES = 2
"""Ends of the process after which a request is not started again."""


class Deaths:
    """Reads the files that the previous server left, and starts the file of this one."""

    def __init__(self, data: Path, calls: int) -> None:
        """`calls` may run at a time. If the disk fails, that is logged and the next start reports none."""
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
        """Log how the previous server ended, and count the calls it ran as failures of their versions."""
        past = self._past
        if past.stopped:
            return
        cause = "it was ended" if past.same_boot else "the machine was started again"
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
        """Write the calls before the file they come from is replaced; none is added twice."""
        known = {(each["trace_id"], each["began"]) for each in self._known}
        new = [each for each in self._past.calls if (each.trace_id, each.began) not in known]
        if self._past.stopped or not new:
            return
        self._known += [{"at": time.time(), **each._asdict()} for each in new]
        self._known = self._known[-MOST_DEATHS:]
        write_private(path, json.dumps(self._known, indent=1) + "\n")


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the entries that are complete: a person may have edited the file."""
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
    """Return the route of the call's version, if it is still served or a fallback."""
    for served in (table.routes, table.testers):
        found = served.get(action)
        while found is not None and found.version != version:
            found = found.fallback
        if found is not None:
            return found
    return None

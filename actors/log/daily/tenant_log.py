"""The TenantLog: the one actor that writes the tenants' own logs, each into a directory of its own.

It never waits: what the disk does not take is counted, and reported to the ErrorLog as soon as it takes more.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from msgspec.structs import replace

from actors.host.disk_errors import error_text
from actors.host.process import LOG_DESCRIPTORS
from actors.log.daily.budget import Budget
from actors.log.daily.losses import LossReporter
from actors.log.daily.rotation import DayFiles, LogSettings, RotationSchedule, WriteFailed
from actors.log.lines import Formatter
from actors.log.messages import Count, Line, LostLines, RotateDue, TurnLines, Write
from actors.log.redaction import normalise_names
from actors.messages import TenantRecord
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

MAX_OPEN = LOG_DESCRIPTORS
"""Tenants whose files are open at a time, the ones that logged last; one descriptor each."""

STEP_SECONDS = 0.02
"""Of putting old files in order, after which others' mail comes first."""


class NextStep(NamedTuple):
    """To itself: go on putting old files in order."""


class TenantLog(Actor):
    """Owns the files; needs a thread of its own, since writing and compressing take a while."""

    def __init__(
        self,
        mailbox: Mailbox,
        directory: Path,
        settings: LogSettings,
        stats: Mailbox | None = None,
        error_log: Mailbox | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        """`stats` gets every TurnLines as well, `error_log` what was lost.

        `release` is called before old files are put in order, and before a line that takes milliseconds:
        others may compute meanwhile. Before other lines it is not: what that saves is lost in the fight for
        the GIL.
        """
        super().__init__(mailbox)
        self._directory = directory
        self._settings = settings
        self._schedule = RotationSchedule(settings.zone)
        self._formatter = Formatter(settings.zone, normalise_names(settings.hide), release)
        self._stats = stats
        self._release = release
        self._open: OrderedDict[str, DayFiles] = OrderedDict()
        """By tenant id, the one that logged last at the end."""
        self._budget = Budget(settings.most)
        self._losses = LossReporter(stats, error_log)
        self._ahead: deque[str] = deque()
        """Tenant ids whose old files are still to be put in order."""
        self._problems: list[str] = []
        self._add_handlers(
            {
                TurnLines: lambda turn: self._write([turn]),
                LostLines: lambda lost: self._losses.add(
                    lost.tenant, lost.first, lost.last, lost.lines
                ),
                Write: lambda _: None,  # what had come before it is written by now
                RotateDue: lambda _: self._begin_day(),
                NextStep: lambda _: self._next_step(),
            }
        )

    # Life

    def snapshot(self) -> dict[str, Any]:
        """Return the bytes of the disk that the logs are on, or will be; nothing where it cannot be asked."""
        try:
            above = (self._directory, *self._directory.absolute().parents)
            found = shutil.disk_usage(next(each for each in above if each.is_dir()))
        except OSError:
            return {}
        return {"disk_free_bytes": found.free, "disk_bytes": found.total}

    def on_start(self) -> None:
        """What was due while no server ran is done soon."""
        self.mailbox.tell(RotateDue())

    def on_stop(self) -> None:
        """Say what was left out and what was lost, and let go of every file."""
        self._write_summaries()
        self._losses.send_all(self._settings.now())
        while self._open:
            self._open.popitem()[1].close()

    def on_failure(self, *_: Any) -> None:
        """As when it stops."""
        self.on_stop()

    # Mail

    def handle(self, mail: deque[Any]) -> None:
        """Write runs of turns, one write for each tenant in a run; other mail between them."""
        self.handle_runs(mail, TurnLines, self._write)

    # Lines

    def _write(self, turns: Iterable[TurnLines]) -> None:
        by_tenant: dict[str, tuple[TenantRecord, list[Line]]] = {}
        for turn in turns:
            if self._stats is not None:
                self._stats.tell(turn)
            _, lines = by_tenant.setdefault(turn.tenant.id, (turn.tenant, []))
            lines.extend(turn.lines)
        for tenant, lines in by_tenant.values():
            self._append(tenant, lines)

    def _append(self, tenant: TenantRecord, lines: list[Line]) -> None:
        self._put(tenant, list(self._within_budget(tenant, lines)))

    def _within_budget(
        self, tenant: TenantRecord, lines: list[Line]
    ) -> Iterator[tuple[float, bytes]]:
        """Lines as long as their day has room; the others are counted."""
        files, day, room, at = self._files_of(tenant.id), "", 0.0, -1.0
        for line in lines:
            if line.at != at:  # all lines of a turn have the same
                at = line.at
                if (its := files.day_at(at)) != day:
                    day, room = its, self._budget.room(files, at)
            if room <= 0:
                self._budget.leave_out(tenant, day, line)
            elif (made := self._line(tenant, line)) is not None:
                room -= len(made[1]) + 1
                yield made

    def _write_summaries(self) -> None:
        """Write how much was left out."""
        for left in self._budget.drain():
            if self._stats is not None:
                self._stats.tell(Count("log.left_out", left.lines))
            self._put(left.tenant, [left.record(self._formatter.moment)])

    def _put(self, tenant: TenantRecord, made: list[tuple[float, bytes]]) -> None:
        if not made:
            return
        try:
            self._files_of(tenant.id).append(made)
        except WriteFailed as error:
            if not self._losses:
                log.error("tenants' logs cannot be written now", error=str(error))
            lost = made[error.written :]
            self._losses.add(tenant, lost[0][0], lost[-1][0], len(lost))
        else:
            if self._losses:
                self._losses.send(tenant.id, self._settings.now())

    def _line(self, tenant: TenantRecord, line: Line) -> tuple[float, bytes] | None:
        """Its time, and its text: without params where they are so odd that they cannot be shown.

        Where the rest is, too, the line is lost, and counted: it must not take the others with it.
        """
        try:
            return line.at, self._formatter.format(tenant.name, line)
        except Exception as error:
            log.error("params could not be logged", tenant=tenant.name, exc_info=error)
        try:
            return line.at, self._formatter.format(tenant.name, replace(line, params={}))
        except Exception as error:
            log.error("a line could not be logged", tenant=tenant.name, exc_info=error)
            self._losses.add(tenant, line.at, line.at, 1)
            return None

    def _files_of(self, tenant_id: str) -> DayFiles:
        files = self._open.pop(tenant_id, None)
        if files is None:
            files = self._files(tenant_id)
            if len(self._open) >= MAX_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open[tenant_id] = files
        return files

    def _files(self, tenant_id: str) -> DayFiles:
        return DayFiles(self._directory / tenant_id, self._settings.zone, self._settings.keep_days)

    # Days

    def _begin_day(self) -> None:
        """Put old files in order where a day has ended since, or where that failed some time ago."""
        self._write_summaries()
        self._losses.send_all(self._settings.now())
        if self._schedule.begin(self._settings.now()):
            self._ahead = deque(self._names())
            self.mailbox.tell(NextStep())

    def _next_step(self) -> None:
        """One tenant at least; not so long that turns wait for it."""
        self._release()
        ends = time.monotonic() + STEP_SECONDS
        while self._ahead:
            self._rotate(self._ahead.popleft())
            if time.monotonic() > ends:
                break
        if self._ahead:
            self.mailbox.tell(NextStep())
        else:
            self._end_day()

    def _rotate(self, tenant_id: str) -> None:
        files = self._open.get(tenant_id) or self._files(tenant_id)
        try:
            files.rotate(self._settings.now(), self._settings.oldest_by())
        except OSError as error:
            self._problems.append(str(error))
        if tenant_id not in self._open:
            files.close()
            with suppress(OSError):  # there is something in it, as a rule
                (self._directory / tenant_id).rmdir()

    def _names(self) -> list[str]:
        try:
            with os.scandir(self._directory) as found:
                return [each.name for each in found if each.is_dir(follow_symlinks=False)]
        except FileNotFoundError:  # there are no logs yet
            return []
        except OSError as error:
            self._problems.append(error_text(error))
            return []

    def _end_day(self) -> None:
        problems, self._problems = self._problems, []
        if problems:
            self._schedule.retry_later(self._settings.now())
            log.error(
                "old logs of tenants could not be put in order",
                tenants=len(problems),
                error=problems[0],
            )

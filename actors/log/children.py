"""The log actors: their mailboxes, how they are started, and when a day ends.

Only the audit log and its reader are essential: any other that keeps failing is tried again and again, and
requests go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

from actors.errors import SettingsError
from actors.log.audit.actor import AdminLog
from actors.log.audit.reader import AuditReader
from actors.log.daily.error_log import ErrorLog
from actors.log.daily.reader import LogReader
from actors.log.daily.rotation import LogSettings
from actors.log.daily.tenant_log import TenantLog
from actors.log.lines import RequestLogClient
from actors.log.messages import ReleaseFollowers, RotateDue, Write
from actors.log.metrics.stats import Stats
from actors.log.metrics.telemetry import MOST_WAITING, Telemetry, is_wanted
from actors.runtime.lifecycle import StartChild, supervised
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import ComputeToken
from actors.settings import Settings

MIDNIGHT_SECONDS = 30.0
"""How often the logs look whether a day has ended.

A timer set for midnight would be wrong after each jump of the clock, and after each sleep of the machine. A
look costs microseconds, and a line that comes before it goes to the file of its own day all the same.
"""

WRITE_SECONDS = 0.1
"""Seconds between two writes of the tenants' log: writing at once took twice the processor time."""

WAKE_AT = 256
"""Turns after which it writes sooner."""

MOST_TURNS = 5000
"""Turns of tenants that may wait to be logged; the lines of further ones are lost and counted in a line."""

MOST_TROUBLES = 10_000
"""Errors that may wait to be logged."""


class MakeMailbox(Protocol):
    """Makes the mailbox of an actor with a thread of its own."""

    def __call__(
        self,
        name: str,
        parent: Mailbox | None,
        token: ComputeToken | None = None,
        **options: int,
    ) -> Mailbox:
        """With a compute token, the actor computes in turns with the tenants."""
        ...


class Logs:
    """One of each log actor; `request_log` writes to the tenants' log, `errors` receives errors."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        supervisor: Mailbox,
        make_mailbox: MakeMailbox,
        token: ComputeToken,
        age: Callable[[], float],
    ) -> None:
        """`clock` says seconds since the epoch, `age` those by which old files are removed.

        SettingsError where the time zone is none.
        """
        self._settings = settings
        self._clock = clock
        self._age = age
        self._token = token
        self._zone = zone_of(settings.log_time_zone)
        self._folder = settings.data / "logs"
        self._audit_folder = settings.data / "audit"
        self.errors = make_mailbox("error log", supervisor, limit=MOST_TROUBLES)
        self._spans = (
            make_mailbox("telemetry", supervisor, limit=MOST_WAITING) if is_wanted() else None
        )
        self.stats = make_mailbox("stats", supervisor, token)
        self.tenants = make_mailbox("tenant log", supervisor, token, limit=MOST_TURNS)
        self.reader = make_mailbox("log reader", supervisor, token)
        self.audit = make_mailbox("admin log", supervisor)
        # Verifying a long log computes: it takes turns with the tenants.
        self.audit_reader = make_mailbox("audit reader", supervisor, token)

    def request_log(self) -> RequestLogClient | None:
        """Return the log client of actors that reply for tenants; None without logs and figures."""
        if self._settings.log_tenants:
            return RequestLogClient(self.tenants, self._clock, WAKE_AT)
        has_readers = self._settings.metrics_port is not None or self._spans is not None
        return RequestLogClient(self.stats, self._clock) if has_readers else None

    def children(self, clock: Mailbox, others: Sequence[StartChild]) -> list[StartChild]:
        """Return each log before the actors that send to it: children are stopped in reverse order.

        Stats says how much mail waits for the logs and for `others`.
        """
        folder, audit = self._folder, self._audit_folder
        watched: list[Mailbox] = [each.mailbox for each in others]
        logs = [
            self._error_log(),
            *self._telemetry(),
            self._stats(watched),
            self._tenant_log(),
            supervised(
                self.reader,
                lambda box: LogReader.start(box, folder, audit, self._zone, clock),
                essential=False,
            ),
            supervised(self.audit, lambda box: AdminLog.start(box, audit, self._clock)),
            supervised(self.audit_reader, lambda box: AuditReader.start(box, audit, clock)),
        ]
        watched += [each.mailbox for each in logs]
        return logs

    def _stats(self, watched: Sequence[Mailbox]) -> StartChild:
        return supervised(
            self.stats,
            lambda box: Stats.start(box, spans=self._spans, watched=watched, epoch=self._clock),
            essential=False,
        )

    def _error_log(self) -> StartChild:
        return supervised(
            self.errors,
            lambda box: ErrorLog.start(box, self._folder / "errors", self._days()),
            (MIDNIGHT_SECONDS, RotateDue()),
            essential=False,
        )

    def _telemetry(self) -> list[StartChild]:
        if self._spans is None:
            return []
        return [supervised(self._spans, Telemetry.start, essential=False)]

    def _tenant_log(self) -> StartChild:
        writes = [(WRITE_SECONDS, Write())] if self._settings.log_tenants else []
        return supervised(
            self.tenants,
            lambda box: TenantLog.start(
                box,
                self._folder / "tenants",
                self._days(),
                stats=self.stats,
                error_log=self.errors,
                release=self._token.release,
            ),
            (MIDNIGHT_SECONDS, RotateDue()),
            *writes,
            essential=False,
        )

    def release(self) -> None:
        """End all waits for new lines, because the server is about to stop."""
        self.reader.tell(ReleaseFollowers())

    def _days(self) -> LogSettings:
        settings = self._settings
        return LogSettings(
            self._zone,
            settings.log_days,
            settings.log_hide,
            self._clock,
            self._age,
            settings.log_bytes,
        )


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of this name; SettingsError if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise SettingsError(
            f"there is no time zone {name!r}: TENANTRY_LOG_TIME_ZONE (--log-time-zone) takes an IANA name, "
            "such as UTC or Europe/Vienna"
        ) from error

"""The server as a process: read the settings, start the system, print `ready`, wait for a signal, stop."""

from __future__ import annotations

import gc
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pykka
import structlog

from actors import demo
from actors.access import ADMIN_OWNER
from actors.assembly import identity
from actors.assembly.companion_process import DASHBOARD, GATEWAY, CompanionProcess
from actors.assembly.provisioning import TOKEN_FILE
from actors.assembly.system import System
from actors.assembly.unnoted import require_related
from actors.environments import read_environment
from actors.errors import ActionError, SettingsError, TenantryError
from actors.host import disk_errors
from actors.host.process import require_threads
from actors.host.signals import STOP_SIGNALS, Signals
from actors.log.append_file import DIRECTORY
from actors.log.audit.chain import forget_head, head_path, missing_records
from actors.log.audit.journal import MACHINE
from actors.log.events import Events, log_to_standard_error
from actors.log.messages import REPAIR, Append, AuditEntry
from actors.log.printed import Streams, open_closed
from actors.settings import Settings
from actors.watchdog.heartbeat import Heartbeat
from transport.message import (
    ABORTED,
    DEADLINE_EXCEEDED,
    INTERNAL,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
)

log = structlog.get_logger()

EXIT_CONFIGURATION = 78
"""sysexits.h EX_CONFIG: another start will fail, too."""

EXIT_FAILURE = 70
"""sysexits.h EX_SOFTWARE: the supervisor gave up, or the disk failed; start the server again."""

PASSING_CODES = frozenset({UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, ABORTED, INTERNAL})
"""Codes of refusals that are no fault of the settings."""

GARBAGE_YOUNG = 10_000
"""New objects after which the collector looks for cycles. It seldom finds any: messages make none."""

SWITCH_SECONDS = 0.0005
"""Seconds after which a thread that runs Python makes way for another that waits to.

Python's own 5 ms are paid at each of the dozens of hand-overs that a message needs beside such a thread.
"""

STREAMS = Streams()


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    gc.disable()  # nothing that a start makes is garbage, until it is ready
    open_closed()
    is_terminal = sys.stderr.isatty()
    events = log_to_standard_error()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        settings = read_environment(arguments)
    except SettingsError as error:
        return refused(error)
    events.hide(settings.log_hide)
    with Signals() as signals, STREAMS:
        return run(settings, events, signals, ends_with_terminal=is_terminal)


def run(settings: Settings, events: Events, signals: Signals, *, ends_with_terminal: bool) -> int:
    """Start, serve, stop; return the exit status."""
    try:
        served = identity.identity_of(settings.registry, settings.environment)
        if served is not None:
            served = served._replace(states=settings.states)
            if not settings.adopt:
                identity.require_own(settings.data, served)
                require_related(settings.data, settings.registry)
        missing = require_whole(settings)
        system = System(settings, events=events)
        if missing is not None:
            forget_head(settings.data / DIRECTORY)
        signals.write_stacks_to(settings.data)
        with require_threads(settings.memory_bytes):
            system.start(on_failure=signals.end)
    except (TenantryError, ValueError, *disk_errors.ERRORS) as error:
        return refused(error)
    STREAMS.running_calls = system.running_calls
    with Heartbeat(system.running_calls, settings.data):
        try:
            if missing is not None:
                record_accepted(system, missing)
            note_prepared(system, settings, served)
            serve(system, settings, signals, ends_with_terminal=ends_with_terminal)
        except (TenantryError, *disk_errors.ERRORS) as error:
            return refused(error)
        finally:
            identity.forget_serving(settings.data)
            system.stop()
    return EXIT_FAILURE if system.failure else 0


def record_accepted(system: System, missing: str) -> None:
    """Write into both logs that an audit log was accepted of which this is missing."""
    log.warning("an audit log that is not whole was accepted", problem=missing)
    system.actors.audit_log.tell(
        Append(AuditEntry(REPAIR, "audit.accept", MACHINE, message=missing))
    )


def note_prepared(system: System, settings: Settings, served: identity.Identity | None) -> None:
    """Make what the settings ask for, and note in the data directory which index it belongs to."""
    if served is not None:
        identity.note(settings.data, served)
    prepare(system, settings)
    if served is not None:  # a first start has recorded its admin token
        identity.note(settings.data, served._replace(audited=True))
    identity.note_serving(settings.data, serving(system, settings))


def serve(
    system: System, settings: Settings, signals: Signals, *, ends_with_terminal: bool
) -> None:
    """Start the processes beside this one, say `ready`, and return when a signal ends the server."""
    with (
        CompanionProcess(GATEWAY, settings, system.endpoint) as gateway,
        CompanionProcess(DASHBOARD, settings, system.admin_endpoint) as dashboard,
    ):
        for program, running in ((GATEWAY, gateway), (DASHBOARD, dashboard)):
            if running.address is not None:
                say(f"{program.setting} {running.address}")
        spare_the_collector()
        say(f"ready {system.endpoint}")
        heed(signals, system, ends_with_terminal=ends_with_terminal)


def serving(system: System, settings: Settings) -> identity.Serving:
    """Return what `scripts/environments` shows of this server."""
    return identity.Serving(
        environment=settings.environment,
        registry=str(settings.registry),
        digest=system.snapshot.file_digest,
        endpoint=system.endpoint,
        admin=settings.admin_address,
        pid=os.getpid(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def require_whole(settings: Settings) -> str | None:
    """Raise SettingsError if the audit log lacks records; if that is accepted, return what it lacks."""
    try:
        missing = missing_records(settings.data / DIRECTORY) or missing_log(settings.data)
    except OSError as error:
        log.error(
            "it was not looked whether the audit log is whole", error=disk_errors.error_text(error)
        )
        return None
    if missing is None or settings.accept_audit:
        return missing
    raise SettingsError(
        f"{missing}. Restore it from a copy; if what is there is to be gone on from, start once with "
        "--accept-audit, which is recorded"
    )


def missing_log(data: Path) -> str | None:
    """Return in words that the admin log is gone as a whole, with its note of how far it went."""
    directory = data / DIRECTORY
    if head_path(directory).exists() or any(directory.glob("*.jsonl")):
        return None
    if not identity.is_audited(data):
        return None
    return f"{directory} and {head_path(directory)} are gone, and an admin log was written on this data"


def heed(signals: Signals, system: System, *, ends_with_terminal: bool) -> None:
    """Handle signals until one stops the server."""
    for number in signals:
        if number in STOP_SIGNALS or (number == signal.SIGHUP and ends_with_terminal):
            return
        if number == signal.SIGHUP:
            reload(system)
        elif number == signal.SIGUSR1:
            log.warning("SIGUSR1: every thread's stack was written", file=str(signals.stacks))
        else:
            log.warning("SIGUSR2 means nothing to this server")


def reload(system: System) -> None:
    """Reload the index from disk, as an audited action. If that fails, nothing changes."""
    try:
        seen = system.local.ask("functions.diff")
        system.local.ask("functions.reload", digest=seen["digest"])
    except (TenantryError, pykka.Timeout) as error:
        log.error("SIGHUP: the index was not taken in", error=str(error) or repr(error))


def refused(error: Exception) -> int:
    """Print why the server cannot run now, or not as configured; return the exit status."""
    words = (
        error
        if isinstance(error, TenantryError)
        else f"cannot start: {disk_errors.error_text(error)}"
    )
    print(f"tenantry: {words}", file=STREAMS.errors)
    return EXIT_FAILURE if is_passing(error) else EXIT_CONFIGURATION


def is_passing(error: Exception) -> bool:
    """Return whether the same start may succeed later with nothing changed by a person."""
    return disk_errors.is_passing(error) or (
        isinstance(error, ActionError) and error.code in PASSING_CODES
    )


def prepare(system: System, settings: Settings) -> None:
    """Create the first developer admin, and the tenants that the command line names."""
    if system.local.make_first_admin(settings.data):
        log.info("admin token made", file=str(settings.data / TOKEN_FILE))
    elif settings.admin_token:
        system.local.replace_admin_token(settings.data)
        log.info("new admin token made", file=str(settings.data / TOKEN_FILE))
    for name in settings.tenant:
        if system.local.find_tenant(name) is None:
            system.local.create_tenant(name)
            token = system.local.issue_token(name, ADMIN_OWNER, "made at start").text
            say(f"tenant {name} token {token}")
        else:
            say(f"tenant {name} is there already: its tokens are those it had")
    if settings.demo:
        for line in demo.prepare_demo(system, settings.data):
            say(line)


def spare_the_collector() -> None:
    """Exempt the objects of the start from garbage collection, which took 7 % of a busy server."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_YOUNG)
    gc.enable()


def say(line: str) -> None:
    """Print a line and flush it: the program that started the server may read a pipe.

    If standard output cannot be written (a closed pipe, a full disk), the server runs on without it.
    """
    try:
        print(line, file=STREAMS.output, flush=True)
    except OSError as error:
        log.error("standard output takes nothing", error=disk_errors.error_text(error))
        # Text left in its buffer would fail again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), STREAMS.output.fileno())

"""The program's own log: what structlog is told goes to standard error, and what went wrong to the ErrorLog.

The caller never waits for it and never fails by it. Each event is made one record, without secrets, in the
thread of the caller; `aside` in an event or a context keeps it from the ErrorLog, which would otherwise be
told of its own troubles.

What the program's log says of an actor that failed: whose it was, and nothing that a request held.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder, ExceptionRenderer
from structlog.typing import ExcInfo, Processor

from actors.host.clocks import rfc3339
from actors.log.error_record import (
    MAX_MESSAGE,
    MEMBERS,
    NO_REQUEST,
    LossCounter,
    clean,
    exception_record,
    mask_text,
    truncate,
)
from actors.log.lines import to_json
from actors.log.messages import ErrorEvent
from actors.log.redaction import ALL_SECRET, NO_NAMES, Redaction, normalise_names
from actors.messages import DeadLetter, TenantRecord, TenantRequest
from actors.runtime.mailbox import Mailbox, PoisonMessage
from transport.fit import inert, text_of
from transport.nonblocking_stderr import NonBlockingStderr

ASIDE = "aside"
"""True in an event that is for standard error alone."""

CONFIDENTIAL = "confidential"
"""In an event: the `SecretParams` request that it is about."""

ERROR_LEVELS = frozenset({"warning", "error", "critical"})
"""Levels of what the ErrorLog is told."""

LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
"""All that structlog has; a library may have some between them."""


class SecretParams:
    """A request whose secrets must not be in what is said of it; shows nothing of itself."""

    __slots__ = ("params", "schema")

    def __init__(self, params: Mapping[str, Any], schema: Mapping[str, Any] | None) -> None:
        self.params = params
        self.schema = schema
        """Of the params, as JSON Schema; None where it is not known: then all of them are secret."""


class Events:
    """One for a process. What it has is only ever replaced, so that every thread may use it."""

    def __init__(self, clock: Callable[[], float] = time.time, *, readable: bool = False) -> None:
        """`clock` gives seconds since the epoch; `readable` lines are for people, others are JSON."""
        self._clock = clock
        self._render = _for_people() if readable else _for_programs
        self._hide = NO_NAMES
        self._error_log: Mailbox | None = None
        self._lost_at: deque[float] = deque()
        """When there was what the ErrorLog's mailbox had no room for."""

    def hide(self, names: Iterable[str]) -> None:
        """Names of fields that are not to be shown, in addition to those that look secret."""
        self._hide = normalise_names(names)

    def connect(self, error_log: Mailbox) -> None:
        """Tell this ErrorLog from now on."""
        self._error_log = error_log

    def disconnect(self) -> None:
        """Standard error alone is told from now on."""
        self._error_log = None

    def processors(self) -> list[Processor]:
        """What structlog is to be configured with; the last one makes the line for standard error."""
        return [
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            CallsiteParameterAdder({CallsiteParameter.QUAL_MODULE}),
            self._log,
        ]

    def _log(self, _: Any, __: str, event: MutableMapping[str, Any]) -> str:
        """Tell the ErrorLog; the line for standard error."""
        try:
            is_aside = event.pop(ASIDE, False)
            record = self._record(event)
            if record["level"] in ERROR_LEVELS and not is_aside:
                self._send(record)
            return self._render(record)
        except Exception as problem:  # noqa: BLE001 - a caller that logs an error has one already
            return to_json({"event": "an event could not be logged", "problem": _name(problem)})

    def _record(self, event: MutableMapping[str, Any]) -> dict[str, Any]:
        """Without secrets, in JSON values; actors/log/error_record.py says what it has."""
        asked = self._request_redaction(event.pop(CONFIDENTIAL, None))
        known = {
            "at": self._clock(),
            "level": event.pop("level"),
            "event": truncate(
                mask_text(text_of(event.pop("event", "")), self._hide, asked), MAX_MESSAGE
            ),
            "source": _source(event),
            "exception": self._exception(event, asked),
        }
        rest = _mask(asked, clean(Redaction(None, self._hide).params(event), self._hide))
        return {**dict.fromkeys(MEMBERS), **rest, **known}

    def _request_redaction(self, request: Any) -> Redaction:
        if not isinstance(request, SecretParams):
            return NO_REQUEST
        redaction = Redaction(ALL_SECRET if request.schema is None else request.schema, self._hide)
        redaction.params(request.params)
        return redaction

    def _exception(self, event: MutableMapping[str, Any], asked: Redaction) -> Any:
        """As text; nothing of it stays behind."""

        def formatted(exc_info: ExcInfo) -> Any:
            return exception_record(exc_info, self._hide, asked)

        told = ExceptionRenderer(formatted)(None, "", dict(event))
        event.pop("exc_info", None)
        event.pop("exception", None)
        return told["exception"] if isinstance(told, dict) and "exception" in told else None

    # To the ErrorLog

    def _send(self, record: Mapping[str, Any]) -> None:
        error_log = self._error_log
        if error_log is None:
            return
        if not error_log.try_enqueue(ErrorEvent(record)):
            self._lost_at.append(record["at"])
            return
        if self._lost_at:
            error_log.tell(ErrorEvent(self._loss_record()))
        error_log.schedule()

    def _loss_record(self) -> dict[str, Any]:
        """The report of all that found no room; another thread that reports then reports the rest."""
        loss = LossCounter()
        while self._lost_at:
            try:
                loss.add(self._lost_at.popleft())
            except IndexError:
                break
        return loss.record(self._clock(), source="events")


class ToStructlog(logging.Handler):
    """Hands on what libraries tell the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        """Under the logger's name as source."""
        level = max(each for each in LEVELS if each <= max(record.levelno, LEVELS[0]))
        event = structlog.get_logger(source=record.name)
        event.log(level, self.format(record), exc_info=record.exc_info)

    def format(self, record: logging.LogRecord) -> str:
        """The message alone: the exception is told as what it is."""
        return record.getMessage()


def log_to_standard_error() -> Events:
    """Structured lines for the operator, without secrets; the ErrorLog is connected later."""
    events = Events(readable=sys.stderr.isatty())
    structlog.configure(
        processors=events.processors(),
        logger_factory=structlog.WriteLoggerFactory(NonBlockingStderr()),  # type: ignore[arg-type]  # write and flush are all it uses
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[ToStructlog()], level=logging.WARNING)
    return events


def _mask(asked: Redaction, value: Any) -> Any:
    """JSON with nothing secret of a request in it."""
    if isinstance(value, dict):
        return {name: _mask(asked, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_mask(asked, each) for each in value]
    return asked.text(value) if isinstance(value, str) else value


def _source(event: MutableMapping[str, Any]) -> str:
    """An actor, or else the module that logs; of tenants, `tenant` says which one."""
    module = str(event.pop(CallsiteParameter.QUAL_MODULE.value, "")).removeprefix("actors.")
    named = event.pop("source", None)
    source = str(event.pop("actor", None) or named or module)
    return "tenant" if source == f"tenant {event.get('tenant')}" else source


def _for_programs(record: Mapping[str, Any]) -> str:
    """JSON, of what is known."""
    known = {name: value for name, value in record.items() if value is not None}
    return inert(to_json({**known, "at": rfc3339(record["at"])}))


def _for_people() -> Callable[[Mapping[str, Any]], str]:
    renderer = structlog.dev.ConsoleRenderer()

    def render(record: Mapping[str, Any]) -> str:
        shown = {name: value for name, value in record.items() if value is not None}
        shown["timestamp"] = rfc3339(shown.pop("at"))
        if "exception" in shown:
            shown["exception"] = shown["exception"]["stack"]
        return str(renderer(None, "", {name: _inert(value) for name, value in shown.items()}))

    return render


def _inert(value: Any) -> Any:
    """What is shown between the colours."""
    if isinstance(value, str):
        return inert(value)
    return inert(to_json(value)) if isinstance(value, dict | list) else value


def _name(error: BaseException) -> str:
    return type(error).__name__


log = structlog.get_logger()


def log_failure(
    actor: str, tenant: TenantRecord | None, culprit: PoisonMessage | None, error: BaseException
) -> None:
    """`culprit` is the message that was being handled, None where it was none."""
    log.error(
        "actor failed",
        **_owner(actor, tenant),
        culprit=culprit and f"{type(culprit.message).__name__}, death {culprit.failures}",
        exc_info=error,
        confidential=_asked_by(culprit),
    )


def log_give_up(actor: str, tenant: TenantRecord | None, seconds: float) -> None:
    """It is not started for so long; the line says until when, too."""
    until = datetime.fromtimestamp(time.time() + seconds, UTC).isoformat(timespec="seconds")
    log.error("actor given up for a while", **_owner(actor, tenant), seconds=seconds, until=until)


def _owner(actor: str, tenant: TenantRecord | None) -> dict[str, Any]:
    if tenant is None:
        return {"actor": actor}
    return {"actor": actor, "tenant": tenant.name, "tenant_id": tenant.id}


def _asked_by(culprit: PoisonMessage | None) -> SecretParams | None:
    """The request in the message, which the error may quote."""
    message = culprit and culprit.message
    work = message.work if isinstance(message, DeadLetter) else message
    return SecretParams(work.request.params, None) if isinstance(work, TenantRequest) else None

"""Log lines of the gateway and the dashboard, in the form of the server's."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.typing import Processor

from transport.nonblocking_stderr import NonBlockingStderr

PACKAGES = ("transport.", "scripts.")
"""Left out of `source`, which names the module that logs."""


def log_to_standard_error() -> None:
    """Write the program's events, and libraries' records from warnings on.

    On a terminal in a form for people, elsewhere one JSON object a line: `at`, `level`, `event`, `source` and
    the rest. A line that standard error cannot take at once is lost: nothing waits for its reader.
    """
    is_readable = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            CallsiteParameterAdder({CallsiteParameter.QUAL_MODULE}),
            structlog.processors.format_exc_info,
            _in_order,
            _for_people()
            if is_readable
            else structlog.processors.JSONRenderer(separators=(",", ":")),
        ],
        logger_factory=structlog.PrintLoggerFactory(NonBlockingStderr()),  # type: ignore[arg-type]  # write and flush are all it uses
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING)


class _ToStructlog(logging.Handler):
    """Passes the records of libraries, such as uvicorn's, to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log under the logger's name as source."""
        structlog.get_logger(source=record.name).log(
            record.levelno, record.getMessage(), exc_info=record.exc_info
        )


def _in_order(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Return the members in the order of the server's lines."""
    module = str(event.pop(CallsiteParameter.QUAL_MODULE.value, ""))
    for package in PACKAGES:
        module = module.removeprefix(package)
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    known = {"at": at, "level": event.pop("level"), "event": event.pop("event")}
    return {**known, "source": event.pop("source", module), **event}


def _for_people() -> Processor:
    renderer = structlog.dev.ConsoleRenderer()

    def render(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        event["timestamp"] = event.pop("at")
        return str(renderer(logger, method, event))

    return render

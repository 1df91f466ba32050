"""Telemetry: has a span made of each message, once it has been answered.

OpenTelemetry's packages are an optional extra, and nothing is imported from them unless the standard
variables say where spans go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import structlog

from actors.log.messages import TurnLines
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from actors.log.metrics.otel import Spans

log = structlog.get_logger()

MOST_WAITING = 500
"""What the limit of its mailbox should be, in turns: the messages of further ones have no span."""

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

PACKAGES = {
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
}
"""What the extra `telemetry` consists of: what is imported, by what is installed."""


class Telemetry(Actor):
    """Owns the spans that wait to be sent; a thread of the batch sends them."""

    def __init__(
        self, mailbox: Mailbox, make_exporter: Callable[[], SpanExporter] | None = None
    ) -> None:
        """The exporter is OTLP over HTTP by default; each incarnation makes one."""
        super().__init__(mailbox)
        self._make_exporter = make_exporter
        self._spans: Spans | None = None
        self._add_handlers(
            {
                TurnLines: self._make_spans,
            }
        )

    def on_start(self) -> None:
        """Import the packages, some 200 ms, and begin."""
        from actors.log.metrics.otel import Spans, otlp

        self._spans = Spans((self._make_exporter or otlp)())

    def on_stop(self) -> None:
        """Hand over what is left, which takes a while if no collector takes it."""
        if self._spans is not None:
            self._spans.close()

    def on_failure(self, *_: Any) -> None:
        """As when it stops."""
        self.on_stop()

    def _make_spans(self, message: TurnLines) -> None:
        assert self._spans is not None  # on_start has been there
        self._spans.make(message)


def is_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether spans go anywhere; where they cannot for want of the packages, the log says so."""
    if not any(environment.get(name) for name in ENDPOINTS) or _is_off(environment):
        return False
    missing = [package for module, package in PACKAGES.items() if not _is_installed(module)]
    if missing:
        log.warning(
            "no spans are sent, for want of packages: install them, or unset OTEL_EXPORTER_OTLP_ENDPOINT",
            install=f".venv/bin/pip install {' '.join(missing)}",
        )
    return not missing


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # where it would be is not there either
        return False


def _is_off(environment: Mapping[str, str]) -> bool:
    is_disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return is_disabled or environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"

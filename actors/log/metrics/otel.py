"""OpenTelemetry spans, made of log lines. Imports the optional extra: only telemetry.py imports this."""

from __future__ import annotations

import threading

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from actors.log.messages import OK, Line, TurnLines
from actors.log.metrics.figures import UNKNOWN
from actors.messages import TenantRecord
from transport.message import DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, UNIMPLEMENTED

FAULTS = frozenset({INTERNAL, UNAVAILABLE, DEADLINE_EXCEEDED, UNIMPLEMENTED})
"""Outcomes that are the server's fault, as OpenTelemetry's conventions for gRPC servers have it."""

FLUSH_SECONDS = 3.0
"""What a collector has to take the last spans; after that they are gone."""

ROOT_CONTEXT = Context()
"""What a message's span is a part of that came without a traceparent."""


class TraceIdGenerator(RandomIdGenerator):
    """Gives a message without a parent the trace id that its log line and its reply have."""

    def __init__(self) -> None:
        self.trace_id = 0
        """Of the next span that has no parent."""

    def generate_trace_id(self) -> int:
        """The one that was set; zero is none."""
        return self.trace_id or super().generate_trace_id()


class Spans:
    """Makes spans and hands them to an exporter in batches, as the OTEL_* variables say."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._ids = TraceIdGenerator()
        self._provider = TracerProvider(
            resource=_resource(), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("tenantry")
        self._propagator = TraceContextTextMapPropagator()

    def make(self, turn: TurnLines) -> None:
        """One for each line; one that stands for many messages has no trace id, and no span."""
        for line in turn.lines:
            if line.trace_id:
                self._make(turn.tenant, line)

    def close(self) -> None:
        """Hand over what is left, for FLUSH_SECONDS at most."""
        # A thread of its own, as the batch waits for its exporter, and that for the network, up to 30 s.
        last = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        last.start()
        last.join(FLUSH_SECONDS)

    def _make(self, tenant: TenantRecord, line: Line) -> None:
        self._ids.trace_id = int(line.trace_id, 16)
        ended = int(line.at * 1e9)
        action = UNKNOWN if line.schema is None else line.action
        span = self._tracer.start_span(
            action,
            context=self._parent(line),
            kind=SpanKind.SERVER,
            attributes=_attributes(tenant, action, line),
            start_time=ended - int((line.queued_ms + line.handled_ms) * 1e6),
        )
        if line.outcome in FAULTS:
            span.set_status(Status(StatusCode.ERROR, line.outcome))
        span.end(ended)

    def _parent(self, line: Line) -> Context:
        if line.traceparent is None:
            return ROOT_CONTEXT
        return self._propagator.extract({"traceparent": line.traceparent}, context=ROOT_CONTEXT)


def otlp() -> SpanExporter:
    """Speaks OTLP over HTTP to where OTEL_EXPORTER_OTLP_* variables say."""
    return OTLPSpanExporter()


def _resource() -> Resource:
    """The variables' OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before our own name."""
    named = Resource({SERVICE_NAME: "tenantry"}).merge(OTELResourceDetector().detect())
    return Resource.create(named.attributes)


def _attributes(tenant: TenantRecord, action: str, line: Line) -> dict[str, AttributeValue]:
    """What a span says; nothing of what the message or its reply contained."""
    said: dict[str, AttributeValue] = {
        "tenantry.tenant": tenant.name,
        "tenantry.tenant_id": tenant.id,
        "tenantry.action": action,
        "tenantry.outcome": line.outcome,
        "tenantry.source": line.source,
        "tenantry.replayed": line.replayed,
        "tenantry.queued_ms": line.queued_ms,
        "tenantry.handled_ms": line.handled_ms,
        "tenantry.reply_bytes": line.reply_bytes,
    }
    if line.version is not None:
        said["tenantry.version"] = line.version
    if line.outcome != OK:
        said["error.type"] = line.outcome
    return said

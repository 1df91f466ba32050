"""Spans: one for each message, a part of its caller's trace, saying nothing of what was in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import structlog

pytest.importorskip("opentelemetry.sdk", reason="the extra 'telemetry' is not installed")

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from actors.log.messages import TurnLines
from actors.log.metrics import telemetry
from actors.log.metrics.figures import UNKNOWN
from actors.log.metrics.telemetry import Telemetry, is_wanted
from actors.runtime.actor import stop
from tests.actors.log.turns import NOON, line, tenant, turn
from tests.actors.mailbox_harness import WAIT, MailboxHarness
from tests.collector import Collector

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def spans_of(harness: MailboxHarness, *turns: TurnLines) -> list[ReadableSpan]:
    """What an exporter has been given once Telemetry has stopped."""
    exporter = InMemorySpanExporter()
    mailbox = harness.mailbox("telemetry")
    Telemetry.start(mailbox, lambda: exporter)
    for each in turns:
        mailbox.tell(each)
    stop(mailbox, WAIT)
    return list(exporter.get_finished_spans())


def test_a_message_has_a_span_from_its_reading_to_its_answer(harness: MailboxHarness) -> None:
    """Server kind, named by the action, with what the log line says of how it went."""
    (span,) = spans_of(harness, turn(tenant(3), queued_ms=250.0, handled_ms=500.0))

    assert (span.name, span.kind) == ("contacts.add", SpanKind.SERVER)
    assert span.start_time == int(NOON) * 10**9 - 750 * 10**6
    assert span.end_time == int(NOON) * 10**9
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "tenantry.tenant": "tenant-3",
        "tenantry.tenant_id": tenant(3).id,
        "tenantry.action": "contacts.add",
        "tenantry.version": 2,
        "tenantry.outcome": "ok",
        "tenantry.source": "tenant",
        "tenantry.replayed": False,
        "tenantry.queued_ms": 250.0,
        "tenantry.handled_ms": 500.0,
        "tenantry.reply_bytes": 100,
    }


def test_a_caller_with_a_trace_is_the_parent(harness: MailboxHarness) -> None:
    """So that its spans and ours are one story."""
    (span,) = spans_of(harness, turn(trace_id=TRACE, traceparent=f"00-{TRACE}-{PARENT}-01"))

    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.parent.is_remote


def test_without_one_the_trace_is_that_of_the_log_line(harness: MailboxHarness) -> None:
    """The trace id in a reply finds the log line and the span alike."""
    traces = [f"{number:032x}" for number in (1, 2**127, 77)]
    spans = spans_of(harness, *(turn(trace_id=trace) for trace in traces))

    assert [f"{span.context.trace_id:032x}" for span in spans if span.context] == traces
    assert [span.parent for span in spans] == [None, None, None]
    assert len({span.context.span_id for span in spans if span.context}) == 3


def test_a_caller_who_does_not_sample_has_no_span(harness: MailboxHarness) -> None:
    """The flag of its traceparent says so, unless OTEL_TRACES_SAMPLER has it otherwise."""
    unsampled = turn(trace_id=TRACE, traceparent=f"00-{TRACE}-{PARENT}-00")
    assert spans_of(harness, unsampled) == []


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("not_found", StatusCode.UNSET),
        ("permission_denied", StatusCode.UNSET),
        ("internal", StatusCode.ERROR),
        ("unavailable", StatusCode.ERROR),
        ("deadline_exceeded", StatusCode.ERROR),
    ],
)
def test_what_is_the_servers_fault_is_an_error(
    harness: MailboxHarness, outcome: str, status: StatusCode
) -> None:
    """A caller's mistake is none, as with gRPC's servers; both say what it was."""
    (span,) = spans_of(harness, turn(outcome=outcome, message="a secret"))
    assert span.status.status_code is status
    assert (span.attributes or {})["error.type"] == outcome


def test_nothing_of_what_a_message_said_is_in_its_span(harness: MailboxHarness) -> None:
    """Spans go to another machine: params, refusals' wording and made-up names stay here."""
    told = line(
        action="tnt_secret", schema=None, params={"x": "tnt_secret"}, message="no action tnt_secret"
    )
    (span,) = spans_of(harness, TurnLines(tenant(), (told,)))
    assert span.name == UNKNOWN
    assert "tnt_secret" not in span.to_json()


def test_a_line_about_many_messages_has_none(harness: MailboxHarness) -> None:
    """It has no trace id."""
    assert len(spans_of(harness, turn(trace_id=""), turn())) == 1


def test_another_message_is_a_defect_of_its_sender(harness: MailboxHarness) -> None:
    """Which ends this incarnation, not the spans it has made."""
    exporter = InMemorySpanExporter()
    mailbox = harness.mailbox("telemetry")
    Telemetry.start(mailbox, lambda: exporter)
    mailbox.tell(turn())
    mailbox.tell("what is this")
    assert "no handler for str" in str(harness.watch.hear().error)
    assert len(exporter.get_finished_spans()) == 1


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (COLLECTOR, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({**COLLECTOR, "OTEL_SDK_DISABLED": "true"}, False),
        ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_the_standard_variables_say_whether_spans_go_anywhere(
    environment: dict[str, str], wanted: bool
) -> None:
    """Nothing is sent by default."""
    assert is_wanted(environment) is wanted


def test_without_the_packages_nothing_is_sent_and_the_server_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The extra is optional; the log says what to install."""
    monkeypatch.setattr(
        telemetry, "PACKAGES", {"opentelemetry.sdk": "one", "no_such.package.here": "another"}
    )
    with structlog.testing.capture_logs() as said:
        assert not is_wanted(COLLECTOR)
    assert said[0]["install"] == ".venv/bin/pip install another"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One to which the variables point."""
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.endpoint)
    yield made
    made.close()


@pytest.mark.parametrize("name", ["tenantry", "shop"])
def test_a_collector_is_sent_what_there_is_by_the_time_of_the_stop(
    harness: MailboxHarness, collector: Collector, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Over OTLP, under our name or the one that OTEL_SERVICE_NAME gives."""
    if name != "tenantry":
        monkeypatch.setenv("OTEL_SERVICE_NAME", name)
    mailbox = harness.mailbox("telemetry")
    Telemetry.start(mailbox)
    mailbox.tell(turn(count=2))
    stop(mailbox, WAIT)

    path, request = collector.next()
    (resource,) = request.resource_spans
    attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert path == "/v1/traces"
    assert attributes["service.name"] == name
    assert [span.name for span in resource.scope_spans[0].spans] == ["contacts.add"] * 2


def test_a_collector_that_is_not_there_does_not_keep_the_server_from_stopping(
    harness: MailboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has not taken by then is gone."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    monkeypatch.setattr("actors.log.metrics.otel.FLUSH_SECONDS", 0.1)
    mailbox = harness.mailbox("telemetry")
    Telemetry.start(mailbox)
    mailbox.tell(turn())
    stop(mailbox, 5.0)
    for thread in threading.enumerate():  # what still tries draws random numbers beside other tests
        if thread.name == "spans":
            thread.join(WAIT)

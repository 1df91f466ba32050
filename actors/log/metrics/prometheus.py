"""Prometheus: the figures as text, on a port of this machine for those who may log in to it.

No tenant is named: a label with a value for each tenant would make as many time series of each figure, which
monitoring systems are not made for. `stats.tenants` has them.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIServer

import pykka
import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from actors.errors import SettingsError
from actors.log.metrics.histogram import Histogram
from actors.log.metrics.stats import AskSnapshot, SeriesSnapshot, Snapshot
from actors.runtime.actor import ask
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

LOOPBACK = "127.0.0.1"

ASK_SECONDS = 5.0
"""How long a reader waits for Stats before he is told that there are no figures."""

BY_ACTION = ("action", "outcome")


class MetricsServer:
    """Answers on a thread of its own for each reader, until it is closed."""

    def __init__(self, port: int, stats: Mailbox) -> None:
        """Listens from now on; port 0 takes a free one. SettingsError where the port cannot be had."""
        registry = CollectorRegistry()
        registry.register(StatsCollector(stats))
        ProcessCollector(registry=registry)
        self._server, self._thread = _served(port, registry)
        self.port = self._server.server_port

    def close(self) -> None:
        """Stop listening. Who is being answered is answered."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _served(port: int, registry: CollectorRegistry) -> tuple[WSGIServer, threading.Thread]:
    try:
        return start_http_server(port, addr=LOOPBACK, registry=registry)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(
            f"Prometheus cannot be served on {LOOPBACK}:{port} ({reason}): TENANTRY_METRICS_PORT "
            "(--metrics-port) takes another port; without it nothing is served"
        ) from error


class StatsCollector(Collector):
    """Asks Stats at each read: what is not read costs nothing."""

    def __init__(self, stats: Mailbox) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Each figure with all its labels; where Stats does not answer, only that it does not."""
        snapshot = self._ask()
        yield GaugeMetricFamily(
            "tenantry_stats_up", "1 where the figures are there.", int(snapshot is not None)
        )
        if snapshot is not None:
            yield from _of_messages(snapshot.series)
            yield from _of_server(snapshot)

    def _ask(self) -> Snapshot | None:
        try:
            found: Snapshot = ask(self._stats, AskSnapshot(), ASK_SECONDS)
        except (pykka.Timeout, pykka.ActorDeadError) as error:
            log.warning("no figures for Prometheus: Stats does not answer", error=repr(error))
            return None
        return found


def _of_messages(all_series: tuple[SeriesSnapshot, ...]) -> Iterator[Metric]:
    requests = CounterMetricFamily("tenantry_requests", "Messages answered.", labels=BY_ACTION)
    replayed = CounterMetricFamily(
        "tenantry_replayed", "Messages answered with a reply that was kept.", labels=BY_ACTION
    )
    sent = CounterMetricFamily("tenantry_reply_bytes", "Bytes of replies.", labels=BY_ACTION)
    handled = HistogramMetricFamily(
        "tenantry_request_seconds", "From beginning to the packed reply.", labels=BY_ACTION
    )
    queued = HistogramMetricFamily(
        "tenantry_queue_seconds", "From reading the frame to beginning.", labels=BY_ACTION
    )
    for series in all_series:
        labels = (series.action, series.outcome)
        requests.add_metric(labels, series.requests)
        replayed.add_metric(labels, series.replayed)
        sent.add_metric(labels, series.reply_bytes)
        handled.add_metric(labels, _buckets(series.handled), series.handled.total_ms / 1000)
        queued.add_metric(labels, _buckets(series.queued), series.queued.total_ms / 1000)
    return iter((requests, replayed, sent, handled, queued))


def _of_server(snapshot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "tenantry_tenants_seen", "Tenants that have asked for something.", snapshot.tenants
    )
    events = CounterMetricFamily("tenantry_events", "What no message tells.", labels=("event",))
    for name, count in snapshot.events.items():
        events.add_metric((name,), count)
    yield events
    waiting = GaugeMetricFamily(
        "tenantry_mailbox_messages", "Messages that wait for an actor.", labels=("actor",)
    )
    for name, count in snapshot.waiting.items():
        waiting.add_metric((name,), count)
    yield waiting


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    return [
        ("+Inf" if math.isinf(bound) else str(bound), count) for bound, count in histogram.coarse()
    ]

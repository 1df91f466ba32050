"""Prometheus reads the figures over HTTP, from this machine."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from urllib.error import URLError

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.errors import SettingsError
from actors.log.messages import Count
from actors.log.metrics.prometheus import MetricsServer
from actors.log.metrics.stats import Stats
from actors.runtime.actor import stop
from actors.runtime.mailbox import Mailbox
from tests.actors.log.turns import tenant, turn
from tests.actors.mailbox_harness import WAIT, MailboxHarness

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Threads for Stats."""
    made = MailboxHarness()
    yield made
    made.empty()


def start(harness: MailboxHarness, *watched: Mailbox) -> Mailbox:
    """A running Stats."""
    mailbox = harness.mailbox("stats")
    Stats.start(mailbox, watched=watched)
    return mailbox


def page(port: int) -> str:
    """What a reader gets."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return str(answer.read().decode())


def samples(port: int) -> Samples:
    """Every sample as Prometheus's own parser reads it."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page(port))
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    """One sample."""
    return found[name, frozenset(labels.items())]


def test_the_figures_are_there_by_action_and_outcome(harness: MailboxHarness) -> None:
    """Counters, histograms in seconds, gauges; and the process's own."""
    stats = start(harness, Mailbox("router", lambda _: None))
    for handled in (0.05, 0.9, 400.0):
        stats.tell(turn(handled_ms=handled, queued_ms=2.0))
    stats.tell(turn(tenant(1), action="contacts.find", outcome="internal", reply_bytes=7))
    stats.tell(Count("log.lost", 9))

    with closing(MetricsServer(0, stats)) as server:
        found = samples(server.port)

    added = {"action": "contacts.add", "outcome": "ok"}
    failed = {"action": "contacts.find", "outcome": "internal"}
    assert value(found, "tenantry_stats_up") == 1
    assert value(found, "tenantry_requests_total", **added) == 3
    assert value(found, "tenantry_requests_total", **failed) == 1
    assert value(found, "tenantry_reply_bytes_total", **failed) == 7
    assert value(found, "tenantry_replayed_total", **failed) == 0
    for bound, count in {"0.0001": 1, "0.001": 2, "0.22": 2, "0.47": 3, "+Inf": 3}.items():
        assert value(found, "tenantry_request_seconds_bucket", le=bound, **added) == count
    assert value(found, "tenantry_request_seconds_count", **added) == 3
    assert value(found, "tenantry_request_seconds_sum", **added) == pytest.approx(0.40095)
    assert value(found, "tenantry_queue_seconds_sum", **added) == pytest.approx(0.006)
    assert value(found, "tenantry_events_total", event="log.lost") == 9
    assert value(found, "tenantry_mailbox_messages", actor="router") == 0
    assert value(found, "tenantry_tenants_seen") == 2
    assert value(found, "process_resident_memory_bytes") > 0


def test_no_tenant_is_named(harness: MailboxHarness) -> None:
    """A label for each would make as many time series of every figure."""
    stats = start(harness)
    stats.tell(turn(tenant(77)))
    with closing(MetricsServer(0, stats)) as server:
        text = page(server.port)
    assert "contacts.add" in text
    assert tenant(77).name not in text
    assert tenant(77).id not in text


def test_a_reader_gets_what_was_counted_by_then(harness: MailboxHarness) -> None:
    """Each time anew."""
    stats = start(harness)
    with closing(MetricsServer(0, stats)) as server:
        seen = []
        for _ in range(3):
            stats.tell(turn())
            labels = {"action": "contacts.add", "outcome": "ok"}
            seen.append(value(samples(server.port), "tenantry_requests_total", **labels))
    assert seen == [1, 2, 3]


def test_servers_in_one_process_do_not_mix_their_figures(harness: MailboxHarness) -> None:
    """Nothing is registered for the process as a whole."""
    one, other = start(harness), start(harness)
    one.tell(turn(action="one.action"))
    other.tell(turn(action="other.action"))
    with closing(MetricsServer(0, one)) as first, closing(MetricsServer(0, other)) as second:
        assert "one.action" in page(first.port)
        assert "other.action" not in page(first.port)
        assert "other.action" in page(second.port)
        assert "one.action" not in page(second.port)


def test_only_this_machine_reaches_it(harness: MailboxHarness) -> None:
    """Anyone who listens on every address answers on this one, too."""
    with closing(MetricsServer(0, start(harness))) as server, socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", server.port)) != 0


def test_a_port_in_use_is_refused_with_what_to_do(harness: MailboxHarness) -> None:
    """As every other setting that cannot be."""
    stats = start(harness)
    with (
        closing(MetricsServer(0, stats)) as server,
        pytest.raises(SettingsError, match=r"in use.*TENANTRY_METRICS_PORT") as refused,
    ):
        MetricsServer(server.port, stats)
    assert f"127.0.0.1:{server.port}" in str(refused.value)


def test_where_stats_has_gone_the_page_says_so(harness: MailboxHarness) -> None:
    """Rather than nothing at all, or figures of before."""
    stats = harness.mailbox("stats", supervised=False)
    Stats.start(stats)
    stats.tell(turn())
    stop(stats, WAIT)
    with closing(MetricsServer(0, stats)) as server:
        found = samples(server.port)
    assert value(found, "tenantry_stats_up") == 0
    assert not any(name.startswith("tenantry_requests") for name, _ in found)


def test_closed_it_answers_no_caller_and_leaves_the_port(harness: MailboxHarness) -> None:
    """A server that is started again takes it."""
    stats = start(harness)
    server = MetricsServer(0, stats)
    server.close()
    with pytest.raises(URLError):
        page(server.port)
    with closing(MetricsServer(server.port, stats)) as again:
        assert value(samples(again.port), "tenantry_stats_up") == 1

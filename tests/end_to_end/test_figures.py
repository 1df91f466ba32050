"""Figures of a running server: each owner's own, all for developers, and for Prometheus."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.access import ADMIN_OWNER, DEVELOPER, MEMBER
from actors.errors import SettingsError
from tests.actors.callers import Being, Caller, MovableClock, Stage
from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Map, RawClient

ADDED, FOUND = 3, 2
"""Messages that acme has had answered before a test."""


@pytest.fixture
def port() -> int:
    """One that is not used."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class FiguresStage(Stage):
    """A stage on which both tenants have asked for something, and who may see how much."""

    def __init__(self, server: Server, clock: MovableClock) -> None:
        super().__init__(server, clock)
        self.owner = self.make(Being(ADMIN_OWNER))
        self.member = self.make(Being(MEMBER))
        self.developer = self.make(Being(DEVELOPER))
        for number in range(ADDED):
            self.data("acme", "contacts.add", name=f"Ada {number}")
        for _ in range(FOUND):
            self.data("acme", "contacts.find", text="Ada")
        self.data("globex", "contacts.get", id=-1)
        self.data("globex", "made.up")

    def data(self, tenant: str, action: str, **params: object) -> Map:
        """One message of a member."""
        token = self.server.tokens[tenant]
        return self.call("data", token, tenant, action, params)

    def stats(self, caller: Caller, tenant: str | None, action: str, **params: object) -> Map:
        """The caller's reply."""
        return self.call("admin", caller.text, tenant, f"stats.{action}", params)

    def settled(self, caller: Caller, tenant: str | None, requests: int) -> Map:
        """Those figures once so many messages are in them: they come after the replies."""
        seen: list[Map] = []

        def is_there() -> bool:
            seen.append(self.stats(caller, tenant, "show")["result"]["figures"])
            return bool(seen[-1]["requests"] >= requests)

        until(is_there, "the figures")
        return seen[-1]


@pytest.fixture
def stage(tmp_path: Path, port: int) -> Iterator[FiguresStage]:
    """With a port for Prometheus."""
    clock = MovableClock()
    server = Server(tmp_path / "data", clock=clock, metrics_port=port)
    made = FiguresStage(server, clock)
    yield made
    made.close()
    server.stop()


def test_an_owner_sees_how_his_tenant_fares_and_nobody_elses(stage: FiguresStage) -> None:
    """As do those of the platform, by tenant and all together."""
    own = stage.settled(stage.owner, "acme", ADDED + FOUND)
    assert (own["requests"], own["errors"]) == (ADDED + FOUND, 0)
    assert own["handled_ms"]["p50"] > 0.0
    assert own["per_second"]["minute"] > 0.0

    assert stage.settled(stage.developer, "acme", ADDED + FOUND)["requests"] == ADDED + FOUND
    everything = stage.settled(stage.developer, None, ADDED + FOUND + 2)
    assert everything["requests"] == ADDED + FOUND + 2
    assert everything["errors"] == 2

    assert stage.stats(stage.owner, "globex", "show")["error"]["code"] == "unauthenticated"
    assert stage.stats(stage.owner, None, "show")["error"]["code"] == "invalid_argument"
    assert stage.stats(stage.owner, "acme", "tenants")["error"]["code"] == "permission_denied"
    assert stage.stats(stage.member, "acme", "show")["error"]["code"] == "permission_denied"


def test_actions_and_tenants_are_told_apart(stage: FiguresStage) -> None:
    """A name that a caller made up is none."""
    stage.settled(stage.developer, None, ADDED + FOUND + 2)

    listed = stage.stats(stage.owner, "acme", "actions")["result"]["actions"]
    assert [(each["action"], each["figures"]["requests"]) for each in listed] == [
        ("contacts.add", ADDED),
        ("contacts.find", FOUND),
    ]
    listed = stage.stats(stage.developer, None, "actions")["result"]["actions"]
    assert {each["action"] for each in listed} == {
        "contacts.add",
        "contacts.find",
        "contacts.get",
        "(unknown)",
    }
    listed = stage.stats(stage.developer, None, "tenants")["result"]["tenants"]
    assert [(each["tenant"], each["figures"]["requests"]) for each in listed] == [
        ("acme", ADDED + FOUND),
        ("globex", 2),
    ]


def test_prometheus_reads_them_on_the_port_of_the_setting(stage: FiguresStage, port: int) -> None:
    """The same figures, without the tenants'."""
    stage.settled(stage.developer, None, ADDED + FOUND + 2)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {
        (sample.labels["action"], sample.labels["outcome"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "tenantry_requests_total"
    }
    assert found["contacts.add", "ok"] == ADDED
    assert found["contacts.find", "ok"] == FOUND
    assert found["contacts.get", "invalid_argument"] == 1
    assert "acme" not in text


def test_a_port_in_use_keeps_the_server_from_starting_and_leaves_nothing_behind(
    tmp_path: Path, port: int
) -> None:
    """The message says what to do; then it starts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(SettingsError, match="TENANTRY_METRICS_PORT"):
            Server(tmp_path / "data", metrics_port=port)
    Server(tmp_path / "data", metrics_port=port).stop()


def test_without_the_setting_no_server_listens(tmp_path: Path, port: int) -> None:
    """As it is by default; the figures are there on the admin channel."""
    server = Server(tmp_path / "data")
    try:
        with server.client() as client:
            client.call("contacts.add", {"name": "Ada"})
        until(
            lambda: server.system.local.ask("stats.show")["figures"]["requests"] == 1, "the figures"
        )
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    finally:
        server.stop()


def test_a_caller_finds_the_servers_span_in_his_own_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joined by the traceparent of the request, if the standard variable names a collector."""
    pytest.importorskip("opentelemetry.sdk", reason="the extra 'telemetry' is not installed")
    from tests.collector import Collector

    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with closing(Collector()) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        server = Server(tmp_path / "data")
        with RawClient(server.endpoint) as raw_client:
            raw_client.ask(
                tenant="acme",
                token=server.tokens["acme"],
                action="contacts.find",
                params={},
                traceparent=f"00-{trace}-{parent}-01",
            )
        server.stop()
        _, request = collector.next()

    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert span.name == "contacts.find"
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, parent)
    assert span.end_time_unix_nano > span.start_time_unix_nano

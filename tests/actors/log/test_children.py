"""A server's logs: what is answered stands in the file of its day, and no log's trouble is the server's."""

from __future__ import annotations

import json
import socket as sockets
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from actors.assembly.system import System
from actors.errors import SettingsError
from actors.log.daily.rotation import days, open_day
from actors.log.daily.tenant_log import TenantLog
from actors.settings import Settings
from tests.actors.router_harness import Wall
from tests.actors.servers import INDEX, Servers, request
from tests.child import Child
from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Map, RawClient

VIENNA = ZoneInfo("Europe/Vienna")
"""Goes back to winter time on 2026-10-25."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Servers]:
    """Makes servers, and stops the last at the end of the test."""
    servers = Servers(tmp_path / "data")
    yield servers
    servers.stop()


def folder(server: Server, tenant: str) -> Path:
    """Where a tenant's log is."""
    record = server.system.local.find_tenant(tenant)
    assert record is not None
    return server.system.settings.data / "logs" / "tenants" / record.id


def lines_of(directory: Path) -> list[Map]:
    """All that a log says, the oldest day first."""
    return [line for day in by_day(directory).values() for line in day]


def by_day(directory: Path) -> dict[str, list[Map]]:
    """What each file of a log says, by its day."""
    found = {}
    for day in days(directory):
        with open_day(day.path) as file:
            found[day.name] = [json.loads(line) for line in file]
    return found


def free_port() -> int:
    """One that no server listens on."""
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


# ---------------------------------------------------------------- what is told


def test_all_that_was_answered_is_written_before_the_server_has_stopped(serve: Servers) -> None:
    """Of each tenant in its own place, no matter who refused or answered it."""
    server = serve()
    told: dict[str, list[str]] = {}
    with RawClient(server.endpoint) as raw_client:
        for tenant in ("acme", "globex"):
            sent = [
                raw_client.post(**request(server, tenant, action, text=tenant))
                for action in ("marks.add", "marks.count", "no.such_action") * 50
            ]
            replies = raw_client.replies(len(sent))
            told[tenant] = [replies[id_]["meta"]["trace_id"] for id_ in sent]
    places = {tenant: folder(server, tenant) for tenant in told}
    serve.stop()
    for tenant, place in places.items():
        found = lines_of(place)
        assert sorted(line["trace_id"] for line in found) == sorted(told[tenant])
        assert {line["tenant"] for line in found} == {tenant}
        assert Counter((line["source"], line["outcome"]) for line in found) == {
            ("tenant", "ok"): 100,
            ("router", "not_found"): 50,
        }


def test_what_goes_wrong_stands_in_the_log_of_errors(tmp_path: Path) -> None:
    """Under the trace id that the caller was given, from start to stop."""
    data = tmp_path / "data"
    with Child("--tenant", "acme", data=data, registry=INDEX) as child:
        with RawClient(child.ready()) as raw_client:
            token = child.said[0].split()[-1]
            reply = raw_client.ask(
                tenant="acme", token=token, action="trouble.make", params={"kind": "fail"}
            )
        assert child.stop() == 0
    (found,) = (
        line for line in lines_of(data / "logs" / "errors") if line["event"] == "function failed"
    )
    assert found["trace_id"] == reply["meta"]["trace_id"]
    assert (found["tenant"], found["action"]) == ("acme", "trouble.make")
    assert found["exception"]["type"] == "RuntimeError"


def test_without_tenants_logs_nothing_is_written_of_their_messages(serve: Servers) -> None:
    """Nor counted, where no one reads the figures."""
    server = serve(log_tenants=False)
    with RawClient(server.endpoint) as raw_client:
        assert raw_client.ask(**request(server, "acme", "marks.count"))["ok"]
        assert not raw_client.ask(**request(server, "acme", "no.such_action"))["ok"]
        assert folder(server, "acme").parent.parent.name == "logs"
    serve.stop()
    assert not list((serve.data / "logs").rglob("*.jsonl*"))


@pytest.mark.parametrize("log_tenants", [True, False])
def test_prometheus_counts_what_is_answered(serve: Servers, log_tenants: bool) -> None:
    """Whether or not it is logged as well."""
    port = free_port()
    server = serve(log_tenants=log_tenants, metrics_port=port)
    counted = 'tenantry_requests_total{action="marks.count",outcome="ok"} 3.0'
    with RawClient(server.endpoint) as raw_client:
        for _ in range(3):
            assert raw_client.ask(**request(server, "acme", "marks.count"))["ok"]
    until(lambda: counted in metrics(port), "three requests in the figures")
    serve.stop()
    with pytest.raises(OSError, match="refused"):
        metrics(port)


def metrics(port: int) -> str:
    """What Prometheus is told."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


# ---------------------------------------------------------------- days


def test_ten_days_of_two_tenants_are_a_week_of_whole_files(
    serve: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the end of summer time, a restart, a clock that goes back, and one that leaps forward.

    Each line is in the file of the day that it is answered on, once; days that are over are compressed, also
    where nothing is logged any more; and of those there are seven.
    """
    monkeypatch.setattr("actors.log.children.MIDNIGHT_SECONDS", 0.02)
    wall = Wall()
    expected: dict[str, dict[str, list[str]]] = {"acme": {}, "globex": {}}
    start = datetime(2026, 10, 20, tzinfo=VIENNA)

    def server() -> Server:
        return serve(clock=wall, log_time_zone="Europe/Vienna", log_days=7)

    def messages(running: Server, when: datetime) -> None:
        wall.time = when.timestamp()
        with RawClient(running.endpoint) as raw_client:
            for tenant, told in expected.items():
                sent = [
                    raw_client.post(**request(running, tenant, "marks.count")) for _ in range(3)
                ]
                traces = [each["meta"]["trace_id"] for each in raw_client.replies(3).values()]
                assert len(sent) == len(traces)
                told.setdefault(when.date().isoformat(), []).extend(traces)

    wall.time = start.timestamp()
    running = server()
    for number in range(10):
        day = start + timedelta(days=number)
        if number == 4:
            running = server()
        for hour, minute in ((0, 0), (2, 30), (12, 0), (23, 59)):
            messages(running, day.replace(hour=hour, minute=minute))
        if number == 6:
            messages(running, day - timedelta(days=2))
    last = start + timedelta(days=11)
    wall.time = last.timestamp()
    messages(running, last)
    kept = {(last.date() - timedelta(days=each)).isoformat() for each in range(8)}
    for tenant, told in expected.items():
        place = folder(running, tenant)
        names = {
            f"{day}.jsonl" + (".zst" if day != last.date().isoformat() else "")
            for day in told
            if day in kept
        }
        until(lambda at=place, of=names: names_in(at) == of, f"a week of files of {tenant}")  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
        found = by_day(place)
        assert {day: sorted(traces) for day, traces in told.items() if day in kept} == {
            day: sorted(line["trace_id"] for line in lines) for day, lines in found.items()
        }
        for name, lines in found.items():
            assert {line["at"][:10] for line in lines} == {name}


def names_in(directory: Path) -> set[str]:
    """Of all files there."""
    return {path.name for path in directory.iterdir()}


# ---------------------------------------------------------------- trouble


def test_a_server_whose_logs_cannot_be_written_serves(tmp_path: Path) -> None:
    """A file is in the place of the directory; it is said on standard error."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "logs").write_text("in the way")
    with Child("--tenant", "acme", data=data, registry=INDEX) as child:
        with RawClient(child.ready()) as raw_client:
            token = child.said[0].split()[-1]
            for _ in range(3):
                assert raw_client.ask(tenant="acme", token=token, action="marks.count")["ok"]
        assert child.stop() == 0
        assert "cannot be written" in child.log()


def test_a_log_that_keeps_failing_costs_nobody_an_answer(
    serve: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up for a while; then what it was told meanwhile is written."""
    monkeypatch.setattr("actors.supervision.restarting.MAX_BACKOFF", 0.2)
    failures = Counter({"left": 8})
    begin = TenantLog.on_start

    def fail(self: TenantLog) -> None:
        failures["left"] -= 1
        if failures["left"] > 0:
            raise RuntimeError("no log today")
        begin(self)

    monkeypatch.setattr(TenantLog, "on_start", fail)
    with capture_logs():
        server = serve()
        with RawClient(server.endpoint) as raw_client:
            for _ in range(20):
                assert raw_client.ask(**request(server, "acme", "marks.count"))["ok"]
        place = folder(server, "acme")
        until(lambda: len(lines_of(place)) == 20, "what was told meanwhile")


def test_a_time_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    """By name, before anything is started."""
    for name in ("Europe/Wien", "Europe", "../etc/passwd", ""):
        given: dict[str, Any] = {"data": tmp_path / "data", "memory_bytes": 0, "registry": INDEX}
        with pytest.raises(SettingsError, match="TENANTRY_LOG_TIME_ZONE"):
            System(Settings(log_time_zone=name, **given))


def test_a_taken_port_for_figures_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The server does not start half."""
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        system = System(
            Settings(
                data=tmp_path,
                endpoint="tcp://127.0.0.1:*",
                memory_bytes=0,
                registry=INDEX,
                metrics_port=taken.getsockname()[1],
            )
        )
        with pytest.raises(SettingsError, match="TENANTRY_METRICS_PORT"):
            system.start()
    Server(tmp_path, registry=INDEX).stop()

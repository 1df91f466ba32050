"""`serve --demo`: tenants with data, lines to paste, and a file with tokens for the server's user alone."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq.auth

from actors import demo as showcase
from actors.assembly.system import System
from actors.errors import SettingsError
from actors.settings import Settings
from tests.actors.servers import INDEX
from tests.raw_client import Map
from transport.client import Client


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A system without tenants, of the repository's own index."""
    running = System(Settings(data=tmp_path, endpoint="tcp://127.0.0.1:*", memory_bytes=0))
    running.start()
    yield running
    running.stop()


def written(data: Path) -> Map:
    """What stands in demo.json."""
    content: Map = json.loads((data / "demo.json").read_text())
    return content


def counts(demo: Map, tenant: str) -> tuple[int, int]:
    """How many contacts and tickets the tenant has, on the first page."""
    with Client(demo["endpoint"], tenant=tenant, token=demo["tokens"][tenant]) as client:
        contacts = client.call("contacts.find", {"limit": 100})["contacts"]
        return len(contacts), len(client.call("tickets.list", {"limit": 100})["tickets"])


def test_the_demo_has_two_tenants_with_data_and_says_how_to_call_them(
    system: System, tmp_path: Path
) -> None:
    """Every line that begins with scripts/call can be pasted."""
    lines = list(showcase.prepare_demo(system, tmp_path))
    demo = written(tmp_path)
    assert demo["endpoint"] == system.endpoint
    assert sorted(demo["tokens"]) == ["acme", "globex"]
    for tenant in demo["tokens"]:
        contacts, tickets = counts(demo, tenant)
        assert contacts == 30
        assert tickets > 0
    calls = [line.split() for line in lines if line.startswith("  scripts/call")]
    assert len(calls) >= 3
    known = system.snapshot.current.routes.keys() | {"system.ping"}
    assert all(call[1] in {"acme", "globex", "-"} and call[2] in known for call in calls)


def test_the_tenants_do_not_share_tokens(system: System, tmp_path: Path) -> None:
    """Nor does a line that is printed hold one."""
    lines = list(showcase.prepare_demo(system, tmp_path))
    tokens = written(tmp_path)["tokens"]
    assert tokens["acme"] != tokens["globex"]
    assert not any(token in line for token in tokens.values() for line in lines)


def test_a_second_time_adds_nothing_but_new_tokens(system: System, tmp_path: Path) -> None:
    """What visitors have done meanwhile stays."""
    list(showcase.prepare_demo(system, tmp_path))
    first = written(tmp_path)
    with Client(system.endpoint, tenant="acme", token=first["tokens"]["acme"]) as client:
        client.call("contacts.add", {"name": "A visitor"})
    list(showcase.prepare_demo(system, tmp_path))
    second = written(tmp_path)
    assert second["tokens"] != first["tokens"]
    for demo in (first, second):
        assert counts(demo, "acme")[0] == 31


def test_the_file_with_the_tokens_is_never_open_to_others(system: System, tmp_path: Path) -> None:
    """Not even where one was there before, open to all."""
    path = tmp_path / "demo.json"
    path.write_text("what was there before, and longer than what comes: " + "x" * 10_000)
    path.chmod(0o666)
    list(showcase.prepare_demo(system, tmp_path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(written(tmp_path)) == {"endpoint", "tokens"}


@pytest.mark.parametrize("setting", ["registry", "curve_keys"])
def test_a_demo_that_cannot_be_makes_nothing(tmp_path: Path, setting: str) -> None:
    """Of another index, or where clients need keys."""
    zmq.auth.create_certificates(tmp_path, "server")
    (tmp_path / "server.key_secret").chmod(0o600)
    value = INDEX if setting == "registry" else tmp_path / "server.key_secret"
    given: Map = {"endpoint": "tcp://127.0.0.1:*", "memory_bytes": 0, setting: value}
    running = System(Settings(data=tmp_path / "data", **given))
    running.start()
    try:
        with pytest.raises(SettingsError, match=f"TENANTRY_{setting.upper()}"):
            list(showcase.prepare_demo(running, tmp_path))
        assert running.local.find_tenant("acme") is None
    finally:
        running.stop()
    assert not (tmp_path / "demo.json").exists()

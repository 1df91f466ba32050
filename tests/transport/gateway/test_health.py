"""What tells a supervisor and a load balancer about a gateway."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Server
from tests.deadline import until
from tests.transport.gateway.conftest import Gateway
from transport.curve import make_pair


def test_it_lives_without_its_server_and_is_ready_with_it(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with Gateway(endpoint) as gateway:
        assert gateway.http.get("/healthz").status_code == 200
        assert gateway.http.get("/readyz").status_code == 503
        server = Server(tmp_path / "data", endpoint=endpoint)
        try:
            until(lambda: gateway.http.get("/readyz").status_code == 200, "a gateway that is ready")
        finally:
            server.stop()


def test_a_call_without_a_server_is_refused_and_did_nothing(tmp_path: Path) -> None:
    with Gateway(f"ipc://{tmp_path}/s") as gateway:
        response = gateway.http.post("/v1/system/ping", json={}, headers={"timeout-ms": "100"})
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert "nothing was done" in response.json()["error"]["message"]


def test_it_speaks_curve_with_a_server_that_has_it(tmp_path: Path) -> None:
    pair = make_pair(tmp_path / "keys", "server")
    own = make_pair(tmp_path / "keys", "gateway")
    clients = tmp_path / "clients"
    clients.mkdir()
    (clients / "gateway.key").write_bytes(own.public.read_bytes())
    server = Server(tmp_path / "data", curve_keys=pair.secret, curve_clients=clients)
    try:
        keys = ("--server-key", str(pair.public))
        with Gateway(server.endpoint, *keys, "--curve-keys", str(own.secret)) as known:
            assert known.http.post("/v1/system/ping", json={}).status_code == 200
        with Gateway(server.endpoint, *keys) as stranger:
            response = stranger.http.post("/v1/system/ping", json={}, headers={"timeout-ms": "200"})
            assert response.status_code == 503
            assert "does not admit" in stranger.child.log()
    finally:
        server.stop()

"""A server that is killed behind its gateway: callers wait or come again, and every effect is there once."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import httpx2

from tests.child import Child
from tests.transport.gateway.conftest import Gateway

CALLS = 60
KILLED_AFTER = 20


def served(data: Path, endpoint: str) -> Child:
    """A server on this data."""
    return Child("--tenant", "acme", data=data, endpoint=endpoint, memory_bytes=0)


def add(http: httpx2.Client, number: int) -> int:
    """Add a contact, again under the same id until it is done; its id."""
    while True:
        response = http.post(
            "/v1/acme/contacts.add",
            json={"name": f"n{number}x"},
            headers={"idempotency-key": f"add-{number}"},
        )
        if response.status_code == 200:
            return int(response.json()["result"]["id"])
        assert response.status_code == 503, response.text


def test_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    made: list[int] = []
    with served(tmp_path / "data", endpoint) as first, Gateway(endpoint) as gateway:
        first.ready()
        (line,) = [line for line in first.said if " token " in line]
        gateway.http.headers["authorization"] = f"Bearer {line.rpartition(' ')[2]}"
        is_under_way = threading.Event()

        def work() -> None:
            for number in range(CALLS):
                made.append(add(gateway.http, number))
                if number == KILLED_AFTER:
                    is_under_way.set()

        caller = threading.Thread(target=work)
        caller.start()
        is_under_way.wait(30)
        first.stop(signal.SIGKILL)
        with served(tmp_path / "data", endpoint) as second:
            second.ready()
            caller.join(50)
            assert len(set(made)) == CALLS
            for number in range(CALLS):
                found = gateway.http.get(f"/v1/acme/contacts.find?text=n{number}x").json()
                assert [each["id"] for each in found["result"]["contacts"]] == [made[number]]

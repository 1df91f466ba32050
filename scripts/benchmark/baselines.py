"""The baseline (`floor`): one hand-written loop that does the work and checks nothing.

A child process: python -m scripts.benchmark.baselines --data DIR --endpoint ADDRESS. It drains the
socket, runs what it found grouped by tenant with one COMMIT for each tenant written to, and answers
after the commits, as durably as the other peers. No token, no validation, no idempotency, no log,
no limits.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
import zmq

from scripts.benchmark.contacts import COLUMNS, SELECT, add, connect

DRAIN = 256
"""Messages per drain at most: as many as the load generator keeps in flight."""


def drain(socket: zmq.Socket[bytes]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Wait for a message, then yield all that have arrived as (peer, request)."""
    socket.poll()
    for _ in range(DRAIN):
        try:
            peer, body = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        yield peer, msgpack.unpackb(body)


def by_tenant(
    messages: Iterator[tuple[bytes, dict[str, Any]]],
) -> dict[str, list[tuple[bytes, dict[str, Any]]]]:
    """Group messages by tenant, each group in order of arrival."""
    groups: dict[str, list[tuple[bytes, dict[str, Any]]]] = {}
    for message in messages:
        groups.setdefault(message[1]["tenant"], []).append(message)
    return groups


def perform(connection: sqlite3.Connection, request: dict[str, Any], now: str) -> dict[str, Any]:
    """Run one request's statements; return its result."""
    params = request["params"]
    if request["action"] == "contacts.add":
        return {"id": add(connection, params, now)}
    row = connection.execute(SELECT, (params["id"],)).fetchone()
    return dict(zip(COLUMNS, row, strict=True))


def turn(
    connection: sqlite3.Connection, messages: list[tuple[bytes, dict[str, Any]]]
) -> list[tuple[bytes, bytes]]:
    """Serve one tenant's messages with one commit; return replies as (peer, body)."""
    now = datetime.now(UTC).isoformat()
    writes = any(request["action"] == "contacts.add" for _, request in messages)
    if writes:
        connection.execute("BEGIN IMMEDIATE")
    replies = [
        (
            peer,
            msgpack.packb(
                {
                    "v": 1,
                    "id": request["id"],
                    "ok": True,
                    "result": perform(connection, request, now),
                }
            ),
        )
        for peer, request in messages
    ]
    if writes:
        connection.execute("COMMIT")
    return replies


def serve(data: Path, endpoint: str) -> None:
    """Serve until killed; prints `ready` once the socket is bound."""
    connections = {path.stem: connect(path) for path in data.glob("*.db")}
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind(endpoint)
    print("ready", endpoint, flush=True)
    while True:
        groups = by_tenant(drain(socket))
        replies = [turn(connections[tenant], group) for tenant, group in groups.items()]
        for group in replies:
            for reply in group:
                socket.send_multipart(reply)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--endpoint", required=True)
    arguments = parser.parse_args()
    serve(arguments.data, arguments.endpoint)

"""The benchmark's clients of a gateway: what they send is served, and what comes back is read whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from scripts.benchmark.load import LoadClient, check
from scripts.benchmark.load_gateway import GatewayHttpClient, WebSocketClient, frames
from scripts.benchmark.plan import ADD, Call
from tests.conftest import Server
from tests.transport.gateway.conftest import Gateway


@pytest.fixture(scope="module")
def gateway(server: Server) -> Iterator[Gateway]:
    """One gateway for both."""
    with Gateway(server.endpoint) as running:
        yield running


@pytest.mark.parametrize("kind", [GatewayHttpClient, WebSocketClient])
def test_every_call_is_answered_rightly(server: Server, gateway: Gateway, kind: type) -> None:
    client: LoadClient = kind(gateway.port, server.tokens)
    calls = [
        Call(f"{kind.__name__}-{number:06x}", "acme", ADD, {"name": f"n{number}" * 40})
        for number in range(600)
    ]
    load = client.drive([client.pack(call) for call in calls[:500]], 30.0)
    paced = client.drive_at([client.pack(call) for call in calls[500:]], 10_000.0)
    client.close()
    check(kind.__name__, calls[:500], load)
    assert len(load.answers) == 500
    assert len(paced.answers) == 100
    assert [at - paced.began for at in paced.sent] == pytest.approx([n / 1e4 for n in range(100)])
    assert not any(answer.problem for answer in paced.answers)


def test_frames_of_every_length_are_told_apart() -> None:
    bodies = [b"a" * 5, b"b" * 125, b"c" * 126, b"d" * 70_000]
    heads = [b"\x82\x05", b"\x82\x7d", struct.pack("!BBH", 0x82, 126, 126)]
    heads.append(struct.pack("!BBQ", 0x82, 127, 70_000))
    data = b"".join(head + body for head, body in zip(heads, bodies, strict=True))
    assert [body for _, body in frames(data)] == bodies
    assert [body for _, body in frames(data[:-1])] == bodies[:-1]
    assert sum(size for size, _ in frames(data)) == len(data)

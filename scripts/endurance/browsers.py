"""What browsers do to one gateway: python -m scripts.endurance.browsers --idle 2000 …, until it is ended.

Sockets that only answer pings, sockets that ask now and then, and connections that flood it without a token.
Prints `ready` once all sockets are open and known to the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Final, NamedTuple, get_type_hints
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

OPENING: Final = 50
"""Sockets that are opened at a time."""
CLOSED_SECONDS: Final = 0.05
"""Pause of a flooder whose connection was closed."""


class Crowd(NamedTuple):
    """Who comes, and where to."""

    address: str
    token: str
    tenant: str
    idle: int
    busy: int
    pause: float
    """Seconds between an answer and the next request of a busy socket."""
    flood: int
    """Connections that send requests without a token, each the next one when the last is answered."""


async def opened(crowd: Crowd, gate: asyncio.Semaphore) -> ClientConnection:
    """Open a socket, and have the server know who it is."""
    address = crowd.address.replace("http", "ws", 1) + "/v1/ws"
    async with gate:
        socket = await connect(
            address,
            subprotocols=[Subprotocol("tenantry.v1")],
            compression=None,
            ping_interval=None,
            open_timeout=60,
            proxy=None,
        )
        await socket.send(
            json.dumps({"id": "a", "action": "system.authenticate", "token": crowd.token})
        )
        answer = json.loads(await socket.recv())
        assert answer["ok"], answer
    return socket


async def idle(socket: ClientConnection) -> None:
    """Answer pings, which the library does while it waits."""
    async for _ in socket:
        pass


async def busy(socket: ClientConnection, crowd: Crowd) -> None:
    """Ask, take the answer, pause, and so on."""
    asked = {"id": "f", "tenant": crowd.tenant, "action": "contacts.find", "params": {"limit": 1}}
    text = json.dumps(asked)
    while True:
        await socket.send(text)
        await socket.recv()
        await asyncio.sleep(crowd.pause)


async def flood(crowd: Crowd) -> None:
    """Send requests without a token on one connection after the other."""
    place = urlsplit(crowd.address)
    request = (
        f"POST /v1/{crowd.tenant}/contacts.find HTTP/1.1\r\nHost: {place.netloc}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    ).encode()
    while True:
        try:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            while True:
                writer.write(request)
                if not await reader.read(65_536):
                    break
            writer.close()
        except OSError:
            await asyncio.sleep(CLOSED_SECONDS)


async def come(crowd: Crowd) -> None:
    """Open all, then go on until the process ends."""
    gate = asyncio.Semaphore(OPENING)
    sockets = await asyncio.gather(*(opened(crowd, gate) for _ in range(crowd.idle + crowd.busy)))
    print("ready", flush=True)
    async with asyncio.TaskGroup() as group:
        for number, socket in enumerate(sockets):
            group.create_task(idle(socket) if number < crowd.idle else busy(socket, crowd))
        for _ in range(crowd.flood):
            group.create_task(flood(crowd))


def main() -> None:
    """Come, as the arguments say."""
    parser = argparse.ArgumentParser()
    for name, kind in get_type_hints(Crowd).items():
        parser.add_argument(f"--{name}", type=kind, required=True)
    asyncio.run(come(Crowd(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()

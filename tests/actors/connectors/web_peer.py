"""An HTTP server that says exactly what a test wants, well-formed or not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


class Seen(NamedTuple):
    """A request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class WebPeer:
    """Its port, and what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.port = 0
        self.seen: list[Seen] = []
        self.connections = 0
        self._answer = answer

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/hooks?a=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, answer it, and close."""
        self.connections += 1
        try:
            self.seen.append(await _request(reader))
            await self._answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the one who asked has gone
        finally:
            writer.transport.abort() if writer.is_closing() else writer.close()


def saying(*pieces: bytes) -> Answer:
    """These bytes, and then it closes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


async def silence(writer: asyncio.StreamWriter) -> None:
    """Nothing, until the one who asked has gone."""
    await writer.wait_closed()


async def endlessly(writer: asyncio.StreamWriter) -> None:
    """A body without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 10_000)
        await writer.drain()


def status(line: str, *headers: str) -> Answer:
    """A status without a body."""
    head = "\r\n".join([f"HTTP/1.1 {line}", *headers, "content-length: 0"])
    return saying(f"{head}\r\n\r\n".encode())


@asynccontextmanager
async def web_peer(answer: Answer, trust: ssl.SSLContext | None = None) -> AsyncIterator[WebPeer]:
    """Runs one on loopback while the test does."""
    peer = WebPeer(answer)
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(peer.serve(reader, writer))
        tasks.add(task)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=trust)
    peer.port = server.sockets[0].getsockname()[1]
    async with server:
        yield peer
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
    headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(head[0].split(" ")[1], headers, body)

"""An outside service for trials: takes every connection, and says nothing until it is told to."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Final

from scripts.endurance.neighbour import Neighbour

ANSWER: Final = b'HTTP/1.1 200 OK\r\netag: "kept"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'
"""As an S3-compatible service answers to an object that it keeps."""

LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Silence(Neighbour):
    """`port` is where it listens."""

    def __init__(self) -> None:
        super().__init__()
        self._speaks = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def held(self) -> int:
        """Connections that wait for an answer."""
        return len(self._tasks)

    def fall_silent(self) -> None:
        """Answer nobody from now on."""
        self.do_soon(self._speaks.clear)

    def speak(self) -> None:
        """Answer whoever waits, and everybody from now on."""
        self.do_soon(self._speaks.set)

    async def arrive(self) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """Hang up on everybody."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._hold(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            await self._speaks.wait()
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

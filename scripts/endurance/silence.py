"""An outside service for trials: takes every connection, and says nothing until it is told to."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

ANSWER: Final = b'HTTP/1.1 200 OK\r\netag: "kept"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'
"""As an S3-compatible service answers to an object that it keeps."""

LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)

PATIENCE: Final = 10.0
"""Seconds for what its thread is asked to do."""


class Silence:
    """A context manager; its loop has a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._speaks = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(
            PATIENCE
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    @property
    def held(self) -> int:
        """Connections that wait for an answer."""
        return len(self._tasks)

    def fall_silent(self) -> None:
        """Answer nobody from now on."""
        self._loop.call_soon_threadsafe(self._speaks.clear)

    def speak(self) -> None:
        """Answer whoever waits, and everybody from now on."""
        self._loop.call_soon_threadsafe(self._speaks.set)

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._hold(reader, writer))
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

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

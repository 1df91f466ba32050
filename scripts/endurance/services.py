"""An outside service for trials: takes parcels over HTTP, honours keys, and fails a third of its calls.

For half of the failed calls it has acted, and the answer is lost. Each call is a line in its ledger, which
shows whether it acted: a known key has no second effect.

FakeService is the base of services in an event loop in a thread, from `with` to its end. SilentService
accepts every connection and answers none until `speak` is called.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

FAILS: Final = 1 / 3
"""Share of the calls."""


class ParcelService:
    """The service's state: its known keys and its ledger."""

    def __init__(self, ledger: Path, seed: int) -> None:
        self._ledger = ledger.open("a", buffering=1)
        self._known: set[str] = set()
        self._chance = random.Random(seed)
        self._one_at_a_time = threading.Lock()

    def take(self, call: dict[str, str]) -> bool:
        """Act or not, and write it down; whether the caller gets an answer."""
        with self._one_at_a_time:
            luck = self._chance.random()
            fails_before, fails_after = luck < FAILS / 2, luck < FAILS
            acts = not fails_before and call["key"] not in self._known
            if acts:
                self._known.add(call["key"])
            self._ledger.write(json.dumps({**call, "acted": acts, "came": not fails_before}) + "\n")
            return not fails_after


class ParcelHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    service: ParcelService

    def do_POST(self) -> None:
        """A parcel."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"thanks" if self.service.take(json.loads(body)) else b""
        self.send_response(200 if answer else 503)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: Any) -> None:
        """The ledger says it."""


def main() -> None:
    """Serve until killed; the port is on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    ParcelHandler.service = ParcelService(options.ledger, options.seed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), ParcelHandler)
    print(f"ready {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()


T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds for work on its thread."""


class FakeService:
    """Base of fake services. Subclasses define `arrive` and `leave`, which run on its loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_for(self.arrive())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wait_for(self.leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Have its loop do this; what it returns or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def do_soon(self, what: Callable[[], object]) -> None:
        """Have its loop call this, and do not wait."""
        self._loop.call_soon_threadsafe(what)

    async def arrive(self) -> None:
        """Begin to serve."""

    async def leave(self) -> None:
        """Stop serving."""


ANSWER: Final = b'HTTP/1.1 200 OK\r\netag: "kept"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'
"""As an S3-compatible service answers to an object that it keeps."""

LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class SilentService(FakeService):
    """Accepts every connection and holds its answer back; listens on `port`."""

    def __init__(self) -> None:
        super().__init__()
        self._speaks = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def held(self) -> int:
        """Connections that wait for an answer."""
        return len(self._tasks)

    def fall_silent(self) -> None:
        """Hold all answers back from now on."""
        self.do_soon(self._speaks.clear)

    def speak(self) -> None:
        """Answer all waiting connections, and new ones at once."""
        self.do_soon(self._speaks.set)

    async def arrive(self) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """Close every connection."""
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

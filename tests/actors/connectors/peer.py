"""An outside service for tests: a real server on loopback that answers, fails, or says nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from tests.actors.house import WAIT

HANG: dict[str, Any] = {}
"""In the script: do not answer until `release`."""

BUSY = {"status": 503}
REFUSED = {"status": 400}

Answer = dict[str, Any]


class Peer:
    """Answers each line of JSON by what is next in its script; where that is empty, with what was said."""

    def __init__(self) -> None:
        self.script: deque[Answer] = deque()
        self.deaf: set[str] = set()
        """Texts that are never answered before `release`."""
        self._heard: SimpleQueue[Answer] = SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(WAIT)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(WAIT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT)
        self._loop.close()

    def hear(self) -> Answer:
        """The next thing that was said to it."""
        return self._heard.get(timeout=WAIT)

    @property
    def said(self) -> int:
        """How much was said to it that nobody has heard yet."""
        return self._heard.qsize()

    def release(self) -> None:
        """Answer all that hang, and whatever comes."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            line = await reader.readline()
            if line:
                writer.write(json.dumps(await self._answer(json.loads(line))).encode() + b"\n")
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, said: Answer) -> Answer:
        self._heard.put(said)
        answer = self.script.popleft() if self.script else {"status": 200, "text": said["text"]}
        if answer is HANG or said["text"] in self.deaf:
            await self._released.wait()
            answer = {"status": 200, "text": said["text"]}
        return answer

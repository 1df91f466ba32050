"""An outside service for tests: a real server on loopback that answers, fails, or says nothing."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from queue import SimpleQueue
from typing import Any

from scripts.endurance.services import FakeService
from tests.actors.mailbox_harness import WAIT

HANG: dict[str, Any] = {}
"""In the script: do not answer until `release`."""

BUSY = {"status": 503}
REFUSED = {"status": 400}

Answer = dict[str, Any]


class Peer(FakeService):
    """Answers each line of JSON by what is next in its script; where that is empty, with what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.script: deque[Answer] = deque()
        self.deaf: set[str] = set()
        """Texts that are never answered before `release`."""
        self._heard: SimpleQueue[Answer] = SimpleQueue()
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def hear(self) -> Answer:
        """The next thing that was said to it."""
        return self._heard.get(timeout=WAIT)

    @property
    def said(self) -> int:
        """How much was said to it that no one has received yet."""
        return self._heard.qsize()

    def release(self) -> None:
        """Answer all that hang, and whatever comes."""
        self.do_soon(self._released.set)

    async def arrive(self) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """Hang up on everybody."""
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

"""Names, and what one that no one answers does to others."""

from __future__ import annotations

import asyncio
import socket
import threading
from queue import SimpleQueue
from typing import Any

import pytest

from actors.connectors.outbound.boundary import resolve_by_system
from tests.actors.connectors.deliveries import run
from tests.actors.mailbox_harness import WAIT

BLACK_HOLE = "black-hole.example"


def test_this_machine_is_found() -> None:
    assert "127.0.0.1" in run(resolve_by_system("localhost"))


@pytest.mark.parametrize("name", ["name.invalid", "a" * 64 + ".example"])
def test_what_is_no_name_is_an_error(name: str) -> None:
    with pytest.raises((OSError, UnicodeError)):
        run(resolve_by_system(name))


def test_names_that_nobody_answers_hold_up_no_others_and_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system blocks a thread for as long as it pleases: no process waits for it."""
    released = threading.Event()
    entered: SimpleQueue[threading.Thread] = SimpleQueue()

    def getaddrinfo(name: str, *_: Any, **__: Any) -> list[Any]:
        if name == BLACK_HOLE:
            entered.put(threading.current_thread())
            released.wait(WAIT)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    async def main() -> list[threading.Thread]:
        hung = [asyncio.ensure_future(resolve_by_system(BLACK_HOLE)) for _ in range(60)]
        await asyncio.sleep(0)
        threads = [entered.get(timeout=WAIT) for _ in hung]
        assert await resolve_by_system("example.com") == ["192.0.2.1"]
        hung[0].cancel()
        await asyncio.wait(hung[:1])
        return threads

    threads = run(main())
    assert all(thread.daemon for thread in threads)
    released.set()
    for thread in threads:
        thread.join(WAIT)

"""Names resolved by the operating system, each on a thread of its own.

asyncio has a few threads for that: names that nobody answers would hold up all others, and a process that has
stopped. There are as many at a time as a connector has attempts under way, and besides them those of attempts
that are over, until the system gives up.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial


async def resolve_by_system(name: str) -> Sequence[str]:
    """The addresses of a name, in the system's order; OSError, UnicodeError."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sequence[str]] = loop.create_future()
    work = partial(_look, name, loop, found)
    threading.Thread(target=work, name=f"resolves {name}", daemon=True).start()
    return await found


def _look(name: str, loop: asyncio.AbstractEventLoop, found: asyncio.Future[Sequence[str]]) -> None:
    try:
        places = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        answer = partial(_settle, found, error)
    else:
        answer = partial(_settle, found, [str(place[0]) for *_, place in places])
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(answer)


def _settle(found: asyncio.Future[Sequence[str]], answer: Sequence[str] | Exception) -> None:
    if found.done():  # nobody waits for it any more
        return
    if isinstance(answer, Exception):
        found.set_exception(answer)
    else:
        found.set_result(answer)

"""Serves an ASGI application with uvicorn: how, until when, and what it prints and logs."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from transport.gateway.guarded_http import GuardedHttp, HttpConnections
from transport.gateway.process.settings import ListeningSettings

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

KEEP_ALIVE_SECONDS = 75
"""Seconds that an idle connection is kept: longer than proxies keep theirs, so that they close first."""

STOP_SECONDS = 10
"""Seconds that a stopping server gives to requests under way."""


class Announcing(uvicorn.Server):
    """A server that prints `ready` and its address once it listens."""

    until_eof = False
    on_stop: Callable[[], None] | None = None
    """Called when it begins to stop, before it waits for requests under way."""

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Start as usual, then print it."""
        await super().startup(sockets)
        host, port, *_ = self.servers[0].sockets[0].getsockname()
        scheme = "https" if self.config.is_ssl else "http"
        bracketed = f"[{host}]" if ":" in host else host
        if self.until_eof:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._stop_at_eof)
        print(f"ready {scheme}://{bracketed}:{port}", flush=True)  # noqa: T201 - for the program that started it

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Stop as usual, once what would never end by itself was told to."""
        if self.on_stop is not None:
            self.on_stop()
        await super().shutdown(sockets)

    def _stop_at_eof(self) -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            self.should_exit = True
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


def serve(
    application: Any,
    settings: ListeningSettings,
    connections: HttpConnections,
    websockets: Any = "none",
    on_stop: Callable[[], None] | None = None,
) -> None:
    """Listen, print `ready`, and serve until SIGTERM or SIGINT.

    `websockets` makes what serves a connection that is upgraded to a WebSocket; without it none is.
    `on_stop` is called before requests under way are waited for: it ends those that would never end.
    """
    # uvicorn handles them while it serves, and sends itself the same one again at the end.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    server = Announcing(_configuration(application, settings, connections, websockets))
    server.until_eof = settings.until_eof
    server.on_stop = on_stop
    server.run()


def _configuration(
    application: Any, settings: ListeningSettings, connections: HttpConnections, websockets: Any
) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=functools.partial(GuardedHttp, connections),  # type: ignore[arg-type]  # called for each connection
        ws=websockets,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # transport/gateway/proxies.py reads them, also for WebSockets
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )

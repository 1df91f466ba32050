"""`scripts/gateway`: read the settings, listen, print `ready`, serve until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
from typing import Any

import structlog
import uvicorn
from uvicorn.server import ServerState

from transport.gateway.app import Gateway
from transport.gateway.guarded_http import GuardedHttp
from transport.gateway.settings import GatewaySettings, InvalidSettings, read_settings
from transport.gateway.websocket.connection import WebSocket

EXIT_CONFIGURATION = 78
"""sysexits.h EX_CONFIG: another start will fail, too."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

KEEP_ALIVE_SECONDS = 75
"""Seconds that an idle connection is kept: longer than proxies keep theirs, so that they close first."""

STOP_SECONDS = 10
"""Seconds that a stopping gateway gives to requests under way."""


class Announcing(uvicorn.Server):
    """A server that prints `ready` and its address once it listens."""

    until_eof = False

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Start as usual, then print it."""
        await super().startup(sockets)
        host, port, *_ = self.servers[0].sockets[0].getsockname()
        scheme = "https" if self.config.is_ssl else "http"
        bracketed = f"[{host}]" if ":" in host else host
        if self.until_eof:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._stop_at_eof)
        print(f"ready {scheme}://{bracketed}:{port}", flush=True)  # noqa: T201 - for the program that started it

    def _stop_at_eof(self) -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            self.should_exit = True
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


def main(arguments: list[str]) -> int:
    """Run until a signal; return the exit status."""
    log_to_standard_error()
    try:
        settings = read_settings(arguments)
        gateway = Gateway(settings)
    except (InvalidSettings, ValueError) as error:
        print(f"tenantry: {error}", file=sys.stderr)  # noqa: T201 - for the person who started it
        return EXIT_CONFIGURATION
    # uvicorn handles them while it serves, and sends itself the same one again at the end.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    server = Announcing(configuration(settings, gateway))
    server.until_eof = settings.until_eof
    server.run()
    return 0


def configuration(settings: GatewaySettings, gateway: Gateway) -> uvicorn.Config:
    """Return how uvicorn serves the gateway."""
    return uvicorn.Config(
        gateway,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=http_of(gateway),
        ws=websockets_of(gateway),
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


def http_of(gateway: Gateway) -> Any:
    """Return what uvicorn calls for each connection."""
    return functools.partial(GuardedHttp, gateway.connections)


def websockets_of(gateway: Gateway) -> Any:
    """Return what uvicorn calls for each request to upgrade; it passes more than is needed."""

    def make(server_state: ServerState, **_: Any) -> WebSocket:
        return WebSocket(gateway, server_state)

    return make


def log_to_standard_error() -> None:
    """Write one JSON object a line: the gateway's own events, and uvicorn's from warnings on."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

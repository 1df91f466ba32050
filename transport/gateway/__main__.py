"""`scripts/gateway`: read the settings, listen, print `ready`, serve until SIGTERM or SIGINT."""

from __future__ import annotations

import sys
from typing import Any

from uvicorn.server import ServerState

from transport.gateway.app import Gateway
from transport.gateway.process.log import log_to_standard_error
from transport.gateway.process.serving import EXIT_CONFIGURATION, serve
from transport.gateway.settings import InvalidSettings, read_settings
from transport.gateway.websocket.connection import WebSocket


def main(arguments: list[str]) -> int:
    """Run until a signal; return the exit status."""
    log_to_standard_error()
    try:
        settings = read_settings(arguments)
        gateway = Gateway(settings)
    except (InvalidSettings, ValueError) as error:
        print(f"tenantry: {error}", file=sys.stderr)  # noqa: T201 - for the person who started it
        return EXIT_CONFIGURATION
    serve(gateway, settings, gateway.connections, websockets_of(gateway))
    return 0


def websockets_of(gateway: Gateway) -> Any:
    """Return what uvicorn calls for each request to upgrade; it passes more than is needed."""

    def make(server_state: ServerState, **_: Any) -> WebSocket:
        return WebSocket(gateway, server_state)

    return make


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`scripts/gateway`: read the settings, listen, print `ready`, serve until SIGTERM or SIGINT.

What serves is imported after the settings are read: a setting that is wrong is named at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from transport.gateway.process.settings import EXIT_CONFIGURATION
from transport.gateway.settings import InvalidSettings, read_settings

if TYPE_CHECKING:
    from transport.gateway.app import Gateway


def main(arguments: list[str]) -> int:
    """Run until a signal; return the exit status."""
    try:
        settings = read_settings(arguments)
        from transport.gateway.app import Gateway
        from transport.gateway.process.log import log_to_standard_error
        from transport.gateway.process.serving import serve

        log_to_standard_error()
        gateway = Gateway(settings)
    except (InvalidSettings, ValueError) as error:
        print(f"tenantry: {error}", file=sys.stderr)  # noqa: T201 - for the person who started it
        return EXIT_CONFIGURATION
    serve(gateway, settings, gateway.connections, websockets_of(gateway))
    return 0


def websockets_of(gateway: Gateway) -> Any:
    """Return what uvicorn calls for each request to upgrade; it passes more than is needed."""
    from uvicorn.server import ServerState

    from transport.gateway.websocket.connection import WebSocket

    def make(server_state: ServerState, **_: Any) -> WebSocket:
        return WebSocket(gateway, server_state)

    return make


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

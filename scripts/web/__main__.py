"""`scripts/dashboard`: read the settings, listen, print `ready`, serve until SIGTERM or SIGINT."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scripts.web.app import Dashboard
from scripts.web.settings import read_settings
from transport.gateway.process.log import log_to_standard_error
from transport.gateway.process.serving import EXIT_CONFIGURATION, serve
from transport.gateway.process.settings import InvalidSettings


def main(arguments: Sequence[str]) -> int:
    """Run until a signal; return the exit status."""
    log_to_standard_error()
    try:
        settings = read_settings(list(arguments))
        dashboard = Dashboard(settings)
    except (InvalidSettings, ValueError) as error:
        print(f"tenantry: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION
    serve(dashboard, settings, dashboard.connections, on_stop=dashboard.end_streams)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

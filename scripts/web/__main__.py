"""`scripts/dashboard`: read the settings, listen, print `ready`, serve until SIGTERM or SIGINT.

What serves is imported after the settings are read: a setting that is wrong is named at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scripts.web.settings import read_settings
from transport.gateway.process.settings import EXIT_CONFIGURATION, InvalidSettings


def main(arguments: Sequence[str]) -> int:
    """Run until a signal; return the exit status."""
    try:
        settings = read_settings(list(arguments))
        from scripts.web.app import Dashboard
        from transport.gateway.process.log import log_to_standard_error
        from transport.gateway.process.serving import serve

        log_to_standard_error()
        dashboard = Dashboard(settings)
    except (InvalidSettings, ValueError) as error:
        print(f"tenantry: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION
    serve(dashboard, settings, dashboard.connections, on_stop=dashboard.end_streams)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The server: `python -m actors`, and what `tenantry serve` runs."""

from __future__ import annotations

import gc
import sys


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT; return the exit status. Exits where help is asked for."""
    gc.disable()  # nothing that a start imports or makes is garbage, until it is ready
    from actors import server

    return server.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

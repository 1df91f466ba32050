"""`scripts/serve`: the engine is imported once it is to serve, which takes longer than to print the help."""

from __future__ import annotations

import gc
import sys

HELP = frozenset({"-h", "--help"})


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT; return the exit status. Exits where help is asked for."""
    gc.disable()  # nothing that a start imports or makes is garbage, until it is ready
    if not HELP.isdisjoint(arguments):
        from actors.settings import read_settings

        read_settings(arguments)
    from actors import server

    return server.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

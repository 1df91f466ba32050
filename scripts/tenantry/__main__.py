"""The command `tenantry`, as an installation has it: finds the engine, and passes the words on.

In a wheel this package stands alone beside others, and all of `actors`, `transport` and `scripts` is below
it, in `engine/`. Nothing else that is installed there can then be taken for one of them, or overwrite one.
"""

from __future__ import annotations

import sys
from pathlib import Path

ENGINE = Path(__file__).resolve().with_name("engine")
"""In a checkout there is none: its packages are on the path already."""


def main() -> int:
    """Run one command; return the exit status."""
    if ENGINE.is_dir():
        sys.path.insert(0, str(ENGINE))
    from scripts.cli.commands import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

"""The command line of scripts/releases."""

from __future__ import annotations

import sys

from scripts.releasing.deploy.command import releases_main as main

if __name__ == "__main__":
    sys.exit(main())

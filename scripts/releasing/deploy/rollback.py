"""The command line of scripts/rollback."""

from __future__ import annotations

import sys

from scripts.releasing.deploy.command import rollback_main as main

if __name__ == "__main__":
    sys.exit(main())

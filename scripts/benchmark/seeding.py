"""Creates tenants in a new data directory: a JSON list of names in, a JSON map of tokens out.

A child process, so that the load generator's own stays small: python -m scripts.benchmark.seeding
DIR.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from actors.assembly.provisioning import create_tenants

if __name__ == "__main__":
    print(json.dumps(create_tenants(Path(sys.argv[1]), json.load(sys.stdin))))

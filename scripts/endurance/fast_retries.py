"""The server with short waits before retries: a trial cannot take two days.

python -m scripts.endurance.fast_retries [what `python -m actors` takes]
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

from actors import server
from actors.assembly.system import System
from actors.connectors.actor import ConnectorPolicy
from actors.connectors.engine.retry import CircuitBreakers
from actors.tenant.outbox import attempt

FIRST_BACKOFF: Final = 0.05
"""Seconds after the first attempt of a delivery that failed."""

OPEN_SECONDS: Final = 0.5
"""For which a circuit breaker stays open."""


def main() -> int:
    """As `python -m actors`; the exit status."""
    connector_policy = ConnectorPolicy(breakers=partial(CircuitBreakers, seconds=OPEN_SECONDS))
    server.System = partial(System, connector_policy=connector_policy)  # type: ignore[assignment, attr-defined]  # a trial's own
    attempt.FIRST_BACKOFF = FIRST_BACKOFF  # type: ignore[misc]  # as above
    return server.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

"""One SQLAlchemy Engine for every tenant of the process, and the plans that belong to it.

An Engine of its own would cost each tenant 1 ms and 26 KB, and compile the same statements again.
"""

from __future__ import annotations

import sqlite3
from contextvars import ContextVar
from typing import Final

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.dialects import registry

from actors.tenant.dialect import GUARD, TenantDialect
from actors.tenant.guard import Guard
from actors.tenant.plans import Plans

STATEMENTS_KEPT: Final = 2_000
"""Compiled statements that SQLAlchemy keeps for the process; about 10 KB each."""

_handed_over: ContextVar[sqlite3.Connection | None] = ContextVar("_handed_over", default=None)
"""The driver's connection that SQLAlchemy is about to take, in this thread."""


class SharedEngine:
    """Turns the driver's connections into SQLAlchemy's. Made once; used by every tenant's turn."""

    def __init__(self) -> None:
        registry.register("sqlite.tenantry", TenantDialect.__module__, TenantDialect.__name__)
        self._engine = create_engine(
            "sqlite+tenantry://",
            poolclass=NullPool,
            creator=_take,
            hide_parameters=True,  # errors are logged, and parameters are customers' data
            query_cache_size=STATEMENTS_KEPT,
        )
        self._engine.connect().close()  # the first connection of an Engine asks it questions
        assert isinstance(self._engine.dialect, TenantDialect)
        self.plans = Plans(self._engine.dialect)

    def connection(self, driver: sqlite3.Connection, guard: Guard) -> Connection:
        """A Connection over this one of the driver, which shows its statements to the Guard."""
        token = _handed_over.set(driver)
        try:
            return self._engine.connect().execution_options(**{GUARD: guard})
        finally:
            _handed_over.reset(token)


def _take() -> sqlite3.Connection:
    """What the pool calls for a connection: it cannot pass anything, hence the variable."""
    return _handed_over.get() or sqlite3.connect(":memory:")

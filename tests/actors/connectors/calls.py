"""Calls of a connector, for tests of its parts."""

from __future__ import annotations

import time
from typing import Any

from actors.connectors.engine.calls import OperationCall
from actors.messages import CallConnector, TenantRecord
from actors.runtime.futures import ReplyFuture


def call(tenant: str = "acme", within: float = 60.0, **params: Any) -> OperationCall:
    """One whose deadline is so many seconds from now."""
    record = TenantRecord(tenant, tenant.ljust(32, "0"))
    deadline = time.monotonic() + within
    operate = CallConnector(
        "echo.say", params, record, "0" * 32, "key", time.time(), deadline, ReplyFuture()
    )
    return OperationCall(operate)

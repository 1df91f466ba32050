"""One attempt at a delivery, and its outcome."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import structlog

from actors.errors import ActionError, DeadlineExceeded
from actors.index.entries import Operation
from actors.runtime.futures import ReplyFuture, resolve_with_error
from actors.tenant.database.outbox_table import OutboxRow
from transport.fit import fit_text
from transport.message import (
    DEADLINE_EXCEEDED,
    INTERNAL,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
    Refusal,
)

log = structlog.get_logger()

ATTEMPT_SECONDS: Final = 60.0
"""Seconds that a connector has for one attempt, its own short retries included."""

GRACE_SECONDS: Final = 5.0
"""Seconds after that deadline until a missing reply counts as a failure."""

FIRST_BACKOFF: Final = 5.0
"""Seconds after the first failed attempt; each later backoff is twice as long, up to the maximum."""

MAX_BACKOFF: Final = 6 * 3600.0
"""Seconds. A service that was away over night has its deliveries by noon."""

MAX_ATTEMPTS: Final = 20
"""The last attempt comes 47 hours after the first, which covers most of a weekend's outage."""

MAX_NOTIFICATIONS: Final = 10
"""Notifications of an action that cannot accept an outcome: 43 minutes, the time of a release."""

JITTER: Final = 0.2
"""Share by which a backoff is longer or shorter, so that deliveries that failed together are spread."""

RETRYABLE: Final = frozenset({UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED})
"""Codes of refusals after which another attempt may succeed."""


class DeliveryAttempt:
    """A delivery that a connector works on. Its reply is awaited until `deadline` plus GRACE_SECONDS."""

    __slots__ = ("answer", "deadline", "operation", "row")

    def __init__(self, row: OutboxRow, operation: Operation | None) -> None:
        """`operation` has the schema of the result; None if the index does not have it any more."""
        self.row = row
        self.operation = operation
        self.answer = ReplyFuture()
        self.deadline = time.monotonic() + ATTEMPT_SECONDS
        """time.monotonic(), in seconds."""

    @property
    def given_up_at(self) -> float:
        """time.monotonic() in seconds from which on a missing reply counts as a failure."""
        return self.deadline + GRACE_SECONDS

    def give_up(self) -> None:
        """Fail the attempt, since no reply has come."""
        late = DeadlineExceeded(
            f"{self.row.operation} was not answered within {ATTEMPT_SECONDS:g} s"
        )
        resolve_with_error(self.answer, late)


class DeliveryOutcome(NamedTuple):
    """The outcome of one attempt: a result or a refusal."""

    result: Mapping[str, Any] | None
    refusal: Refusal | None = None

    @property
    def is_retryable(self) -> bool:
        """Whether another attempt may succeed."""
        return self.refusal is not None and self.refusal.code in RETRYABLE

    def as_map(self) -> dict[str, Any]:
        """The outcome as the `then` action gets it."""
        if self.refusal is None:
            return {"ok": True, "result": self.result}
        return {"ok": False, "error": self.refusal.as_map()}


def outcome_of(attempt: DeliveryAttempt) -> DeliveryOutcome:
    """Return the outcome of an attempt that has its reply. A connector's defect is logged."""
    try:
        result = attempt.answer.get(timeout=0)
        if attempt.operation is not None:
            attempt.operation.result.check(result)
    except ActionError as error:
        return DeliveryOutcome(None, error.refusal)
    except BaseException as error:
        row = attempt.row
        log.error(
            "delivery failed", operation=row.operation, key=row.key, trace_id=row.trace_id,
            exc_info=error,
        )  # fmt: skip
        return DeliveryOutcome(
            None, Refusal(INTERNAL, f"a defect of {row.operation}; see the error log")
        )
    return DeliveryOutcome(result)


def backoff(attempts: int, refusal: Refusal) -> float:
    """Return the seconds until the next attempt after this many failures.

    At least the refusal's retry_after_ms.
    """
    asked = (refusal.retry_after_ms or 0) / 1000
    usual = min(FIRST_BACKOFF * 2.0 ** (attempts - 1), MAX_BACKOFF)
    return min(max(usual, asked), MAX_BACKOFF) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def error_text(refusal: Refusal) -> str:
    """Return the text stored as a row's `last_error`."""
    return fit_text(f"{refusal.code}: {refusal.message}")

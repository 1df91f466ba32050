"""One attempt at a delivery, and what came of it."""

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
"""What a connector has for one attempt, its own short retries included."""

GRACE_SECONDS: Final = 5.0
"""And what its answer may take from there, before it counts as none."""

FIRST_BACKOFF: Final = 5.0
"""Seconds after the first attempt that failed; each later wait is twice as long, up to the longest."""

MAX_BACKOFF: Final = 6 * 3600.0
"""Seconds. A service that was away over night has its deliveries by noon."""

MAX_ATTEMPTS: Final = 20
"""Of which the last comes 47 hours after the first: a weekend's outage is survived, most of it."""

MAX_NOTIFICATIONS: Final = 10
"""How often an action is told an outcome that it could not take: over 43 minutes, a release's time."""

JITTER: Final = 0.2
"""Share by which a wait is longer or shorter, so that those that failed together do not come together."""

RETRYABLE: Final = frozenset({UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED})
"""Codes of refusals after which another attempt may succeed."""


class DeliveryAttempt:
    """A delivery that a connector works on; nobody waits for it after `deadline` and some grace."""

    __slots__ = ("answer", "deadline", "operation", "row")

    def __init__(self, row: OutboxRow, operation: Operation | None) -> None:
        """`operation` says what an answer looks like; None where the index does not have it any more."""
        self.row = row
        self.operation = operation
        self.answer = ReplyFuture()
        self.deadline = time.monotonic() + ATTEMPT_SECONDS
        """time.monotonic(), in seconds."""

    @property
    def given_up_at(self) -> float:
        """time.monotonic() from which on no answer is one, too."""
        return self.deadline + GRACE_SECONDS

    def give_up(self) -> None:
        """No answer has come."""
        late = DeadlineExceeded(
            f"{self.row.operation} was not answered within {ATTEMPT_SECONDS:g} s"
        )
        resolve_with_error(self.answer, late)


class DeliveryOutcome(NamedTuple):
    """What came of one attempt: a result, or why there is none."""

    result: Mapping[str, Any] | None
    refusal: Refusal | None = None

    @property
    def is_retryable(self) -> bool:
        """Whether another attempt may end otherwise."""
        return self.refusal is not None and self.refusal.code in RETRYABLE

    def as_map(self) -> dict[str, Any]:
        """As whoever is told of it gets it."""
        if self.refusal is None:
            return {"ok": True, "result": self.result}
        return {"ok": False, "error": self.refusal.as_map()}


def outcome_of(attempt: DeliveryAttempt) -> DeliveryOutcome:
    """Of a flight that was answered. What a connector should not have done is a defect, and is logged."""
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
    """Seconds until the next attempt, after so many that have failed; at least what the refusal asks for."""
    asked = (refusal.retry_after_ms or 0) / 1000
    usual = min(FIRST_BACKOFF * 2.0 ** (attempts - 1), MAX_BACKOFF)
    return min(max(usual, asked), MAX_BACKOFF) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def error_text(refusal: Refusal) -> str:
    """As it stands beside a delivery."""
    return fit_text(f"{refusal.code}: {refusal.message}")

"""Pending requests on one connection: what to send when, and which reply belongs to which request.

This module uses no socket. A request that is sent again keeps its id, so that it has one effect however
often it arrives. It is sent again when the connection was lost, when no answer came for a while, and when
the server asked for patience (`retry_after_ms`): then as often as its deadline allows, each time a little
later than the server said, so that clients that were refused together do not return together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from random import random
from typing import Any

from transport.codec import BadReply, encode, parse_reply
from transport.errors import CallError, NoAnswer
from transport.message import (
    ABORTED,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
    Encoding,
    Problem,
    Refusal,
    Reply,
)
from transport.validation import LIMITS, Limits

RANDOM_BYTES = 10
"""Random bytes of a request's id."""

WORTH_WAITING = frozenset({ABORTED, RESOURCE_EXHAUSTED, UNAVAILABLE})
"""Codes of refusals that did nothing and may pass."""

GROWN_SPREAD = 1.0
"""Seconds over which repeated refusals spread a request at random, if the server names a shorter time."""


class PendingRequest:
    """One request that has been taken and has no outcome yet."""

    __slots__ = (
        "body",
        "deadline",
        "due",
        "fields",
        "id",
        "is_postponed",
        "on_end",
        "outcome",
        "refusals",
        "retries_left",
        "retry_interval",
    )

    def __init__(
        self,
        fields: Mapping[str, Any],
        deadline: float,
        retry_interval: float,
        retries_left: int,
    ) -> None:
        self.id: str = fields["id"]
        self.fields = fields
        """The request's, without `timeout_ms`; those that are None are not sent."""
        self.body: bytes | None = None
        """Encoded for the first time it is sent; None after that, and encoded again each time."""
        self.deadline = deadline
        """Monotonic seconds at which it ends in NoAnswer."""
        self.retry_interval = retry_interval
        """Seconds without an answer after which it is sent again; doubles each time."""
        self.retries_left = retries_left
        """How often it may yet be sent again because no answer came."""
        self.is_postponed = False
        """Whether it waits for the time that a refusal named."""
        self.refusals = 0
        """Refusals that asked for patience so far."""
        self.due = deadline
        """Monotonic seconds of its next timer."""
        self.outcome: Reply | CallError | None = None
        """Reply or error; None while it is pending."""
        self.on_end: Callable[[], object] | None = None
        """Called once, when there is an outcome."""


class Session:
    """All requests of one client. Times are monotonic seconds, given by the caller."""

    def __init__(
        self,
        encoding: Encoding,
        retries: int,
        server: str,
        limits: Limits = LIMITS,
        chance: Callable[[], float] = random,
    ) -> None:
        """`chance` returns numbers from 0 to below 1, which spread requests after refusals."""
        self._chance = chance
        self._encoding = encoding
        self._limits = limits
        self._retries = retries
        self._server = server
        self.connection_problem = ""
        """What is known to be wrong with the connection; NoAnswer errors name it."""
        self._pending: dict[str, PendingRequest] = {}
        self._unsent: dict[str, PendingRequest] = {}
        self._unanswered: dict[str, PendingRequest] = {}
        self._timers: list[tuple[float, int, PendingRequest]] = []
        self._timers_set = 0

    def start(self, fields: Mapping[str, Any], timeout: float, now: float) -> PendingRequest:
        """Take a request. Raises EncodeError; ValueError if its id is pending already."""
        if fields["id"] in self._pending:
            raise ValueError(f"the id {fields['id']!r} is under way: wait for its answer")
        # Waits of 1, 2, 4, … parts, which together fill the timeout.
        retry_interval = timeout / (2 ** (self._retries + 1) - 1)
        pending = PendingRequest(fields, now + timeout, retry_interval, self._retries)
        pending.body = self._body(pending, now)
        self._pending[pending.id] = self._unsent[pending.id] = pending
        self._set_timer(pending, pending.deadline)
        return pending

    @property
    def has_unsent(self) -> bool:
        """Whether `take_unsent` has a body to return."""
        return bool(self._unsent)

    def take_unsent(self, now: float) -> bytes:
        """Return the body of the oldest unsent request; the caller must send it at once."""
        pending = self._unsent.pop(next(iter(self._unsent)))
        self._unanswered[pending.id] = pending
        self._set_timer(pending, min(pending.deadline, now + pending.retry_interval))
        pending.retry_interval *= 2
        body, pending.body = pending.body, None
        return body or self._body(pending, now)

    def received(self, body: bytes, now: float) -> None:
        """Match a reply with its request. Late, repeated and unreadable replies are ignored."""
        try:
            reply = parse_reply(body)
        except BadReply:
            return
        pending = self._pending.get(reply.id)
        if pending is None:
            return
        if reply.error is not None and self._postpone(pending, reply.error, now):
            return
        self._end(pending, reply)

    def disconnected(self) -> None:
        """Queue all unanswered requests again: the server may not have received them."""
        asked, self._unanswered = self._unanswered, {}
        self._unsent = {**asked, **self._unsent}
        for pending in asked.values():
            self._set_timer(pending, pending.deadline)

    def connected(self) -> None:
        """Note a connection. Unsent bodies are encoded again, because less time is left."""
        self.connection_problem = ""
        for pending in self._unsent.values():
            pending.body = None

    def on_timer(self, now: float) -> None:
        """Queue requests again, or end them, whose timers are due."""
        while self._timers and self._timers[0][0] <= now:
            due, _, pending = heappop(self._timers)
            if due == pending.due:
                self._on_due(pending, now)

    @property
    def next_deadline(self) -> float | None:
        """Monotonic seconds at which to call `on_timer` next; None if no request is pending."""
        while self._timers:
            due, _, pending = self._timers[0]
            if due == pending.due:
                return due
            heappop(self._timers)
        return None

    def close(self) -> None:
        """End all pending requests in NoAnswer."""
        self.connection_problem = "the client was closed"
        for pending in tuple(self._pending.values()):
            self._end(pending, self._no_answer(pending))

    def discard(self, pending: PendingRequest) -> None:
        """Forget a request whose caller has left."""
        for group in (self._pending, self._unsent, self._unanswered):
            if group.get(pending.id) is pending:
                del group[pending.id]
        pending.due = float("inf")

    def _body(self, pending: PendingRequest, now: float) -> bytes:
        """Encode a request with the time left for it, after which the server need not begin."""
        left_ms = max(1, min(600_000, round(1000 * (pending.deadline - now))))
        given = {name: value for name, value in pending.fields.items() if value is not None}
        return encode({**given, "timeout_ms": left_ms}, self._encoding, self._limits)

    def _postpone(self, pending: PendingRequest, error: Refusal, now: float) -> bool:
        """Postpone a request that the server may accept later; return whether it was postponed.

        It waits for the time that the server named and a random time more: up to the time named, doubled
        with each refusal up to GROWN_SPREAD, and at most half of what the deadline leaves.
        """
        if error.code not in WORTH_WAITING or error.retry_after_ms is None or not self._retries:
            return False
        pause = error.retry_after_ms / 1000
        spare = pending.deadline - now - pause
        if spare <= 0:
            return False
        self._unsent.pop(pending.id, None)
        self._unanswered.pop(pending.id, None)
        spread = max(pause, min(pause * 2.0 ** min(pending.refusals, 10), GROWN_SPREAD))
        pending.refusals += 1
        pending.is_postponed = True
        self._set_timer(pending, now + pause + self._chance() * min(spread, spare / 2))
        return True

    def _on_due(self, pending: PendingRequest, now: float) -> None:
        if now >= pending.deadline:
            self._end(pending, self._no_answer(pending))
        elif pending.is_postponed or pending.retries_left:
            pending.retries_left -= not pending.is_postponed
            pending.is_postponed = False
            self._unanswered.pop(pending.id, None)
            self._unsent[pending.id] = pending
            self._set_timer(pending, pending.deadline)
        else:
            self._set_timer(pending, pending.deadline)

    def _no_answer(self, pending: PendingRequest) -> NoAnswer:
        why = f": {self.connection_problem}" if self.connection_problem else ""
        words = (
            f"no answer from {self._server} in time{why}; whether the request was served "
            f"is not known: the same call with id={pending.id!r} takes effect once"
        )
        details = (Problem("", self.connection_problem),) if self.connection_problem else ()
        return NoAnswer(Refusal(NoAnswer.code, words, details=details), pending.id)

    def _end(self, pending: PendingRequest, outcome: Reply | CallError) -> None:
        self.discard(pending)
        pending.outcome = outcome
        if pending.on_end is not None:
            pending.on_end()

    def _set_timer(self, pending: PendingRequest, due: float) -> None:
        pending.due = due
        self._timers_set += 1
        heappush(self._timers, (due, self._timers_set, pending))
        if len(self._timers) > 100 + 4 * len(self._pending):
            self._timers = [timer for timer in self._timers if timer[0] == timer[2].due]
            heapify(self._timers)


def new_request_id() -> str:
    """Return a new id: 32 hexadecimal digits, of which 12 are the milliseconds since 1970 and 20 random.

    A tenant keeps replies by id. Ids that begin with the time lie together in its index, so that a commit
    writes fewer pages than with ids that are random throughout.
    """
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(RANDOM_BYTES).hex()}"

"""Requests under way on one connection: what to send when, which reply is whose. No socket in here.

A request that is sent again keeps its id, so that it has one effect however often it arrives. It is
sent again when the connection was lost, when no answer came for a while, and when the server asked for
patience (`retry_after_ms`): then as often as its deadline leaves time for, each time a little later than
the server said, so that a crowd that was refused together does not come back together.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from random import random

from transport.codec import BadReply, encode_request, parse_reply
from transport.errors import CallError, NoAnswer
from transport.message import (
    ABORTED,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
    Encoding,
    Problem,
    Refusal,
    Reply,
    Request,
)
from transport.validation import LIMITS, Limits

WORTH_WAITING = frozenset({ABORTED, RESOURCE_EXHAUSTED, UNAVAILABLE})
"""Refusals after which nothing was done, and which may end."""

GROWN_SPREAD = 1.0
"""Seconds over which repeated refusals spread a request by chance, where the server names a shorter time."""


class Flight:
    """One request under way."""

    __slots__ = (
        "body",
        "deadline",
        "due",
        "is_postponed",
        "on_end",
        "outcome",
        "patience",
        "refusals",
        "request",
        "tries",
    )

    def __init__(self, request: Request, deadline: float, patience: float, tries: int) -> None:
        self.request = request
        self.body: bytes | None = None
        """Ready to send for the first time; later ones are made when they are sent."""
        self.deadline = deadline
        """Monotonic seconds; then it ends in NoAnswer."""
        self.patience = patience
        """Seconds to wait for an answer before sending again; doubles each time."""
        self.tries = tries
        """How often it may still be sent again because no answer came."""
        self.is_postponed = False
        """Whether it waits for the time that the server named in a refusal."""
        self.refusals = 0
        """How often the server has asked for patience."""
        self.due = deadline
        """When to look at it next, in monotonic seconds."""
        self.outcome: Reply | CallError | None = None
        """None while it is under way."""
        self.on_end: Callable[[], object] | None = None
        """Called once, when there is an outcome."""


class Conversation:
    """All requests of one client; times are monotonic seconds, given by the caller."""

    def __init__(
        self,
        encoding: Encoding,
        retries: int,
        server: str,
        limits: Limits = LIMITS,
        chance: Callable[[], float] = random,
    ) -> None:
        """`chance` gives numbers from 0 to below 1, for the times after refusals."""
        self._chance = chance
        self._encoding = encoding
        self._limits = limits
        self._retries = retries
        self._server = server
        self.trouble = ""
        """What is known to be wrong with the connection; part of the error when no answer comes."""
        self._flights: dict[str, Flight] = {}
        self._unsent: dict[str, Flight] = {}
        self._asked: dict[str, Flight] = {}
        self._alarms: list[tuple[float, int, Flight]] = []
        self._alarms_set = 0

    def begin(self, request: Request, timeout: float, now: float) -> Flight:
        """Take a request; Unencodable, ValueError where its id is under way already."""
        if request.id in self._flights:
            raise ValueError(f"the id {request.id!r} is under way: wait for its answer")
        # Waits of 1, 2, 4, … parts that fill the timeout together.
        patience = timeout / (2 ** (self._retries + 1) - 1)
        flight = Flight(request, now + timeout, patience, self._retries)
        flight.body = self._body(flight, now)
        self._flights[request.id] = self._unsent[request.id] = flight
        self._set_alarm(flight, flight.deadline)
        return flight

    @property
    def has_unsent(self) -> bool:
        """Whether there is something to send now."""
        return bool(self._unsent)

    def take_unsent(self, now: float) -> bytes:
        """Give the body of the oldest, which the caller sends at once."""
        flight = self._unsent.pop(next(iter(self._unsent)))
        self._asked[flight.request.id] = flight
        self._set_alarm(flight, min(flight.deadline, now + flight.patience))
        flight.patience *= 2
        body, flight.body = flight.body, None
        return body or self._body(flight, now)

    def received(self, body: bytes, now: float) -> None:
        """Match a reply with its request; late, repeated and unreadable ones are ignored."""
        try:
            reply = parse_reply(body)
        except BadReply:
            return
        flight = self._flights.get(reply.id)
        if flight is None:
            return
        if reply.error is not None and self._will_wait(flight, reply.error, now):
            return
        self._end(flight, reply)

    def disconnected(self) -> None:
        """Send again what was sent and is unanswered: the server may never have seen it."""
        asked, self._asked = self._asked, {}
        self._unsent = {**asked, **self._unsent}
        for flight in asked.values():
            self._set_alarm(flight, flight.deadline)

    def connected(self) -> None:
        """Note that the server is there; what waited for it has less time left."""
        self.trouble = ""
        for flight in self._unsent.values():
            flight.body = None

    def wake(self, now: float) -> None:
        """Do what is due: send again, or give up."""
        while self._alarms and self._alarms[0][0] <= now:
            due, _, flight = heappop(self._alarms)
            if due == flight.due:
                self._wake(flight, now)

    @property
    def next_alarm(self) -> float | None:
        """When to call `wake` next."""
        while self._alarms:
            due, _, flight = self._alarms[0]
            if due == flight.due:
                return due
            heappop(self._alarms)
        return None

    def close(self) -> None:
        """End everything without an answer."""
        self.trouble = "the client was closed"
        for flight in tuple(self._flights.values()):
            self._end(flight, self._no_answer(flight))

    def forget(self, flight: Flight) -> None:
        """Stop caring about a request whose caller has left."""
        for group in (self._flights, self._unsent, self._asked):
            if group.get(flight.request.id) is flight:
                del group[flight.request.id]
        flight.due = float("inf")

    def _body(self, flight: Flight, now: float) -> bytes:
        """The server learns how long it still makes sense to begin."""
        left_ms = max(1, min(600_000, round(1000 * (flight.deadline - now))))
        request = flight.request.model_copy(update={"timeout_ms": left_ms})
        return encode_request(request, self._encoding, self._limits)

    def _will_wait(self, flight: Flight, error: Refusal, now: float) -> bool:
        """Whether to ask again, under the same id, after the time that the server named.

        By chance it is later: by up to the time named, doubled with each refusal up to GROWN_SPREAD,
        and by at most half of what the deadline leaves.
        """
        if error.code not in WORTH_WAITING or error.retry_after_ms is None or not self._retries:
            return False
        pause = error.retry_after_ms / 1000
        spare = flight.deadline - now - pause
        if spare <= 0:
            return False
        self._unsent.pop(flight.request.id, None)
        self._asked.pop(flight.request.id, None)
        spread = max(pause, min(pause * 2.0 ** min(flight.refusals, 10), GROWN_SPREAD))
        flight.refusals += 1
        flight.is_postponed = True
        self._set_alarm(flight, now + pause + self._chance() * min(spread, spare / 2))
        return True

    def _wake(self, flight: Flight, now: float) -> None:
        if now >= flight.deadline:
            self._end(flight, self._no_answer(flight))
        elif flight.is_postponed or flight.tries:
            flight.tries -= not flight.is_postponed
            flight.is_postponed = False
            self._asked.pop(flight.request.id, None)
            self._unsent[flight.request.id] = flight
            self._set_alarm(flight, flight.deadline)
        else:
            self._set_alarm(flight, flight.deadline)

    def _no_answer(self, flight: Flight) -> NoAnswer:
        why = f": {self.trouble}" if self.trouble else ""
        words = (
            f"no answer from {self._server} in time{why}; whether the request was served "
            f"is not known: the same call with id={flight.request.id!r} has its effect once"
        )
        details = (Problem("", self.trouble),) if self.trouble else ()
        return NoAnswer(Refusal(NoAnswer.code, words, details=details), flight.request.id)

    def _end(self, flight: Flight, outcome: Reply | CallError) -> None:
        self.forget(flight)
        flight.outcome = outcome
        if flight.on_end is not None:
            flight.on_end()

    def _set_alarm(self, flight: Flight, due: float) -> None:
        flight.due = due
        self._alarms_set += 1
        heappush(self._alarms, (due, self._alarms_set, flight))
        if len(self._alarms) > 100 + 4 * len(self._flights):
            self._alarms = [alarm for alarm in self._alarms if alarm[0] == alarm[2].due]
            heapify(self._alarms)

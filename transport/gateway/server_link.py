"""The gateway's connection to the server: one DEALER socket, with many requests in flight.

Replies are matched by id and trace id: clients of a gateway choose ids without knowing of each other, so two
may be in flight at once. A request whose connection is lost is sent again on the next one, under its id; so
it takes effect once. One that ends without an answer keeps its place until the answer can no longer come,
so that no other request of that id and trace id can be given it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import msgspec
import structlog
import zmq
from zmq.utils.monitor import recv_monitor_message

from transport.curve import ClientKeys
from transport.dealer_socket import MONITORED, set_client_options
from transport.gateway.envelope import JSON, Envelope, Format, ReplyHead, head_of, problem
from transport.message import RESOURCE_EXHAUSTED, UNAVAILABLE, Refusal

log = structlog.get_logger()

MAX_REPLIES: Final = 1_000
"""Replies read at a time, so that a flood of them does not hold up the event loop."""

MAX_IN_FLIGHT: Final = 8_000
"""Requests that may wait for their answer."""

MAX_BYTES: Final = 6 * 1024 * 1024
"""Bytes of such requests. A server resets a connection that sends 8 MiB faster than they are handled."""

UNREACHABLE_SECONDS: Final = 5.0
"""Seconds that a request waits for a connection: longer than a server takes to restart."""

KEPT_SECONDS: Final = 600.0
"""Seconds for which an unanswered request keeps its place: the longest timeout of the message API."""

GRACE_SECONDS: Final = 2.0
"""Seconds past a request's timeout for the server's own answer that it is over."""

SWEEP_SECONDS: Final = 0.25

Reply = tuple[bytes, ReplyHead]
OnEnd = Callable[[Reply | Refusal], None]


class Exchange:
    """One request and who waits for its answer."""

    __slots__ = ("body", "deadline", "id", "is_sent", "made", "on_end", "trace_id")

    def __init__(self, id: str, trace_id: str, body: bytes, seconds: float, on_end: OnEnd) -> None:
        """`seconds` are its timeout. `on_end` is called once, with the reply or a refusal by the gateway."""
        self.id = id
        self.trace_id = trace_id
        self.body = body
        self.made = time.monotonic()
        self.deadline = self.made + seconds
        self.on_end: OnEnd | None = on_end
        self.is_sent = False
        """Whether the server may have received it."""


class ServerLink:
    """One connection to a server, on one event loop."""

    def __init__(
        self,
        endpoint: str,
        keys: ClientKeys = ClientKeys(),  # noqa: B008 - an immutable value
        unreachable_seconds: float = UNREACHABLE_SECONDS,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        """ValueError if `endpoint` is not one. Connects in the background once `start` was called."""
        self._endpoint = endpoint
        self._patience = unreachable_seconds
        self._in_flight: dict[str, dict[str, Exchange]] = {}
        """Requests by id and by trace id, the oldest of an id first: many clients may count from 1."""
        self._unsent: deque[Exchange] = deque()
        self._has_turn = False
        self.count = 0
        """Requests in flight."""
        self._bytes = 0
        self.is_connected = False
        self._socket = (context or zmq.Context.instance()).socket(zmq.DEALER)
        self._monitor = self._socket.get_monitor_socket(MONITORED)
        try:
            set_client_options(self._socket, keys.server, keys.own, ipv6="[" in endpoint)
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self._socket.disable_monitor()
            self._monitor.close(linger=0)
            self._socket.close(linger=0)
            raise ValueError(f"cannot connect to {endpoint!r}: {error}") from None

    def start(self) -> None:
        """Serve the socket on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._monitor.fileno(), self._on_monitor)
        self._loop.add_reader(self._socket.fileno(), self._turn)
        self._on_monitor()
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def close(self) -> None:
        """Disconnect; requests in flight end in `unavailable`."""
        self._sweeper.cancel()
        for descriptor in (self._monitor.fileno(), self._socket.fileno()):
            self._loop.remove_reader(descriptor)
        for each in self._all():
            self._end(each, self._no_answer(each))
        self._in_flight.clear()
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)

    def send(self, exchange: Exchange) -> None:
        """Send a request, now or once there is a connection."""
        refusal = self._refusal(exchange)
        if refusal is not None:
            self._end(exchange, refusal)
            return
        self._in_flight.setdefault(exchange.id, {})[exchange.trace_id] = exchange
        self.count += 1
        self._bytes += len(exchange.body)
        self._unsent.append(exchange)
        self._schedule_turn()

    async def call(self, envelope: Envelope, format: Format = JSON) -> Reply | Refusal:
        """Send a request and wait for its outcome."""
        ended: asyncio.Future[Reply | Refusal] = self._loop.create_future()

        def end(outcome: Reply | Refusal) -> None:
            if not ended.done():  # cancelled: the caller has left
                ended.set_result(outcome)

        trace_id, seconds = envelope.traceparent[3:35], envelope.timeout_ms / 1000
        self.send(Exchange(envelope.id, trace_id, format.encode(envelope), seconds, end))
        return await ended

    def _refusal(self, exchange: Exchange) -> Refusal | None:
        if self.count >= MAX_IN_FLIGHT or self._bytes + len(exchange.body) > MAX_BYTES:
            words = "the gateway waits for too many answers; send this one again, with the same id"
            return problem(RESOURCE_EXHAUSTED, words, retry_after_ms=100)
        if exchange.trace_id in self._in_flight.get(exchange.id, ()):
            words = f"a request with id {exchange.id!r} and this traceparent waits for its answer"
            return problem(UNAVAILABLE, words, retry_after_ms=100)
        return None

    # The socket. Its descriptor signals changes only: each use of the socket looks for replies afterwards.

    def _schedule_turn(self) -> None:
        if not self._has_turn:
            self._has_turn = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Send and receive all that is possible."""
        self._has_turn = False
        if self._socket.closed:
            return
        self._send_unsent()
        try:
            for _ in range(MAX_REPLIES):
                self._received(self._socket.recv(zmq.NOBLOCK))
        except zmq.Again:
            return
        self._schedule_turn()

    def _send_unsent(self) -> None:
        while self._unsent and self.is_connected:
            exchange = self._unsent[0]
            try:
                if exchange.on_end is None:
                    self._remove(exchange)
                else:
                    self._socket.send(exchange.body, zmq.NOBLOCK)
            except zmq.Again:
                self._loop.call_later(0.01, self._schedule_turn)
                return
            self._unsent.popleft()
            exchange.is_sent = True

    def _on_monitor(self) -> None:
        while (
            not self._monitor.closed
            and cast(int, self._monitor.getsockopt(zmq.EVENTS)) & zmq.POLLIN
        ):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.is_connected = True
                log.info("connected to the server", endpoint=self._endpoint)
            elif event == zmq.EVENT_DISCONNECTED:
                self._disconnected()
            else:
                log.error(
                    "the server refuses this gateway: it has another CURVE key, does not admit the "
                    "gateway's, or speaks another protocol",
                    endpoint=self._endpoint,
                )
        self._schedule_turn()

    def _disconnected(self) -> None:
        """Queue what was sent for the next connection. Answers to what was given up cannot come any more."""
        if self.is_connected:
            log.warning("the connection to the server is lost", endpoint=self._endpoint)
        self.is_connected = False
        everything = self._all()
        for each in everything:
            if each.on_end is None:
                self._remove(each)
        self._unsent = deque(
            sorted((each for each in everything if each.on_end), key=lambda each: each.made)
        )

    # Requests

    def _received(self, body: bytes) -> None:
        try:
            head = head_of(body)
        except msgspec.MsgspecError:
            log.error("the server sent what is no reply", size=len(body))
            return
        exchange = self._match(head)
        if exchange is not None:
            self._remove(exchange)
            self._end(exchange, (body, head))

    def _match(self, head: ReplyHead) -> Exchange | None:
        """Return the request of a reply.

        The server refuses what it has not decoded under a trace id of its own; such a refusal holds nothing
        of a tenant, and goes to the oldest request of its id.
        """
        group = self._in_flight.get(head.id)
        if not group:
            return None
        trace_id = head.meta.trace_id if head.meta is not None else None
        exchange = group.get(trace_id or "")
        if exchange is None and not head.ok:
            exchange = next(iter(group.values()))
        return exchange

    def _sweep(self) -> None:
        """End requests whose time is over."""
        now = time.monotonic()
        for each in self._all():
            if each.on_end is None:
                if now >= each.deadline + KEPT_SECONDS:
                    self._remove(each)
            elif each.is_sent:
                if now >= each.deadline + GRACE_SECONDS:
                    self._end(each, self._no_answer(each))
            elif now >= min(each.deadline, each.made + self._patience):
                self._remove(each)
                self._unsent.remove(each)
                self._end(each, self._no_answer(each))
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _all(self) -> list[Exchange]:
        return [each for group in self._in_flight.values() for each in group.values()]

    def _remove(self, exchange: Exchange) -> None:
        group = self._in_flight[exchange.id]
        del group[exchange.trace_id]
        self.count -= 1
        self._bytes -= len(exchange.body)
        if not group:
            del self._in_flight[exchange.id]

    def _end(self, exchange: Exchange, outcome: Reply | Refusal) -> None:
        on_end, exchange.on_end = exchange.on_end, None
        if on_end is not None:
            on_end(outcome)

    def _no_answer(self, exchange: Exchange) -> Refusal:
        if exchange.is_sent:
            words = (
                "no answer from the server in time; whether the request was served is not known: "
                "the same request with the same id takes effect once"
            )
        else:
            words = "the gateway does not reach the server; nothing was done"
        return problem(UNAVAILABLE, words, retry_after_ms=1_000)

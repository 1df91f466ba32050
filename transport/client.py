"""Talk to a Tenantry server: Client for ordinary code, AsyncClient for asyncio.

    with Client("tcp://127.0.0.1:5570", tenant="acme", token="…") as client:
        client.call("contacts.add", {"name": "Ada Lovelace"})

Both clients promise:

- One effect. Every request has an id; one is made unless the caller gives it. The client sends a request
  again, with the same id, when the connection breaks, when the server asks for patience, and up to
  `retries` times while the server stays silent. So it takes effect once. When a call ends in NoAnswer, make
  it again with `id=error.id`.
- Many requests at a time over one connection, answered in any order. Requests to one tenant are begun in
  the order in which they were made.
- The client reconnects to a server that restarts, and sends unanswered requests again.
- Errors are typed: a subclass of CallError (transport/errors.py) for each code, and NoAnswer, which is
  also a TimeoutError.

`BaseClient` holds the setup of both clients and turns a call into a pending request.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack

import zmq

from transport.codec import EncodeError
from transport.dealer_socket import DealerSocket
from transport.errors import CallError, InvalidArgument, result_of
from transport.message import INVALID_ARGUMENT, Encoding, Problem, Refusal, Reply
from transport.request.outgoing import problems_with
from transport.session import PendingRequest, Session, new_request_id
from transport.socket_file import ENDPOINT
from transport.validation import LIMITS, Limits

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Params = Mapping[str, Any]
Result = Mapping[str, Any]


class Options(TypedDict, total=False):
    """What one call may have of its own; what is absent or None is the client's, what is empty is sent."""

    tenant: str | None
    token: str | None
    timeout: float | None
    """Seconds that the caller waits, all retries included; also how long beginning it makes sense."""
    id: str | None
    """Names the request; give the id of a call that ended in NoAnswer to make the same call again."""


class BaseClient:
    """Base of both clients. Connects on creation, in the background."""

    def __init__(
        self,
        endpoint: str = ENDPOINT,
        *,
        tenant: str | None = None,
        token: str | None = None,
        encoding: Encoding = "msgpack",
        timeout: float = 30.0,
        retries: int = 2,
        limits: Limits = LIMITS,
        server_key: bytes | None = None,
        keys: tuple[bytes, bytes] | None = None,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        """Connect to `endpoint`; ValueError if it is not an endpoint.

        `tenant`, `token` and `timeout` (seconds) are defaults for calls that give none. `retries` is how
        often a request is sent again because no answer came. Requests that the server postponed
        (`retry_after_ms`) are sent again until the timeout. With `retries=0` neither is sent again.
        `limits` are the server's limits, if its settings are not the defaults. `server_key` (40 characters
        of Z85) turns CURVE on. `keys` is this client's public and secret key (transport/curve.py reads
        them); without it a pair is made, which works if the server admits every key.
        """
        self.endpoint = endpoint
        self._tenant = tenant
        self._token = token
        self._timeout = timeout
        self._socket = DealerSocket(
            endpoint,
            Session(encoding, retries, endpoint, limits),
            server_key=server_key,
            keys=keys,
            context=context,
        )

    def _start(self, action: str, params: Params | None, options: Options) -> PendingRequest:
        """Send a request. InvalidArgument if no server would accept it, ValueError if its id is pending."""
        id = _or_default(options.get("id"), new_request_id())
        fields = {
            "id": id,
            "tenant": _or_default(options.get("tenant"), self._tenant),
            "action": action,
            "params": dict(_or_default(params, {})),
            "token": _or_default(options.get("token"), self._token),
        }
        if problems := problems_with(fields):
            raise _not_sent(problems, id)
        try:
            return self._socket.start(fields, _or_default(options.get("timeout"), self._timeout))
        except EncodeError as error:
            raise _not_sent([error.problem], id) from None


def reply_or_raise(pending: PendingRequest) -> Reply:
    """Return the reply of a request that has ended; raises NoAnswer."""
    if isinstance(pending.outcome, CallError):
        raise pending.outcome
    assert pending.outcome is not None
    return pending.outcome


def _or_default(value: T | None, otherwise: T) -> T:
    """Return `value` unless it is None; empty values and 0 count as given."""
    return otherwise if value is None else value


def _not_sent(problems: list[Problem], id: str) -> InvalidArgument:
    words = "; ".join(f"{field}: {problem}" if field else problem for field, problem in problems)
    return InvalidArgument(Refusal(INVALID_ARGUMENT, words, details=tuple(problems)), id)


class Pending:
    """A request under way, from Client.submit."""

    def __init__(self, client: Client, pending: PendingRequest) -> None:
        self._client = client
        self._pending = pending

    @property
    def id(self) -> str:
        """The request's id."""
        return self._pending.id

    @property
    def done(self) -> bool:
        """Whether `reply` returns at once; changes only while the client waits for something."""
        return self._pending.outcome is not None

    def reply(self) -> Reply:
        """Wait for the whole reply; a refusal is returned, not raised. Raises NoAnswer."""
        return self._client.wait(self._pending)

    def result(self) -> Result:
        """Wait for the result; raises the refusal's CallError, or NoAnswer."""
        return result_of(self.reply())


class Client(BaseClient):
    """A client for ordinary code, and for one thread: give each thread its own, or submit many calls."""

    def call(self, action: str, params: Params | None = None, **options: Unpack[Options]) -> Result:
        """Wait for the result of one action; raises a CallError."""
        return self.submit(action, params, **options).result()

    def request(
        self, action: str, params: Params | None = None, **options: Unpack[Options]
    ) -> Reply:
        """Wait for the whole reply, with message and meta; a refusal is returned, not raised."""
        return self.submit(action, params, **options).reply()

    def submit(
        self, action: str, params: Params | None = None, **options: Unpack[Options]
    ) -> Pending:
        """Send a request without waiting. Raises InvalidArgument; ValueError if its id is pending.

        The client reads replies, and sends requests again, while it waits for any of them.
        """
        return Pending(self, self._start(action, params, options))

    def gather(self, *pending: Pending) -> list[Reply]:
        """Wait for all; return their replies in the same order, refusals included. Raises NoAnswer."""
        return [each.reply() for each in pending]

    def wait(self, pending: PendingRequest) -> Reply:
        """Wait for one pending request, and serve all meanwhile; raises NoAnswer."""
        while pending.outcome is None:
            self._socket.receive()
            self._socket.send_pending()
            deadline = self._socket.session.next_deadline
            if pending.outcome is None and deadline is not None:
                self._socket.wait(deadline - time.monotonic())
        return reply_or_raise(pending)

    def close(self) -> None:
        """Disconnect; what is unanswered ends in NoAnswer."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(BaseClient):
    """A client for asyncio, and for one event loop: the one that makes the first call.

    Await calls together, as with asyncio.gather. A cancelled call is discarded, but the server may serve it.
    """

    _loop: asyncio.AbstractEventLoop | None = None
    _next_turn = math.inf

    async def call(
        self, action: str, params: Params | None = None, **options: Unpack[Options]
    ) -> Result:
        """Wait for the result of one action; raises a CallError."""
        return result_of(await self.request(action, params, **options))

    async def request(
        self, action: str, params: Params | None = None, **options: Unpack[Options]
    ) -> Reply:
        """Wait for the whole reply, with message and meta; a refusal is returned, not raised."""
        ended = self._listen().create_future()
        pending = self._start(action, params, options)
        pending.on_end = lambda: None if ended.done() else ended.set_result(None)
        self._turn()
        try:
            if pending.outcome is None:
                await ended
        finally:
            self._socket.session.discard(pending)
        return reply_or_raise(pending)

    async def close(self) -> None:
        """Disconnect; what is unanswered ends in NoAnswer."""
        if self._loop is not None and not self._socket.closed:
            for pollable in self._socket.pollables:
                self._loop.remove_reader(pollable)
        self._socket.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _listen(self) -> asyncio.AbstractEventLoop:
        """Have the running loop watch the socket, from the first call on."""
        if self._loop is None:
            import asyncio  # where it is used: importing it takes longer than a call of `Client`

            self._loop = asyncio.get_running_loop()
            for pollable in self._socket.pollables:
                self._loop.add_reader(pollable, self._turn)
        return self._loop

    def _turn(self) -> None:
        """Receive and send all that is possible. ZeroMQ's descriptors signal changes only: look again."""
        if self._socket.closed or self._loop is None:
            return
        self._socket.receive()
        self._socket.send_pending()
        if self._socket.is_readable:
            self._loop.call_soon(self._turn)
        self._set_timer(self._loop)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        """Schedule a turn for the next deadline, unless an earlier one is scheduled."""
        deadline = self._socket.session.next_deadline
        if deadline is None or deadline >= self._next_turn:
            return
        self._next_turn = deadline
        loop.call_later(deadline - time.monotonic(), self._timed_turn)

    def _timed_turn(self) -> None:
        self._next_turn = math.inf
        self._turn()

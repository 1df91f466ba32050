"""What both clients share: how they are set up, and how a call becomes a request under way."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, TypedDict, TypeVar

import zmq
from pydantic import ValidationError

from transport.codec import Unencodable
from transport.conversation import Conversation, Flight
from transport.failure import CallError, InvalidArgument
from transport.limits import LIMITS, Limits
from transport.line import Line
from transport.message import INVALID_ARGUMENT, Encoding, Problem, Refusal, Reply, Request
from transport.problems import problems_of

ENDPOINT = "tcp://127.0.0.1:5570"
"""Where a server listens unless it was told otherwise."""

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


class Caller:
    """Connects on creation, in the background; closed once, by the client that it is."""

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
        """`tenant`, `token` and `timeout` (seconds) are for calls that are not given their own.

        `retries` is how often a request is sent again because no answer came; what the server asked to
        send later (`retry_after_ms`) is sent until the timeout. With 0, neither is. `limits` is what
        the server takes, where its settings are not the defaults. `server_key` (40 characters of Z85)
        turns CURVE on; `keys` is this client's public and secret key (transport/certificates.py reads
        them), made for the occasion where the server admits any.
        Raises ValueError for an endpoint that is none.
        """
        self.endpoint = endpoint
        self._tenant = tenant
        self._token = token
        self._timeout = timeout
        self._line = Line(
            endpoint,
            Conversation(encoding, retries, endpoint, limits),
            server_key=server_key,
            keys=keys,
            context=context,
        )

    def _begin(self, action: str, params: Params | None, options: Options) -> Flight:
        """Send a request; InvalidArgument for what no server would take, ValueError."""
        id = _given(options.get("id"), uuid.uuid4().hex)
        fields = {
            "id": id,
            "tenant": _given(options.get("tenant"), self._tenant),
            "action": action,
            "params": dict(_given(params, {})),
            "token": _given(options.get("token"), self._token),
        }
        try:
            request = Request.model_validate(fields)
            return self._line.begin(request, _given(options.get("timeout"), self._timeout))
        except ValidationError as error:
            raise _not_sent(problems_of(error), id) from None
        except Unencodable as error:
            raise _not_sent([error.problem], id) from None


def reply_of(flight: Flight) -> Reply:
    """Take the reply of a request that has ended; NoAnswer."""
    if isinstance(flight.outcome, CallError):
        raise flight.outcome
    assert flight.outcome is not None
    return flight.outcome


def _given(value: T | None, otherwise: T) -> T:
    """Take a value that is empty or 0 as it is: only what is absent is replaced."""
    return otherwise if value is None else value


def _not_sent(problems: list[Problem], id: str) -> InvalidArgument:
    words = "; ".join(f"{field}: {problem}" if field else problem for field, problem in problems)
    return InvalidArgument(Refusal(INVALID_ARGUMENT, words, details=tuple(problems)), id)

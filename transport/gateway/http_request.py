"""One HTTP request as the gateway reads it: headers that may come once, a body within its limits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from transport.gateway.envelope import JSON, MSGPACK, TOKEN_CHARACTERS, Format, problem
from transport.gateway.statuses import HttpRefusal, invalid, too_large, too_slow
from transport.message import UNAUTHENTICATED
from transport.request.id_recovery import valid_id
from transport.session import new_request_id

BODY_SECONDS: Final = 20.0
"""Seconds within which a body must have come."""

MOST_MS: Final = 600_000
"""Milliseconds of the longest timeout."""

USUAL_MS: Final = 30_000
"""Milliseconds of the timeout of a request that gives none."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

ONCE: Final = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"idempotency-key",
        b"origin",
        b"timeout-ms",
        b"traceparent",
    }
)
"""Headers of which a second one could be read by one program and the first by another."""

_BEARER = re.compile(r"bearer +([!-~]+) *", re.IGNORECASE)


class Headers:
    """The headers of one request, by their lower-case names."""

    __slots__ = ("_values", "id")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """HttpRefusal if one of ONCE came twice."""
        self._values: dict[bytes, bytes] = {}
        self.id = ""
        for name, value in pairs:
            if name in ONCE and name in self._values:
                raise invalid("came twice", name.decode())
            self._values[name] = value

    def text(self, name: bytes) -> str | None:
        """Return a header's text, or None."""
        value = self._values.get(name)
        return None if value is None else value.decode("latin-1").strip()

    def request_id(self) -> str:
        """Return the id that the client gave as Idempotency-Key, in quotes or bare, or a new one."""
        text = self.text(b"idempotency-key")
        if text is None:
            return new_request_id()
        bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
        if valid_id(bare) is None:
            raise invalid("must be 1-64 printable ASCII characters", "idempotency-key")
        return bare

    def token(self) -> str | None:
        """Return the bearer token; None if there is no Authorization. HttpRefusal if it is another kind."""
        text = self.text(b"authorization")
        if text is None:
            return None
        found = _BEARER.fullmatch(text)
        if found is None:
            raise HttpRefusal(problem(UNAUTHENTICATED, "write Authorization: Bearer TOKEN"))
        if len(found[1]) > TOKEN_CHARACTERS:
            raise invalid(f"a token has at most {TOKEN_CHARACTERS} characters", "authorization")
        return found[1]

    def timeout_ms(self) -> int:
        """Return the milliseconds of Timeout-Ms, or the usual ones."""
        text = self.text(b"timeout-ms")
        if text is None:
            return USUAL_MS
        if not (
            text.isascii()
            and text.isdecimal()
            and 1 <= len(text) <= 6
            and 1 <= int(text) <= MOST_MS
        ):
            raise invalid(f"must be an integer from 1 to {MOST_MS}", "timeout-ms")
        return int(text)

    def format(self) -> Format:
        """Return the encoding of the body by its Content-Type."""
        text = self.text(b"content-type")
        kind, _, parameter = (text or "").partition(";")
        kind = kind.strip().lower()
        if kind == "application/json" and parameter.strip().lower() in ("", "charset=utf-8"):
            return JSON
        if kind in ("application/msgpack", "application/vnd.msgpack"):
            return MSGPACK
        raise invalid(
            "params are application/json or application/msgpack: send it as Content-Type",
            "content-type",
            415,
        )

    def content_length(self) -> int:
        """Return the bytes that the client says it sends; 0 if it says nothing."""
        text = self.text(b"content-length")
        return int(text) if text is not None and text.isdecimal() else 0


async def read_body(receive: Receive, headers: Headers, most: int) -> bytes:
    """Return the body; HttpRefusal if it is longer than `most` bytes, slow, or cut off."""
    if headers.content_length() > most:
        raise too_large(most)
    message = await receive()
    if not message.get("more_body") and message["type"] == "http.request":
        body: bytes = message["body"]
        if len(body) > most:
            raise too_large(most)
        return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_on(receive, message, most)
    except TimeoutError:
        raise too_slow(BODY_SECONDS) from None


async def _read_on(receive: Receive, message: dict[str, Any], most: int) -> bytes:
    body = bytearray()
    while True:
        if message["type"] != "http.request":
            raise invalid("the connection was closed before the body's end")
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large(most)
        if not message.get("more_body"):
            return bytes(body)
        message = await receive()

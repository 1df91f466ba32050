"""The message API's maps as the gateway needs them: what it sends, and the head of what it receives.

Params and results pass through unread, as the bytes that they are: the server checks the one and has
checked the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from transport.codec import encode
from transport.message import VERSION, Encoding, Problem, Refusal, readable_traceparent

TOKEN_CHARACTERS: Final = 512
"""Characters of a token at most."""

_TRACE = re.compile(r"[0-9a-f]{32}")


class Envelope(Struct):
    """One request to the server. Every field is sent, so that nothing in `params` can stand for one.

    `id` comes first: the server finds it there also if the rest cannot be decoded.
    """

    id: str
    tenant: str | None
    action: str
    token: str | None
    traceparent: str
    timeout_ms: int
    params: Raw
    v: int = VERSION


class ErrorHead(Struct):
    """What the gateway reads of a reply's `error`."""

    code: str
    retry_after_ms: int | None = None
    details: Raw = Raw()


class Meta(Struct):
    """What the gateway reads of a reply's `meta`."""

    trace_id: str | None = None


class ReplyHead(Struct):
    """What the gateway reads of a reply."""

    id: str
    ok: bool
    error: ErrorHead | None = None
    meta: Meta | None = None
    result: Raw = Raw()


class Format:
    """One of the two encodings, with its decoders made once."""

    def __init__(self, encoding: Encoding) -> None:
        library = msgspec.json if encoding == "json" else msgspec.msgpack
        self.encoding: Encoding = encoding
        self.content_type = f"application/{encoding}".encode()
        self.encode: Callable[[Any], bytes] = library.Encoder().encode
        self.decode: Callable[[bytes | Raw], Any] = library.Decoder().decode
        self.raw: Callable[[bytes], Raw] = library.Decoder(Raw).decode
        self.head: Callable[[bytes], ReplyHead] = library.Decoder(ReplyHead).decode
        self.nothing = Raw(b"{}" if encoding == "json" else b"\x80")
        """An empty map."""


JSON: Final = Format("json")
MSGPACK: Final = Format("msgpack")


def head_of(body: bytes) -> ReplyHead:
    """Return the head of a reply in either encoding; msgspec.DecodeError if it is none."""
    return JSON.head(body) if body[:1] == b"{" else MSGPACK.head(body)


def new_id() -> str:
    """Return an id for a request whose client gave none."""
    return os.urandom(16).hex()


def trace_of(traceparent: str | None) -> str:
    """Return the client's traceparent as far as it can be read, or a new one."""
    return readable_traceparent(traceparent) or f"00-{new_id()}-{os.urandom(8).hex()}-01"


def system_request(
    action: str, params: Raw = JSON.nothing, tenant: str | None = None, timeout_ms: int = 2_000
) -> Envelope:
    """Return a request of the gateway itself, in JSON, which needs no token."""
    return Envelope(new_id(), tenant, action, None, trace_of(None), timeout_ms, params)


def refusal_body(id: str, refusal: Refusal, trace_id: str, encoding: Encoding = "json") -> bytes:
    """Return a refusal by the gateway in the form of the server's."""
    reply = {
        "v": VERSION,
        "id": id,
        "ok": False,
        "error": refusal.as_map(),
        "meta": {"trace_id": trace_id},
    }
    return encode(reply, encoding)


def problem(code: str, words: str, field: str = "", retry_after_ms: int | None = None) -> Refusal:
    """Return a refusal about one field of a request, or about the whole."""
    details = (Problem(field, words),) if field else ()
    text = f"{field}: {words}" if field else words
    return Refusal(code, text, details=details, retry_after_ms=retry_after_ms)

"""Replies as bytes: results that a tenant holds until the commit is on disk, and immediate refusals.

A refusal's user_message is the tenant's own text for end users.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from msgpack import packb

from actors.messages import Replies, TenantRequest
from actors.profiles import EMPTY, Config
from actors.routing.route import Route
from transport import codec
from transport.fit import fit_text
from transport.message import INTERNAL, VERSION, Encoding, Refusal

NOT_IMPLEMENTED_TEXT = "to be implemented"
"""The message of a dummy reply, as the guidelines require it."""

MOST_ENDS: Final = 1024
"""Ends of replies that are remembered."""

MAX_MESSAGE = 4000
"""Characters of a refusal's text, if the text must be cut to fit a reply."""

_HEAD: Final = b"\x85" + packb("v") + packb(VERSION) + packb("id")
"""How a reply in msgpack begins that has a result: a map of five entries."""

_RESULT: Final = packb("ok") + packb(True) + packb("result")
"""What stands between its id and its result."""

_TEXT: Final = tuple(packb("x" * length).removesuffix(b"x" * length) for length in range(65))
"""What stands before a text, by its length in bytes: an id has at most 64, a trace id 32."""

INTERNAL_REFUSAL = Refusal(INTERNAL, "a defect on our side; the trace id finds it in the error log")
"""The refusal for an unexpected error: never a stack trace."""


def encode_result(
    work: TenantRequest, route: Route, result: Mapping[str, Any], message: str | None = None
) -> bytes:
    """Return a reply with `ok: true`, in the request's encoding."""
    if message is None and work.peer.encoding == "msgpack":
        id_, trace_id = work.request.id.encode(), work.trace_id.encode()
        return codec.encode_between(
            b"".join((_HEAD, _TEXT[len(id_)], id_, _RESULT)),
            result,
            b"".join((_packed_meta(route.meta), _TEXT[len(trace_id)], trace_id)),
            lambda: _reply(work, route, result, None),
        )
    return codec.encode(_reply(work, route, result, message), work.peer.encoding)


def _reply(
    work: TenantRequest, route: Route, result: Mapping[str, Any], message: str | None
) -> dict[str, Any]:
    reply: dict[str, Any] = {
        "v": VERSION,
        "id": work.request.id,
        "ok": True,
        "result": result,
        "meta": {**route.meta, "trace_id": work.trace_id},
    }
    if message is not None:
        reply["message"] = message
    return reply


_ends: Final[dict[int, tuple[Mapping[str, Any], bytes]]] = {}
"""By the address of a meta: itself, which keeps the address its own, and the end of replies with it."""


def _packed_meta(meta: Mapping[str, Any]) -> bytes:
    """Return the end of a reply with this meta, up to the trace id: one for each version of each action.

    A meta is never changed. Each step is one operation on a dict, since several tenants' threads come here.
    """
    found = _ends.get(id(meta))
    if found is not None:
        return found[1]
    if len(_ends) >= MOST_ENDS:
        _ends.clear()
    whole: bytes = packb({**meta, "trace_id": ""})
    end = bytes(packb("meta")) + whole.removesuffix(packb(""))
    _ends[id(meta)] = meta, end
    return end


def encode_packed_result(work: TenantRequest, route: Route, packed: bytes) -> bytes:
    """As `encode_result`, for a result that is already encoded in the request's encoding."""
    reply = {"v": VERSION, "id": work.request.id, "ok": True, "result": None}
    meta = {**route.meta, "trace_id": work.trace_id}
    return codec.encode_around({**reply, "meta": meta}, "result", packed, work.peer.encoding)


def encode_stored(work: TenantRequest, stored: bytes) -> bytes:
    """Return a stored reply in the encoding of this request, with `replayed` set."""
    reply, _ = codec.decode(stored, codec.REPLIES)
    reply["meta"] = {**reply["meta"], "replayed": True, "trace_id": work.trace_id}
    return codec.encode(reply, work.peer.encoding)


def refusal_bytes(id_: str, refusal: Refusal, trace_id: str, encoding: Encoding) -> bytes:
    """Return a reply with `ok: false`; raises EncodeError if no reply can hold the refusal's texts."""
    reply = {
        "v": VERSION,
        "id": id_,
        "ok": False,
        "error": refusal.as_map(),
        "meta": {"trace_id": trace_id},
    }
    return codec.encode(reply, encoding)


def encode_refusal(work: TenantRequest, refusal: Refusal, *, as_it_is: bool = False) -> bytes:
    """The refusal of one request, in its encoding; its texts are made fit where they are not.

    Or `as_it_is`: EncodeError where no reply can hold it.
    """
    id_, trace_id, encoding = work.request.id, work.trace_id, work.peer.encoding
    try:
        return refusal_bytes(id_, refusal, trace_id, encoding)
    except codec.EncodeError:
        if as_it_is:
            raise
        return refusal_bytes(id_, _fitting(refusal), trace_id, encoding)


def _fitting(refusal: Refusal) -> Refusal:
    """Return the refusal with texts that fit a reply, without details: the message has them, too."""
    user_message = refusal.user_message and fit_text(refusal.user_message)[:MAX_MESSAGE]
    return Refusal(
        fit_text(refusal.code), fit_text(refusal.message)[:MAX_MESSAGE], user_message or None
    )


def send_refusal(work: TenantRequest, refusal: Refusal) -> None:
    """Send a refusal to the connection of its request."""
    work.outlet.tell(Replies([(work.peer, encode_refusal(work, refusal))]))


IDS_AT_ONCE: Final = 256
"""Trace ids that are made by one call of the system."""

_trace_ids: Final[deque[str]] = deque()
"""Made and not used yet. `pop` is one operation, so no two threads get the same."""


def new_trace_id() -> str:
    """Return 32 random hexadecimal digits, as of W3C Trace Context."""
    try:
        return _trace_ids.pop()
    except IndexError:
        digits = os.urandom(16 * IDS_AT_ONCE).hex()
        _trace_ids.extend(digits[at : at + 32] for at in range(32, len(digits), 32))
        return digits[:32]


MAX_USER_MESSAGE: Final = 1000
"""Characters of a user_message; a longer one is cut."""

PLACEHOLDER: Final = re.compile(r"\{(product_name|support_address|support_url)\}")
"""Placeholders, each filled from the field of whitelabel with its name. Other braces are plain text."""


def localise(refusal: Refusal, config: Config) -> Refusal:
    """Return the refusal with a user_message: its own, or else whitelabel's text for its code.

    Placeholders are filled once, so a value that looks like a placeholder stays as it is. A missing value is
    filled as an empty text.
    """
    text = refusal.user_message
    whitelabel = config.whitelabel
    if text is None and whitelabel:
        text = _text(_map(whitelabel.get("texts")).get(refusal.code))
    if text is None:
        return refusal
    return refusal._replace(user_message=_truncate(_fill_template(text, whitelabel)))


def _fill_template(text: str, whitelabel: Mapping[str, Any]) -> str:
    return PLACEHOLDER.sub(lambda found: _text(whitelabel.get(found[1])) or "", text)


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_USER_MESSAGE else f"{text[: MAX_USER_MESSAGE - 1]}…"


def _map(value: Any) -> Mapping[str, Any]:
    """Return a value that is no map as an empty map: an index may give whitelabel another shape."""
    return value if isinstance(value, Mapping) else EMPTY


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None

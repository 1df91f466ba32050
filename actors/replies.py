"""Replies as bytes: what a tenant holds until the commit is on disk, and what refuses at once.

What end users are told of a refusal, in their tenant's own words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from actors.messages import Replies, TenantRequest
from actors.profiles import EMPTY, Config
from actors.routing.route import Route
from transport import codec
from transport.fit import fit_text
from transport.message import INTERNAL, VERSION, Encoding, Refusal

NOT_IMPLEMENTED_TEXT = "to be implemented"
"""What a dummy says, in the guidelines' words."""

MAX_MESSAGE = 4000
"""Characters of a refusal's text that is cut since it fits no reply."""

INTERNAL_REFUSAL = Refusal(INTERNAL, "a defect on our side; the trace id finds it in the error log")
"""What a client sees of an unexpected error: never a stack trace."""


def encode_result(
    work: TenantRequest, route: Route, result: Mapping[str, Any], message: str | None = None
) -> bytes:
    """A reply with `ok: true`, in the request's encoding."""
    reply: dict[str, Any] = {
        "v": VERSION,
        "id": work.request.id,
        "ok": True,
        "result": result,
        "meta": {**route.meta, "trace_id": work.trace_id},
    }
    if message is not None:
        reply["message"] = message
    return codec.encode(reply, work.peer.encoding)


def encode_packed_result(work: TenantRequest, route: Route, packed: bytes) -> bytes:
    """As `encode_result`, with a result that is packed already in the request's encoding."""
    reply = {"v": VERSION, "id": work.request.id, "ok": True, "result": None}
    meta = {**route.meta, "trace_id": work.trace_id}
    return codec.encode_around({**reply, "meta": meta}, "result", packed, work.peer.encoding)


def encode_stored(work: TenantRequest, stored: bytes) -> bytes:
    """A stored reply again, marked as such, in the encoding that is asked for now."""
    reply, _ = codec.decode(stored, codec.REPLIES)
    reply["meta"] = {**reply["meta"], "replayed": True, "trace_id": work.trace_id}
    return codec.encode(reply, work.peer.encoding)


def refusal_bytes(id_: str, refusal: Refusal, trace_id: str, encoding: Encoding) -> bytes:
    """A reply with `ok: false`; EncodeError where no reply can hold what the refusal says."""
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
    """What can be said of it in any case; the details are in the message, too."""
    user_message = refusal.user_message and fit_text(refusal.user_message)[:MAX_MESSAGE]
    return Refusal(
        fit_text(refusal.code), fit_text(refusal.message)[:MAX_MESSAGE], user_message or None
    )


def send_refusal(work: TenantRequest, refusal: Refusal) -> None:
    """Send a refusal back to where a request came from."""
    work.outlet.tell(Replies([(work.peer, encode_refusal(work, refusal))]))


def new_trace_id() -> str:
    """32 hexadecimal digits, as W3C Trace Context has them."""
    return os.urandom(16).hex()


MAX_USER_MESSAGE: Final = 1000
"""Characters of a user_message; what is longer is cut."""

PLACEHOLDER: Final = re.compile(r"\{(product_name|support_address|support_url)\}")
"""All that is filled in, each from the field of whitelabel with its name; other braces are just text."""


def localise(refusal: Refusal, config: Config) -> Refusal:
    """The refusal with its user_message: what it says itself, or else whitelabel's text for its code.

    Placeholders are filled in once, so that a value which looks like one stays as it is; a value that is
    not there leaves nothing.
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
    """An index may give whitelabel another shape: what is no map has no texts."""
    return value if isinstance(value, Mapping) else EMPTY


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None

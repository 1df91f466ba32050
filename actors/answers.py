"""Replies as bytes: what a tenant holds until the commit is on disk, and what refuses at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from actors.messages import Replies, Work
from actors.routing.route import Route
from transport import codec
from transport.fit import fit_text
from transport.message import INTERNAL, VERSION, Encoding, Refusal

TO_BE_IMPLEMENTED = "to be implemented"
"""What a dummy says, in the guidelines' words."""

MOST_MESSAGE = 4000
"""Characters of a refusal's text that is cut since it fits no reply."""

A_DEFECT = Refusal(INTERNAL, "a defect on our side; the trace id finds it in the error log")
"""What a client sees of an unexpected error: never a stack trace."""


def success(
    work: Work, route: Route, result: Mapping[str, Any], message: str | None = None
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


def success_around(work: Work, route: Route, packed: bytes) -> bytes:
    """As `success`, with a result that is packed already in the request's encoding."""
    reply = {"v": VERSION, "id": work.request.id, "ok": True, "result": None}
    meta = {**route.meta, "trace_id": work.trace_id}
    return codec.encode_around({**reply, "meta": meta}, "result", packed, work.peer.encoding)


def replayed(work: Work, stored: bytes) -> bytes:
    """A stored reply again, marked as such, in the encoding that is asked for now."""
    reply, _ = codec.decode(stored, codec.REPLIES)
    reply["meta"] = {**reply["meta"], "replayed": True, "trace_id": work.trace_id}
    return codec.encode(reply, work.peer.encoding)


def refusal_bytes(id_: str, refusal: Refusal, trace_id: str, encoding: Encoding) -> bytes:
    """A reply with `ok: false`; Unencodable where no reply can hold what the refusal says."""
    reply = {
        "v": VERSION,
        "id": id_,
        "ok": False,
        "error": refusal.as_map(),
        "meta": {"trace_id": trace_id},
    }
    return codec.encode(reply, encoding)


def packed_refusal(work: Work, refusal: Refusal, *, as_it_is: bool = False) -> bytes:
    """The refusal of one request, in its encoding; its texts are made fit where they are not.

    Or `as_it_is`: Unencodable where no reply can hold it.
    """
    id_, trace_id, encoding = work.request.id, work.trace_id, work.peer.encoding
    try:
        return refusal_bytes(id_, refusal, trace_id, encoding)
    except codec.Unencodable:
        if as_it_is:
            raise
        return refusal_bytes(id_, _fitting(refusal), trace_id, encoding)


def _fitting(refusal: Refusal) -> Refusal:
    """What can be said of it in any case; the details are in the message, too."""
    user_message = refusal.user_message and fit_text(refusal.user_message)[:MOST_MESSAGE]
    return Refusal(
        fit_text(refusal.code), fit_text(refusal.message)[:MOST_MESSAGE], user_message or None
    )


def refuse(work: Work, refusal: Refusal) -> None:
    """Send a refusal back to where a request came from."""
    work.outlet.tell(Replies([(work.peer, packed_refusal(work, refusal))]))


def new_trace_id() -> str:
    """32 hexadecimal digits, as W3C Trace Context has them."""
    return os.urandom(16).hex()

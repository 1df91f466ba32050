"""Reads the request in a plain msgpack body in one pass, with the outcome of `parser.parse_request`.

Plain is a body of two small maps, the request's and its `params`, with text, integers, booleans and nil: what
most clients send. Its bytes prove that it keeps every limit, so that nothing has to be walked. Any other
body, and any that is not a request, is left to that module, which finds out what is wrong.
"""

from __future__ import annotations

from itertools import compress, product
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from pydantic import BaseModel

from transport import message as api
from transport.message import is_action_name, is_id, is_tenant_name, readable_traceparent
from transport.request.model import Request
from transport.validation import FAST_BYTES, LIMITS, Limits

_OTHER_LIMITS: Final = LIMITS[1:]
"""All but the body's length. A plain body's maps have 15 entries at most, far below each of them."""

_OPTIONAL: Final = ("tenant", "token", "timeout_ms", "traceparent", "v")
_FIELDS_SET: Final = {
    given: {"id", "action", "params", *compress(_OPTIONAL, given)}
    for given in product((False, True), repeat=len(_OPTIONAL))
}
"""The fields that a request has, by which of the optional ones are given."""


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a Request, of types and sizes that need no further look but at texts' characters."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    action: Annotated[str, Meta(max_length=128)]
    params: dict[str, Any]
    tenant: Annotated[str, Meta(max_length=63)] | UnsetType | None = UNSET
    token: Annotated[str, Meta(max_length=512)] | UnsetType | None = UNSET
    timeout_ms: Annotated[int, Meta(ge=1, le=600_000)] | UnsetType = UNSET
    traceparent: str | UnsetType | None = UNSET
    v: Annotated[int, Meta(ge=api.VERSION, le=api.VERSION)] | UnsetType = UNSET


_read_envelope = msgspec.msgpack.Decoder(_Envelope).decode

# The model is frozen, and its constructor validates. Its slots, as pydantic's model_construct sets them:
_new: Final = object.__new__
_set_values, _set_fields_set, _set_extra, _set_private = (
    BaseModel.__dict__[slot].__set__ for slot in BaseModel.__slots__
)


def parse_plain(body: bytes, limits: Limits) -> Request | None:
    """Return the request in a plain body; None if the body is not plain, or not a request.

    Without FAST_BYTES a plain body is two bytes long: the headers of its maps. Each holds the number of
    entries, so that no key was there twice; and no other container, float, binary or NUL can be in the body.
    """
    if len(body) > limits.body_bytes or limits[1:] != _OTHER_LIMITS:
        return None
    headers = body.translate(None, FAST_BYTES)
    if len(headers) != 2:
        return None
    try:
        found = _read_envelope(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    tenant = found.tenant
    fields = _FIELDS_SET[
        tenant is not UNSET,
        found.token is not UNSET,
        found.timeout_ms is not UNSET,
        found.traceparent is not UNSET,
        found.v is not UNSET,
    ]
    if headers[0] != 0x80 | len(fields) or headers[1] != 0x80 | len(found.params):
        return None
    if not (is_id(found.id) and is_action_name(found.action)):
        return None
    if tenant is UNSET:
        tenant = None
    elif tenant is not None and not is_tenant_name(tenant):
        return None
    return _request_of(found, tenant, fields)


def _request_of(found: _Envelope, tenant: str | None, fields: set[str]) -> Request:
    """Return the request with these fields set, as the model's constructor would make it."""
    token, timeout_ms, traceparent = found.token, found.timeout_ms, found.traceparent
    made = _new(Request)
    _set_values(
        made,
        {
            "v": api.VERSION,
            "id": found.id,
            "tenant": tenant,
            "action": found.action,
            "params": found.params,
            "token": None if token is UNSET else token,
            "timeout_ms": api.TIMEOUT_MS if timeout_ms is UNSET else timeout_ms,
            "traceparent": None if traceparent is UNSET else readable_traceparent(traceparent),
        },
    )
    _set_fields_set(made, fields)
    _set_extra(made, None)
    _set_private(made, None)
    return made

"""Bytes to requests, as a server and a gateway read them.

docs/message-api.md is the law. For any bytes `parse_request` returns a Request or raises BadRequest, and
nothing else.
"""

from __future__ import annotations

from pydantic import ValidationError

from transport.codec import DecodeError, decode, encoding_of
from transport.message import INVALID_ARGUMENT, Encoding, Problem, Refusal
from transport.request.id_recovery import recover_id, valid_id
from transport.request.model import Request, problems_of
from transport.request.plain import parse_plain
from transport.validation import LIMITS, Limits

_validate = Request.__pydantic_validator__.validate_python


class BadRequest(Exception):
    """A body that is not a request of version 1.

    `refusal` is the error to reply with, in `encoding`. `id` is the request's id; it is None if no valid id
    could be read, and the body can only be dropped and counted.
    """

    def __init__(self, problems: list[Problem], id: str | None, encoding: Encoding) -> None:
        text = "; ".join(f"{at}: {problem}" if at else problem for at, problem in problems)
        super().__init__(text)
        self.refusal = Refusal(INVALID_ARGUMENT, text, details=tuple(problems))
        self.id = id
        self.encoding = encoding


def parse_request(body: bytes, limits: Limits = LIMITS) -> tuple[Request, Encoding]:
    """Return the request in a body and its encoding; raises BadRequest and nothing else.

    A refused body is searched for its id in the outermost map, even if it is longer than the limit: the
    socket accepts up to four times the limit.
    """
    plain = parse_plain(body, limits)
    if plain is not None:
        return plain, "msgpack"
    try:
        value, encoding = decode(body, limits)
    except DecodeError as error:
        raise BadRequest([error.problem], recover_id(body, limits), encoding_of(body)) from None
    try:
        return _validate(value), encoding
    except ValidationError as error:
        raise BadRequest(problems_of(error), valid_id(value.get("id")), encoding) from None

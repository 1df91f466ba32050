"""Idempotency of requests: the progress of a suspended write, and the fingerprint of a request.

Progress is stored in place of the reply in the table of ids: how many steps of the function are committed.
Progress without a running call was left by a server that died; its request is not run again.

The fingerprint shows whether two requests with one id ask for the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Self

import msgpack
import msgspec

from actors.host.clocks import rfc3339
from transport.message import Refusal

FIRST_BYTE: Final = 0x93
"""First byte of an array of three in msgpack. Replies are maps, and those in JSON begin with `{`."""


class Progress(NamedTuple):
    """Committed steps that wrote; times are in seconds since the epoch."""

    steps: int
    first: float
    last: float

    @classmethod
    def advance(cls, earlier: Self | None, now: float) -> Self:
        """Return the progress after one more step."""
        if earlier is None:
            return cls(1, now, now)
        return cls(earlier.steps + 1, earlier.first, now)

    def encode(self) -> bytes:
        """Return the stored form."""
        encode: bytes = msgpack.packb(self)
        return encode

    def annotate(self, refusal: Refusal) -> Refusal:
        """Return the refusal of a request with this progress. Its effects stay, so it must not be retried."""
        message = f"{refusal.message}; {self}, and it is not run again under this id"
        return refusal._replace(message=message, retry_after_ms=None)

    def __str__(self) -> str:
        if self.steps == 1:
            return f"one step of it was committed, at {rfc3339(self.first)}"
        return (
            f"{self.steps} steps of it were committed, the first at {rfc3339(self.first)}, the last "
            f"at {rfc3339(self.last)}"
        )


def progress_in(stored: bytes) -> Progress | None:
    """Return the progress that is stored in place of a reply, or None if this is a reply."""
    return Progress(*msgpack.unpackb(stored)) if stored[0] == FIRST_BYTE else None


_encode: Final = msgspec.msgpack.Encoder(order="deterministic").encode
"""Sorts the keys of maps, at any depth. The bytes are those of msgpack's own library, which older digests
were made with."""


def request_fingerprint(action: str, params: Mapping[str, Any]) -> bytes:
    """Return 16 bytes that are equal for equal content, whatever the encoding and the order of keys."""
    return blake2b(_encode([action, params]), digest_size=16).digest()

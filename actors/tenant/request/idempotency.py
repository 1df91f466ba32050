"""What stands under an id while its function is under way: how much of its work is on disk.

It keeps the place of the reply in the table of ids. A mark that nobody works on any more was left by a server
that died: its request is not run again.

Whether two requests with one id ask for the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Self

import msgpack

from actors.host.clocks import rfc3339
from transport.message import Refusal

FIRST_BYTE: Final = 0x93
"""Of an array of three, in msgpack: replies are maps, and those in JSON begin with `{`."""


class Progress(NamedTuple):
    """Steps that wrote and were committed; times are in seconds since the epoch."""

    steps: int
    first: float
    last: float

    @classmethod
    def advance(cls, earlier: Self | None, now: float) -> Self:
        """With one more step."""
        if earlier is None:
            return cls(1, now, now)
        return cls(earlier.steps + 1, earlier.first, now)

    def encode(self) -> bytes:
        """As it is stored."""
        encode: bytes = msgpack.packb(self)
        return encode

    def annotate(self, refusal: Refusal) -> Refusal:
        """The refusal of a request of which this much is on disk: it stays, so there is no trying again."""
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
    """The mark that stands in the place of a reply; None where a reply does."""
    return Progress(*msgpack.unpackb(stored)) if stored[0] == FIRST_BYTE else None


PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""Types of values that hold no maps: nearly all are, and a call for each takes longer than the rest."""


def request_fingerprint(action: str, params: Mapping[str, Any]) -> bytes:
    """16 bytes that are equal for equal content, whatever the encoding and the order of keys."""
    content: bytes = msgpack.packb([action, canonical(params)])
    return blake2b(content, digest_size=16).digest()


def canonical(value: Any) -> Any:
    """The same value with the keys of its maps in order, at any depth: msgpack packs them as they come."""
    if isinstance(value, dict):
        return {
            key: each if type(each := value[key]) in PLAIN else canonical(each)
            for key in sorted(value)
        }
    if isinstance(value, list):
        return [each if type(each) in PLAIN else canonical(each) for each in value]
    return value

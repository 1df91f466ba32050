"""Whether two requests with one id ask for the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgpack

PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""Types of values that hold no maps: nearly all are, and a call for each takes longer than the rest."""


def content_digest(action: str, params: Mapping[str, Any]) -> bytes:
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

"""Whether two requests with one id ask for the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgpack


def content_digest(action: str, params: Mapping[str, Any]) -> bytes:
    """16 bytes that are equal for equal content, whatever the encoding and the order of keys."""
    content: bytes = msgpack.packb([action, canonical(params)])
    return blake2b(content, digest_size=16).digest()


def canonical(value: Any) -> Any:
    """The same value with the keys of its maps in order, at any depth: msgpack packs them as they come."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return value

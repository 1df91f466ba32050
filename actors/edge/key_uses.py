"""Which CURVE keys each token was used with: a second one may mean that the token was copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MOST_REMEMBERED: Final = 10_000
"""Tokens, and connections, that are remembered; past them all are forgotten."""

MOST_KEYS: Final = 16
"""Keys of one token that are remembered; further ones are not reported."""


class KeyUses:
    """The keys of tokens since the start; for one actor."""

    __slots__ = ("_keys", "_last")

    def __init__(self) -> None:
        self._last: dict[bytes, str] = {}
        """The token of each connection's last message: nearly all have one token for all."""
        self._keys: dict[str, set[str]] = {}

    def is_second(
        self, connection: bytes, token: str, key_of: Callable[[bytes], str | None]
    ) -> bool:
        """Return whether a token is used for the first time with a key that is not its first one."""
        if self._last.get(connection) == token:
            return False
        if len(self._last) >= MOST_REMEMBERED or len(self._keys) >= MOST_REMEMBERED:
            self._last, self._keys = {}, {}
        self._last[connection] = token
        key = key_of(connection)
        keys = self._keys.setdefault(token, set())
        if key is None or key in keys or len(keys) >= MOST_KEYS:
            return False
        keys.add(key)
        return len(keys) > 1

"""The table `tenantry_replies`: what was answered under an id, so that the same id gets the same reply."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from actors.errors import DatabaseProblem
from actors.tenant.database import guard as text

EXPIRE_BATCH: Final = 500
"""Replies that one deletion removes at most: about 1 ms of a turn."""

MOST_IDS: Final = 256
"""Ids that are asked at once at most: as many as a turn has messages."""

ReplyRow = tuple[str, str, bytes, bytes, int]
"""Caller, id, digest, reply, and seconds since the epoch."""


class ReplyTable:
    """Finds, stores and expires replies, in the transaction that is open. Errors are the driver's own."""

    __slots__ = ("_driver", "_execute", "has_replies_of_tokens")

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver
        self._execute = driver.execute
        (self.has_replies_of_tokens,) = driver.execute(text.HAS_TOKEN_REPLIES).fetchone()
        """Whether the file held replies of tokens when it was opened: none is stored for a token any more."""

    def find(
        self, caller: str, request_id: str, token: str | None = None
    ) -> tuple[bytes, bytes] | None:
        """Return the digest and the packed reply stored for this id of this caller, or of the token."""
        found: tuple[bytes, bytes] | None = self._execute(
            text.SELECT_REPLY, (caller, request_id)
        ).fetchone()
        if found is None and self.has_replies_of_tokens and token not in {None, caller}:
            found = self._execute(text.SELECT_REPLY, (token, request_id)).fetchone()
        return found

    def find_all(
        self, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[bytes, bytes]]:
        """Return the digests and replies stored for these callers and ids, MOST_IDS at most.

        Of replies that are stored for tokens none is found.
        """
        # A power of two: few texts, so that the driver keeps each prepared.
        asked = 1 << (len(keys) - 1).bit_length()
        values = [value for key in keys for value in key] + [*keys[-1]] * (asked - len(keys))
        rows = self._execute(text.SELECT_REPLIES[asked], values)
        return {(caller, id_): (digest, reply) for caller, id_, digest, reply in rows}

    def store(self, caller: str, request_id: str, digest: bytes, reply: bytes, now: float) -> None:
        """Store a reply in the transaction of its effect. `now` is time.time().

        Raises DatabaseProblem if that has ended, which a function can hide by catching the error: the reply
        would be committed by itself, and the effect is gone.
        """
        if not self._driver.in_transaction:
            raise DatabaseProblem("a function went on after an error that ended its transaction")
        self._execute(text.INSERT_REPLY, (caller, request_id, digest, reply, int(now)))

    def store_all(self, rows: Sequence[ReplyRow]) -> None:
        """Store replies in the transaction of their effects."""
        self._driver.executemany(text.INSERT_REPLY, rows)

    def update(self, caller: str, request_id: str, reply: bytes, now: float) -> None:
        """Store a reply, or a later mark, in the place of what a function's first steps left there."""
        self._execute(text.UPDATE_REPLY, (reply, int(now), caller, request_id))

    def has_before(self, moment: float) -> bool:
        """Whether a reply is older than `moment`; writes nothing."""
        found = self._execute(text.OLDEST_REPLY).fetchone()
        return found is not None and found[0] < int(moment)

    def delete_before(self, moment: float, most: int = EXPIRE_BATCH) -> int:
        """Delete at most `most` replies stored before `moment` (time.time()), oldest first.

        Return how many.
        """
        return self._execute(text.DELETE_REPLIES, (int(moment), most)).rowcount

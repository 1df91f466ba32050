"""The engine's own SQL for a tenant's database: the turn's transaction and the engine's tables.

Constants, so that the driver finds each prepared. They are marked: SQLite asks the authorizer when it
prepares a text, and the driver keeps what is prepared, so that without the mark a function could run the
same text, already allowed for the engine.
"""

from __future__ import annotations

import secrets
from typing import Final

MARK: Final = secrets.token_hex(8)
"""New in each process, so that no function's code can hold it."""


def marked(sql: str) -> str:
    """The text as no function can write it."""
    return f"{sql} /* {MARK} */"


BEGIN: Final = marked("BEGIN")
COMMIT: Final = marked("COMMIT")
ROLLBACK: Final = marked("ROLLBACK")
SAVEPOINT: Final = marked("SAVEPOINT message")
RELEASE: Final = marked("RELEASE message")
ROLLBACK_TO: Final = marked("ROLLBACK TO message")
PAGE_SIZE: Final = marked("PRAGMA page_size")
CHECKPOINT: Final = marked("PRAGMA wal_checkpoint(TRUNCATE)")

RECALL: Final = marked("SELECT digest, reply FROM tenantry_replies WHERE caller = ? AND id = ?")
OF_TOKENS: Final = marked(
    "SELECT EXISTS(SELECT 1 FROM tenantry_replies WHERE caller >= 't_' AND caller < 't`')"
)
"""Whether a reply is stored for a token: one step into the index of callers."""
REMEMBER: Final = marked(
    "INSERT INTO tenantry_replies (caller, id, digest, reply, at) VALUES (?, ?, ?, ?, ?)"
)
REPLACE: Final = marked("UPDATE tenantry_replies SET reply = ?, at = ? WHERE caller = ? AND id = ?")
OLDEST: Final = marked("SELECT at FROM tenantry_replies ORDER BY n LIMIT 1")
FORGET: Final = marked(
    "DELETE FROM tenantry_replies WHERE at < ?1 AND n <= "
    "(SELECT max(n) FROM (SELECT n FROM tenantry_replies ORDER BY n LIMIT ?2))"
)
"""Looks at the oldest rows only: they were inserted in the order of time, so `at` needs no index. A reply
that replaced a mark is younger than its row by ten minutes at most, and goes with a later sweep."""
BURY: Final = marked(
    "INSERT INTO tenantry_dead_letters (caller, id, action, request, reason, at) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
CHANGES: Final = "SELECT changes()"


PAGE_COUNT: Final = marked("PRAGMA page_count")
MOST_PAGES: Final = marked("PRAGMA max_page_count")


def max_page_count(pages: int) -> str:
    """The text that sets the quota; a PRAGMA takes no parameters."""
    return marked(f"PRAGMA max_page_count={pages}")

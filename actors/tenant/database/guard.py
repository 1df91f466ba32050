"""The Guard of a tenant's database: which SQL text may run, and what a function may do now.

A function may run only text that is written in loaded code, and none that is built at run time. Values belong
in bound parameters; a text that contains a value is how injection begins. Therefore every fragment that
SQLAlchemy would copy into a statement as it is (text(), literal_column(), op("…"), prefixes, hints, odd type
names) must be a constant of the loaded code. The dialect's compiler collects the fragments.

Each tenant has one Guard. The authorizer, the progress handler and the check of statements all read it. It
changes twice for each message, around the call of the function, and only in the tenant's own turn.

The engine's own SQL (the turn's transaction and the engine's tables) consists of constants, so that the
driver finds each prepared. They are tagged: SQLite calls the authorizer when it prepares a text, and the
driver keeps prepared statements, so that without the tag a function could run the same text, already allowed
for the engine.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any, Final, NoReturn

from actors.errors import StatementRefused

OF_SQLALCHEMY: Final = frozenset({"*", "'%'", "1", "0", "NULL", "FOUND"})
"""Fragments that SQLAlchemy itself writes, for count(), contains() and exists()."""

STATEMENT_WORDS: Final = frozenset(
    {"SELECT", "VALUES", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE"}
)

WRITING: Final = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE"})

TRANSACTION: Final = (
    "a function cannot begin, end or divide the transaction it runs in: raise an ActionError to take "
    "its effects back, return to keep them"
)
REASONS: Final = {
    **dict.fromkeys(("BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"), TRANSACTION),
    **dict.fromkeys(
        ("ATTACH", "DETACH"), "a function has one database, its tenant's: use connectors for others"
    ),
    "PRAGMA": "the engine sets the database up, and a function changes nothing of that",
    **dict.fromkeys(
        ("VACUUM", "ANALYZE", "REINDEX"), "maintenance is the engine's, outside of messages"
    ),
    **dict.fromkeys(("CREATE", "ALTER", "DROP"), "tables are made and changed by migrations"),
    "EXPLAIN": "look at query plans from the console",
}
SQL: Final = re.compile(r"\w.*\W|\W.*\w", re.DOTALL)
"""Text that says more than one word, or a sign: `id DESC` does, `name` and `->>` do not."""

FIRST_WORD = re.compile(r"\s*(\w+)")
OR_ROLLBACK = re.compile(r"\bOR\s+ROLLBACK\b", re.IGNORECASE)


class CompiledSql:
    """The parts of a compiled statement that the Guard checks, without the statement itself."""

    __slots__ = ("cleared", "distinctive", "fragments", "literal", "sql", "writes")

    def __init__(self, sql: str, fragments: tuple[str, ...], literal: bool, is_dml: bool) -> None:
        self.sql = sql
        self.fragments = fragments
        """Text that was copied into `sql` as it is."""
        self.distinctive = tuple(each for each in map(str.strip, fragments) if SQL.search(each))
        """The fragments that could change a statement if a caller sent them."""
        self.literal = literal
        """True where a value would be written into the text at the last moment."""
        self.writes = is_dml or is_writing(sql)
        """Whether it writes. An INSERT behind a WITH, in plain text, is not seen here."""
        self.cleared = NO_SQL
        """The code whose text it last passed, so that passing it again costs nothing. Never None, which
        stands for no code at all in the Guard."""


class AllowedSql:
    """The fragments of some loaded code; made when it is loaded, shared by every tenant, never changed."""

    __slots__ = ("fragments",)

    def __init__(self, fragments: frozenset[str] = frozenset()) -> None:
        self.fragments = fragments | OF_SQLALCHEMY

    def check(self, compiled_sql: CompiledSql, params: Mapping[str, Any]) -> None:
        """Raise StatementRefused unless every part of the statement is code or bound.

        `params` are the message's; they only serve to name the field a text came from.
        """
        if compiled_sql.literal:
            raise StatementRefused(
                "a value would be written into the SQL text (literal_execute=True): leave that out, "
                "and it is bound"
            )
        for fragment in compiled_sql.fragments:
            if fragment not in self.fragments:
                raise _refused(fragment, params)
        _check_kind(compiled_sql.sql)


def check_origin(compiled_sql: CompiledSql, text: str, params: Mapping[str, Any]) -> None:
    """Raise StatementRefused where a fragment is what the caller has sent, known or not.

    `said` is what `spoken` makes of the message's params. A fragment that begins a statement must not be part
    of a longer text either.
    """
    for fragment in compiled_sql.distinctive:
        if f"\0{fragment}\0" in text or (
            first_word(fragment) in STATEMENT_WORDS and fragment in text
        ):
            raise _refused(fragment, params)


def message_text(params: Mapping[str, Any]) -> str:
    """Every text that a message holds, names included, each between two NULs, of which none has any."""
    return "\0".join(("", *_texts(params), ""))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name).strip()
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


def _check_kind(sql: str) -> None:
    word = first_word(sql)
    if word not in STATEMENT_WORDS:
        reason = REASONS.get(word, "a statement begins with SELECT, INSERT, UPDATE, DELETE or WITH")
        raise StatementRefused(f"{word or 'an empty statement'} is refused: {reason}")
    if OR_ROLLBACK.search(sql):
        raise StatementRefused(
            "OR ROLLBACK is refused: it would roll back every message of the turn; use OR ABORT"
        )


NO_SQL: Final = AllowedSql()
"""Of a statement that was not checked yet."""


def is_writing(sql: str) -> bool:
    """Whether a plain text begins as one that writes; an INSERT behind a WITH is not seen."""
    return first_word(sql) in WRITING


def first_word(sql: str) -> str:
    """In upper case; empty where it does not begin with one."""
    found = FIRST_WORD.match(sql)
    return found[1].upper() if found else ""


def _refused(fragment: str, params: Mapping[str, Any]) -> StatementRefused:
    """Name the field that the text came from, and never repeat the text: it may be a customer's."""
    source = next(
        (
            path
            for path, value in _flat(params)
            if value and (value in fragment or fragment in value)
        ),
        None,
    )
    what = f"holds the value of {source}" if source else "was put together at run time"
    return StatementRefused(
        f"a piece of SQL text {what}: bind values with bindparam() or plain comparisons, choose "
        "columns and orders as expressions, and keep text() in constants of the module"
    )


def _flat(value: object, path: str = "params") -> Iterator[tuple[str, str]]:
    """Every text and number inside params, with its dotted path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}.{index}")
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield path, str(value)


class Guard:
    """Engine mode until `enter`, function mode until `leave`."""

    __slots__ = (
        *(
            "_message_text",
            "end_reason",
            "deadline",
            "denied",
            "function",
            "allowed_sql",
            "may_write",
            "params",
            "partial_write",
        ),
    )

    def __init__(self) -> None:
        self.function = False
        """True while a function runs: internal tables are then out of reach."""
        self.allowed_sql: AllowedSql | None = None
        """The SQL text of the code that is running; None refuses every statement."""
        self.may_write = False
        """True where the action's effect is `write`."""
        self.deadline = inf
        """time.monotonic() after which a running statement is interrupted, in seconds."""
        self.params: Mapping[str, Any] = {}
        """The message's params, to name the field whose value was found in SQL text."""
        self._message_text: str | None = None
        """All that is text in them, where a statement with text of its own was run."""
        self.denied: str | None = None
        """The access that the authorizer denied, in words, until the error is raised."""
        self.partial_write = False
        """Whether a statement of the function has failed and may have left something in the transaction."""
        self.end_reason: str | None = None
        """Why the transaction is over although the function still runs."""

    def enter(
        self, allowed_sql: AllowedSql, params: Mapping[str, Any], deadline: float, may_write: bool
    ) -> None:
        """Switch to function mode, before a function starts."""
        self.allowed_sql = allowed_sql
        self.params = params
        self._message_text = None
        self.deadline = deadline
        self.may_write = may_write
        self.denied = self.end_reason = None
        self.partial_write = False
        self.function = True

    def leave(self) -> None:
        """Switch to engine mode, after a function: the engine's statements are not interrupted."""
        self.function = False
        self.allowed_sql = None
        self.deadline = inf

    def mark_rolled_back(self, reason: str) -> None:
        """SQLite has rolled back the whole transaction: nothing more may run until the turn has seen it.

        Without this the function's next statement would commit by itself.
        """
        self.end_reason = reason
        self.allowed_sql = None

    def check(self, compiled_sql: CompiledSql) -> None:
        """Let a statement through at the point of execution, or raise StatementRefused."""
        allowed_sql = self.allowed_sql or self._refuse_statement()
        if compiled_sql.cleared is not allowed_sql:
            allowed_sql.check(compiled_sql, self.params)
            compiled_sql.cleared = allowed_sql
        if compiled_sql.distinctive and self.params:
            check_origin(compiled_sql, self._text_of_message(), self.params)
        if not self.may_write and compiled_sql.writes:
            raise StatementRefused(
                "the action's effect is `read` in the index, and this statement writes: make it "
                "`write` there, so that its reply is stored under the request's id"
            )

    def _text_of_message(self) -> str:
        """Return all text of the message; computed at most once for each, and for most messages never."""
        if self._message_text is None:
            self._message_text = message_text(self.params)
        return self._message_text

    def _refuse_statement(self) -> NoReturn:
        if self.end_reason is not None:
            raise StatementRefused(
                f"the transaction has ended ({self.end_reason}), so nothing more can run in it: let the "
                "error out of the function instead of catching it"
            )
        raise StatementRefused(
            "ctx.db belongs to the call it was given to, and that call has ended: do the work before "
            "the function returns"
        )


ENGINE_TAG: Final = secrets.token_hex(8)
"""New in each process, so that no function's code can hold it."""


def engine_sql(sql: str) -> str:
    """Return the SQL with a tag that no function can write."""
    return f"{sql} /* {ENGINE_TAG} */"


BEGIN: Final = engine_sql("BEGIN")
COMMIT: Final = engine_sql("COMMIT")
ROLLBACK: Final = engine_sql("ROLLBACK")
SAVEPOINT: Final = engine_sql("SAVEPOINT message")
RELEASE: Final = engine_sql("RELEASE message")
ROLLBACK_TO: Final = engine_sql("ROLLBACK TO message")
PAGE_SIZE: Final = engine_sql("PRAGMA page_size")
CHECKPOINT: Final = engine_sql("PRAGMA wal_checkpoint(TRUNCATE)")

SELECT_REPLY: Final = engine_sql(
    "SELECT digest, reply FROM tenantry_replies WHERE caller = ? AND id = ?"
)
SELECT_REPLIES: Final = {
    ids: engine_sql(
        "SELECT r.caller, r.id, r.digest, r.reply "  # noqa: S608 - constants
        f"FROM (VALUES {', '.join(['(?, ?)'] * ids)}) AS asked CROSS JOIN tenantry_replies AS r "
        "ON r.caller = asked.column1 AND r.id = asked.column2"
    )
    for ids in (1, 2, 4, 8, 16, 32, 64, 128, 256)
}
"""By how many ids are asked. CROSS JOIN: each is one step into the index."""
HAS_TOKEN_REPLIES: Final = engine_sql(
    "SELECT EXISTS(SELECT 1 FROM tenantry_replies WHERE caller >= 't_' AND caller < 't`')"
)
"""Whether a reply is stored for a token: one step into the index of callers."""
INSERT_REPLY: Final = engine_sql(
    "INSERT INTO tenantry_replies (caller, id, digest, reply, at) VALUES (?, ?, ?, ?, ?)"
)
UPDATE_REPLY: Final = engine_sql(
    "UPDATE tenantry_replies SET reply = ?, at = ? WHERE caller = ? AND id = ?"
)
OLDEST_REPLY: Final = engine_sql("SELECT at FROM tenantry_replies ORDER BY n LIMIT 1")
DELETE_REPLIES: Final = engine_sql(
    "DELETE FROM tenantry_replies WHERE at < ?1 AND n <= "
    "(SELECT max(n) FROM (SELECT n FROM tenantry_replies ORDER BY n LIMIT ?2))"
)
"""Looks at the oldest rows only: they were inserted in the order of time, so `at` needs no index. A reply
that replaced a mark is younger than its row by ten minutes at most, and goes with a later sweep."""
INSERT_DEAD_LETTER: Final = engine_sql(
    "INSERT INTO tenantry_dead_letters (caller, id, action, request, reason, at) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
CHANGES: Final = "SELECT changes()"


PAGE_COUNT: Final = engine_sql("PRAGMA page_count")
MAX_PAGE_COUNT: Final = engine_sql("PRAGMA max_page_count")


def max_page_count(pages: int) -> str:
    """The text that sets the quota; a PRAGMA takes no parameters."""
    return engine_sql(f"PRAGMA max_page_count={pages}")

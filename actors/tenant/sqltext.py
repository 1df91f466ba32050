"""SQL text that a function may run: what is written in loaded code, and nothing put together at run time.

Values belong in bound parameters; a text that holds one is how injection begins. So every fragment of
text that SQLAlchemy would copy into a statement as it is (text(), literal_column(), op("…"), prefixes,
hints, odd type names) must be a constant of the loaded code. The dialect's compiler collects them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from actors.errors import StatementRefused

OF_SQLALCHEMY: Final = frozenset({"*", "'%'", "1", "0", "NULL", "FOUND"})
"""Fragments that SQLAlchemy itself writes, for count(), contains() and exists()."""

BEGINNINGS: Final = frozenset({"SELECT", "VALUES", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE"})

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


class Written:
    """What is to be checked of a compiled statement, without the statement itself."""

    __slots__ = ("cleared", "fragments", "literal", "sql", "telling", "writes")

    def __init__(self, sql: str, fragments: tuple[str, ...], literal: bool, is_dml: bool) -> None:
        self.sql = sql
        self.fragments = fragments
        """Text that was copied into `sql` as it is."""
        self.telling = tuple(each for each in map(str.strip, fragments) if SQL.search(each))
        """Those among them that a caller could do something with who sends them."""
        self.literal = literal
        """True where a value would be written into the text at the last moment."""
        self.writes = is_dml or is_writing(sql)
        """Whether it writes. An INSERT behind a WITH, in plain text, is not seen here."""
        self.cleared = NOBODYS
        """The code whose text it last passed, so that passing it again costs nothing. Never None, which
        stands for no code at all in the Guard."""


class KnownText:
    """The fragments of some loaded code; made when it is loaded, shared by every tenant, never changed."""

    __slots__ = ("fragments",)

    def __init__(self, fragments: frozenset[str] = frozenset()) -> None:
        self.fragments = fragments | OF_SQLALCHEMY

    def check(self, written: Written, params: Mapping[str, Any]) -> None:
        """Raise StatementRefused unless every part of the statement is code or bound.

        `params` are the message's; they only serve to name the field a text came from.
        """
        if written.literal:
            raise StatementRefused(
                "a value would be written into the SQL text (literal_execute=True): leave that out, "
                "and it is bound"
            )
        for fragment in written.fragments:
            if fragment not in self.fragments:
                raise _refused(fragment, params)
        _check_kind(written.sql)


def check_origin(written: Written, said: str, params: Mapping[str, Any]) -> None:
    """Raise StatementRefused where a fragment is what the caller has sent, known or not.

    `said` is what `spoken` makes of the message's params. A fragment that begins a statement must not be part
    of a longer text either.
    """
    for fragment in written.telling:
        if f"\0{fragment}\0" in said or (first_word(fragment) in BEGINNINGS and fragment in said):
            raise _refused(fragment, params)


def spoken(params: Mapping[str, Any]) -> str:
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
    if word not in BEGINNINGS:
        reason = REASONS.get(word, "a statement begins with SELECT, INSERT, UPDATE, DELETE or WITH")
        raise StatementRefused(f"{word or 'an empty statement'} is refused: {reason}")
    if OR_ROLLBACK.search(sql):
        raise StatementRefused(
            "OR ROLLBACK is refused: it would roll back every message of the turn; use OR ABORT"
        )


NOBODYS: Final = KnownText()
"""Of a statement that was not checked yet."""


def is_writing(sql: str) -> bool:
    """Whether a plain text begins as one that writes; an INSERT behind a WITH is not seen."""
    return first_word(sql) in WRITING


def first_word(sql: str) -> str:
    """In upper case; empty where it does not begin with one."""
    found = FIRST_WORD.match(sql)
    return found[1].upper() if found else ""


def _refused(fragment: str, params: Mapping[str, Any]) -> StatementRefused:
    """Says where the text came from, and never repeats it: it may be a customer's."""
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

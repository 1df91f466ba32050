"""SQLAlchemy's SQLite dialect, with every statement shown to its tenant's Guard when it is executed.

For that, text that is copied into SQL is collected while it is compiled. SQLAlchemy keeps compiled
statements, so the collecting is paid once for each, and the showing is a look at an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import sqlalchemy.sql
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteIdentifierPreparer
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.elements import ClauseElement, quoted_name
from sqlalchemy.sql.visitors import Visitable, iterate

from actors.errors import StatementRefused
from actors.tenant.database.guard import CompiledSql

GUARD: Final = "tenantry_guard"
"""Execution option of a tenant's Connection: its Guard."""

MAX_VARIABLES: Final = 1_000
"""Bound parameters of one statement (SQLITE_LIMIT_VARIABLE_NUMBER); SQLAlchemy batches rows to fit."""

OF_SQLALCHEMY: Final = str(Path(sqlalchemy.sql.__file__).parent)
"""Where the code is that compiles the elements that come with SQLAlchemy."""

PLAIN_TYPE: Final = re.compile(r"[A-Z][A-Z_ ]*(\(\d+(, ?\d+)?\))?")
"""A type as SQLAlchemy writes it in a CAST; anything else counts as text."""


class TenantCompiler(SQLiteCompiler):
    """Collects, while it compiles, every piece of text that goes into the statement as it is."""

    fragments: tuple[str, ...] = ()
    """The collected text, in the order of the statement."""
    _looked_at: frozenset[int] = frozenset()
    """Addresses of the elements that are compiled by SQLAlchemy itself."""

    @cached_property
    def compiled_sql(self) -> CompiledSql:
        """What the Guard checks."""
        is_dml = self.isinsert or self.isupdate or self.isdelete
        return CompiledSql(self.string, self.fragments, bool(self.literal_execute_params), is_dml)

    def process(self, obj: Visitable, **kwargs: Any) -> str:
        """Every statement, and what is within it, comes through here; StatementRefused of what hides text."""
        for element in iterate(obj) if isinstance(obj, ClauseElement) else ():
            if id(element) not in self._looked_at and not _is_of_sqlalchemy(type(element)):
                raise StatementRefused(
                    f"{type(element).__name__} has a compiler of its own (@compiles), whose text cannot be "
                    "checked: write the expression with SQLAlchemy's own elements"
                )
            self._looked_at |= {id(element)}
        return super().process(obj, **kwargs)

    def post_process_text(self, text: str) -> str:
        """text(), prefixes, suffixes and template strings come through here."""
        self.fragments += (text,)
        return text

    def escape_literal_column(self, text: str) -> str:
        """literal_column() and the strings of op() come through here."""
        self.fragments += (text,)
        return text

    def get_statement_hint_text(self, hint_texts: list[str]) -> str:
        """with_statement_hint()."""
        self.fragments += tuple(hint_texts)
        return " ".join(hint_texts)

    def visit_typeclause(self, typeclause: Any, **kw: Any) -> str:
        """The type of a CAST, into which lengths and collations are copied."""
        written = str(super().visit_typeclause(typeclause, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy's compiler carries no types
        if not PLAIN_TYPE.fullmatch(written):
            self.fragments += (written,)
        return written


class TenantPreparer(SQLiteIdentifierPreparer):
    """Quotes every name that needs it, also where quoted_name(..., quote=False) asks it not to."""

    def quote(self, ident: str) -> str:
        """A name, safe as an identifier."""
        if isinstance(ident, quoted_name) and ident.quote is False:
            ident = str.__str__(ident)
        return super().quote(ident)


class TenantDialect(SQLiteDialect_pysqlite):
    """What tenants' connections speak. Transactions belong to the turn, which ends them on the driver."""

    supports_statement_cache = True
    statement_compiler = TenantCompiler
    preparer = TenantPreparer
    insertmanyvalues_max_parameters = MAX_VARIABLES

    def on_connect(self) -> Callable[[Any], None]:
        """Nothing: in particular no `regexp` function, which would run Python's re on input."""
        return lambda _: None

    def do_begin(self, dbapi_connection: Any) -> None:
        """Nothing: the turn has begun, on the driver."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing: SQLAlchemy asks for it when a connection is closed; the driver's close does it."""

    def do_commit(self, dbapi_connection: Any) -> None:  # noqa: ARG002  # SQLAlchemy's signature
        """Refused: a commit would end the transaction of every message in the turn."""
        raise StatementRefused("commit is the turn's: a function returns, and its effects are kept")

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run one statement that the Guard admits."""
        _check(context)
        cursor.execute(statement, parameters)

    def do_executemany(
        self, cursor: Any, statement: str, parameters: Any, context: Any = None
    ) -> None:
        """Run one statement for many rows."""
        _check(context)
        cursor.executemany(statement, parameters)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """Run one statement that asks for no parameters (execution option no_parameters)."""
        _check(context)
        cursor.execute(statement)


def _is_of_sqlalchemy(kind: type) -> bool:
    """Whether its elements are compiled by the dialect, and by no function that was registered for them."""
    code = getattr(kind._compiler_dispatch, "__code__", None)  # type: ignore[attr-defined]  # made at run time
    return code is not None and code.co_filename.startswith(OF_SQLALCHEMY)


def _check(context: Any) -> None:
    """Of the connection's options: those of a statement are the function's to set."""
    context.root_connection.get_execution_options()[GUARD].check(context.compiled.compiled_sql)

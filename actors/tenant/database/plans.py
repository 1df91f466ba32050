"""Prepared statements: what SQLAlchemy works out for a statement object, kept for its next execution.

SQLAlchemy spends 14 to 20 µs on each execution of a statement that it has compiled before, the driver 2.
A statement that is a constant of a module is the same object each time, so its SQL, the order of its
parameters and the conversions of its types are worked out once, and the driver is called directly
(docs/decisions/0003-statement-path.md). What is not simple has no plan, and takes SQLAlchemy's way.

Rows as functions see them: tuples whose columns are attributes, the same from either path.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Final, NamedTuple, cast
from weakref import ReferenceType, ref

from sqlalchemy import Executable, Insert, Table, TextClause
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.selectable import SelectBase

from actors.errors import StatementRefused
from actors.tenant.context import Binds, Row
from actors.tenant.database.dialect import TenantCompiler, TenantDialect
from actors.tenant.database.guard import CompiledSql

MakeRow = Callable[[Iterable[Any]], Row]

ROW_CLASSES_KEPT = 1_024
"""Classes of rows kept for the process; each is a few KB, and a desk of twenty actions needs about thirty."""


@lru_cache(maxsize=ROW_CLASSES_KEPT)
def row_maker(names: tuple[str, ...]) -> MakeRow:
    """What turns a plain tuple into a row with these column names.

    Two columns of one name are refused: an attribute could not tell them apart.
    """
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise StatementRefused(
            f"two columns of the result are called {twice[0]}: give one of them another name with "
            ".label()"
        )
    return cast("MakeRow", partial(tuple.__new__, _row_class(names)))


def _row_class(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    """A namedtuple, which also keeps names that Python would not take, such as `count(*)`."""
    plain = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # names are known at run time only
    if plain._fields == names:
        return plain
    odd = {
        name: property(itemgetter(place))
        for place, name in enumerate(names)
        if name != plain._fields[place] and not hasattr(plain, name)
    }

    def _asdict(row: tuple[Any, ...]) -> dict[str, Any]:
        return dict(zip(names, row, strict=True))

    return type("Row", (plain,), {"__slots__": (), **odd, "_asdict": _asdict})


Convert = Callable[[Any], Any] | None
Parameters = Callable[[Binds], tuple[Any, ...]]
Shape = Callable[[Any], Any]


class StatementPlan:
    """One statement with one set of bind names, ready for the driver. Does not hold the statement."""

    __slots__ = ("bare", "compiled_sql", "key", "parameters", "returns_rows", "row", "sql", "value")

    def __init__(
        self,
        compiled_sql: CompiledSql,
        parameters: Parameters,
        columns: Columns,
        bare: str = "",
        key: str = "",
    ) -> None:
        self.compiled_sql = compiled_sql
        self.sql = compiled_sql.sql
        self.bare = bare
        """An INSERT of one row without its RETURNING, where that asks for nothing but `key`."""
        self.key = key
        """`table.column`, and for the code the number of the row (SchemaInfo.keys); empty for all else."""
        self.parameters = parameters
        """Binds to the driver's tuple; KeyError where one is missing."""
        self.returns_rows = bool(columns.names)
        self.row: Shape = columns.row()
        """The driver's tuple to a Row."""
        self.value: Shape = columns.first_value()
        """The driver's tuple to its first column."""


class Columns(NamedTuple):
    """What comes back: names, and what each type wants done to the driver's value."""

    names: tuple[str, ...]
    converts: tuple[Convert, ...]

    def row(self) -> Callable[[Iterable[Any]], Row]:
        """What makes a Row of the driver's tuple."""
        make = row_maker(self.names)
        if not any(self.converts):
            return make
        converts = self.converts
        return lambda values: make(
            [c(v) if c else v for c, v in zip(converts, values, strict=True)]
        )

    def first_value(self) -> Shape:
        """What takes the first column out of the driver's tuple."""
        convert = self.converts[0] if self.converts else None
        if convert is None:
            return itemgetter(0)
        return lambda values: convert(values[0])


STATEMENTS: Final = (SelectBase, UpdateBase, TextClause)
"""What a function may execute."""


class _Entry:
    """A statement that was executed, as long as it lives."""

    __slots__ = ("plans", "statement")

    def __init__(self, statement: ReferenceType[Executable]) -> None:
        self.statement = statement
        self.plans: dict[int, StatementPlan | None] = {}
        """By the number of binds, since an INSERT has the columns it is given; None: there is no plan."""


class Plans:
    """The plans of a process. They hold no connection, so tenants share them.

    A statement gets its plan at its second execution, and loses it when it is collected: what a function
    builds for one message leaves nothing behind. Several tenants' turns use it at once; each step is one
    operation on a dict, and two that plan the same statement make the same plan.
    """

    def __init__(self, dialect: TenantDialect) -> None:
        self._dialect = dialect
        self._entries: dict[int, _Entry] = {}

    def find(self, statement: Executable, binds: Binds) -> StatementPlan | None:
        """The plan for this statement with binds of these names, or None: let SQLAlchemy do it."""
        entry = self._entries.get(id(statement))
        if entry is None:
            if isinstance(statement, STATEMENTS):
                self._first_sight(statement)
            return None
        try:
            return entry.plans[len(binds)]
        except KeyError:
            plan = entry.plans[len(binds)] = make_plan(statement, binds, self._dialect)
            return plan

    def forget(self, statement: Executable) -> None:
        """Take a statement's plans away: its next execution counts as the first."""
        self._entries.pop(id(statement), None)

    def __len__(self) -> int:
        return len(self._entries)

    def _first_sight(self, statement: Executable) -> None:
        key = id(statement)
        entries = self._entries
        entries[key] = _Entry(ref(statement, lambda _: entries.pop(key, None)))


def make_plan(statement: Executable, binds: Binds, dialect: TenantDialect) -> StatementPlan | None:
    """Work a statement out, or None where it needs more than binding, converting and naming."""
    try:
        compiled = cast("ClauseElement", statement).compile(
            dialect=dialect, column_keys=list(binds)
        )
    except SQLAlchemyError:
        return None  # SQLAlchemy's own way meets the same error, and words it
    if not isinstance(compiled, TenantCompiler) or not _is_simple(statement, compiled):
        return None
    parameters = _parameters(compiled, binds)
    columns = _columns(compiled, dialect)
    if parameters is None or columns is None:
        return None
    return StatementPlan(
        compiled.compiled_sql, parameters, columns, *_asked_for_key(statement, compiled.string)
    )


INSERTED: Final = re.compile(
    r"(INSERT INTO (\w+) \(([^()?]+)\) VALUES \(\?(?:, \?)*\)) RETURNING (\w+)"
)
"""One row of bound values, and one column of it back."""


def _asked_for_key(statement: Executable, sql: str) -> tuple[str, str]:
    """An INSERT without its RETURNING, and the key that this asks for; two empty texts for any other.

    The driver has the new row's number anyway, while SQLite makes a savepoint of its own for RETURNING, at
    which full-text indexes are written out.
    """
    found = INSERTED.fullmatch(sql)
    if found is None or not isinstance(statement, Insert):
        return "", ""
    bare, name, given, returned = found.groups()
    table = statement.table
    key = table.autoincrement_column if isinstance(table, Table) else None
    is_key = key is not None and returned == key.name and returned not in given.split(", ")
    return (bare, f"{name}.{returned}".lower()) if is_key else ("", "")


def _is_simple(statement: Executable, compiled: TenantCompiler) -> bool:
    """True where the text is final and nothing is computed in Python around the execution."""
    return not (
        compiled.isplaintext  # names its columns at run time only
        or compiled.literal_execute_params
        or compiled.post_compile_params  # IN with a list: the text depends on its length
        or compiled.insert_prefetch  # defaults made in Python
        or compiled.update_prefetch
        or compiled.implicit_returning
        or compiled.escaped_bind_names
        or statement.get_execution_options()
    )


REQUIRED: Final = object()


class _Source(NamedTuple):
    """Where one parameter of the driver comes from."""

    name: str
    otherwise: Any
    """The value written into the statement; REQUIRED where it must be given."""
    convert: Convert

    def take(self, binds: Binds) -> Any:
        value = binds[self.name] if self.otherwise is REQUIRED else self.otherwise
        return value if self.convert is None else self.convert(value)


def _parameters(compiled: TenantCompiler, binds: Binds) -> Parameters | None:
    """None where a name that was given is not asked for, or the other way round."""
    sources = [_source(compiled, name, binds) for name in compiled.positiontup or ()]
    asked = {source.name for source in sources if source and source.otherwise is REQUIRED}
    if None in sources or asked != set(binds):
        return None
    return _getter([source for source in sources if source])


def _source(compiled: TenantCompiler, name: str, binds: Binds) -> _Source | None:
    bind: BindParameter[Any] = compiled.binds[name]
    convert = compiled._bind_processors.get(name)
    if bind.callable is not None or not (convert is None or callable(convert)):
        return None
    given = next((key for key in (bind.key, name) if key in binds), None)
    if given is not None:
        return _Source(given, REQUIRED, convert)
    return None if bind.required else _Source(name, bind.value, convert)


def _getter(sources: list[_Source]) -> Parameters:
    """The cheapest function that gathers the parameters."""
    if any(source.convert or source.otherwise is not REQUIRED for source in sources):
        takes = [source.take for source in sources]
        return lambda binds: tuple([take(binds) for take in takes])
    names = [source.name for source in sources]
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda binds: (binds[name],)
        case _:
            return itemgetter(*names)


def _columns(compiled: TenantCompiler, dialect: TenantDialect) -> Columns | None:
    """None where columns are to be matched by name at run time, or one has none."""
    if not compiled._ordered_columns or compiled._loose_column_name_matching:
        return None
    found = compiled._result_columns
    names = tuple(str(column.keyname) for column in found)
    if len(set(names)) != len(names) or any(column.keyname is None for column in found):
        return None
    converts = tuple(column.type._cached_result_processor(dialect, None) for column in found)
    return Columns(names, converts)

"""Shows a reply in a terminal: results on standard output, everything else on standard error.

Text from a server is data: it is never taken for markup, and no control sequence in it reaches the terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, cast

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from actors.host.program import command
from scripts.cli.tables import Fitted, fit, safe_text, table_of
from transport.errors import CallError, NoAnswer
from transport.message import Reply

_PIPE_WIDTH = 10_000
"""Columns without a terminal: rows are for grep and stay on one line."""

_PADDING = re.compile(r" +(?=\n)")

_TALLEST_ROW, _HEAD_LINES = 3, 4
"""Lines of a table's row that is still read as one, on the average; lines of its head and frame."""

_LONGEST_BESIDE = 400
"""Characters of a value in a table at most; --json prints all of it."""


def show_reply(reply: Reply, *, built_in: bool = False, wide: bool = False) -> None:
    """Print the message and the result; version and trace id go to standard error.

    Of an action that is built in the trace id alone: it has one version, and that is not the news. `wide`
    tables have every column, however narrow the terminal is.
    """
    out = console_on(sys.stdout)
    if reply.message is not None:
        out.print(safe_text(reply.message, "bold yellow"))
    _show_map(out, reply.result or {}, wide=wide)
    meta = reply.meta.items()
    parts = [f"{name} {value}" for name, value in meta if not built_in or name == "trace_id"]
    console_on(sys.stderr).print(safe_text(" · ".join(parts), "dim"))


def show_error(error: CallError, hint: str = "") -> None:
    """Print a refusal: message, fields, text for the user, and when to try again."""
    err = console_on(sys.stderr)
    err.print(safe_text(f"{error.code}: {error.message}", "bold red"))
    for field, problem in error.details:
        if problem not in error.message:
            err.print(safe_text(f"  {field}: {problem}" if field else f"  {problem}"))
    if error.user_message is not None:
        err.print(safe_text(f"for the user: {error.user_message}"))
    if error.retry_after_ms is not None:
        err.print(safe_text(f"try again in {error.retry_after_ms / 1000:g} s with --id {error.id}"))
    if hint:
        err.print(safe_text(hint))
    if error.trace_id is not None:
        err.print(safe_text(f"trace_id {error.trace_id}", "dim"))


def show_no_answer(endpoint: str, seconds: float, error: NoAnswer) -> None:
    """Print that no reply came, a likely reason, and how to ask again safely."""
    err = console_on(sys.stderr)
    words = f"no answer from {endpoint} within {seconds:g} s: is the server running?"
    err.print(safe_text(f"{words} start it with {command('serve')}", "bold red"))
    for _, problem in error.details:
        err.print(safe_text(f"  {problem}"))
    err.print(safe_text(f"it may have been served all the same; to ask again: --id {error.id}"))


def show_problem(words: str) -> None:
    """Print why no request was sent."""
    console_on(sys.stderr).print(safe_text(words, "bold red"))


def console_on(file: IO[str]) -> Console:
    """Return a console as wide as the terminal; without one, as wide as the longest line."""
    if file.isatty():
        return Console(file=file, highlight=False)
    return Console(file=cast("IO[str]", _Unpadded(file)), width=_PIPE_WIDTH, highlight=False)


class _Unpadded:
    """The file that rich writes to: drops the blanks with which rich fills lines, which grep would see."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(_PADDING.sub("", text))

    def flush(self) -> None:
        self._file.flush()


def _show_map(out: Console, result: Mapping[str, Any], *, wide: bool = False) -> None:
    """Plain fields first, as a list of names and values, then each list of maps as a table.

    Maps within one map, such as the forms of one call, stand side by side. A value within another map has a
    dotted name, as params are written. Beside a table a field that is null, such as the last page's `next`,
    says nothing and is left out.
    """
    tables = {name: value for name, value in result.items() if _is_rows(value)}
    forms = {name: value for name, value in result.items() if _is_forms(value)}
    plain = {name: value for name, value in result.items() if name not in {**tables, **forms}}
    fields = _fields(each for each in _flat(plain) if not (tables and each[1] is None))
    if fields.row_count:
        out.print(fields)
    for name, rows in tables.items():
        if len(result) > 1:
            out.print(safe_text(f"{name} ({len(rows)})", "cyan"))
        show_rows(out, rows, wide=wide)
    for each in forms.values():
        out.print(_beside(each))


def show_rows(out: Console, rows: Sequence[Mapping[str, Any]], *, wide: bool = False) -> None:
    """Print a table. If the terminal is too narrow for it, columns are left out, and ids and times shortened.

    Rows that hold tables themselves are shown one after another. A terminal has no room for columns without
    a value. `wide` tables are as wide as they are.
    """
    if any(_is_rows(value) or _is_forms(value) for row in rows for value in row.values()):
        for row in rows:
            _show_rule(out)
            _show_map(out, row, wide=wide)
        return
    table = _table(rows, framed=out.is_terminal)
    if not out.is_terminal or _is_readable(out, table, len(rows)):
        out.print(table)
        return
    fitted = fit(rows, None if wide else out.width)
    Console(file=out.file, width=max(fitted.width, 1), highlight=False).print(table_of(fitted))
    if not wide:
        _say_what_is_missing(fitted)


def _is_readable(out: Console, table: Table, rows: int) -> bool:
    """Return whether no word has to be broken, and a row takes three lines at most on the average."""
    wide = out.options.update(width=_PIPE_WIDTH)
    if Measurement.get(out, wide, table).minimum > out.width:
        return False
    return len(out.render_lines(table, pad=False)) <= _TALLEST_ROW * rows + _HEAD_LINES


def _say_what_is_missing(fitted: Fitted) -> None:
    left_out = f"left out: {', '.join(fitted.left_out)}; " if fitted.left_out else ""
    console_on(sys.stderr).print(
        safe_text(f"{left_out}ids and times are shortened: --wide shows everything", "dim")
    )


def _show_rule(out: Console) -> None:
    """Print a separator between rows; an empty line in a pipe."""
    if out.is_terminal:
        out.rule(style="dim")
    else:
        out.print()


def _fields(fields: Iterable[tuple[str, Any]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in fields:
        grid.add_row(safe_text(name, "cyan"), _cell(value))
    return grid


def _flat(fields: Mapping[str, Any], way: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is not a map, with its dotted name; an empty map counts as a value."""
    for name, value in fields.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{way}{name}.")
        else:
            yield f"{way}{name}", value


def _beside(forms: Mapping[str, Mapping[str, Any] | None]) -> Table:
    """Return a table with a column for each map and a row for each name in any of them."""
    columns = {name: dict(_flat(form or {})) for name, form in forms.items()}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column()
    for name in columns:
        table.add_column(safe_text(name), overflow="fold")
    for line in dict.fromkeys(name for column in columns.values() for name in column):
        cells = (_cut(_cell(column.get(line))) for column in columns.values())
        table.add_row(safe_text(line, "cyan"), *cells)
    return table


def _cut(cell: Text) -> Text:
    if len(cell) <= _LONGEST_BESIDE:
        return cell
    return safe_text(f"{cell.plain[:_LONGEST_BESIDE]}… ({len(cell)} characters)")


def _is_forms(value: Any) -> bool:
    """Return whether these are two maps or more, and otherwise null."""
    if not isinstance(value, dict):
        return False
    maps = [each for each in value.values() if isinstance(each, dict)]
    return len(maps) > 1 and len(maps) + list(value.values()).count(None) == len(value)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _table(rows: Sequence[Mapping[str, Any]], *, framed: bool) -> Table:
    names = (name for row in rows for name, value in row.items() if value is not None or not framed)
    columns = list(dict.fromkeys(names))
    table = Table(box=box.SIMPLE_HEAD if framed else None, pad_edge=False)
    for name in columns:
        cells = [safe_text(name), *(_cell(row.get(name)) for row in rows)]
        is_of_words = any(" " in cell.plain for cell in cells)
        least = max(len(word) for cell in cells for word in cell.plain.split() or [""])
        table.add_column(cells[0], no_wrap=not is_of_words, min_width=least)
    for row in rows:
        table.add_row(*[_cell(row.get(name)) for name in columns])
    return table


def _cell(value: Any) -> Text:
    if isinstance(value, str):
        return safe_text(value)
    return safe_text("" if value is None else json.dumps(value, ensure_ascii=False))

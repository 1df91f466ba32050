"""Tables that fit a terminal: columns are chosen, ids and times shortened, one row a line.

Text from a server is data: control sequences in it are shown, not sent to the terminal.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

GAP = 2
"""Blanks between two columns."""

FLEXIBLE = 16
"""A column wider than this may be narrowed to it; what does not fit then ends in an ellipsis."""

LAST = (
    *(
        "hash",
        "prev",
        "digest",
        "tenant_id",
        "request_id",
        "token",
        "kind",
        "capacity",
        "issued_by",
    ),
    *(
        "sequence",
        "taken_back_at",
        "created_at",
        "delete_after",
        "params",
        "source",
        "code",
        "parent",
        "idle_seconds",
    ),
)
"""Columns that are left out first, the first of them before the others."""

TELLING = frozenset(
    {
        *("at", "name", "actor", "function", "action", "version", "person", "tenant"),
        *("outcome", "state", "status", "message", "event", "mailbox", "turns", "restarts"),
    }
)
"""Columns that say something also where every row says the same."""

OF_A_VERSION = frozenset({"kind", "name", "version"})
"""What `orders.place@2` says of one in a list."""

HEX = re.compile(r"[0-9a-f]{32,64}")
ID = re.compile(r"[a-z]_[0-9a-f]{16}")
TIME = re.compile(r"\d{4}-(\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")

SHORT_ID = 8

Row = Mapping[str, Any]


class Column(NamedTuple):
    """One column that is shown."""

    name: str
    heading: str
    cells: tuple[str, ...]

    @property
    def width(self) -> int:
        """What its widest cell takes."""
        return max(len(self.heading), *(len(cell) for cell in self.cells))

    @property
    def least(self) -> int:
        """What it takes at least."""
        return min(self.width, max(FLEXIBLE, len(self.heading)))


class Fitted(NamedTuple):
    """Columns that fit, with their widths, and the names of those that do not."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    left_out: tuple[str, ...]

    @property
    def width(self) -> int:
        """What the whole table takes."""
        return _space(self.widths)


def fit(rows: Sequence[Row], width: int | None) -> Fitted:
    """Choose columns for so many characters; None shows every column that has a value, unshortened."""
    columns = columns_of(rows, shorten=False)
    if width is None or _space(each.width for each in columns) <= width:
        return Fitted(tuple(columns), tuple(each.width for each in columns), ())
    columns = columns_of(rows, shorten=True)
    chosen = _chosen(columns, width)
    widths = _widths(chosen, width)
    left_out = tuple(each.name for each in columns if each not in chosen)
    return Fitted(tuple(chosen), widths, left_out)


def columns_of(rows: Sequence[Row], *, shorten: bool) -> list[Column]:
    """Return a column for each member that has a value in any row; members of members have dotted names."""
    flat = [dict(flatten(row)) for row in rows]
    every = dict.fromkeys(name for row in flat for name in row)
    names = [name for name in every if any(has_value(row.get(name)) for row in flat)]
    headings = _headings(names)
    return [
        Column(name, headings[name], tuple(cell_of(row.get(name), shorten=shorten) for row in flat))
        for name in names
    ]


def table_of(fitted: Fitted) -> Table:
    """Return the table, for a console that is as wide or wider."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column, width in zip(fitted.columns, fitted.widths, strict=True):
        table.add_column(Text(column.heading), no_wrap=True, overflow="ellipsis", width=width)
    for cells in zip(*(column.cells for column in fitted.columns), strict=True):
        table.add_row(*(Text(cell) for cell in cells))
    return table


def flatten(fields: Row, way: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is not a map, with its dotted name; a map by numbers counts as a value."""
    for name, value in fields.items():
        if isinstance(value, Mapping) and value and not _is_one_value(name, value):
            yield from flatten(value, f"{way}{name}.")
        else:
            yield f"{way}{name}", value


def _is_one_value(name: str, value: Mapping[str, Any]) -> bool:
    """Whether a map has other members in each row: params, and what is by numbers."""
    return name == "params" or all(key.isdecimal() for key in value)


def has_value(value: Any) -> bool:
    """Whether there is anything to show."""
    return value not in (None, "", [], {})


def cell_of(value: Any, *, shorten: bool) -> str:
    """Return one line of text for a value, without control characters."""
    if isinstance(value, str):
        text = _shortened(value) if shorten else value
    elif isinstance(value, Mapping):
        text = ", ".join(f"{name} {cell_of(each, shorten=shorten)}" for name, each in value.items())
    elif isinstance(value, list):
        text = ", ".join(_item(each, shorten=shorten) for each in value)
    elif isinstance(value, float):
        text = f"{value:.3f}".rstrip("0").rstrip(".")
    else:
        text = "" if value is None else json.dumps(value)
    return printable(" ".join(text.split()))


def _item(value: Any, *, shorten: bool) -> str:
    if isinstance(value, Mapping):
        if {"name", "version"} <= set(value):
            value = {"": f"{value['name']}@{value['version']}", **value}
            value = {name: each for name, each in value.items() if name not in OF_A_VERSION}
        return " ".join(cell_of(each, shorten=shorten) for each in value.values())
    return cell_of(value, shorten=shorten)


def _shortened(text: str) -> str:
    if HEX.fullmatch(text) or ID.fullmatch(text):
        return text[:SHORT_ID]
    if found := TIME.fullmatch(text):
        return f"{found[1]} {found[2]}"
    return text


def _headings(names: Sequence[str]) -> dict[str, str]:
    """Return for each dotted name as many of its last parts as no other ends with."""
    endings = Counter(ending for name in names for ending in _endings(name))
    return {
        name: next((each for each in _endings(name) if endings[each] == 1), name) for name in names
    }


def _endings(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[at:]) for at in range(len(parts) - 1, -1, -1)]


def _chosen(columns: Sequence[Column], width: int) -> list[Column]:
    """Leave columns out, the least important first, until what is left fits."""
    left = list(columns)
    while len(left) > 1 and _space(each.least for each in left) > width:
        left.remove(max(left, key=lambda each: _unimportance(each, columns)))
    return left


def _unimportance(column: Column, columns: Sequence[Column]) -> tuple[int, int, int]:
    """Larger for what goes first: what is listed, what says the same in every row, what comes later."""
    last = column.name.rpartition(".")[2]
    listed = len(LAST) - LAST.index(last) if last in LAST else -(last in TELLING)
    is_same = len(column.cells) > 1 and len(set(column.cells)) == 1 and last not in TELLING
    return listed, int(is_same), columns.index(column)


def _widths(columns: Sequence[Column], width: int) -> tuple[int, ...]:
    """Share what is left among the columns that were narrowed: those that need least of it come first."""
    widths = [each.least for each in columns]
    spare = width - _space(widths)
    for at in sorted(range(len(columns)), key=lambda at: columns[at].width - widths[at]):
        more = max(0, min(columns[at].width - widths[at], spare))
        widths[at] += more
        spare -= more
    return tuple(max(1, min(each, width)) for each in widths)


def _space(widths: Iterable[int]) -> int:
    listed = list(widths)
    return sum(listed) + GAP * max(0, len(listed) - 1)


def safe_text(words: str, style: str = "") -> Text:
    """Return the text with line breaks and tabs kept and other control characters escaped."""
    return Text(printable(words), style)


def printable(words: str) -> str:
    """Return the same as a string."""
    if words.isprintable():
        return words
    return "".join(
        char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in words
    )

"""Makes HTML of templates: everything in them is escaped, and what is missing is shown as a question mark."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from scripts.cli.tables import SHORT_ID, cell_of, columns_of, flatten, has_value, printable

HERE: Final = Path(__file__).parent

TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")

TRACE: Final = re.compile("[0-9a-f]{32}")

NONE: Final = "–"

KIB: Final = 1024

UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")

AROUND: Final = timedelta(hours=1)
"""Of a line, for a link to its request: of other days no file is read."""

LINKS: Final[Mapping[str, str]] = {
    "tenant": "/tenants/{}",
    "function": "/functions/{}",
    "trace_id": "/trace/{}",
    "actor": "/actors?actor={}",
}
"""Where a value leads, by the last part of its name."""


class Missing(ChainableUndefined):
    """A value that the server did not give."""

    def __str__(self) -> str:
        return "?"


class Cell(NamedTuple):
    """One value of a table, as text, and where it leads."""

    text: str
    href: str
    is_number: bool


class Parts(NamedTuple):
    """A result, by how its members are shown."""

    facts: dict[str, Any]
    texts: list[tuple[str, str]]
    tables: list[tuple[str, list[Mapping[str, Any]]]]


class Table(NamedTuple):
    """Rows with the columns that have a value in any of them."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def make_environment() -> Environment:
    """Return what renders the templates of this package."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=Missing,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "time": time_of,
        "around": around,
        "segment": lambda text: quote(str(text), safe=""),
        "facts": facts_of,
        "table": table_of,
        "parts": parts_of,
        "without": lambda value, name: {each: value[each] for each in value if each != name},
        "bytes": bytes_of,
        "json": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
        "fields": lambda value: urlencode({name: each for name, each in value.items() if each}),
    }
    return made


def shown(value: Any) -> Any:
    """Return a value as pages show it: controls and what turns text around as escapes, numbers short."""
    if isinstance(value, Markup | Missing):
        return value
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    return printable(value) if isinstance(value, str) else value


def bytes_of(value: Any) -> Any:
    """Return a number of bytes as people read it."""
    if not isinstance(value, int):
        return value
    size = float(value)
    for unit in UNITS:
        if size < KIB or unit == UNITS[-1]:
            return f"{size:,.1f} {unit}"
        size /= KIB
    return value


def time_of(value: Any) -> Any:
    """Return a time to the second, with the whole of it for programs."""
    found = TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    zone = " UTC" if found[4] in ("Z", "+00:00") else found[4]
    text = f"{found[1]} {found[2]}{zone}"
    return Markup('<time datetime="{}">{}</time>').format(value, text)


def around(value: Any) -> dict[str, str]:
    """Return the hours around a line in which the others of its request are looked for first."""
    if not isinstance(value, str) or not TIME.fullmatch(value):
        return {}
    at = datetime.fromisoformat(value).astimezone(UTC)
    since, until = ((at + hours).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (-AROUND, AROUND))
    return {"since": since, "until": until}


def facts_of(value: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    """Return each value of a map that has one, maps within it by dotted names."""
    return [
        (name, _cell(name, each, cell_of(each, shorten=False)))
        for name, each in flatten(value)
        if has_value(each)
    ]


def table_of(rows: Sequence[Mapping[str, Any]], *names: str) -> Table:
    """Return a table of rows: these columns, or every one that has a value."""
    if not isinstance(rows, list | tuple):
        return Table((), ())
    found = columns_of(rows, shorten=False)
    if names:
        by_name = {each.name: each for each in found}
        found = [by_name[name] for name in names if name in by_name]
    flat = [dict(flatten(row)) for row in rows]
    return Table(
        tuple(each.heading.replace("_", " ") for each in found),
        tuple(
            tuple(_cell(each.name, row.get(each.name), each.cells[at]) for each in found)
            for at, row in enumerate(flat)
        ),
    )


def parts_of(result: Mapping[str, Any]) -> Parts:
    """Divide a result into what is shown as facts, as text of several lines, and as tables."""
    facts, texts, tables = {}, [], []
    for name, value in result.items():
        if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            tables.append((name, [each for each in value if isinstance(each, Mapping)]))
        elif isinstance(value, str) and "\n" in value:
            texts.append((name, value))
        else:
            facts[name] = value
    return Parts(facts, texts, tables)


def link_of(name: str, value: Any) -> str:
    """Return where a value of that name leads; nothing if it leads nowhere."""
    last = name.rpartition(".")[2]
    if not isinstance(value, str) or last not in LINKS:
        return ""
    if last == "trace_id" and not TRACE.fullmatch(value):
        return ""
    return LINKS[last].format(quote(value, safe=""))


def _cell(name: str, value: Any, text: str) -> Cell:
    if isinstance(value, bool):
        text = shown(value)
    found = TIME.fullmatch(text)
    if found is not None:
        text = f"{found[1]} {found[2]}"
    if name.rpartition(".")[2] == "trace_id":
        text = text[:SHORT_ID]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(text, link_of(name, value), is_number)

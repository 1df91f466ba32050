"""The command line of scripts/access: who may call what, from the index, as the table of docs/access.md.

The table is made by the function that decides (actors.access.Rule.admits), and can be read back from the
page, so that what the page says can be compared with what a server does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from actors.access import (
    ADMIN,
    ADMIN_OWNER,
    AREAS,
    CHANNELS,
    DEVELOPER,
    DEVELOPER_ADMIN,
    MEMBER,
    OWNER,
    PUBLIC,
    SUPER_ADMIN,
    Rule,
    rule_of,
)
from actors.edge.builtin_actions import built_in
from actors.errors import IndexProblem
from actors.index.entries import Action, Index
from actors.index.parser import built_in_index, read_index

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "access.md"
INDEX = ROOT / "registry.toml"

MARK = "<!-- From here on written by scripts/access: change the index and run it again. -->"
"""What stands above it on the page is written by hand."""

HEADING = "# Who may call what\n\n"
"""What stands above it where there is no page yet."""

OUTDATED = 1

YES, NO, ON_ADMIN = "yes", "–", "on admin"
"""A cell: on the action's channel, nowhere, and on the admin channel although the action is of the other."""


class Caller(NamedTuple):
    """One column: a kind of caller."""

    heading: str
    role: str
    areas: frozenset[str] = frozenset()

    @property
    def channels(self) -> tuple[str, ...]:
        """Where there are such callers: nobody is a super admin on the data channel."""
        return (ADMIN,) if self.role == SUPER_ADMIN else CHANNELS


COLUMNS = (
    Caller("no token", PUBLIC),
    Caller("member", MEMBER),
    Caller("owner without the area", OWNER),
    Caller("owner with the area", OWNER, frozenset(AREAS)),
    Caller("admin owner", ADMIN_OWNER),
    Caller("super admin", SUPER_ADMIN),
    Caller("developer", DEVELOPER),
    Caller("developer admin", DEVELOPER_ADMIN),
)

HEADINGS = ("action", "channel", "effect", "area", *(caller.heading for caller in COLUMNS))


class Row(NamedTuple):
    """Who may call one action."""

    action: str
    channel: str
    """data, admin, or both."""
    effect: str
    area: str
    """What an owner needs; empty where nothing."""
    cells: Mapping[str, str]
    """YES, NO or ON_ADMIN by the headings of COLUMNS."""


def row_of(action: Action, rule: Rule) -> Row:
    """What a rule means for each kind of caller."""
    cells = {caller.heading: _cell(rule, caller) for caller in COLUMNS}
    return Row(action.name, rule.channel or "both", action.effect, rule.area or "", cells)


def rows_of(index: Index) -> list[Row]:
    """Of every action of an index, by name."""
    return [
        row_of(each, rule_of(each.access, each.channel, each.area, each.platform))
        for _, each in sorted(index.actions.items())
    ]


def page(text: str, index: Index) -> str:
    """The page with the table of this index in place of the one it has."""
    return f"{text.partition(MARK)[0]}{MARK}\n\n" + "\n".join(_sections(index)) + "\n"


def read_table(text: str) -> dict[str, Row]:
    """Every row of a page, by the name of the action; as rows_of made it."""
    lines = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `"))
    rows = (_row_from([cell.strip().strip("`") for cell in line]) for line in lines)
    return {row.action: row for row in rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or say whether it is up to date; the exit status."""
    given = make_parser().parse_args(arguments)
    try:
        index = read_index(given.registry)
    except IndexProblem as problem:
        print(problem, file=sys.stderr)
        return OUTDATED
    path: Path = given.page or given.registry.parent / PAGE.relative_to(ROOT)
    text = path.read_text() if path.exists() else HEADING
    wanted = page(text, index)
    if text == wanted:
        return 0
    if given.check:
        print(f"{path} is not what the index says: run scripts/access", file=sys.stderr)
        return OUTDATED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wanted)
    print(f"wrote {path}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/access",
        description="Write the table of docs/access.md: who may call what, from the index.",
        epilog="exit status: 0 up to date or written, 1 out of date or a broken index, 2 wrong usage",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; say whether to")
    parser.add_argument("--registry", type=Path, default=INDEX, help="another index")
    parser.add_argument(
        "--page", type=Path, help="another page (default: docs/access.md beside the index)"
    )
    return parser


def _cell(rule: Rule, caller: Caller) -> str:
    admitted = [each for each in caller.channels if rule.admits(caller.role, caller.areas, each)]
    if not admitted:
        return NO
    return YES if rule.channel in (None, *admitted) else ON_ADMIN


def _sections(index: Index) -> Iterator[str]:
    system = [row_of(route.action, route.rule) for _, route in sorted(built_in().items())]
    yield from _section("On the connection itself", system)
    yield from _section("Administration", rows_of(built_in_index()))
    yield from _section("The index's own actions", rows_of(index))


def _section(title: str, rows: Iterable[Row]) -> Iterator[str]:
    yield f"## {title}\n"
    yield _line(HEADINGS)
    yield _line("---" for _ in HEADINGS)
    for row in rows:
        cells = (row.cells[caller.heading] for caller in COLUMNS)
        yield _line((f"`{row.action}`", row.channel, row.effect, row.area, *cells))
    yield ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row_from(cells: Sequence[str]) -> Row:
    action, channel, effect, area, *marks = cells
    headings = (caller.heading for caller in COLUMNS)
    return Row(action, channel, effect, area, dict(zip(headings, marks, strict=True)))


if __name__ == "__main__":
    sys.exit(main())

"""The table of docs/access.md: who may call what, made from the index and read back from a page.

actors.access.Rule.admits, which decides in a server, makes the table too. A test reads the table back
from the page and compares it with a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from actors.access import (
    ADMIN,
    ADMIN_OWNER,
    AREAS,
    BOTH,
    CHANNELS,
    DEVELOPER,
    DEVELOPER_ADMIN,
    MEMBER,
    OWNER,
    PUBLIC,
    SUPER_ADMIN,
    TENANT_ROLES,
    Rule,
    rule_of,
)
from actors.edge.builtin_actions import built_in
from actors.index.entries import Action, Index
from actors.index.parser import built_in_index

MARK = "<!-- From here on written by scripts/access: change the index and run it again. -->"
"""The line below which the page is generated; the text above it is written by hand."""

YES, NO, ON_ADMIN = "yes", "–", "on admin"
"""Cells: admitted on the action's channel, not admitted, and admitted on the admin channel only."""


class CallerKind(NamedTuple):
    """One column: a kind of caller."""

    heading: str
    role: str
    areas: frozenset[str] = frozenset()

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels with such callers: super admins exist on the admin channel only."""
        return (ADMIN,) if self.role == SUPER_ADMIN else CHANNELS


COLUMNS = (
    CallerKind("no token", PUBLIC),
    CallerKind("member", MEMBER),
    CallerKind("owner without the area", OWNER),
    CallerKind("owner with the area", OWNER, frozenset(AREAS)),
    CallerKind("admin owner", ADMIN_OWNER),
    CallerKind("super admin", SUPER_ADMIN),
    CallerKind("developer", DEVELOPER),
    CallerKind("developer admin", DEVELOPER_ADMIN),
)

HEADINGS = ("action", "channel", "effect", "area", *(caller.heading for caller in COLUMNS))


class ActionRow(NamedTuple):
    """Who may call one action."""

    action: str
    channel: str
    """data, admin, or both."""
    effect: str
    area: str
    """The area that an owner needs; empty if none."""
    cells: Mapping[str, str]
    """YES, NO or ON_ADMIN by the headings of COLUMNS."""


def row_of(action: Action, rule: Rule) -> ActionRow:
    """Return a rule's cell for each kind of caller."""
    cells = {caller.heading: _cell(action, rule, caller) for caller in COLUMNS}
    return ActionRow(action.name, rule.channel or "both", action.effect, rule.area or "", cells)


def rows_of(index: Index) -> list[ActionRow]:
    """Return the rows of every action of an index, by name."""
    return [
        row_of(each, rule_of(each.access, each.channel, each.area, each.platform))
        for _, each in sorted(index.actions.items())
    ]


def page(text: str, index: Index) -> str:
    """Return the page with its table replaced by the table of this index."""
    return f"{text.partition(MARK)[0]}{MARK}\n\n" + "\n".join(_sections(index)) + "\n"


def read_table(text: str) -> dict[str, ActionRow]:
    """Return every row of a page, by the name of the action, as `rows_of` made it."""
    lines = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `"))
    rows = (_row_from([cell.strip().strip("`") for cell in line]) for line in lines)
    return {row.action: row for row in rows}


def _cell(action: Action, rule: Rule, caller: CallerKind) -> str:
    admitted = [each for each in caller.channels if rule.admits(caller.role, caller.areas, each)]
    if not admitted:
        return NO
    if action.channel == BOTH and caller.role not in TENANT_ROLES:
        return ON_ADMIN  # a token of the platform belongs to no tenant, which the data channel asks for
    return YES if rule.channel in (None, *admitted) else ON_ADMIN


def _sections(index: Index) -> Iterator[str]:
    system = [row_of(route.action, route.rule) for _, route in sorted(built_in().items())]
    yield from _section("On the connection itself", system)
    yield from _section("Administration", rows_of(built_in_index()))
    yield from _section("The index's own actions", rows_of(index))


def _section(title: str, rows: Iterable[ActionRow]) -> Iterator[str]:
    yield f"## {title}\n"
    yield _line(HEADINGS)
    yield _line("---" for _ in HEADINGS)
    for row in rows:
        cells = (row.cells[caller.heading] for caller in COLUMNS)
        yield _line((f"`{row.action}`", row.channel, row.effect, row.area, *cells))
    yield ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row_from(cells: Sequence[str]) -> ActionRow:
    action, channel, effect, area, *marks = cells
    headings = (caller.heading for caller in COLUMNS)
    return ActionRow(action, channel, effect, area, dict(zip(headings, marks, strict=True)))

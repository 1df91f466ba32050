"""Writes docs/actions.md: every action, for developers of frontends."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator

from actors.access import ADMIN
from actors.guidance.commands import allowed_roles, command
from actors.guidance.schema_text import SchemaRow, schema_rows
from actors.index.entries import Action, Index
from scripts.codegen.offer import group_of, offered

MARK = "<!-- From here on written by scripts/schema: change the index and run it again. -->"
"""The line below which the page is generated; the text above it is written by hand."""

INTRODUCTION = """\
# Actions

What can be asked for: each action with what goes in, what comes out, and who may call it.

"""
"""The beginning of a new page."""


def page(before: str | None, index: Index) -> str:
    """Return the page; text above the mark is kept."""
    above = INTRODUCTION if before is None else before.partition(MARK)[0]
    return f"{above}{MARK}\n\n" + "\n".join(_groups(offered(index))).rstrip("\n") + "\n"


def state(action: Action) -> str:
    """Return an action's versions and their states in words, the newest first."""
    versions = ", ".join(f"{each.number} ({each.state})" for each in action.versions)
    return versions or "none yet: it answers `to be implemented`, with the example"


def _groups(actions: Iterable[Action]) -> Iterator[str]:
    for name, members in itertools.groupby(actions, key=group_of):
        yield f"## {name}\n"
        for action in members:
            yield from _action(action)


def _action(action: Action) -> Iterator[str]:
    yield f"### {action.name}\n"
    yield f"{' '.join(action.summary.split())}\n"
    yield "| | |"
    yield "|---|---|"
    yield f"| who | {allowed_roles(action)} |"
    yield f"| effect | {action.effect} |"
    if action.channel == ADMIN:
        yield "| channel | admin |"
    if action.connectors:
        yield f"| connectors | {', '.join(f'`{each}`' for each in sorted(action.connectors))} |"
    yield f"| versions | {state(action)} |"
    yield ""
    yield from _table("param", schema_rows(action.params.source))
    yield from _table("result", schema_rows(action.result.source))
    yield "```console"
    yield f"$ {command(action)}"
    yield "```\n"
    yield "```json"
    yield json.dumps(action.result.example(), ensure_ascii=False)
    yield "```\n"


def _table(heading: str, rows: Iterable[SchemaRow]) -> Iterator[str]:
    lines = [
        _line(f"`{row.path}`", row.type, "" if row.required else "optional", row.meaning)
        for row in rows
    ]
    if not lines:
        yield f"No {heading}s.\n" if heading == "param" else f"An empty {heading}.\n"
        return
    yield _line(heading, "type", "", "")
    yield _line("---", "---", "---", "---")
    yield from lines
    yield ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"

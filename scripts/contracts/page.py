"""docs/actions.md: every action, for whoever writes a frontend."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from actors.access import ADMIN, ADMIN_OWNER, MEMBER, OWNER, PUBLIC
from actors.index.entries import Action, Index
from scripts.contracts.fields import Row, rows_of
from scripts.contracts.offer import example_params, group_of, names_tenant, offered

MARK = "<!-- From here on written by scripts/schema: change the index and run it again. -->"
"""What stands above it on the page is written by hand."""

INTRODUCTION = """\
# Actions

What can be asked for: each action with what goes in, what comes out, and who may call it.

"""
"""Of a page that is not there yet."""

ADMITTED: Mapping[str, str] = {
    PUBLIC: "everyone, with or without a token",
    MEMBER: "everyone of the tenant",
    OWNER: "the tenant's owners",
    ADMIN_OWNER: "the tenant's admin owner",
    "developer": "the platform's developers",
    "developer admin": "the platform's developer admins",
}


def page(before: str | None, index: Index) -> str:
    """The page, with what stands on it by hand kept."""
    above = INTRODUCTION if before is None else before.partition(MARK)[0]
    return f"{above}{MARK}\n\n" + "\n".join(_groups(offered(index))).rstrip("\n") + "\n"


def command(action: Action) -> str:
    """The line for a shell that calls an action with its example."""
    tenant = "acme" if names_tenant(action) else "-"
    channel = ["--admin"] if action.channel == ADMIN else []
    words = [_word(name, value) for name, value in example_params(action).items()]
    return " ".join(["scripts/call", *channel, tenant, action.name, *words])


def admitted(action: Action) -> str:
    """Who may call it, in words."""
    who = ADMITTED.get(action.access, "whoever has a token")
    if action.area is not None:
        who = f"the tenant's owners to whom `{action.area}` is delegated, and its admin owner"
    if action.platform is not None:
        who += f"; {ADMITTED[action.platform]} too, on any tenant"
    return who


def state(action: Action) -> str:
    """Which versions there are, the newest first."""
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
    yield f"| who | {admitted(action)} |"
    yield f"| effect | {action.effect} |"
    if action.channel == ADMIN:
        yield "| channel | admin |"
    if action.connectors:
        yield f"| connectors | {', '.join(f'`{each}`' for each in sorted(action.connectors))} |"
    yield f"| versions | {state(action)} |"
    yield ""
    yield from _table("param", rows_of(action.params.source))
    yield from _table("result", rows_of(action.result.source))
    yield "```console"
    yield f"$ {command(action)}"
    yield "```\n"
    yield "```json"
    yield json.dumps(action.result.example(), ensure_ascii=False)
    yield "```\n"


def _table(heading: str, rows: Iterable[Row]) -> Iterator[str]:
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


def _word(name: str, value: Any) -> str:
    """One param as scripts/call reads it (transport/params.py)."""
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return f"{name}={shlex.quote(value)}" if _is_text(value) else f"{name}:={shlex.quote(text)}"
    return f"{name}={shlex.quote(text)}"


def _is_text(value: str) -> bool:
    """Whether scripts/call takes these characters for a text: JSON would be read as JSON."""
    try:
        json.loads(value)
    except ValueError:
        return True
    return False

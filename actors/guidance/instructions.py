"""Everything that the developer of one function needs to know, as Markdown made from the index.

What a function can use of the engine, as Markdown: from the text of the engine's own files.

From the text, and not from what is imported: the context is of the tenants' layer, which the index must not
know, and `inspect` does not see what is said below a field. So a script can print it without a server, too.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from actors.guidance.commands import allowed_roles, command
from actors.guidance.schema_text import schema_rows
from actors.guidance.tasks import related
from actors.guidance.workplace import (
    EditTarget,
    dry_run_line,
    entry,
    frozen_beside,
    move_lines,
    workplace,
)
from actors.host.program import as_typed
from actors.index.entries import Action, Index, Operation, Version, class_name, moves
from actors.index.parser import built_in_index
from actors.index.selection import selected_in
from actors.schema.schema import Schema

MOST_TEXT = 100_000
"""Characters; the rest of a larger one is cut off."""

MOST_FROZEN = 5
"""Versions that are named because they share a file."""

EFFECTS: Mapping[str, str] = {
    "read": "read: what it writes is rolled back, and the caller is answered `internal`",
    "write": "write: what it wrote is kept when it returns, and rolled back when it raises",
}


def instructions(index: Index, action: Action, api: str, test: str | None = None) -> str:
    """The text; `api` is actors.guidance.instructions.context_api(), `test` the file of a test to pass."""
    place = workplace(index, action)
    sections = (
        _task(action),
        _schema("Params", action.params),
        _schema("Result", action.result),
        _example(action),
        ["## What it is given", "", api],
        _connectors(index, action),
        _related(index, action),
        _versions(index, action),
        _work(index, place, test),
        _commands(place),
    )
    return truncate("\n".join(line for section in sections for line in (*section, "")))


def truncate(text: str) -> str:
    """At most MOST_TEXT characters; says how many were left out."""
    if len(text) <= MOST_TEXT:
        return text
    end = f"\n… {len(text)} characters in all; functions.show and system.describe have the rest\n"
    return text[: MOST_TEXT - len(end)] + end


def _task(action: Action) -> Iterator[str]:
    yield f"# {action.name}\n"
    yield f"{' '.join(action.summary.split())}\n"
    if action.instructions.strip():
        yield f"{action.instructions.strip()}\n"
    yield f"- who may call it: {allowed_roles(action)}"
    yield f"- channel: {action.channel}"
    yield f"- effect: {EFFECTS[action.effect]}"


def _schema(heading: str, schema: Schema) -> Iterator[str]:
    yield f"## {heading}\n"
    yield from _fields(schema) or ["None."]


def _fields(schema: Schema) -> list[str]:
    return [
        f"- `{row.path}`: {row.type}{'' if row.required else ', optional'}."
        + (f" {row.meaning}" if row.meaning else "")
        for row in schema_rows(schema.source)
    ]


def _example(action: Action) -> Iterator[str]:
    yield "## Example\n"
    yield from _block("console", [f"$ {command(action)}"])
    yield ""
    yield from _block("json", [json.dumps(action.result.example(), ensure_ascii=False)])


def _connectors(index: Index, action: Action) -> Iterator[str]:
    yield "## Connectors\n"
    known = {**index.operations(), **built_in_index().operations()}
    if not action.connectors:
        yield "It may call none; `connectors` of the action in the index says which."
    for name in sorted(action.connectors):
        yield from _operation(name, known[name])


def _operation(name: str, operation: Operation) -> Iterator[str]:
    yield f"`await ctx.call({json.dumps(name)}, …)`, in an `async def`: {operation.summary}\n"
    yield from _fields(operation.params)
    answer = ", ".join(f"`{row.path}`: {row.type}" for row in schema_rows(operation.result.source))
    yield f"\nIts answer has {answer or 'nothing'}.\n"


def _related(index: Index, action: Action) -> Iterator[str]:
    yield "## Related\n"
    found = related(index, action)
    for name, common in found.items():
        yield f"- `{name}` ({', '.join(common)}): {' '.join(index.actions[name].summary.split())}"
    if not found:
        yield "None."


def _versions(index: Index, action: Action) -> Iterator[str]:
    yield "## Versions\n"
    for version in action.versions:
        yield from _version(index, action, version)
    if not action.versions:
        yield "None yet: it answers with the example where dummies are served."


def _version(index: Index, action: Action, version: Version) -> Iterator[str]:
    yield (
        f"- version {version.number}: {version.state}, "
        f"{'no code' if version.code is None else f'`{version.code}`'}"
        + (f", for {', '.join(version.served_requests)}" if version.served_requests else "")
        + (f", moved by {version.by}" if version.by else "")
        + (f", before that {version.before}" if version.before else "")
    )
    yield f"  - served in: {', '.join(_places(index, action, version)) or 'no environment'}"
    yield f"  - may go to: {', '.join(moves(version))}"


def _places(index: Index, action: Action, version: Version) -> Iterator[str]:
    places = index.environments.values()
    all_tenants = selected_in(action, version, places)
    yield from all_tenants
    testers = selected_in(action, version, places, tester=True)
    yield from (f"{name} (testers)" for name in testers if name not in all_tenants)


def _work(index: Index, place: EditTarget, test: str | None) -> Iterator[str]:
    yield "## Where to work\n"
    yield f"Version {place.number}, in `{place.file}` beside `{index.path.name}`:\n"
    yield from _block("python", _skeleton(place))
    frozen = frozen_beside(index, place)
    if frozen:
        yield (
            f"\nThe file holds {', '.join(frozen[:MOST_FROZEN])} as well, of which the code must stay "
            "as it is: write a file of its own."
        )
    if test is not None:
        yield f"\nThe test to pass is `{test}`:\n"
        yield from _block("console", [f"$ python -m pytest {test}"])
    if index.storage.migrations is not None:
        tables = index.storage.migrations.relative_to(index.root)
        yield f"\nTables come from the migrations in `{tables.as_posix()}`."
    if place.version is None:
        yield f"\n`{index.path.name}` does not have the version yet; add:\n"
        yield from _block("toml", entry(place))


def _skeleton(place: EditTarget) -> Iterator[str]:
    name = class_name(place.action.name)
    is_async = "async " if place.action.connectors else ""
    yield "from __future__ import annotations\n"
    yield "from typing import TYPE_CHECKING\n"
    yield "from actors.tenant.context import Context\n"
    yield "if TYPE_CHECKING:"
    yield f"    from contracts import {name}Params, {name}Result\n\n"
    yield f"{is_async}def {place.function}(ctx: Context, params: {name}Params) -> {name}Result:"
    yield "    ..."


def _commands(place: EditTarget) -> Iterator[str]:
    yield "## Commands\n"
    yield "What differs from what is served, and then its taking in, with the `digest` that was shown:\n"
    diff, reload = "functions.diff", "functions.reload digest=DIGEST"
    yield from _block(
        "console", [as_typed(f"$ scripts/call --admin - {each}") for each in (diff, reload)]
    )
    yield "\nRun on a tenant's own database, and all taken back:\n"
    yield from _block("console", [f"$ {dry_run_line(place)}"])
    yield "\nMove a version on, by one of these:\n"
    yield from _block("console", [f"$ {each}" for each in move_lines(place)])


def _block(language: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"```{language}"
    yield from lines
    yield "```"


_ACTORS = Path(__file__).parents[1]

_GIVEN: Mapping[str, tuple[str, str]] = {
    "ctx": ("tenant/context.py", "Context"),
    "ctx.db": ("tenant/context.py", "Database"),
    "ctx.caller": ("messages.py", "Principal"),
    "ctx.config": ("profiles.py", "Config"),
}
"""What a function is handed: the file, below `actors`, and the class there."""

_INNER = frozenset({"calls"})
"""How `ctx.call` is made, which is no function's business."""

_REFUSAL = "ActionError"
"""Its direct subclasses are what a function may refuse with."""


@functools.cache
def context_api() -> str:
    """The context, what hangs on it, and the errors to refuse with; it is as old as the engine."""
    parts = [line for name in _GIVEN for line in _described(name)]
    return "\n".join([*parts, *_refusals()])


def _described(name: str) -> Iterator[str]:
    found = _class(*_GIVEN[name])
    yield f"`{name}`: {_said(ast.get_docstring(found))}\n"
    for node, after in zip(found.body, [*found.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) not in _INNER:
            field = f"{name}.{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"
            yield _item(field, _text(after))
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield _item(f"{name}.{_signature(node)}", ast.get_docstring(node))
    yield ""


def _signature(node: ast.FunctionDef) -> str:
    """As it is called: without self."""
    arguments = ast.unparse(node.args).removeprefix("self, ").removeprefix("/, ")
    returned = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    return f"{node.name}({arguments}){returned}"


def _refusals() -> Iterator[str]:
    yield "Refuse with one of these, from `actors.errors`; what was written is rolled back:\n"
    for node in _parsed("errors.py").body:
        if isinstance(node, ast.ClassDef) and [ast.unparse(each) for each in node.bases] == [
            _REFUSAL
        ]:
            yield _item(node.name, ast.get_docstring(node))


def _item(code: str, said: str | None) -> str:
    return f"- `{code}`" + (f": {_said(said)}" if said else "")


def _said(text: str | None) -> str:
    return " ".join((text or "").split())


def _text(node: ast.stmt | None) -> str | None:
    """What is said below a field, if anything."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return inspect.cleandoc(str(node.value.value))
    return None


def _class(file: str, name: str) -> ast.ClassDef:
    nodes = (node for node in _parsed(file).body if isinstance(node, ast.ClassDef))
    return next(node for node in nodes if node.name == name)


@functools.cache
def _parsed(file: str) -> ast.Module:
    return ast.parse((_ACTORS / file).read_text(encoding="utf-8"))

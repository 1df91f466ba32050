"""What a function can use of the engine, as Markdown: from the text of the engine's own files.

From the text, and not from what is imported: the context is of the tenants' layer, which the index must not
know, and `inspect` does not see what is said below a field. So a script can print it without a server, too.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

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

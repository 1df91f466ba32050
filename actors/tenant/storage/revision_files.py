"""Reads a folder's revisions from the text of its files: nothing is imported if nothing is to be migrated.

Importing Alembic, and the dialects of databases that it knows, takes a sixth of a server's start.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

IDENTIFIERS = frozenset({"revision", "down_revision", "branch_labels", "depends_on"})
"""The names that Alembic reads in a revision's module."""


class RevisionFile(NamedTuple):
    """One revision."""

    revision: str
    path: Path


def read_line(folder: Path) -> tuple[RevisionFile, ...] | None:
    """Return a folder's revisions, from the first to the head, if they are plainly one line.

    Return None if they are not, if a file says more than its revision and the one before it, or if it cannot
    be read: then Alembic has to say what they are.
    """
    try:
        found = [(_identifiers(file), file) for file in folder.glob("versions/*.py")]
    except (OSError, SyntaxError, ValueError):
        return None
    after = {named.get("down_revision"): (named, file) for named, file in found}
    if len(after) < len(found):
        return None
    line = tuple(_line(after))
    is_whole = len(line) == len(found) == len({each.revision for each in line})
    return line if line and is_whole else None


def _identifiers(file: Path) -> Mapping[str, str | None]:
    """Return what a file assigns to IDENTIFIERS: once, and a text or None; {} if it does anything else."""
    named: dict[str, str | None] = {}
    for statement in ast.parse(file.read_bytes()).body:
        for name in _names(statement) & IDENTIFIERS:
            value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
            if name in named or not isinstance(value, ast.Constant):
                return {}
            if not isinstance(value.value, str | None):
                return {}
            named[name] = value.value
    return named


def _names(statement: ast.stmt) -> set[str]:
    """Return the names in a statement of a module, but those within functions and classes."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    return {each.id for each in ast.walk(statement) if isinstance(each, ast.Name)}


def _line(
    after: Mapping[str | None, tuple[Mapping[str, str | None], Path]],
) -> Iterator[RevisionFile]:
    """Yield revisions by what each follows, as far as each is text and belongs to no branch."""
    at: str | None = None
    for _ in after:
        named, file = after.get(at, ({}, Path()))
        at = named.get("revision")
        if at is None or named.get("branch_labels") or named.get("depends_on"):
            return
        yield RevisionFile(at, file)

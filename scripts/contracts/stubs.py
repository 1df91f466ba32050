"""contracts.pyi: what each function of an index is given and has to return, as types.

A stub without a module, because it is for editors and mypy alone: code that imports it at run time fails on
the first day, and not on the day when an action it once knew is gone.
"""

from __future__ import annotations

from pathlib import Path

from actors.index.entries import Index
from scripts.contracts.annotation import Types
from scripts.contracts.layout import MARK, Imports, declarations, finished, heading

FILE = "contracts.pyi"


class NotOurs(Exception):
    """A file of that name is there, and scripts/schema has not written it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not overwritten: scripts/schema did not write it; rename it")


def stubs(index: Index) -> str:
    """The text of contracts.pyi: for `contacts.add`, ContactsAddParams and ContactsAddResult."""
    actions = [action for _, action in sorted(index.actions.items())]
    types, imports = Types(actions), Imports(closed=True)
    for action in actions:
        types.declare_action(action, "given")
    body = [line for each in declarations(types, imports) for line in (*each, "")]
    title = "What each function of the index is given, and what it returns."
    return finished([*heading(title, index.path.name), *imports.lines(), *body])


def write_stubs(index: Index, into: Path) -> Path:
    """Write contracts.pyi into a directory, where it is not so already; its path. NotOurs."""
    path = into / FILE
    text = stubs(index)
    if path.exists():
        before = path.read_text(encoding="utf-8")
        if MARK not in before:
            raise NotOurs(path)
        if before == text:
            return path
    path.write_text(text, encoding="utf-8")
    return path

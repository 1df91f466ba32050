"""The plan of one new function: checked as a whole, then written as a whole."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from actors.access import LEVELS
from actors.guidance.workplace import conventional
from actors.host.program import INDEX
from actors.index.entries import Action, Index
from actors.index.parser import built_in_index, parse_index, read_index
from actors.registry.registry_file import replace_if_unchanged
from scripts.codegen.__main__ import outputs
from scripts.codegen.client import FILE
from scripts.scaffold.entry import Draft, InvalidEntry, NewEntry, entry_text, fields, placed
from scripts.scaffold.files import FunctionFiles, files, function_text, test_text

Ask = Callable[[str], str]

NEW_INDEX = """\
# The whole API of this backend: its actions, who may call them, what goes in and what comes out.
# Each can be called as soon as it is described here, and answers "to be implemented" until it is written.
"""

IGNORED = "var/\n__pycache__/\n"
"""For git: the data of a server that is started here."""


class ScaffoldPlan(NamedTuple):
    """The files to write."""

    before: Index
    text: str
    """The new text of the index."""
    action: Action
    draft: Draft
    files: FunctionFiles


def begin_index(path: Path) -> Index:
    """Write an index that describes nothing yet, and what git is to ignore; raises OSError, InvalidEntry."""
    if not path.parent.is_dir():
        raise InvalidEntry(f"there is no folder {path.parent}")
    if path.name != INDEX:
        raise InvalidEntry(f"there is no index {path}")
    with path.open("x", encoding="utf-8") as file:
        file.write(NEW_INDEX)
    ignored = path.with_name(".gitignore")
    if not ignored.exists():
        ignored.write_text(IGNORED, encoding="utf-8")
    return read_index(path)


def planned(given: argparse.Namespace, registry: Path, ask: Ask | None) -> ScaffoldPlan:
    """Return the plan, fully checked before anything is written. Raises IndexProblem, InvalidEntry."""
    index = read_index(registry)
    action = index.actions.get(given.name)
    text = index.text
    if action is None:
        _require_free(given.name)
        text = placed(text, entry_text(entry(given, ask)), given.name)
        action = parse_index(registry, text).actions[given.name]
    number = max((each.number for each in action.versions), default=0) + 1
    code = conventional(index, action, number, given.package)
    paths = files(index.root, given.name, number, code)
    draft = Draft(given.name, number, code, given.request)
    text = placed(text, draft.text, given.name)
    described = parse_index(registry, text).actions[given.name]
    for path in (paths.function, paths.test):
        if path.exists():
            raise InvalidEntry(f"{path} is there already: rename it, or say another --package")
    return ScaffoldPlan(index, text, described, draft, paths)


def entry(given: argparse.Namespace, ask: Ask | None) -> NewEntry:
    """Return the entry of the options; a person is asked for missing ones, or InvalidEntry lists them."""
    required = ("summary", "access", "effect")
    missing = [name for name in required if getattr(given, name) is None]
    if missing and ask is None:
        options = ", ".join(f"--{name}" for name in missing)
        raise InvalidEntry(f"the index does not describe {given.name} yet: say {options}")
    if missing and ask is not None:
        _ask_for(given, ask)
    return NewEntry(
        given.name,
        given.summary,
        given.access,
        given.effect,
        given.instructions or "",
        fields(given.param),
        fields(given.result),
    )


def write(plan: ScaffoldPlan) -> None:
    """Write the function, its test, the index, then types; a failure leaves nothing behind."""
    made: list[Path] = []
    texts = {
        plan.files.function: function_text(plan.action, plan.draft.version, plan.draft.function),
        plan.files.test: test_text(
            plan.action,
            plan.draft.version,
            plan.before.root / plan.before.path.name,
            plan.files.test,
        ),
    }
    try:
        for path, text in texts.items():
            _make_package(path.parent, plan.before.root, made)
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(text)
        replace_if_unchanged(plan.before.path, plan.text, plan.before.digest)
    except BaseException:
        for path in reversed(made):
            path.unlink(missing_ok=True)
        raise
    _write_contracts(plan)


def _ask_for(given: argparse.Namespace, ask: Ask) -> None:
    """Ask a person for options that the command line does not have."""
    questions = {
        "summary": "What does it do, in one sentence? ",
        "access": f"Who may call it ({', '.join(LEVELS)})? ",
        "effect": "Does it read or write? ",
        "instructions": "What does its developer need to know (may be empty)? ",
    }
    for name, question in questions.items():
        if getattr(given, name) is None:
            setattr(given, name, ask(question).strip())
    for name, what in (("param", "What goes in"), ("result", "What comes out")):
        if not getattr(given, name):
            words = ask(f"{what}, such as name:string! age:integer (may be empty)? ")
            setattr(given, name, words.split())


def _require_free(name: str) -> None:
    if name in built_in_index().actions:
        raise InvalidEntry(f"{name} is built in: choose another name")


def _make_package(directory: Path, root: Path, made: list[Path]) -> None:
    """Make a new directory of code a package, with a docstring."""
    if directory.exists():
        return
    directory.mkdir(parents=True)
    if directory.name != "tests" and directory != root:
        init = directory / "__init__.py"
        init.write_text('"""Functions of the index beside it."""\n', encoding="utf-8")
        made.append(init)


def _write_contracts(plan: ScaffoldPlan) -> None:
    """Write the types, and those other files of scripts/schema that exist."""
    root = plan.before.root
    for each in outputs(read_index(plan.before.path), root):
        if each.path == root / FILE or (each.path.exists() and not each.is_current):
            each.path.write_text(each.text, encoding="utf-8")

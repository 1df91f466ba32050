"""Checks what a program can check of how this repository is written: `python -m scripts.conventions`.

Each rule has its reason beside it. `scripts/test` runs them. Exit status 1 means that one was broken; each
line of the output names the file, what is wrong and what to do.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

MOST_MODULES: Final = 20
"""Modules directly in one folder. More than a reader keeps in mind: divide a folder that grows beyond."""

TOPS: Final = ("actors", "transport", "scripts")

MAY_IMPORT: Final = "May import: "
"""Begins the second sentence of a package: what the import contracts in pyproject.toml enforce."""

MOST_LINES: Final = 40
"""Lines of one function. What is longer holds several steps: give each a name."""

MOST_METHODS: Final = 20
"""Methods of one class. Beyond, a part of it has a state of its own: make that a class."""

MOST_PARAMETERS: Final = 6
"""Parameters of one function, self aside. Beyond, callers mix them up: pass a record."""

FIXED: Final = ("migrations", "versions")
"""The end of folders whose files never change, however long: their digests are recorded."""

EXCEPTED: Final = {
    "BaseClient.__init__": "people write it by the names of its parameters, each of which has a default",
    "Trial.__init__": "people write it by the names of its parameters, as BaseClient's",
}
"""Functions that may have more parameters, each with the reason."""

PAST: Final = frozenset({"conventions.py", "test_conventions.py", "CHANGELOG.md"})
"""Files that speak of words given up; so do the decision records."""

LEFT: Final = {
    r"hearsay": "a peer's text is sanitised",
    r"post_room": "questions about deliveries are in actors/tenant/outbox/queries.py",
    r"consolation": "the action for callers that are not subscribed is named as that",
    r"[Oo]ccupants?": "an incarnation of an actor is attached to a mailbox",
    r"Killer": "PoisonMessage",
    r"Stepper": "CoroutineDriver",
    r"Outlet": "OneShotMailbox",
    r"FunctionTime": "CpuBudget",
    r"Refuser": "RejectingActor",
    r"SocketMailbox": "RouterSocket",
    r"Parking|Parked": "SuspendedCalls",
    r"[Rr]ehearsal": "DryRun; the state and the action that people type are spelt as before",
    r"Errands?": "InFlightCalls",
    r"Strangers": "AttemptLog",
}
"""Words given up, as regular expressions of whole words, each with what took its place."""


def problems() -> Iterator[str]:
    """Every breach of a rule, one line each."""
    files = tracked()
    yield from wide_folders(files)
    yield from unnamed_packages(files)
    yield from unlayered_packages(files)
    yield from words_that_came_back(files)
    yield from large_definitions(files)


def tracked() -> list[Path]:
    """Every file that git knows, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [path for line in listed.stdout.splitlines() if (ROOT / (path := Path(line))).is_file()]


def wide_folders(files: list[Path]) -> Iterator[str]:
    """Folders with more modules than one reader keeps in mind."""
    modules = Counter(path.parent for path in files if path.suffix == ".py")
    for folder, count in sorted(modules.items()):
        if count > MOST_MODULES:
            yield f"{folder}: {count} modules; divide it, {MOST_MODULES} are the most"


def unnamed_packages(files: list[Path]) -> Iterator[str]:
    """Packages whose `__init__.py` does not say what they hold and what they may import."""
    for path in packages(files):
        text = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
        holds, _, imports = text.partition("\n\n")
        if not holds or not imports.startswith(MAY_IMPORT):
            yield f"{path}: say in one sentence what it holds, and after an empty line what it may import"


def packages(files: list[Path]) -> Iterator[Path]:
    """The `__init__.py` of each package below a top folder, such as `actors/log/__init__.py`."""
    for path in files:
        if path.name == "__init__.py" and path.parts[0] in TOPS and len(path.parts) > 2:
            yield path


def unlayered_packages(files: list[Path]) -> Iterator[str]:
    """Packages of actors that hold packages, and whose order no import contract states."""
    layered = {
        container
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
            "importlinter"
        ]["contracts"]
        for container in contract.get("containers", ())
    }
    for folder in sorted(
        {path.parent.parent for path in packages(files) if path.parts[0] == "actors"}
    ):
        if (name := ".".join(folder.parts)) not in layered:
            yield f"{folder}: add a contract of layers for {name} to pyproject.toml"


def words_that_came_back(files: list[Path]) -> Iterator[str]:
    """Words that were given up for another, in code and in prose."""
    left = re.compile(
        "|".join(rf"(?P<w{number}>\b(?:{word})\b)" for number, word in enumerate(LEFT))
    )
    instead = list(LEFT.values())
    for path in files:
        if path.suffix not in {".py", ".md"} or path.name in PAST or "decisions" in path.parts:
            continue
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            for found in left.finditer(line):
                which = int(str(found.lastgroup)[1:])
                yield f"{path}:{number}: {found[0]!r} came back: {instead[which]}"


def large_definitions(files: list[Path]) -> Iterator[str]:
    """Functions that are too long or take too much, and classes with too many methods."""
    for path in files:
        is_code = path.suffix == ".py" and path.parts[0] in TOPS
        if is_code and path.parent.parts[-2:] != FIXED:
            for where, node in definitions(ast.parse((ROOT / path).read_text()), path):
                if problem := size_problem(node, where.rpartition(" ")[2]):
                    yield f"{where}: {problem}"


def definitions(tree: ast.AST, path: Path, owner: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Every class and function with where it is, such as `actors/errors.py:7 NotFound.__init__`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.ClassDef, *FUNCTIONS)):
            name = f"{owner}{node.name}"
            yield f"{path}:{node.lineno} {name}", node
            yield from definitions(node, path, f"{name}.")
        else:
            yield from definitions(node, path, owner)


FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def size_problem(node: ast.stmt, name: str) -> str | None:
    """Return what is too large of a class or a function; None if nothing is."""
    if isinstance(node, ast.ClassDef):
        methods = sum(isinstance(each, FUNCTIONS) for each in node.body)
        if methods > MOST_METHODS:
            return f"{methods} methods; make a part of it a class, {MOST_METHODS} are the most"
        return None
    assert isinstance(node, FUNCTIONS)
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if lines > MOST_LINES:
        return f"{lines} lines; give its steps names, {MOST_LINES} are the most"
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    count = sum(each.arg not in ("self", "cls") for each in given)
    if count > MOST_PARAMETERS and name not in EXCEPTED:
        return f"{count} parameters; pass a record, {MOST_PARAMETERS} are the most"
    return None


def main() -> int:
    """Print what is wrong; the exit status."""
    found = list(problems())
    print("\n".join(found) or "conventions: all kept")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

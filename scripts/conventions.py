"""Checks what a program can check of how this repository is written: `python -m scripts.conventions`.

Four rules, each with its reason beside it. `scripts/test` runs them. Exit status 1 means that one was broken;
each line of the output names the file, what is wrong and what to do.
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


def main() -> int:
    """Print what is wrong; the exit status."""
    found = list(problems())
    print("\n".join(found) or "conventions: all kept")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

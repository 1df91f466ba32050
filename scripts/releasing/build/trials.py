"""The tests of the functions of a release: which there are, and whether they pass."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from actors.host.program import ENGINE
from actors.index.entries import Index, module_name
from scripts.releasing.build.choice import Found
from scripts.releasing.problem import ReleaseProblem

TAIL = 40
"""Lines of a failing run that are shown."""

FOLDER = "tests"

NO_TESTS = 5
"""Exit status of pytest when it collects none."""

_FAILED = re.compile(r"^(?:FAILED|ERROR) (?P<file>[^:\s]+)", re.MULTILINE)


class Trials(NamedTuple):
    """The files with tests, below the folder of the index, of each version."""

    by_version: Mapping[str, tuple[str, ...]]
    """By label."""

    @property
    def files(self) -> list[str]:
        """Return every file once."""
        return sorted({file for files in self.by_version.values() for file in files})

    @property
    def untested(self) -> list[str]:
        """Return the versions that no test names."""
        return [label for label, files in self.by_version.items() if not files]


class _Test(NamedTuple):
    path: str
    texts: frozenset[str]
    modules: frozenset[str]


def find_trials(index: Index, versions: Collection[Found]) -> Trials:
    """Return the tests below `tests/` that name an action, import its module, or are called as it is."""
    tests = list(_tests(index.root))
    return Trials(
        {each.label: tuple(test.path for test in tests if _is_of(test, each)) for each in versions}
    )


def run_trials(index: Index, trials: Trials) -> None:
    """Run the tests in processes of their own; ReleaseProblem, with the end of the output, if one fails."""
    if not trials.files:
        return
    if importlib.util.find_spec("pytest") is None:
        raise ReleaseProblem(
            "pytest is not installed, and the functions have tests: pip install pytest"
        )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *trials.files],
        cwd=index.root,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode not in (0, NO_TESTS):
        raise ReleaseProblem(_failure(trials, done.stdout))
    if done.returncode == NO_TESTS:
        raise ReleaseProblem(f"there is no test in {', '.join(trials.files)}: write one")


def _environment() -> dict[str, str]:
    """Without what belongs to a server of this shell: the tests make their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TENANTRY_")}
    path = os.pathsep.join(filter(None, (str(ENGINE), os.environ.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"}


def _failure(trials: Trials, output: str) -> str:
    files = {Path(found["file"]).name for found in _FAILED.finditer(output)}
    failed = [
        label
        for label, own in trials.by_version.items()
        if files & {Path(each).name for each in own}
    ]
    tail = "\n".join(f"  {line}" for line in output.rstrip().splitlines()[-TAIL:])
    named = ", ".join(failed or trials.by_version)
    return f"the tests of {named} fail, so it is not built:\n{tail}"


def _tests(root: Path) -> Iterator[_Test]:
    for file in sorted((root / FOLDER).rglob("test_*.py")):
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            continue  # pytest says what is wrong with it
        yield _Test(
            file.relative_to(root).as_posix(), frozenset(_texts(tree)), frozenset(_modules(tree))
        )


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _is_of(test: _Test, found: Found) -> bool:
    """Of a test that is named after another version, and of no other, the name of the action is no sign."""
    name, number = found.owner.name, found.version.number
    stem = Path(test.path).stem
    if stem == f"test_{module_name(name, number)}":
        return True
    others: Sequence[int] = [each.number for each in found.owner.versions if each.number != number]
    if stem in {f"test_{module_name(name, each)}" for each in others}:
        return False
    module = (found.version.code or "").partition(":")[0]
    return name in test.texts or module in test.modules

"""The repository as a whole: what a reader may rely on in every file of it."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

ROOMS = ("actors", "transport", "scripts")

LONGEST_FILE = 400
"""Lines of a module: more is more than one noun."""

MEDIAN_FUNCTION = 10
"""Lines, docstring included; and nine in ten have at most 35."""

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def tracked(*patterns: str) -> list[Path]:
    """Files under version control that match."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *patterns]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def modules(room: str) -> list[Path]:
    """Python files of one room."""
    found = tracked(f"{room}/**.py")
    assert found, "the test looks in the wrong place"
    return found


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a module with its length in lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


# ---------------------------------------------------------------- code


@pytest.mark.parametrize("room", ROOMS)
def test_files_are_short(room: str) -> None:
    """The longest are named."""
    lengths = {str(path): len(path.read_text().splitlines()) for path in modules(room)}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_functions_are_short(room: str) -> None:
    """Most of them; the median says so."""
    lengths = sorted(length for path in modules(room) for _, length in functions(path))
    assert statistics.median(lengths) < MEDIAN_FUNCTION
    assert lengths[len(lengths) * 9 // 10] <= 35


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    """Re-exports there make cycles."""
    found = tracked("**/__init__.py")
    assert found
    for path in found:
        statements = ast.parse(path.read_text()).body
        assert len(statements) == 1, path
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_no_room_has_a_cupboard_for_everything() -> None:
    """A file is one noun of the field."""
    vague = {"utils", "util", "helpers", "helper", "common", "base", "core", "misc"}
    assert [path for room in ROOMS for path in modules(room) if path.stem in vague] == []


def test_every_ignored_warning_has_its_reason_beside_it() -> None:
    """In code and in tests."""
    bare = re.compile(r"#\s*(noqa|type:\s*ignore)(:\s*[A-Z0-9, ]+|\[[a-z-, ]+\])?\s*$")
    lines = [
        f"{path.relative_to(ROOT)}:{number}"
        for room in ROOMS
        for path in modules(room)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if bare.search(line)
    ]
    assert lines == []


# ---------------------------------------------------------------- checks


def test_import_contracts_hold_the_layers() -> None:
    """A new module of actors must be in a layer; scripts/test checks it."""
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    layers = [each for each in contracts if each["type"] == "layers"]
    assert any(each["containers"] == ["actors"] and each["exhaustive"] for each in layers)
    forbidden = [each for each in contracts if each["type"] == "forbidden"]
    assert any(
        each["source_modules"] == ["transport"] and "actors" in each["forbidden_modules"]
        for each in forbidden
    )


@pytest.mark.parametrize(
    "check", ["ruff format --check", "ruff check", "mypy", "lint-imports", "pytest"]
)
def test_one_command_checks_everything(check: str) -> None:
    """And it is what runs before a change lands."""
    assert check in (ROOT / "scripts" / "test").read_text()
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text()


def test_warnings_are_errors_and_types_are_strict() -> None:
    """As pyproject.toml has it."""
    tool = PYPROJECT["tool"]
    assert tool["pytest"]["ini_options"]["filterwarnings"][0] == "error"
    assert tool["mypy"]["strict"] is True


def name_of(requirement: str) -> str:
    """The project that a requirement names, as package indexes spell it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def pinned(lock: str) -> dict[str, str]:
    """Each project of a lock file, and all that is said about it."""
    entries = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return {name_of(entry): entry for entry in entries if "==" in entry.split("\n")[0]}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_dependency_is_pinned_with_hashes(lock: str) -> None:
    """So that an installation is the same everywhere."""
    wanted = list(PYPROJECT["project"]["dependencies"])
    if "dev" in lock:
        wanted += PYPROJECT["dependency-groups"]["dev"]
    entries = pinned(lock)
    assert {name_of(each) for each in wanted} - entries.keys() == set()
    assert [name for name, entry in entries.items() if "--hash=sha256:" not in entry] == []


# ---------------------------------------------------------------- words


def test_nothing_speaks_of_one_machine() -> None:
    """Paths of an author's machine mean nothing to readers."""
    places = "|".join(("root", "home", "work", "Users"))
    elsewhere = re.compile(rf"(?<![\w.~*\])}}-])/({places})/")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if elsewhere.search(line)
    ]
    assert found == []


PAGES = [*tracked("*.md"), *tracked("docs/**.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Relative ones, to files and to directories."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_on_a_page_can_be_run(page: Path) -> None:
    """They are there, and executable."""
    named = set(re.findall(r"(?<![\w./])scripts/[a-z]+\b(?!/)", page.read_text()))
    assert [name for name in named if not os.access(ROOT / name, os.X_OK)] == []


def test_the_manual_begins_with_what_to_run() -> None:
    """To try it, to check it, to call it."""
    text = (ROOT / "README.md").read_text()
    for command in ("scripts/serve --demo", "scripts/test", "scripts/call acme contacts.find"):
        assert command in text
    assert "## " not in text.split("scripts/serve --demo")[0]

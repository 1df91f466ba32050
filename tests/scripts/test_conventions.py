"""scripts/conventions.py: what it finds, and that this repository keeps to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import conventions
from scripts.conventions import (
    LEFT,
    MOST_LINES,
    MOST_METHODS,
    MOST_MODULES,
    MOST_PARAMETERS,
    large_definitions,
    unlayered_packages,
    unnamed_packages,
    wide_folders,
    words_that_came_back,
)

GOOD = '"""Holds things.\n\nMay import: nothing of ours.\n"""\n'
CONTRACT = '[[tool.importlinter.contracts]]\ncontainers = ["actors"]\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository in place of this one."""
    monkeypatch.setattr(conventions, "ROOT", tmp_path)
    return tmp_path


def write(root: Path, path: str, text: str = "") -> Path:
    """A file of that repository; its path as git names it."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    return Path(path)


def test_this_repository_keeps_every_rule() -> None:
    """Also a fresh clone."""
    assert list(conventions.problems()) == []


def test_a_folder_with_too_many_modules_is_named(root: Path) -> None:
    """One more than allowed; other files do not count."""
    files = [write(root, f"actors/m{number}.py") for number in range(MOST_MODULES)]
    files.append(write(root, "actors/notes.md"))
    assert list(wide_folders(files)) == []
    files.append(write(root, "actors/one_more.py"))
    assert list(wide_folders(files)) == ["actors: 21 modules; divide it, 20 are the most"]


@pytest.mark.parametrize("text", ["", '"""Holds things."""', '"""Holds things.\n\nAnything."""'])
def test_a_package_says_what_it_holds_and_what_it_may_import(root: Path, text: str) -> None:
    """Both sentences, in this order."""
    bad = write(root, "actors/log/__init__.py", text)
    good = write(root, "actors/edge/__init__.py", GOOD)
    [problem] = unnamed_packages([bad, good])
    assert problem.startswith("actors/log/__init__.py: say in one sentence what it holds")


def test_a_package_that_holds_packages_has_a_contract_of_layers(root: Path) -> None:
    """The one in pyproject.toml that names it as a container."""
    write(root, "pyproject.toml", CONTRACT)
    files = [write(root, path, GOOD) for path in ("actors/log/__init__.py",)]
    assert list(unlayered_packages(files)) == []
    files.append(write(root, "actors/log/daily/__init__.py", GOOD))
    assert list(unlayered_packages(files)) == [
        "actors/log: add a contract of layers for actors.log to pyproject.toml"
    ]


def test_a_word_that_came_back_is_named_with_the_one_in_its_place(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its line; the changelog may speak of the past."""
    monkeypatch.setattr(conventions, "LEFT", {r"hearsay": "peer_text sanitises it"})
    files = [
        write(root, "actors/a.py", "x = 1\nhearsay = 2\n"),
        write(root, "CHANGELOG.md", "hearsay\n"),
    ]
    assert list(words_that_came_back(files)) == [
        "actors/a.py:2: 'hearsay' came back: peer_text sanitises it"
    ]


def test_each_word_that_was_given_up_has_another_in_its_place() -> None:
    """The list is read by people, too."""
    assert all(pattern and instead for pattern, instead in LEFT.items())


def test_a_breach_shows_in_the_exit_status(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """1, and a line for each."""
    write(root, "pyproject.toml", CONTRACT)
    files = [write(root, "actors/log/__init__.py")]
    monkeypatch.setattr(conventions, "tracked", lambda: files)
    assert conventions.main() == 1
    assert "actors/log/__init__.py" in capsys.readouterr().out
    write(root, "actors/log/__init__.py", GOOD)
    assert conventions.main() == 0


def test_a_function_a_class_and_parameters_have_a_most(root: Path) -> None:
    """One more than allowed is named, in its class; what never changes may be longer."""
    long = "def f():\n" + "    x = 1\n" * MOST_LINES
    wide = "def g(" + ", ".join(f"p{number}" for number in range(MOST_PARAMETERS + 1)) + "): ...\n"
    methods = "class C:\n" + "".join(f"    def m{n}(self): ...\n" for n in range(MOST_METHODS + 1))
    fits = "class D:\n" + "".join(f"    def m{n}(self): ...\n" for n in range(MOST_METHODS))
    files = [
        write(root, "actors/a.py", long + wide + methods + fits),
        write(root, "actors/migrations/versions/0001.py", long),
        write(root, "tests/a.py", long),
    ]
    assert list(large_definitions(files)) == [
        "actors/a.py:1 f: 41 lines; give its steps names, 40 are the most",
        "actors/a.py:42 g: 7 parameters; pass a record, 6 are the most",
        "actors/a.py:43 C: 21 methods; make a part of it a class, 20 are the most",
    ]


def test_a_method_in_a_class_is_named_with_it_and_self_is_no_parameter(root: Path) -> None:
    """Six besides self are allowed; a reason excepts one by its whole name."""
    named = ", ".join(f"p{number}" for number in range(MOST_PARAMETERS))
    text = f"class C:\n    def m(self, {named}): ...\n    def n(self, *, {named}, q): ...\n"
    files = [write(root, "transport/a.py", text)]
    [problem] = large_definitions(files)
    assert problem.startswith("transport/a.py:3 C.n: 7 parameters")
    excepted = text.replace("class C", "class BaseClient").replace("def n", "def __init__")
    assert list(large_definitions([write(root, "transport/a.py", excepted)])) == []

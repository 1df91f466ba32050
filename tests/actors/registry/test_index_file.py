"""An index that is read again: the same one as long as its file and its list of migrations are the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from actors.errors import IndexProblem
from actors.registry.index_file import IndexFile
from tests.child import ROOT
from tests.scripts.cli.console.conftest import FUNCTIONS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A copy of the desk's index, with its migrations."""
    shutil.copytree(ROOT / FUNCTIONS, tmp_path / FUNCTIONS)
    return Path(shutil.copy(ROOT / "registry.toml", tmp_path / "registry.toml"))


def test_a_file_that_is_as_it_was_is_parsed_once(path: Path) -> None:
    file = IndexFile()
    assert file.read(path) is file.read(path)


def test_another_text_is_seen(path: Path) -> None:
    file = IndexFile()
    before = file.read(path)
    path.write_text(before.text.replace("Show one contact.", "Show a contact."))
    after = file.read(path)
    assert after.actions["contacts.get"].summary == "Show a contact."
    assert before.actions["contacts.get"].summary == "Show one contact."


def test_another_migration_is_seen(path: Path) -> None:
    file = IndexFile()
    before = file.read(path).storage
    assert before.migrations is not None
    (before.migrations / "versions" / "9999_more.py").write_text("")
    assert file.read(path).storage.scripts == (*before.scripts, "9999_more.py")


def test_a_file_that_is_gone_or_broken_is_a_problem_and_sound_again_afterwards(path: Path) -> None:
    file = IndexFile()
    text = file.read(path).text
    for break_it in (path.unlink, lambda: path.write_text("[actions")):
        break_it()
        with pytest.raises(IndexProblem):
            file.read(path)
        path.write_text(text)
        assert file.read(path).text == text


def test_another_file_is_another_index(path: Path, tmp_path: Path) -> None:
    file = IndexFile()
    before = file.read(path)
    other = tmp_path / "other.toml"
    other.write_text(before.text.replace("Show one contact.", "Show a contact."))
    assert file.read(other).actions["contacts.get"].summary == "Show a contact."
    assert file.read(path).actions["contacts.get"].summary == "Show one contact."

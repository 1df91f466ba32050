"""scripts/new: the entry, the function and its test, or nothing at all."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.index.code import load
from actors.index.parser import read_index
from actors.testing import Trial
from scripts.scaffold.__main__ import main
from scripts.scaffold.files import literal
from tests.actors.developer_project import Workshop
from transport.message import UNIMPLEMENTED

WANTED = (
    *("marks.louder", "--summary=Make a mark louder.", "--access=member", "--effect=write"),
    *("--param=id:integer!", "--param=tags:string[]", "--result=text:string!"),
    *("--request=R-3", "--request=R-5"),
    r'--instructions=Say """quotes""" and \back. Then go home.',
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """An index of one's own, outside the repository."""
    with Workshop(tmp_path) as workshop:
        yield workshop


def new(shop: Workshop, *arguments: str, ask: Callable[[str], str] | None = None) -> int:
    """The command's exit status."""
    return main([*arguments, f"--registry={shop.index}"], ask)


def files(shop: Workshop) -> dict[str, str]:
    """Everything beside the index, as text."""
    found = sorted(shop.index.parent.rglob("*"))
    return {
        str(each): each.read_text() for each in found if each.suffix in {".toml", ".py", ".pyi"}
    }


class TestWriting:
    """What is there afterwards."""

    def test_the_entry_stands_below_its_group_and_all_else_is_as_it_was(
        self, shop: Workshop
    ) -> None:
        before = shop.index.read_text()
        assert new(shop, *WANTED) == 0
        after = shop.index.read_text()
        lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
        assert [line for line in lines if line.startswith(("-", "?"))] == []
        action = read_index(shop.index).actions["marks.louder"]
        assert (action.access, action.effect) == ("member", "write")
        assert action.params.source["required"] == ["id"]
        assert action.instructions == r'Say """quotes""" and \back. Then go home.'
        (version,) = action.versions
        assert version[:3] == (1, "under dev", "marks_louder_1:louder")
        assert version.requests == ("R-3", "R-5")
        names = [line for line in after.splitlines() if line.startswith('[actions."marks.')]
        heads = [line for line in names if line.count(".") == 2]
        assert heads[-1] == '[actions."marks.louder"]'

    def test_the_function_loads_and_says_that_it_is_to_be_written(
        self, shop: Workshop, tmp_path: Path
    ) -> None:
        new(shop, *WANTED)
        loaded = load("marks_louder_1:louder", shop.index.parent)
        told = ast.get_docstring(ast.parse(loaded.file.read_text()))
        assert told is not None
        assert r"\back. Then go home." in told
        assert '{"id": 1, "tags": ["tag"]}' in told
        with Trial(shop.index, tmp_path / "trial") as trial:
            reply = trial.request("marks.louder", {"id": 1})
        assert reply.error is not None
        assert reply.error.code == UNIMPLEMENTED
        assert "version 1" in reply.error.message

    def test_its_types_are_written_and_its_test_names_it(self, shop: Workshop) -> None:
        new(shop, *WANTED)
        root = shop.index.parent
        assert "class MarksLouderParams" in (root / "contracts.pyi").read_text()
        test = (root / "tests" / "test_marks_louder_1.py").read_text()
        assert 'GIVEN: dict[str, Any] = {"id": 1, "tags": ["tag"]}' in test
        assert '"missing", ["id"]' in test
        ast.parse(test)

    def test_of_an_action_that_is_there_it_is_the_next_version(self, shop: Workshop) -> None:
        for number in (2, 3):
            assert new(shop, "marks.add") == 0
            versions = read_index(shop.index).actions["marks.add"].versions
            assert versions[0][:3] == (number, "under dev", f"marks_add_{number}:add")
            test = shop.index.parent / "tests" / f"test_marks_add_{number}.py"
            assert f'versions={{"marks.add": {number}}}' in test.read_text()
        assert shop.code(3).exists()

    def test_what_was_not_said_is_asked_for(self, shop: Workshop) -> None:
        answers = iter(["Find a mark.", "member", "read", "", "text:string! limit:integer", ""])
        questions: list[str] = []

        def ask(question: str) -> str:
            questions.append(question)
            return next(answers)

        assert new(shop, "marks.find", ask=ask) == 0
        assert "Who may call it (public, member" in questions[1]
        action = read_index(shop.index).actions["marks.find"]
        assert set(action.params.source["properties"]) == {"text", "limit"}
        assert action.result.source["properties"] == {}

    def test_it_says_what_to_do_next(
        self, shop: Workshop, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new(shop, *WANTED)
        told = capsys.readouterr().out
        for word in ("marks_louder_1.py", "scripts/test", "functions.diff", "functions.reload"):
            assert word in told


class TestRefusing:
    """Nothing is written, and the message says why."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("marks.new",), "--summary, --access, --effect"),
            (("marks.new", "--summary=x", "--access=member"), "say --effect"),
            ((*WANTED, "--access=membre"), "did you mean member?"),
            ((*WANTED, "--param=wrong"), "write name:type"),
            ((*WANTED, "--param=n:strnig"), "did you mean string?"),
            ((*WANTED, "--param=id:string"), "said twice"),
            ((*WANTED, "--param=import:string"), "must be a name that code can use"),
            (("tenants.list", *WANTED[1:]), "is built in"),
            (("Marks.Louder", *WANTED[1:]), "dotted lower case"),
            (("marks.add", "--package=..outside"), "package.module:name"),
        ],
    )
    def test_what_cannot_be_used(
        self,
        shop: Workshop,
        capsys: pytest.CaptureFixture[str],
        arguments: tuple[str, ...],
        words: str,
    ) -> None:
        before = files(shop)
        assert new(shop, *arguments) == 1
        assert words in capsys.readouterr().err
        assert files(shop) == before

    def test_a_file_that_is_there_is_never_written_over(
        self, shop: Workshop, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shop.write_code(2)
        before = files(shop)
        assert new(shop, "marks.add") == 1
        assert "marks_add_2.py is there already" in capsys.readouterr().err
        assert files(shop) == before

    def test_a_directory_that_cannot_be_made_leaves_nothing_behind(
        self, shop: Workshop, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (shop.index.parent / "tests").write_text("a file in its place")
        before = files(shop)
        assert new(shop, *WANTED) == 1
        assert "tests" in capsys.readouterr().err
        assert files(shop) == before

    def test_a_broken_index_is_shown_and_left_as_it_is(
        self, shop: Workshop, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shop.edit('access  = "member"', 'access  = "membre"')
        before = files(shop)
        assert new(shop, *WANTED) == 1
        assert "registry.toml:8" in capsys.readouterr().err
        assert files(shop) == before

    def test_who_leaves_in_the_middle_has_written_nothing(self, shop: Workshop) -> None:
        before = files(shop)

        def ask(_question: str) -> str:
            raise KeyboardInterrupt

        assert new(shop, "marks.find", ask=ask) == 130
        assert files(shop) == before


def test_values_are_written_as_a_formatter_would_leave_them() -> None:
    long = {"names": ["a" * 30, "b" * 30, "c" * 30], "flag": True, "none": None, "n": 1.5}
    text = literal(long)
    assert ast.literal_eval(text) == long
    assert text.endswith(',\n    "flag": True,\n    "none": None,\n    "n": 1.5,\n}')

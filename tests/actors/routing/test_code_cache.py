"""The library: what is served goes on with its code and its health, unless that is doubted and changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from actors.errors import CodeProblem
from actors.index.entries import Threshold, Version
from actors.routing.code_cache import NOTHING, Key, Library, Volumes, everything

ADD = (
    "def add(ctx, params):\n    return {{'n': {n}}}\n\n\ndef find(ctx, params):\n    return {{}}\n"
)

FIRST = Version(1, "release", "desk_1:add", None)
KEY: Key = ("desk.add", 1)


def nothing(_: Key) -> bool:
    """Doubt none."""
    return False


class Shelf:
    """A directory of code, and libraries that take over from one another."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before: Volumes = NOTHING

    def write(self, n: int = 1, text: str = ADD) -> str:
        """The file of version 1, which answers n; its digest."""
        content = text.format(n=n)
        (self._root / "desk_1.py").write_text(content)
        return sha256(content.encode()).hexdigest()

    def library(self, doubt: Callable[[Key], bool] = everything) -> Library:
        """One more, after what the last one that was kept had."""
        return Library(self._root, Threshold(), self._before, doubt)

    def keep(self, library: Library) -> None:
        """What it has is what is served from now on."""
        self._before = library.volumes


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """One that serves version 1, which answers 1; what was imported is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = Shelf(tmp_path)
    made.write(1)
    library = made.library()
    library.volume("desk.add", FIRST)
    made.keep(library)
    yield made
    for name in set(sys.modules) - before:
        del sys.modules[name]


def answer(library: Library, version: Version = FIRST) -> int:
    """What the function answers."""
    answered: int = library.volume("desk.add", version).loaded.function(None, None)["n"]
    return answered


class TestKeeping:
    """What was loaded before"""

    def test_is_kept_where_nobody_doubts_it_whatever_is_in_the_file_by_now(
        self, shelf: Shelf
    ) -> None:
        for text in (ADD, "def add(ctx, params\n"):
            shelf.write(2, text)
            assert answer(shelf.library(nothing)) == 1

    def test_is_kept_with_its_health_where_it_is_doubted_and_has_not_changed(
        self, shelf: Shelf
    ) -> None:
        undoubted = shelf.library(nothing).volume("desk.add", FIRST)
        assert shelf.library().volume("desk.add", FIRST) is undoubted

    def test_gives_way_to_what_is_in_the_file_where_it_is_doubted_and_its_past_goes_with_it(
        self, shelf: Shelf
    ) -> None:
        before = shelf.library(nothing).volume("desk.add", FIRST)
        before.health.fail(before.health.begin("acme", "t-1"))
        shelf.write(2)
        library = shelf.library()
        assert answer(library) == 2
        assert before.loaded.function(None, None) == {"n": 1}
        assert library.volume("desk.add", FIRST).health.failures == ()
        assert len(before.health.failures) == 1

    def test_is_doubted_for_one_version_and_not_for_another(self, shelf: Shelf) -> None:
        other = Version(2, "under dev", "desk_1:add", None)
        library = shelf.library()
        assert answer(library) == answer(library, other) == 1
        shelf.keep(library)
        shelf.write(2)
        library = shelf.library(("desk.add", 2).__eq__)
        assert (answer(library), answer(library, other)) == (1, 2)

    def test_is_not_what_another_reference_means(self, shelf: Shelf) -> None:
        """Nobody has to doubt it: the index says that it is other code."""
        moved = FIRST._replace(code="desk_1:find")
        found = shelf.library(nothing).volume("desk.add", moved)
        assert found.loaded.function(None, None) == {}

    def test_is_forgotten_once_a_table_does_not_need_it(self, shelf: Shelf) -> None:
        before = shelf.library(nothing).volume("desk.add", FIRST)
        shelf.keep(shelf.library())
        assert shelf.library(nothing).volume("desk.add", FIRST) is not before


class TestDigests:
    """A version that has left `under dev`"""

    def test_is_served_as_it_was_then(self, shelf: Shelf) -> None:
        assert answer(shelf.library(), FIRST._replace(digest=shelf.write(1))) == 1

    @pytest.mark.parametrize("doubt", [everything, ("desk.add", 1).__eq__])
    def test_is_refused_where_its_file_has_changed(
        self, shelf: Shelf, doubt: Callable[[Key], bool]
    ) -> None:
        frozen = FIRST._replace(digest=shelf.write(1))
        shelf.write(2)
        with pytest.raises(CodeProblem, match="has changed since version 1 left `under dev`"):
            shelf.library(doubt).volume("desk.add", frozen)

    def test_is_refused_where_it_was_never_loaded_before(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        shelf.write(1)
        with pytest.raises(CodeProblem, match=r"\(SHA-256 abababababab…\)"):
            shelf.library(nothing).volume("desk.add", FIRST._replace(digest="ab" * 32))

    def test_goes_on_where_nobody_doubts_it(self, shelf: Shelf) -> None:
        frozen = FIRST._replace(digest=shelf.write(1))
        shelf.write(2)
        assert answer(shelf.library(nothing), frozen) == 1


class TestCatalogue:
    """What a library has"""

    def test_is_what_was_asked_for_each_once(self, shelf: Shelf) -> None:
        library = shelf.library()
        assert library.volume("desk.add", FIRST) is library.volume("desk.add", FIRST)
        library.volume("desk.find", FIRST._replace(code="desk_1:find"))
        assert set(library.volumes) == {KEY, ("desk.find", 1)}

    def test_is_one_module_for_functions_of_one_file(self, tmp_path: Path, shelf: Shelf) -> None:
        library = Library(tmp_path, None)
        for name in ("add", "find"):
            library.volume(f"desk.{name}", FIRST._replace(code=f"desk_1:{name}"))
        (found,) = library.modules
        assert found is library.volume("desk.add", FIRST).loaded.module

    def test_is_without_what_could_not_be_loaded(self, shelf: Shelf) -> None:
        library = shelf.library()
        with pytest.raises(CodeProblem, match="has no gone"):
            library.volume("desk.gone", FIRST._replace(code="desk_1:gone"))
        assert library.volumes == {}

    def test_is_taken_out_as_the_environment_has_it(self, tmp_path: Path, shelf: Shelf) -> None:
        threshold = Threshold(failures=1)
        library = Library(tmp_path, threshold)
        assert library.volume("desk.add", FIRST).health.threshold is threshold

"""The code cache: what is served goes on with its code and its health, unless that is doubted and changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from actors.errors import CodeProblem
from actors.index.entries import Threshold, Version
from actors.routing.code_cache import EMPTY, CodeCache, Key, LoadedVersions, all_versions

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
        self._before: LoadedVersions = EMPTY

    def write(self, n: int = 1, text: str = ADD) -> str:
        """The file of version 1, which answers n; its digest."""
        content = text.format(n=n)
        (self._root / "desk_1.py").write_text(content)
        return sha256(content.encode()).hexdigest()

    def code_cache(self, must_recheck: Callable[[Key], bool] = all_versions) -> CodeCache:
        """One more, after what the last one that was kept had."""
        return CodeCache(self._root, Threshold(), self._before, must_recheck)

    def keep(self, code_cache: CodeCache) -> None:
        """What it has is what is served from now on."""
        self._before = code_cache.versions


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """One that serves version 1, which answers 1; what was imported is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = Shelf(tmp_path)
    made.write(1)
    code_cache = made.code_cache()
    code_cache.get("desk.add", FIRST)
    made.keep(code_cache)
    yield made
    for name in set(sys.modules) - before:
        del sys.modules[name]


def answer(code_cache: CodeCache, version: Version = FIRST) -> int:
    """What the function answers."""
    answered: int = code_cache.get("desk.add", version).code.function(None, None)["n"]
    return answered


class TestKeeping:
    """What was loaded before"""

    def test_is_kept_where_nobody_doubts_it_whatever_is_in_the_file_by_now(
        self, shelf: Shelf
    ) -> None:
        for text in (ADD, "def add(ctx, params\n"):
            shelf.write(2, text)
            assert answer(shelf.code_cache(nothing)) == 1

    def test_is_kept_with_its_health_where_it_is_doubted_and_has_not_changed(
        self, shelf: Shelf
    ) -> None:
        undoubted = shelf.code_cache(nothing).get("desk.add", FIRST)
        assert shelf.code_cache().get("desk.add", FIRST) is undoubted

    def test_gives_way_to_what_is_in_the_file_where_it_is_doubted_and_its_past_goes_with_it(
        self, shelf: Shelf
    ) -> None:
        before = shelf.code_cache(nothing).get("desk.add", FIRST)
        before.detector.record_failure(before.detector.start("acme", "t-1"))
        shelf.write(2)
        code_cache = shelf.code_cache()
        assert answer(code_cache) == 2
        assert before.code.function(None, None) == {"n": 1}
        assert code_cache.get("desk.add", FIRST).detector.failures == ()
        assert len(before.detector.failures) == 1

    def test_is_doubted_for_one_version_and_not_for_another(self, shelf: Shelf) -> None:
        other = Version(2, "under dev", "desk_1:add", None)
        code_cache = shelf.code_cache()
        assert answer(code_cache) == answer(code_cache, other) == 1
        shelf.keep(code_cache)
        shelf.write(2)
        code_cache = shelf.code_cache(("desk.add", 2).__eq__)
        assert (answer(code_cache), answer(code_cache, other)) == (1, 2)

    def test_is_not_what_another_reference_means(self, shelf: Shelf) -> None:
        """No one has to doubt it: the index says that it is other code."""
        moved = FIRST._replace(code="desk_1:find")
        found = shelf.code_cache(nothing).get("desk.add", moved)
        assert found.code.function(None, None) == {}

    def test_is_forgotten_once_a_table_does_not_need_it(self, shelf: Shelf) -> None:
        before = shelf.code_cache(nothing).get("desk.add", FIRST)
        shelf.keep(shelf.code_cache())
        assert shelf.code_cache(nothing).get("desk.add", FIRST) is not before


class TestDigests:
    """A version that has left `under dev`"""

    def test_is_served_as_it_was_then(self, shelf: Shelf) -> None:
        assert answer(shelf.code_cache(), FIRST._replace(digest=shelf.write(1))) == 1

    @pytest.mark.parametrize("must_recheck", [all_versions, ("desk.add", 1).__eq__])
    def test_is_refused_where_its_file_has_changed(
        self, shelf: Shelf, must_recheck: Callable[[Key], bool]
    ) -> None:
        frozen = FIRST._replace(digest=shelf.write(1))
        shelf.write(2)
        with pytest.raises(CodeProblem, match="has changed since version 1 left `under dev`"):
            shelf.code_cache(must_recheck).get("desk.add", frozen)

    def test_is_refused_where_it_was_never_loaded_before(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        shelf.write(1)
        with pytest.raises(CodeProblem, match=r"\(SHA-256 abababababab…\)"):
            shelf.code_cache(nothing).get("desk.add", FIRST._replace(digest="ab" * 32))

    def test_goes_on_where_nobody_doubts_it(self, shelf: Shelf) -> None:
        frozen = FIRST._replace(digest=shelf.write(1))
        shelf.write(2)
        assert answer(shelf.code_cache(nothing), frozen) == 1


class TestCatalogue:
    """What a code cache has"""

    def test_is_what_was_asked_for_each_once(self, shelf: Shelf) -> None:
        code_cache = shelf.code_cache()
        assert code_cache.get("desk.add", FIRST) is code_cache.get("desk.add", FIRST)
        code_cache.get("desk.find", FIRST._replace(code="desk_1:find"))
        assert set(code_cache.versions) == {KEY, ("desk.find", 1)}

    def test_is_one_module_for_functions_of_one_file(self, tmp_path: Path, shelf: Shelf) -> None:
        code_cache = CodeCache(tmp_path, None)
        for name in ("add", "find"):
            code_cache.get(f"desk.{name}", FIRST._replace(code=f"desk_1:{name}"))
        (found,) = code_cache.modules
        assert found is code_cache.get("desk.add", FIRST).code.module

    def test_is_without_what_could_not_be_loaded(self, shelf: Shelf) -> None:
        code_cache = shelf.code_cache()
        with pytest.raises(CodeProblem, match="has no gone"):
            code_cache.get("desk.gone", FIRST._replace(code="desk_1:gone"))
        assert code_cache.versions == {}

    def test_is_taken_out_as_the_environment_has_it(self, tmp_path: Path, shelf: Shelf) -> None:
        threshold = Threshold(failures=1)
        code_cache = CodeCache(tmp_path, threshold)
        assert code_cache.get("desk.add", FIRST).detector.threshold is threshold

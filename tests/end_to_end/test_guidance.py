"""A real server's guidance for developers: all about one function, and what there is to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.errors import NotFound
from tests.actors.developer_project import Workshop
from tests.raw_client import Map


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """An index of one's own, in which the server's own dummies are the rest."""
    with Workshop(tmp_path) as workshop:
        yield workshop


def told(shop: Workshop, function: str = "marks.add") -> Map:
    """Its instructions."""
    return shop.ask("functions.instructions", function=function)


def to_do(shop: Workshop, **params: Any) -> Map:
    """What there is to do."""
    return shop.ask("functions.todo", **params)


class TestInstructions:
    """functions.instructions"""

    def test_they_follow_the_index_as_it_is_in_force(self, shop: Workshop) -> None:
        shop.serve()
        before = told(shop)
        assert before["code"] == ["functions:add"]
        assert "marks.count" in before["related"]
        assert "Version 2, in `marks_add_2.py` beside `registry.toml`" in before["text"]
        assert "- `ctx.db.scalar(" in before["text"]
        shop.write(2)
        assert told(shop) == before
        shop.reload()
        after = told(shop)
        assert after["code"] == ["marks_add_2:add", "functions:add"]
        assert (
            "- version 2: under dev, `marks_add_2:add`\n  - served in: local-dev\n" in after["text"]
        )

    def test_a_version_that_they_describe_can_be_written_word_for_word(
        self, shop: Workshop
    ) -> None:
        shop.serve()
        text = told(shop)["text"]
        entry = text.partition("```toml\n")[2].partition("```")[0]
        code = text.partition("## Where to work")[2].partition("```python\n")[2].partition("```")[0]
        shop.code(2).write_text(code.replace("...", 'return {"id": 7}'))
        shop.index.write_text(f"{shop.index.read_text()}\n{entry}")
        shop.reload()
        assert shop.call()["result"] == {"id": 7}
        assert shop.answered_by() == (2, "newest")

    def test_the_test_is_named_once_it_is_there(self, shop: Workshop) -> None:
        shop.serve()
        assert "pytest" not in told(shop)["text"]
        directory = shop.index.parent / "tests"
        directory.mkdir()
        (directory / "test_marks_add_2.py").write_text("")
        assert "$ python -m pytest tests/test_marks_add_2.py" in told(shop)["text"]

    def test_what_is_not_there_is_refused_with_what_is_near(self, shop: Workshop) -> None:
        shop.serve()
        with pytest.raises(NotFound, match=r"no function 'marks\.ad'; did you mean marks\.add"):
            told(shop, "marks.ad")
        with pytest.raises(NotFound, match=r"functions\.list lists what there is"):
            told(shop, "qqqqqqqq")

    @pytest.mark.parametrize("name", ["functions.move", "config.get", "system.ping"])
    def test_of_what_is_the_engines_it_is_said(self, shop: Workshop, name: str) -> None:
        shop.serve()
        with pytest.raises(NotFound, match="is the engine's own"):
            told(shop, name)


class TestToDo:
    """functions.todo"""

    def test_it_follows_a_version_from_state_to_state(self, shop: Workshop) -> None:
        shop.write(2)
        shop.serve()
        (task,) = to_do(shop, state="under dev")["tasks"]
        assert (task["function"], task["kind"], task["version"]) == ("marks.add", "function", 2)
        assert (task["by"], task["next"][0]) == (None, "potential release")
        shop.move(2, "potential release", request="R-12")
        assert to_do(shop, state="under dev")["tasks"] == []
        (task,) = to_do(shop, state="potential release")["tasks"]
        assert task["request"] == "R-12"
        assert task["by"]
        shop.move(2, "erroring")
        found = to_do(shop)
        assert (found["tasks"][0]["state"], found["tasks"][0]["before"]) == (
            "erroring",
            "potential release",
        )
        assert found["counts"]["erroring"] == 1
        assert found["counts"]["under dev"] == 0

    def test_it_comes_in_pages(self, shop: Workshop) -> None:
        for number, state in enumerate(("under dev", "potential release", "under dev"), 2):
            shop.write(number, state)
        shop.serve()
        whole = to_do(shop)
        assert whole["next"] is None
        found: list[Map] = []
        after: Any = ""
        while after is not None:
            page = to_do(shop, after=after, limit=1)
            assert page["counts"] == whole["counts"]
            found += page["tasks"]
            after = page["next"]
        assert found == whole["tasks"]
        assert [each["version"] for each in found if each["function"] == "marks.add"] == [4, 2, 3]

    def test_a_mark_that_is_none_is_refused(self, shop: Workshop) -> None:
        shop.serve()
        for after in ("x", "1 a", "1 a b", "1  1"):
            assert shop.refusal("functions.todo", after=after).code == "invalid_argument"

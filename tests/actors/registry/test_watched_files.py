"""`serve --watch`: what is saved is served, and what cannot be is said."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.environments import in_environment
from actors.errors import SettingsError
from actors.settings import Settings
from tests.actors.developer_project import Workshop
from tests.deadline import until
from tests.raw_client import Map

BROKEN = "what was edited is not served"


class Said:
    """The Registry's log."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def error(self, event: str, **fields: str) -> None:
        """Keep the problem of an edit that is not served."""
        if event == BROKEN:
            self.problems.append(fields["problem"])

    def info(self, event: str, **fields: object) -> None:
        """Of no interest."""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What the Registry logs from here on."""
    found = Said()
    monkeypatch.setattr("actors.registry.actor.log", found)
    return found


@pytest.fixture
def shop(tmp_path: Path, said: Said) -> Iterator[Workshop]:
    """A server that watches an index with a second version of marks.add."""
    with Workshop(tmp_path) as workshop:
        workshop.write(2, body='return {"id": 2}')
        workshop.serve(watch=True)
        assert workshop.call()["result"] == {"id": 2}
        yield workshop


def answered(shop: Workshop, id_: int) -> None:
    """Wait until a caller gets this result."""
    until(lambda: result_of(shop.call()) == {"id": id_}, f"the result {id_}")


def result_of(reply: Map) -> Any:
    return reply.get("result")


def test_a_function_is_served_once_it_is_saved(shop: Workshop) -> None:
    for number in (3, 4, 5):
        shop.write_code(2, f'return {{"id": {number}}}')
        answered(shop, number)


def test_so_is_what_it_imports_and_a_module_that_was_missing(shop: Workshop, said: Said) -> None:
    name = f"shared_{uuid.uuid4().hex[:8]}"
    shared = shop.index.parent / f"{name}.py"
    text = shop.code(2).read_text()
    shop.code(2).write_text(f"import {name}\n" + text.replace('{"id": 2}', f'{{"id": {name}.ID}}'))
    until(lambda: said.problems, "the missing module")
    assert shop.call()["result"] == {"id": 2}
    shared.write_text("ID = 6\n")
    answered(shop, 6)
    shared.write_text("ID = 7\n")
    answered(shop, 7)


def test_so_is_the_index(shop: Workshop) -> None:
    shop.write(3, body='return {"id": 30}')
    answered(shop, 30)
    assert shop.answered_by() == (3, "newest")


def test_what_cannot_be_served_is_said_with_its_line_and_the_rest_goes_on(
    shop: Workshop, said: Said
) -> None:
    whole = shop.code(2).read_text()
    shop.code(2).write_text(whole + "\n\nnope\n")
    line = len(whole.splitlines()) + 3
    until(lambda: said.problems, BROKEN)
    words = f"NameError: name 'nope' is not defined (marks_add_2.py:{line})"
    assert words in said.problems.pop()
    assert shop.call()["result"] == {"id": 2}
    shop.index.write_text(shop.index.read_text() + "\n[actions")
    until(lambda: any("registry.toml" in each for each in said.problems), BROKEN)
    assert shop.call()["result"] == {"id": 2}


def test_a_developer_reads_what_was_wrong_with_a_call(shop: Workshop) -> None:
    shop.write_code(2, "return nope")
    until(lambda: "error" in shop.call(), "the edit to be served")
    error = shop.call()["error"]
    assert error["code"] == "internal"
    assert error["message"] == "NameError: name 'nope' is not defined (marks_add_2.py:8)"


def test_without_it_nobody_does_and_nothing_is_taken_in(tmp_path: Path) -> None:
    with Workshop(tmp_path) as shop:
        shop.write(2, body="return nope")
        shop.serve()
        assert "nope" not in shop.call()["error"]["message"]


@pytest.mark.parametrize("environment", ["local-test", "hosted-live"])
def test_no_other_environment_is_watched(tmp_path: Path, environment: str) -> None:
    settings = Settings(registry=tmp_path / "registry.toml", environment=environment, watch=True)
    with pytest.raises(SettingsError, match="--watch is for local-dev"):
        in_environment(settings)

"""The contract, and the code that is checked against it when it is loaded."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.connectors.contract import Connector
from actors.connectors.outbound.boundary import EgressPolicy
from actors.errors import CodeProblem
from actors.index.code import AWAITED, CONNECTOR_METHODS, Codebase

SOUND = (Path(__file__).parents[2] / "outside" / "echo_1.py").read_text()


@pytest.fixture(autouse=True)
def _own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test made importable."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_what_is_looked_for_is_what_the_contract_says() -> None:
    """The index is below the connectors and cannot import it."""
    methods = dict(inspect.getmembers(Connector, inspect.isfunction))
    stated = {name for name in methods if not name.startswith("_")}
    assert stated == set(CONNECTOR_METHODS)
    for name in stated:
        assert tuple(inspect.signature(methods[name]).parameters) == (
            "self",
            *CONNECTOR_METHODS[name],
        )
        assert inspect.iscoroutinefunction(methods[name]) == (name in AWAITED)


def test_a_sound_one_is_loaded_as_its_class(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(SOUND)
    loaded = Codebase(tmp_path).load_connector("echo:Echo")
    assert loaded.function(EgressPolicy()).inner(None, {"text": "hello"}) == {"said": "hello"}
    assert Codebase(tmp_path).load_connector("echo:Echo", loaded) is loaded


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("class Echo:", "class Other:", "has no Echo"),
        ("class Echo:", "def Echo(): ...\nclass Other:", "is not a class"),
        (
            "def outer(self, delivery: Delivery, params: Json, settings: Any)",
            "def outer(self, params: Json)",
            "needs def outer(self, delivery, params, settings)",
        ),
        ("async def close", "def close", "needs close to be async def"),
        ("    def inner", "    async def inner", "needs inner to be a plain def"),
        ("async def close(self)", "async def shut(self)", "needs async def close(self)"),
        (
            "def __init__(self, egress: EgressPolicy)",
            "def __init__(self)",
            "needs def __init__(self, egress)",
        ),
    ],
)
def test_one_that_is_none_is_refused_with_what_it_lacks(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    text = SOUND.replace(old, new)
    assert text != SOUND
    (tmp_path / "echo.py").write_text(text)
    with pytest.raises(CodeProblem) as refused:
        Codebase(tmp_path).load_connector("echo:Echo")
    assert says in str(refused.value)
    assert "echo.py" in str(refused.value)

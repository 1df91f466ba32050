"""The shared modules of an index: found in the text, imported afresh where their files have changed."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from actors.errors import CodeProblem
from actors.index.code import Codebase, Loaded
from actors.index.imports import ENGINE, Imports

USES = "from {0}.prices import price\n\n\ndef quote(ctx, params):\n    return price()\n"


@pytest.fixture
def package(tmp_path: Path) -> Iterator[str]:
    """A package whose name no other test has imported, with a module that imports another."""
    name = f"shop_{uuid.uuid4().hex[:8]}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "rates.py").write_text("RATE = 2\n")
    (folder / "prices.py").write_text(
        "from . import rates\n\n\ndef price():\n    return rates.RATE\n"
    )
    (folder / "orders.py").write_text(USES.format(name))
    yield name
    sys.path[:] = [each for each in sys.path if each != str(tmp_path)]


def load(root: Path, package: str, before: Loaded | None = None) -> Loaded:
    """The function, as a reload gets it."""
    return Codebase(root).load(f"{package}.orders:quote", before)


def call(loaded: Loaded) -> Any:
    return loaded.function(None, None)


class TestFinding:
    @pytest.mark.parametrize(
        "line",
        [
            "import a.b",
            "from a import b",
            "from a.b import c",
            "def f():\n    from a.b import c",
            "try:\n    import a.b\nexcept ImportError:\n    pass",
        ],
    )
    def test_every_import_of_the_folder_counts(self, tmp_path: Path, line: str) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "__init__.py").write_text("")
        (tmp_path / "a" / "b.py").write_text("import json, d\n")
        (tmp_path / "d.py").write_text("import a.b\n")
        found = Imports(tmp_path.resolve()).of("code", line.encode())
        assert set(found) == {"a", "a.b", "d"}
        assert found["d"] == sha256(b"import a.b\n").hexdigest()

    def test_relative_ones_are_of_the_package(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "c").mkdir(parents=True)
        (tmp_path / "a" / "b.py").write_text("")
        (tmp_path / "a" / "c" / "d.py").write_text("from ..b import x\n")
        found = Imports(tmp_path.resolve())
        assert set(found.of("a.code", b"from .c.d import x")) == {"a.c.d", "a.b"}
        assert set(found.of("a.c.code", b"from .. import b")) == {"a.b"}

    def test_what_is_elsewhere_or_no_python_does_not(self, tmp_path: Path) -> None:
        found = Imports(tmp_path.resolve())
        assert found.of("code", b"import json\nfrom actors.errors import NotFound") == {}
        assert found.of("code", b"def f(:") == {}

    def test_in_the_repository_itself_the_engine_is_not_shared(self) -> None:
        module = "actors.tenant.functions.contacts"
        text = ENGINE.joinpath(*module.split(".")).with_suffix(".py").read_bytes()
        found = set(Imports(ENGINE).of(module, text))
        assert "actors.tenant.functions.tables" in found
        assert all(name.startswith("actors.tenant.functions.") for name in found)


class TestLoading:
    def test_a_change_of_a_shared_module_is_in_what_is_loaded_next(
        self, tmp_path: Path, package: str
    ) -> None:
        """Two edits in one second, and of one length, too."""
        first = load(tmp_path, package)
        assert load(tmp_path, package, first) is first
        for rate in (3, 4):
            (tmp_path / package / "rates.py").write_text(f"RATE = {rate}\n")
            later = load(tmp_path, package, first)
            assert call(later) == rate
        assert call(first) == 2

    def test_two_functions_share_the_fresh_one(self, tmp_path: Path, package: str) -> None:
        (tmp_path / package / "more.py").write_text(
            f"from {package} import rates\n\n\ndef more(ctx, params):\n    return rates\n"
        )
        load(tmp_path, package)
        (tmp_path / package / "rates.py").write_text("RATE = 9\n")
        codebase = Codebase(tmp_path)
        quote = codebase.load(f"{package}.orders:quote")
        more = codebase.load(f"{package}.more:more")
        assert more.function(None, None) is sys.modules[f"{package}.rates"]
        assert call(quote) == 9

    def test_one_that_does_not_import_leaves_all_as_it_was(
        self, tmp_path: Path, package: str
    ) -> None:
        first = load(tmp_path, package)
        before = sys.modules[f"{package}.rates"]
        (tmp_path / package / "rates.py").write_text("raise RuntimeError('half written')\n")
        with pytest.raises(CodeProblem, match="half written"):
            load(tmp_path, package, first)
        assert sys.modules[f"{package}.rates"] is before
        (tmp_path / package / "rates.py").write_text("RATE = 5\n")
        assert call(load(tmp_path, package, first)) == 5

    def test_in_the_repository_itself_a_connector_s_code_shares_nothing(self) -> None:
        """A second copy of the engine's modules would have other error classes than the engine catches."""
        module = "actors.connectors.mail"
        text = ENGINE.joinpath(*module.split(".")).with_suffix(".py").read_bytes()
        assert Imports(ENGINE).of(module, text) == {}

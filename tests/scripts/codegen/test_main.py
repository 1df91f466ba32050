"""scripts/schema: which files it writes, and that they are the same every time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from actors.index.entries import Index
from scripts.codegen.__main__ import main, outputs
from scripts.codegen.client import NotOurs, stubs, write_stubs
from tests.scripts.codegen.indexes import AWKWARD, AWKWARD_INDEX, DESK_INDEX, ROOT

FILES = {
    "contracts.pyi",
    "docs/actions.md",
    "clients/client.py",
    "clients/asyncapi.json",
    "clients/openapi.json",
    "clients/schemas.json",
    "clients/typescript/README.md",
    "clients/typescript/package.json",
    "clients/typescript/package-lock.json",
    "clients/typescript/tsconfig.json",
    "clients/typescript/src/channels.ts",
    "clients/typescript/src/client.ts",
    "clients/typescript/src/errors.ts",
    "clients/typescript/src/json.ts",
    "clients/typescript/src/runtime.ts",
}

OWNED = {"clients/typescript/package.json", "clients/typescript/package-lock.json"}
"""Files that are written once."""


def written(into: Path) -> dict[str, str]:
    """Every file below a directory."""
    return {
        str(path.relative_to(into)): path.read_text() for path in into.rglob("*") if path.is_file()
    }


def texts(index: Index, into: Path) -> list[str]:
    """What would be written."""
    return [each.text for each in outputs(index, into)]


def shuffled(index: Index) -> Index:
    """The same actions and versions in another order."""
    names = list(index.actions)
    random.Random(7).shuffle(names)
    return index._replace(actions={name: index.actions[name] for name in names})


class TestFiles:
    """What is written, and what is left."""

    def test_those_of_this_repository_are_up_to_date(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A change of the index needs scripts/schema."""
        assert main(["--check"]) == 0, capsys.readouterr().err

    def test_they_stand_beside_the_index(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        index = tmp_path / "registry.toml"
        index.write_text(AWKWARD.read_text())
        assert main(["--registry", str(index), "--check"]) == 1
        assert capsys.readouterr().err.count("run scripts/schema") == len(FILES)
        assert main(["--registry", str(index)]) == 0
        assert written(tmp_path).keys() == FILES | {"registry.toml"}
        assert main(["--registry", str(index), "--check"]) == 0

    def test_what_stands_above_the_mark_of_the_page_is_kept(self, tmp_path: Path) -> None:
        assert main(["--registry", str(AWKWARD), "--out", str(tmp_path)]) == 0
        page = tmp_path / "docs" / "actions.md"
        page.write_text(page.read_text().replace("# Actions", "# What we offer"))
        assert main(["--registry", str(AWKWARD), "--out", str(tmp_path)]) == 0
        assert page.read_text().startswith("# What we offer\n")

    @pytest.mark.parametrize("name", sorted(FILES - OWNED - {"docs/actions.md"}))
    def test_a_file_of_somebody_else_is_not_overwritten(
        self, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine = 1\n")
        assert main(["--registry", str(AWKWARD), "--out", str(tmp_path)]) == 1
        assert "is not overwritten" in capsys.readouterr().err
        assert written(tmp_path) == {name: "mine = 1\n"}

    def test_the_name_of_the_package_is_its_owners(self, tmp_path: Path) -> None:
        arguments = ["--registry", str(AWKWARD), "--out", str(tmp_path)]
        assert main(arguments) == 0
        package = tmp_path / "clients" / "typescript" / "package.json"
        package.write_text('{"name": "ours"}')
        assert main(arguments) == 0
        assert main([*arguments, "--check"]) == 0
        assert package.read_text() == '{"name": "ours"}'

    def test_a_broken_index_is_told_and_nothing_is_written(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        index = tmp_path / "registry.toml"
        index.write_text("action = 1")
        assert main(["--registry", str(index)]) == 1
        assert "did you mean actions?" in capsys.readouterr().err
        assert written(tmp_path).keys() == {"registry.toml"}


class TestSameEveryTime:
    """An index that has not changed makes no change."""

    @pytest.mark.parametrize("index", [DESK_INDEX, AWKWARD_INDEX], ids=["desk", "awkward"])
    def test_the_order_of_actions_does_not_count(self, index: Index, tmp_path: Path) -> None:
        assert texts(shuffled(index), tmp_path) == texts(index, tmp_path)

    def test_neither_does_the_seed_of_hashes(self, tmp_path: Path) -> None:
        for seed in ("1", "2"):
            command = [sys.executable, "-m", "scripts.codegen", "--registry", str(AWKWARD)]
            subprocess.run(
                [*command, "--out", str(tmp_path / seed)],
                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
                check=True,
            )
        assert written(tmp_path / "1") == written(tmp_path / "2")

    def test_one_more_action_changes_nothing_about_the_others(self) -> None:
        fewer = dict(DESK_INDEX.actions)
        del fewer["contacts.find"]
        before = stubs(DESK_INDEX._replace(actions=fewer)).split("\n@")
        assert set(before[1:]) < set(stubs(DESK_INDEX).split("\n@"))


class TestWriteStubs:
    """For developers who add an action to an index."""

    def test_it_says_where(self, tmp_path: Path) -> None:
        path = write_stubs(AWKWARD_INDEX, tmp_path)
        assert path == tmp_path / "contracts.pyi"
        assert path.read_text() == stubs(AWKWARD_INDEX)

    def test_what_is_up_to_date_is_not_touched(self, tmp_path: Path) -> None:
        path = write_stubs(AWKWARD_INDEX, tmp_path)
        path.chmod(0o400)
        before = path.stat().st_mtime_ns
        write_stubs(AWKWARD_INDEX, tmp_path)
        assert path.stat().st_mtime_ns == before

    def test_a_file_of_somebody_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "contracts.pyi").write_text("mine: int\n")
        with pytest.raises(NotOurs, match="rename it"):
            write_stubs(AWKWARD_INDEX, tmp_path)

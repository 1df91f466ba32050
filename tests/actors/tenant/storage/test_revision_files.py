"""Revisions that are read from the text of their files: as Alembic reads them, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from actors.admin.directory import store
from actors.tenant.storage.migrations import ENGINE_MIGRATIONS
from actors.tenant.storage.revision_files import read_line
from tests.conftest import Server

DESK = ENGINE_MIGRATIONS.with_name("functions") / "migrations"


def with_alembic(folder: Path) -> list[tuple[str, Path]]:
    """What Alembic finds, from the first to the head."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    found = list(ScriptDirectory.from_config(config).walk_revisions())
    return [(each.revision, Path(each.path)) for each in found[::-1]]


def folder_with(folder: Path, **files: str) -> Path:
    """A folder of revisions with these texts."""
    (folder / "versions").mkdir()
    for name, text in files.items():
        (folder / "versions" / f"{name}.py").write_text(text)
    return folder


@pytest.mark.parametrize(
    "folder", [ENGINE_MIGRATIONS, store.MIGRATIONS, DESK], ids=lambda f: f.parent.name
)
def test_ours_are_read_as_alembic_reads_them(folder: Path) -> None:
    line = read_line(folder)
    assert line is not None
    assert list(map(tuple, line)) == with_alembic(folder)


def test_the_order_is_that_of_revisions_and_not_of_names(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        a='revision: str = "2"\ndown_revision: str | None = "1"\nbranch_labels = None\n',
        b='"""First."""\nrevision = "1"\ndown_revision = None\ndef upgrade():\n    revision = f()\n',
    )
    line = read_line(folder)
    assert line is not None
    assert list(map(tuple, line)) == with_alembic(folder)
    assert [each.revision for each in line] == ["1", "2"]


FIRST = 'revision = "1"\ndown_revision = None\n'


@pytest.mark.parametrize(
    "second",
    [
        'revision = "2"\ndown_revision = None\n',
        'revision = "2"\ndown_revision = "0"\n',
        'revision = "1"\ndown_revision = "1"\n',
        'revision = "2"\ndown_revision = ("1",)\n',
        'revision = "2"\ndown_revision = "1"\nbranch_labels = "x"\n',
        'revision = "2"\ndown_revision = "1"\ndepends_on = "1"\n',
        'revision = str(2)\ndown_revision = "1"\n',
        'revision = "2"\ndown_revision = "1"\nrevision += "3"\n',
        'revision, down_revision = "2", "1"\n',
        'if True:\n    revision = "2"\ndown_revision = "1"\n',
        'revision = "2"\ndown_revision = "1"\ndef depends_on(): pass\n',
        'revision = 2\ndown_revision = "1"\n',
        'revision = "2"\ndown_revision = "1"\nthis is no Python\n',
        "",
        "\0",
    ],
)
def test_what_is_not_plainly_one_line_is_left_to_alembic(tmp_path: Path, second: str) -> None:
    assert read_line(folder_with(tmp_path, one=FIRST, two=second)) is None


def test_a_folder_without_revisions_is_left_to_alembic(tmp_path: Path) -> None:
    assert read_line(tmp_path) is None
    assert read_line(tmp_path / "missing") is None


def test_a_server_whose_data_is_at_head_starts_without_alembic(tmp_path: Path) -> None:
    Server(tmp_path / "data").stop()
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from actors.assembly.system import System\n"
        "from actors.settings import Settings\n"
        "System(Settings(data=Path(sys.argv[1]), endpoint='tcp://127.0.0.1:*', memory_bytes=0))\n"
        "print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.split()[-1] == "False"

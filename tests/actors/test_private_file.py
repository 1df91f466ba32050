"""Files that hold secrets."""

import stat
from pathlib import Path

from actors.private_file import write_private


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_may_read_what_is_written(tmp_path: Path) -> None:
    """And nothing else is left beside it."""
    write_private(tmp_path / "secret", "hidden\n")
    assert (tmp_path / "secret").read_text() == "hidden\n"
    assert mode(tmp_path / "secret") == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


def test_a_file_that_others_could_read_is_replaced_by_one_they_cannot(tmp_path: Path) -> None:
    """Also where an earlier crash left the new one half written and open."""
    for name in ("secret", ".secret.new"):
        (tmp_path / name).write_text("old, and longer than what is new")
        (tmp_path / name).chmod(0o644)
    write_private(tmp_path / "secret", "new")
    assert (tmp_path / "secret").read_text() == "new"
    assert mode(tmp_path / "secret") == 0o600

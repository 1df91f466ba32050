"""Files that hold secrets."""

import stat
from pathlib import Path

from actors.host.files import write_private


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


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """Anyone who may write the directory must not choose where the secret goes."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    (tmp_path / ".secret.new").symlink_to(elsewhere)
    (tmp_path / "secret").symlink_to(elsewhere)
    write_private(tmp_path / "secret", "hidden")
    assert elsewhere.read_text() == "theirs"
    assert (tmp_path / "secret").read_text() == "hidden"
    assert not (tmp_path / "secret").is_symlink()


def test_whoever_holds_the_file_in_the_way_open_does_not_read_the_secret(tmp_path: Path) -> None:
    """A mode that is set afterwards says nothing to those who opened it before."""
    with (tmp_path / ".secret.new").open("w+") as theirs:
        write_private(tmp_path / "secret", "hidden")
        assert theirs.read() == ""

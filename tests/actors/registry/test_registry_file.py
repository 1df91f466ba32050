"""The index's file is replaced wholly, or is as it was."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from actors.errors import Aborted, Unavailable
from actors.registry.registry_file import Unsettled, digest_of, replace_if_unchanged

OLD, NEW = "# old\n", "# new\n" * 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An index."""
    file = tmp_path / "registry.toml"
    file.write_text(OLD)
    return file


def expected(path: Path) -> str:
    """Its digest."""
    digest = digest_of(path)
    assert digest is not None
    return digest


@contextmanager
def no_room() -> Iterator[None]:
    """A disk that takes no more than a few bytes of any file: the kernel's own limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_text_is_there_and_nothing_beside_it(path: Path) -> None:
    path.chmod(0o640)
    replace_if_unchanged(path, NEW, expected(path))
    assert path.read_text() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]
    assert digest_of(path) == sha256(NEW.encode()).hexdigest()


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "index.toml"
    link.parent.mkdir()
    link.symlink_to(path)
    replace_if_unchanged(link, NEW, expected(path))
    assert link.is_symlink()
    assert path.read_text() == NEW


def test_somebody_elses_edit_is_not_written_over(path: Path) -> None:
    seen = expected(path)
    path.write_text("# edited\n")
    with pytest.raises(Aborted, match=r"functions\.diff"):
        replace_if_unchanged(path, NEW, seen)
    assert path.read_text() == "# edited\n"


def test_a_full_disk_changes_nothing(path: Path) -> None:
    with no_room(), pytest.raises(Unavailable, match="nothing was changed") as refused:
        replace_if_unchanged(path, NEW, expected(path))
    assert refused.value.refusal.retry_after_ms
    assert path.read_text() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_that_has_gone_is_told(path: Path) -> None:
    seen = expected(path)
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(Unavailable, match=str(path)):
        replace_if_unchanged(path, NEW, seen)


def fail(*_: object) -> None:
    """As a disk does."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_file_that_cannot_be_read_was_not_edited(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = expected(path)
    monkeypatch.setattr(Path, "read_bytes", fail)
    why = r"cannot be read \(Input/output error\)"
    with pytest.raises(Unavailable, match=why):
        digest_of(path)
    with pytest.raises(Unavailable, match=why):
        replace_if_unchanged(path, NEW, seen)


def test_a_name_that_cannot_be_synced_is_told_as_a_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be on disk or not; done again, it is."""
    sync, directory = os.fsync, path.parent.stat().st_ino

    def fail_there(descriptor: int) -> None:
        fail() if os.fstat(descriptor).st_ino == directory else sync(descriptor)

    seen = expected(path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail_there)
        with pytest.raises(Unsettled, match="was changed, and it is not known whether"):
            replace_if_unchanged(path, NEW, seen)
    assert path.read_text() == NEW
    replace_if_unchanged(path, NEW, expected(path))

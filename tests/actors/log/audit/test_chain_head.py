"""The head that is noted beside the log: what a log lacks of it is said, and never taken for a beginning."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.errors import AuditProblem
from actors.log.audit.chain import GENESIS, forget_head, head_path, missing_records, write_head
from actors.log.audit.journal import AuditFiles
from tests.actors.log.records import DECEMBER, NOVEMBER, entry, write


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A log of three records in two months."""
    directory = tmp_path / "audit"
    write(directory, NOVEMBER, NOVEMBER, DECEMBER)
    return directory


def empty(directory: Path) -> None:
    (directory / "2026-12.jsonl").write_bytes(b"")


def take_the_last_month(directory: Path) -> None:
    (directory / "2026-12.jsonl").unlink()


def take_all(directory: Path) -> None:
    shutil.rmtree(directory)


def write_another(directory: Path) -> None:
    """As long, and sound in itself."""
    shutil.rmtree(directory)
    write(directory.with_name("other"), NOVEMBER, NOVEMBER, DECEMBER + 1)
    directory.with_name("other").replace(directory)


def edit_the_last(directory: Path) -> None:
    volume = directory / "2026-12.jsonl"
    volume.write_bytes(volume.read_bytes().replace(b'"owner"', b'"admin"'))


CHANGES: dict[Callable[[Path], None], str] = {
    empty: "lacks record 3",
    take_the_last_month: "lacks record 3",
    take_all: "lacks record 3",
    write_another: "has another record 3",
    edit_the_last: "has another record 3",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_log_that_lacks_what_was_noted_is_not_written_to(
    directory: Path, change: Callable[[Path], None]
) -> None:
    """A chain that began anew would be sound in itself."""
    change(directory)
    said = missing_records(directory)
    assert said is not None
    assert CHANGES[change] in said
    with pytest.raises(AuditProblem, match="--accept-audit"):
        AuditFiles(directory).append(entry())
    assert missing_records(directory) == said


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_accepted_is_gone_on_from_and_noted(
    directory: Path, change: Callable[[Path], None]
) -> None:
    change(directory)
    forget_head(directory)
    assert missing_records(directory) is None
    write(directory, DECEMBER)
    assert head_path(directory).exists()
    assert missing_records(directory) is None


def test_a_log_of_older_code_is_opened_and_its_head_noted(directory: Path) -> None:
    head_path(directory).unlink()
    journal = AuditFiles(directory)
    journal.open()
    journal.close()
    assert str(journal.head().hash) in head_path(directory).read_text()
    journal.close()


def test_a_note_that_is_behind_says_nothing_against_the_log(directory: Path) -> None:
    """As after a power cut, or where older code has written since."""
    before = head_path(directory).read_bytes()
    write(directory, DECEMBER, DECEMBER)
    head_path(directory).write_bytes(before)
    assert missing_records(directory) is None
    with (directory / "2026-12.jsonl").open("ab") as volume:
        volume.write(b'{"half a record')
    assert missing_records(directory) is None


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 94, b"[]", b'{"seq":"x","hash":""}', b'{"seq":3}']
)
def test_a_note_that_is_damaged_is_named(directory: Path, content: bytes) -> None:
    head_path(directory).write_bytes(content)
    assert str(head_path(directory)) in (missing_records(directory) or "")


def test_a_record_is_written_also_where_its_note_cannot_be(directory: Path) -> None:
    """It is on disk by then."""
    before = head_path(directory).read_bytes()
    head_path(directory).unlink()
    head_path(directory).symlink_to(directory / "nowhere")
    write(directory, DECEMBER)
    head_path(directory).unlink()
    head_path(directory).write_bytes(before)
    assert missing_records(directory) is None


def test_a_note_is_for_the_server_s_user_alone_and_always_as_long(directory: Path) -> None:
    size = head_path(directory).stat()
    write_head(directory, GENESIS._replace(seq=2**63))
    after = head_path(directory).stat()
    assert (size.st_size, size.st_ino) == (after.st_size, after.st_ino)
    assert after.st_mode & 0o777 == 0o600

"""The journal: what it says is recorded is on disk, in a whole chain, whatever happens to the files."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors.errors import AuditProblem
from actors.log.audit.chain import GENESIS, Link, forget_head
from actors.log.audit.journal import AuditFiles
from actors.log.audit.verification import Verification, VerificationResult
from tests.actors.log.records import (
    DECEMBER,
    NOVEMBER,
    entry,
    largest_file,
    lines_of,
    write,
)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged; on standard error it would meet the same full disk."""
    with capture_logs() as kept:
        yield kept


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the log will be."""
    return tmp_path / "audit"


@pytest.fixture
def journal(directory: Path) -> Iterator[AuditFiles]:
    """In November, on its own clock."""
    made = AuditFiles(directory, lambda: NOVEMBER)
    yield made
    made.close()


def sound(directory: Path) -> int:
    """How many records there are, all of them sound."""
    verdict: VerificationResult = Verification(directory).run()
    assert verdict.broken is None
    return verdict.records


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---------------------------------------------------------------- recording


def test_a_record_is_on_disk_once_it_is_appended(journal: AuditFiles, directory: Path) -> None:
    """Read through another descriptor, as everybody else does."""
    link = journal.append(entry(1))

    (line,) = lines_of(directory)
    record = json.loads(line)
    assert link == Link(1, record["hash"]) == journal.head()
    assert record["at"] == "2026-11-30T23:59:59.000Z"
    assert record["params"] == {"number": 1, "name": "Ada Łovelace"}


def test_an_append_is_synced(
    journal: AuditFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it is written, and the name of a new file too."""
    synced: list[tuple[str, int]] = []
    sync = os.fsync

    def note(fd: int) -> None:
        synced.append((Path(f"/proc/self/fd/{fd}").readlink().name, os.fstat(fd).st_size))
        sync(fd)

    monkeypatch.setattr(os, "fsync", note)
    journal.append(entry())
    size = (directory / "2026-11.jsonl").stat().st_size

    place = directory.parent.name
    names = [name for name, _ in synced]
    assert names == [place, "audit", "2026-11.jsonl", ".audit.head.new", place]
    assert synced[2][1] == size


def test_files_are_for_the_server_s_user_alone(journal: AuditFiles, directory: Path) -> None:
    """Whatever the umask says."""
    before = os.umask(0)
    try:
        journal.append(entry())
    finally:
        os.umask(before)

    assert mode_of(directory) == 0o700
    assert mode_of(directory / "2026-11.jsonl") == 0o600


def test_the_chain_goes_on_after_a_restart(directory: Path) -> None:
    """Every record is a restart here."""
    for number in range(4):
        write(directory, NOVEMBER + number)

    assert sound(directory) == 4
    assert len(lines_of(directory)) == 4


def test_a_new_month_begins_a_new_file_and_no_new_chain(directory: Path) -> None:
    """Also where the log is opened on a file of the month before."""
    write(directory, NOVEMBER, DECEMBER)
    write(directory, DECEMBER + 32 * 86400)

    assert sorted(path.name for path in directory.iterdir()) == [
        "2026-11.jsonl",
        "2026-12.jsonl",
        "2027-01.jsonl",
    ]
    assert sound(directory) == 3


def test_a_clock_that_is_set_back_does_not_lead_into_an_old_file(directory: Path) -> None:
    """The order of the files is the order of the chain; the record says the time as the machine has it."""
    write(directory, DECEMBER, NOVEMBER)
    write(directory, NOVEMBER)

    assert [path.name for path in directory.iterdir()] == ["2026-12.jsonl"]
    assert [json.loads(line)["at"][:7] for line in lines_of(directory)] == [
        "2026-12",
        "2026-11",
        "2026-11",
    ]
    assert sound(directory) == 3


def test_an_empty_log_has_a_head_too(journal: AuditFiles, directory: Path) -> None:
    """So that it can be asked for before anything has happened."""
    assert journal.head() == GENESIS
    assert directory.is_dir()


# ---------------------------------------------------------------- after a crash


@pytest.mark.parametrize("share", [1, 7, 100, -2, -1])
def test_a_record_cut_off_in_the_writing_is_put_aside(
    directory: Path, share: int, logged: list[Any]
) -> None:
    """At the next start; another record says so, and nothing is thrown away."""
    lines = write(directory, *[NOVEMBER] * 3)
    volume = directory / "2026-11.jsonl"
    whole = volume.read_bytes()
    piece = lines[-1][:share]
    volume.write_bytes(whole + piece)

    write(directory, NOVEMBER)

    assert sound(directory) == 5
    assert volume.read_bytes().startswith(whole)
    repair = json.loads(lines_of(directory)[3])
    assert repair["kind"] == "repair"
    assert f"{len(piece)} bytes after the last whole record" in repair["message"]
    aside = directory / "2026-11.torn"
    assert aside.read_bytes() == piece + b"\n"
    assert mode_of(aside) == 0o600
    assert [each["event"] for each in logged] == ["audit log mended"]


@pytest.mark.parametrize("rest", [b"\0" * 600, b"\0" * 599 + b"\n", b'{"action":"a\n', b"\n"])
def test_what_a_file_system_leaves_after_a_crash_is_put_aside(directory: Path, rest: bytes) -> None:
    """Zeros where data had not come yet, or a line that is no JSON."""
    write(directory, NOVEMBER)
    with (directory / "2026-11.jsonl").open("ab") as file:
        file.write(rest)

    write(directory, NOVEMBER)

    assert sound(directory) == 3
    assert rest in (directory / "2026-11.torn").read_bytes()


def test_a_log_that_is_torn_in_its_first_record_begins_anew(directory: Path) -> None:
    """There is nothing before it."""
    lines = write(directory, NOVEMBER)
    (directory / "2026-11.jsonl").write_bytes(lines[0][:50])
    forget_head(directory)  # a record that was torn was not noted

    write(directory, NOVEMBER)

    assert sound(directory) == 2


@pytest.mark.parametrize(("rest", "records"), [(b"", 2), (b'{"action":"con', 3)])
def test_a_month_that_begins_with_a_crash_goes_on_with_the_chain(
    directory: Path, rest: bytes, records: int
) -> None:
    """The file is there, the record is not, or not whole."""
    write(directory, NOVEMBER)
    (directory / "2026-12.jsonl").write_bytes(rest)

    write(directory, DECEMBER)

    assert sound(directory) == records


def test_garbage_longer_than_any_record_is_put_aside_whole(directory: Path) -> None:
    """In pieces, so that no file is too large for the memory."""
    write(directory, NOVEMBER)
    with (directory / "2026-11.jsonl").open("ab") as file:
        file.write(b"x" * 300_000)

    write(directory, NOVEMBER)

    assert sound(directory) == 3
    assert (directory / "2026-11.torn").read_bytes().count(b"x") == 300_000


def test_a_line_that_no_crash_leaves_stays_where_it_is(directory: Path) -> None:
    """Only one record is in the writing at a time: a second bad line is somebody's doing, and is named."""
    write(directory, NOVEMBER)
    with (directory / "2026-11.jsonl").open("ab") as file:
        file.write(b"somebody's line\n" + b'{"torn')

    write(directory, NOVEMBER)

    assert (directory / "2026-11.torn").read_bytes() == b'{"torn\n'
    broken = Verification(directory).run().broken
    assert broken is not None
    assert (broken.line, broken.problem) == (2, "is no JSON")


def test_a_repair_is_recorded_once(directory: Path) -> None:
    """However much comes after it."""
    write(directory, NOVEMBER)
    with (directory / "2026-11.jsonl").open("ab") as file:
        file.write(b'{"torn')

    write(directory, *[NOVEMBER] * 3)

    kinds = [json.loads(line)["kind"] for line in lines_of(directory)]
    assert kinds == ["action", "repair", "action", "action", "action"]


def test_two_crashes_are_put_aside_one_after_the_other(directory: Path) -> None:
    """In the same file."""
    write(directory, NOVEMBER)
    for piece in (b'{"first', b'{"second'):
        with (directory / "2026-11.jsonl").open("ab") as file:
            file.write(piece)
        write(directory, NOVEMBER)

    assert (directory / "2026-11.torn").read_bytes() == b'{"first\n{"second\n'
    assert sound(directory) == 5


def test_a_repair_is_recorded_even_if_the_disk_was_full_at_first(directory: Path) -> None:
    """Before anything else is."""
    write(directory, NOVEMBER)
    volume = directory / "2026-11.jsonl"
    size = volume.stat().st_size
    with volume.open("ab") as file:
        file.write(b'{"torn')
    journal = AuditFiles(directory, lambda: NOVEMBER)

    with largest_file(size + 10), pytest.raises(AuditProblem, match="File too large"):
        journal.open()
    journal.append(entry())
    journal.close()

    assert [json.loads(line)["kind"] for line in lines_of(directory)] == [
        "action",
        "repair",
        "action",
    ]
    assert sound(directory) == 3


# ---------------------------------------------------------------- after an edit


def edit(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda line: line.replace(old, new)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (edit(b'"owner"', b'"admin"'), "the last record was changed"),
        (edit(b'"seq":3', b'"seq":9'), "the last record was changed"),
        (lambda _: b'{"hello":"world"}\n', "the last line is no record"),
    ],
)
def test_an_edited_end_is_not_mended_and_the_log_goes_on_where_that_is_accepted(
    directory: Path, change: Callable[[bytes], bytes], problem: str, logged: list[Any]
) -> None:
    """The server can serve; it is said at once, and a verification names the place."""
    lines = write(directory, *[NOVEMBER] * 3)
    edited = b"".join([*lines[:2], change(lines[2])])
    (directory / "2026-11.jsonl").write_bytes(edited)

    refused(AuditFiles(directory), "record 3, which|another record 3")
    assert logged == []
    forget_head(directory)
    write(directory, NOVEMBER)

    assert [each["log_level"] for each in logged] == ["error"]
    assert logged[0]["problem"].startswith(problem)
    assert (directory / "2026-11.jsonl").read_bytes().startswith(edited)
    broken = Verification(directory).run().broken
    assert broken is not None
    assert broken.line == 3


def test_an_edit_before_the_last_record_shows_where_the_last_one_holds_to_it(
    directory: Path, logged: list[Any]
) -> None:
    """That is as far as the log looks at its start."""
    lines = write(directory, *[NOVEMBER] * 3)
    (directory / "2026-11.jsonl").write_bytes(lines[0] + lines[2])

    write(directory, NOVEMBER)

    assert logged[0]["problem"].startswith("the last record has record 3 in its place")


def test_a_log_in_good_order_says_nothing(directory: Path, logged: list[Any]) -> None:
    """Whatever was complained about above, this is not."""
    for at in (NOVEMBER, NOVEMBER, DECEMBER, DECEMBER):
        write(directory, at)

    assert logged == []


# ---------------------------------------------------------------- when it cannot be written


def refused(journal: AuditFiles, why: str) -> None:
    """Nothing can be recorded, and the message says why; twice, for good measure."""
    for _ in range(2):
        with pytest.raises(AuditProblem, match=why):
            journal.append(entry(99, request_id="refused"))


def test_a_full_disk_is_said_and_leaves_nothing_behind(
    journal: AuditFiles, directory: Path
) -> None:
    """What was written of the record is taken back, so that the next one holds to the chain."""
    journal.append(entry())
    before = (directory / "2026-11.jsonl").read_bytes()

    with largest_file(len(before) + 100):
        refused(journal, re.escape("audit/2026-11.jsonl: File too large"))
        assert (directory / "2026-11.jsonl").read_bytes() == before
    journal.append(entry(1))

    assert sound(directory) == 2
    assert b"refused" not in b"".join(lines_of(directory))


def test_a_disk_that_is_full_from_the_beginning_is_said_too(
    journal: AuditFiles, directory: Path
) -> None:
    """The file is there then, and empty."""
    with largest_file(0):
        refused(journal, "File too large")
    journal.append(entry())

    assert sound(directory) == 1


def test_a_disk_that_is_full_at_the_turn_of_the_month_is_said_too(directory: Path) -> None:
    """In the new file."""
    write(directory, NOVEMBER)
    journal = AuditFiles(directory, lambda: DECEMBER)
    journal.open()

    with largest_file(100):
        refused(journal, re.escape("audit/2026-12.jsonl: File too large"))
    journal.append(entry())
    journal.close()

    assert sound(directory) == 2


def test_what_cannot_be_synced_is_not_recorded(
    journal: AuditFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file here fails to sync, so the call does: as the system does on a broken disk."""
    journal.append(entry())

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        refused(journal, "Input/output error")
        assert len(lines_of(directory)) == 1
    journal.append(entry(1))

    assert sound(directory) == 2


def test_what_cannot_be_taken_back_at_once_is_taken_back_before_the_next_record(
    journal: AuditFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails may fail twice."""
    journal.append(entry())
    size = (directory / "2026-11.jsonl").stat().st_size

    def fail(*_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken, largest_file(size + 100):
        broken.setattr(os, "ftruncate", fail)
        refused(journal, "File too large|Input/output error")
        assert (directory / "2026-11.jsonl").stat().st_size > size
    journal.append(entry(1))

    assert sound(directory) == 2


def test_what_was_taken_back_is_synced_before_the_next_record(
    journal: AuditFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record that a caller was not told of must not come back from the disk with the next one."""
    journal.append(entry())
    size = (directory / "2026-11.jsonl").stat().st_size
    synced: list[int] = []
    left = iter([False, False])
    """Whether the record's own sync succeeds, and that of its taking back; later ones do."""
    sync = os.fsync

    def note(fd: int) -> None:
        if not next(left, True):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        synced.append(os.fstat(fd).st_size)
        sync(fd)

    monkeypatch.setattr(os, "fsync", note)
    with pytest.raises(AuditProblem):
        journal.append(entry(1))
    assert synced == []
    journal.append(entry(2))
    assert synced[0] == size
    assert len(synced) == 2
    assert sound(directory) == 2


def test_what_a_killed_server_left_is_written_again_before_the_first_record(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last sync may have failed: the page cache shows the record, and no later sync brings it to disk."""
    write(directory, NOVEMBER)
    write(directory, NOVEMBER)
    volume = directory / "2026-11.jsonl"
    before = volume.read_bytes()
    written: list[tuple[int, bytes]] = []
    pwrite = os.pwrite

    def note(fd: int, data: bytes, offset: int) -> int:
        if Path(f"/proc/self/fd/{fd}").readlink() == volume:
            written.append((offset, bytes(data[:100])))
        return pwrite(fd, data[:100], offset)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = AuditFiles(directory, lambda: NOVEMBER)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        refused(journal, "Input/output error")
    monkeypatch.setattr(os, "pwrite", note)
    journal.append(entry(1))
    journal.close()

    assert b"".join(data for _, data in written) == before
    assert [offset for offset, _ in written] == list(range(0, len(before), 100))
    assert sound(directory) == 3


def test_an_operator_can_close_the_log_even_to_root(journal: AuditFiles, directory: Path) -> None:
    """By taking away the owner's permission to write."""
    journal.append(entry())
    volume = directory / "2026-11.jsonl"

    volume.chmod(0o400)
    refused(journal, re.escape("audit/2026-11.jsonl is closed to writing: chmod u+w"))
    volume.chmod(0o000)
    refused(journal, "is closed to writing")
    volume.chmod(0o600)
    journal.append(entry(1))

    assert sound(directory) == 2


def test_a_closed_directory_lets_no_new_month_begin(directory: Path) -> None:
    """Root could make the file all the same."""
    write(directory, NOVEMBER)
    journal = AuditFiles(directory, lambda: DECEMBER)
    directory.chmod(0o500)

    refused(journal, "audit is closed to writing")
    directory.chmod(0o700)
    journal.append(entry())
    journal.close()

    assert sound(directory) == 2


def move_away(volume: Path) -> None:
    volume.rename(volume.with_suffix(".away"))


def put_a_directory(volume: Path) -> None:
    move_away(volume)
    volume.mkdir()


def put_another_file(volume: Path) -> None:
    move_away(volume)
    volume.write_bytes(b"x" * volume.with_suffix(".away").stat().st_size)


def put_a_doctored_file(volume: Path) -> None:
    move_away(volume)
    volume.write_bytes(volume.with_suffix(".away").read_bytes().replace(b'"owner"', b'"admin"'))


def put_another_log(volume: Path) -> None:
    move_away(volume)
    other = volume.parent.with_name("other")
    write(other, NOVEMBER - 1)
    (other / volume.name).replace(volume)
    assert volume.stat().st_size == volume.with_suffix(".away").stat().st_size


def put_an_empty_file(volume: Path) -> None:
    move_away(volume)
    volume.touch()


def put_a_link(volume: Path) -> None:
    move_away(volume)
    volume.symlink_to(volume.with_suffix(".nowhere"))


def put_back(volume: Path) -> None:
    if volume.is_dir() and not volume.is_symlink():
        volume.rmdir()
    volume.with_suffix(".away").replace(volume)


@pytest.mark.parametrize(
    "take",
    [
        *(move_away, put_a_directory, put_another_file, put_a_doctored_file, put_another_log),
        *(put_an_empty_file, put_a_link),
    ],
)
def test_a_file_that_is_taken_away_is_missed(
    journal: AuditFiles, directory: Path, take: Callable[[Path], None]
) -> None:
    """A descriptor would go on writing to what no one sees. Put back, it is written to again."""
    journal.append(entry())
    volume = directory / "2026-11.jsonl"

    take(volume)
    refused(journal, r"audit/2026-11\.jsonl")
    put_back(volume)
    journal.append(entry(1))

    assert sound(directory) == 2


def test_a_faithful_copy_is_taken_on(journal: AuditFiles, directory: Path) -> None:
    """As a restored backup is: its end is the log's."""
    journal.append(entry())
    volume = directory / "2026-11.jsonl"
    content = volume.read_bytes()

    volume.unlink()
    refused(journal, "No such file")
    volume.write_bytes(content)
    journal.append(entry(1))

    assert sound(directory) == 2


def test_a_directory_that_is_taken_away_is_missed(journal: AuditFiles, directory: Path) -> None:
    """With all that is in it; and one that was no directory from the beginning."""
    journal.append(entry())
    directory.rename(directory.with_name("away"))

    refused(journal, "No such file")
    directory.touch()
    refused(journal, "Not a directory")
    directory.unlink()
    directory.with_name("away").rename(directory)
    journal.append(entry(1))

    assert sound(directory) == 2


def test_a_file_in_the_directory_s_place_is_refused(journal: AuditFiles, directory: Path) -> None:
    """Until it is gone."""
    directory.touch()

    refused(journal, "audit: Not a directory")
    directory.unlink()
    journal.append(entry())

    assert sound(directory) == 1


@pytest.mark.parametrize("change", [b"", b"x", b'{"forged":true}\n'])
def test_somebody_else_s_writing_is_noticed(
    journal: AuditFiles, directory: Path, change: bytes
) -> None:
    """Cut or grown, the file is not what the log left; a new start goes on from what is there."""
    journal.append(entry())
    journal.append(entry(1))
    volume = directory / "2026-11.jsonl"
    whole = volume.read_bytes()

    volume.write_bytes(whole + change if change else whole[:-10])
    refused(journal, "bytes where the log left .*: another program writes to it")
    volume.write_bytes(whole)
    journal.append(entry(2))

    assert sound(directory) == 3


def test_a_file_in_the_way_of_a_new_month_is_refused(directory: Path) -> None:
    """The log did not write it."""
    write(directory, NOVEMBER)
    journal = AuditFiles(directory, lambda: DECEMBER)
    journal.open()
    (directory / "2026-12.jsonl").write_bytes(b"something")

    refused(journal, re.escape("audit/2026-12.jsonl is there and is not the log's own"))
    (directory / "2026-12.jsonl").unlink()
    journal.append(entry())
    journal.close()

    assert sound(directory) == 2


def test_a_journal_leaves_no_descriptor_open(directory: Path) -> None:
    """Whatever it met."""
    before = sorted(Path("/proc/self/fd").iterdir())
    journal = AuditFiles(directory, lambda: NOVEMBER)
    journal.append(entry())
    volume = directory / "2026-11.jsonl"
    for take in (put_another_file, put_a_directory):
        take(volume)
        refused(journal, "2026-11")
        put_back(volume)
    journal.append(entry(), DECEMBER)
    (directory / "2027-01.jsonl").write_bytes(b"x")
    with pytest.raises(AuditProblem):
        journal.append(entry(), DECEMBER + 32 * 86400)
    journal.close()

    assert sorted(Path("/proc/self/fd").iterdir()) == before

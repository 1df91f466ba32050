"""Verification: whatever is done to the files, the first record that is not as it was is named."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.log.audit.chain import GENESIS, canonical
from actors.log.audit.journal import AuditFiles
from actors.log.audit.verification import (
    STEP_LINES,
    ChainBreak,
    Steps,
    Verification,
    VerificationResult,
)
from tests.actors.log.records import DECEMBER, NOVEMBER, entry, lines_of, write

COUNT = 6
"""Records of the log that is tried, three in each of two months."""

TIMES = [NOVEMBER] * 3 + [DECEMBER] * 3


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A sound log."""
    write(tmp_path / "audit", *TIMES)
    return tmp_path / "audit"


def head_of(directory: Path) -> str:
    """As an operator keeps it."""
    head: str = json.loads(lines_of(directory)[-1])["hash"]
    return head


def broken(directory: Path, head: str | None = None) -> ChainBreak:
    """The place that is named."""
    found = Verification(directory, head).run().broken
    assert found is not None, "nothing was noticed"
    return found


def put(directory: Path, lines: list[bytes]) -> None:
    """Have these lines in the volumes, the first three in November."""
    (directory / "2026-11.jsonl").write_bytes(b"".join(lines[:3]))
    (directory / "2026-12.jsonl").write_bytes(b"".join(lines[3:]))


def place(number: int) -> tuple[int, str, int]:
    """Record, file and line of a record of the sound log, counted from 1."""
    month = 11 if number <= 3 else 12
    return (number, f"audit/2026-{month}.jsonl", (number - 1) % 3 + 1)


# ---------------------------------------------------------------- sound


def test_a_log_that_nobody_touched_is_sound(directory: Path) -> None:
    """All of it is counted, and its head is that of the last record."""
    verdict = Verification(directory).run()

    assert verdict == VerificationResult(COUNT, head_of(directory), None)
    assert verdict.answer() == {"ok": True, "records": COUNT, "head": head_of(directory)}


def test_every_hash_of_the_log_is_found_in_it(directory: Path) -> None:
    """A head that was kept long ago serves as well as a new one; so does the one of the empty log."""
    for head in [GENESIS.hash, *(json.loads(line)["hash"] for line in lines_of(directory))]:
        assert Verification(directory, head).run().broken is None


def test_an_empty_log_is_sound(tmp_path: Path) -> None:
    """It has no records, and none was expected."""
    AuditFiles(tmp_path / "audit").open()

    assert Verification(tmp_path / "audit").run() == (0, GENESIS.hash, None)


def test_other_files_in_the_directory_are_none_of_the_log(directory: Path) -> None:
    """Such as what a crash left, and an editor's copy."""
    for name in ("2026-11.torn", "2026-12.jsonl~", ".2026-12.jsonl.swp", "2026-13.jsonl.gz"):
        (directory / name).write_bytes(b"anything")

    assert Verification(directory).run().broken is None


# ---------------------------------------------------------------- edits


@pytest.mark.parametrize("number", range(1, COUNT + 1))
@pytest.mark.parametrize("name", ["at", "person", "action", "outcome", "tenant_id", "prev", "hash"])
def test_an_edited_record_is_named(directory: Path, number: int, name: str) -> None:
    """Whichever, and whatever of it was changed."""
    lines = lines_of(directory)
    record = {**json.loads(lines[number - 1]), name: "f" * 64}
    lines[number - 1] = canonical(record) + b"\n"
    put(directory, lines)

    seq, file, line, problem = broken(directory)

    assert (seq, file, line) == place(number)
    assert problem == "was changed: it does not fit its own hash"


@pytest.mark.parametrize("number", range(1, COUNT + 1))
def test_a_removed_record_is_named_by_the_one_in_its_place(directory: Path, number: int) -> None:
    """But for the last one, whose place is empty: that needs a head."""
    head = head_of(directory)
    lines = lines_of(directory)
    del lines[number - 1]
    put(directory, lines)

    if number < COUNT:
        assert broken(directory)[:3] == place(number)
        assert f"has record {number + 1} in its place" in broken(directory).problem
    else:
        assert Verification(directory).run().broken is None
        assert broken(directory, head)[:3] == place(number)


def test_a_removed_line_in_a_month_leaves_the_other_months_alone(directory: Path) -> None:
    """What is named is where the record is missing, not where the files differ."""
    volume = directory / "2026-11.jsonl"
    volume.write_bytes(b"".join(lines_of(directory)[:2]))

    assert broken(directory)[:3] == (3, "audit/2026-12.jsonl", 1)


@pytest.mark.parametrize("number", range(1, COUNT))
def test_reordered_records_are_named(directory: Path, number: int) -> None:
    """Two neighbours changed places."""
    lines = lines_of(directory)
    lines[number - 1], lines[number] = lines[number], lines[number - 1]
    put(directory, lines)

    assert broken(directory)[:3] == place(number)


@pytest.mark.parametrize("number", range(1, COUNT))
def test_a_doubled_record_is_named(directory: Path, number: int) -> None:
    """The second of the two stands in the place of the next."""
    lines = lines_of(directory)
    lines.insert(number, lines[number - 1])
    put(directory, lines)

    assert broken(directory)[:3] == place(number + 1)


def test_a_record_of_another_log_is_named(directory: Path, tmp_path: Path) -> None:
    """It has the right number and a sound hash of its own."""
    with_other = write(tmp_path / "other", *[NOVEMBER + 5.0] * 2)
    lines = lines_of(directory)
    lines[1] = with_other[1]
    put(directory, lines)

    assert broken(directory)[:3] == place(2)
    assert "does not carry the hash of record 1" in broken(directory).problem


def remade(line: bytes, **changed: Any) -> bytes:
    record = {**json.loads(line), **changed}
    del record["hash"]
    return canonical({**record, "hash": sha256(canonical(record)).hexdigest()}) + b"\n"


@pytest.mark.parametrize("number", range(1, COUNT))
def test_a_record_whose_hash_was_made_anew_breaks_the_next(directory: Path, number: int) -> None:
    """So that all that follow have to be made again as well."""
    lines = lines_of(directory)
    lines[number - 1] = remade(lines[number - 1], person="p_somebody_else")
    put(directory, lines)

    assert broken(directory)[:3] == place(number + 1)
    assert "made again" in broken(directory).problem


@pytest.mark.parametrize("number", range(1, COUNT + 1))
def test_a_log_that_was_written_anew_from_an_edit_on_needs_a_head(
    directory: Path, number: int
) -> None:
    """Anyone who may write the files can make later records anew; the kept hash is not among them then."""
    head = head_of(directory)
    lines = lines_of(directory)
    lines[number - 1] = remade(lines[number - 1], person="p_somebody_else")
    for at in range(number, COUNT):
        lines[at] = remade(lines[at], prev=json.loads(lines[at - 1])["hash"])
    put(directory, lines)

    assert Verification(directory).run().broken is None
    assert f"no record has the hash {head}" in broken(directory, head).problem


# ---------------------------------------------------------------- cuts


@pytest.mark.parametrize("left", range(COUNT))
def test_a_cut_tail_is_seen_with_a_head(directory: Path, left: int) -> None:
    """Without one the rest is a sound log, and there is nothing to tell it by."""
    head = head_of(directory)
    put(directory, lines_of(directory)[:left])

    assert Verification(directory).run().broken is None
    found = broken(directory, head)
    assert found.seq == left + 1
    assert f"the tail was cut after record {left}" in found.problem
    assert Verification(directory, head).run().answer()["broken"]["seq"] == left + 1


def test_a_cut_within_a_record_is_seen_without_a_head(directory: Path) -> None:
    """It is there, and not whole."""
    for number in range(1, COUNT + 1):
        lines = lines_of(directory)
        put(directory, [*lines[: number - 1], lines[number - 1][:-1]])

        assert broken(directory)[:3] == place(number)
        assert "is not complete" in broken(directory).problem
        put(directory, lines)


def test_a_removed_file_is_seen(directory: Path) -> None:
    """The first by the one that begins in its place; the last as a cut tail is."""
    head = head_of(directory)
    november, december = sorted(directory.iterdir())
    content = november.read_bytes()

    november.unlink()
    assert broken(directory)[:3] == (1, "audit/2026-12.jsonl", 1)

    november.write_bytes(content)
    december.unlink()
    assert broken(directory, head).seq == 4


def test_a_removed_file_in_the_middle_is_seen(tmp_path: Path) -> None:
    """By the one after it."""
    directory = tmp_path / "audit"
    write(directory, NOVEMBER, DECEMBER, DECEMBER + 32 * 86400)
    (directory / "2026-12.jsonl").unlink()

    assert broken(directory)[:3] == (2, "audit/2027-01.jsonl", 1)


def test_all_files_removed_are_seen_with_a_head(directory: Path) -> None:
    """Nothing is left that could be named."""
    head = head_of(directory)
    for volume in directory.iterdir():
        volume.unlink()

    assert broken(directory, head)[:3] == (1, "audit", 1)


def test_a_directory_in_a_file_s_place_is_seen(directory: Path) -> None:
    """Its records are missing."""
    (directory / "2026-11.jsonl").unlink()
    (directory / "2026-11.jsonl").mkdir()

    assert broken(directory)[:3] == (1, "audit/2026-11.jsonl", 1)


def test_a_missing_directory_is_no_sound_log(tmp_path: Path) -> None:
    """Nor a broken one: a person has to look."""
    with pytest.raises(FileNotFoundError):
        Verification(tmp_path / "nowhere").run()


# ---------------------------------------------------------------- any byte


def changes() -> st.SearchStrategy[Callable[[bytes, int], bytes]]:
    """What can be done to one byte: changed, removed, or another one put before it."""
    byte = st.binary(min_size=1, max_size=1)
    return st.one_of(
        byte.map(lambda new: lambda old, at: old[:at] + new + old[at + 1 :]),
        byte.map(lambda new: lambda old, at: old[:at] + new + old[at:]),
        st.just(lambda old, at: old[:at] + old[at + 1 :]),
    )


@given(change=changes(), position=st.floats(0, 1, exclude_max=True))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_changed_byte_is_seen_at_its_record(
    directory: Path, change: Callable[[bytes, int], bytes], position: float
) -> None:
    """Named is the first line that is not as it was."""
    lines = lines_of(directory)
    whole = b"".join(lines[:3])
    at = int(position * len(whole))
    changed = change(whole, at)
    (directory / "2026-11.jsonl").write_bytes(changed)
    try:
        if changed == whole:
            assert Verification(directory).run().broken is None
            return
        pairs = enumerate(zip(whole, changed, strict=False))
        first = next((at for at, (old, new) in pairs if old != new), min(len(whole), len(changed)))
        touched = whole[:first].count(b"\n") + 1
        assert broken(directory)[:3] == (touched, "audit/2026-11.jsonl", touched)
    finally:
        (directory / "2026-11.jsonl").write_bytes(whole)


# ---------------------------------------------------------------- while it is written


def end_of(steps: Steps) -> VerificationResult:
    """Take every step that is left."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            verdict: VerificationResult = end.value
            return verdict


def test_a_log_that_grows_meanwhile_is_sound(directory: Path) -> None:
    """What has come since is checked, too."""
    journal = AuditFiles(directory)
    steps = Verification(directory).steps()
    for number in range(STEP_LINES):
        journal.append(entry(number), DECEMBER)

    next(steps)
    journal.append(entry(), DECEMBER)
    journal.close()

    assert end_of(steps).records == COUNT + STEP_LINES + 1


def test_a_record_that_is_in_the_writing_is_read_again(directory: Path) -> None:
    """Half of it is no reason for alarm, as long as the other half comes."""
    lines = lines_of(directory)
    put(directory, [*lines[:5], lines[5][:100]])
    steps = Verification(directory).steps()

    assert [next(steps) for _ in range(20)] == [True] * 20
    put(directory, lines)

    assert end_of(steps) == (COUNT, head_of(directory), None)


def test_a_log_is_sound_at_every_moment_of_its_writing(directory: Path) -> None:
    """Read by another thread, as by another process, again and again; however long that is kept waiting."""
    journal = AuditFiles(directory)

    def append() -> None:
        for number in range(300):
            journal.append(entry(number), DECEMBER)

    writer = threading.Thread(target=append)
    writer.start()
    records = [COUNT]
    while writer.is_alive():
        verdict = Verification(directory).run(partial(time.sleep, 0.1))
        assert verdict.broken is None
        records.append(verdict.records)
    writer.join()
    journal.close()

    assert sorted(records) == records
    assert Verification(directory).run().records == COUNT + 300

"""Compression: whatever interrupts it, each line is there once, and the next try brings it to its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import zstandard
from structlog.testing import capture_logs

from actors.log.daily import day_file, rotation
from actors.log.daily.rotation import DayFiles, compress
from tests.actors.log.day_lines import DAY, UTC, at, lines_by_file, names

NOON = at("2026-11-24 12:00")
LINES = [b"line %d" % number for number in range(5)]
TEXT = b"".join(line + b"\n" for line in LINES)

PLAIN = "2026-11-24.jsonl"
COMPRESSED = "2026-11-24.jsonl.zst"
FRESH = "2026-11-24.jsonl.zst.tmp"

TRACED = {module.__file__ for module in (rotation, day_file, rotation)}


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged."""
    with capture_logs() as kept:
        yield kept


def packed(*texts: bytes) -> bytes:
    """Each as a frame."""
    return b"".join(zstandard.compress(text) for text in texts)


def after(directory: Path, present: dict[str, bytes], *late: bytes) -> dict[str, list[bytes]]:
    """What is there after a restart on these files, late lines and a cycle on the next day."""
    for name, content in present.items():
        (directory / name).write_bytes(content)
    with closing(DayFiles(directory, UTC, 7)) as files:
        files.append([(NOON, line) for line in late])
        files.rotate(NOON + DAY)
    return lines_by_file(directory)


# ---------------------------------------------------------------- what a crash leaves


@pytest.mark.parametrize(
    "present",
    [
        {PLAIN: TEXT},
        {PLAIN: TEXT, FRESH: b""},
        {PLAIN: TEXT, FRESH: packed(TEXT)[:20]},
        {PLAIN: TEXT, FRESH: packed(TEXT)},
        {PLAIN: TEXT, COMPRESSED: packed(TEXT)},
        {COMPRESSED: packed(TEXT)},
        {COMPRESSED: packed(TEXT), FRESH: packed(TEXT)[:20]},
    ],
)
@pytest.mark.parametrize("late", [(), (b"late", b"later")])
def test_every_step_leads_to_the_same_end(
    tmp_path: Path, present: dict[str, bytes], late: tuple[bytes, ...]
) -> None:
    """Also where a late line comes before anybody has looked."""
    assert after(tmp_path, present, *late) == {COMPRESSED: [*LINES, *late]}


def crashed(before: int, do: Callable[[], object]) -> bool:
    """Whether a process that does this was gone before so many lines of the logs' own code were run."""
    child = os.fork()
    if child == 0:
        _run_until(before, do)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def _run_until(last: int, do: Callable[[], object]) -> None:
    """Never returns: 1 is a crash, which leaves buffers and cleaning up undone; 0 is the end, 2 an error."""
    left = last

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in TRACED:
            return None
        left -= event == "line"
        if left < 0:
            os._exit(1)
        return trace

    try:
        sys.settrace(trace)
        do()
        os._exit(0)
    finally:
        os._exit(2)


# From Python 3.12 on, a fork beside other threads is warned of; the child needs nothing that they hold.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_crash_at_any_line_of_the_code_neither_loses_nor_doubles_a_line(tmp_path: Path) -> None:
    """Of two days' compression; a restart, late lines and the next cycle bring it to its end."""
    old, now = NOON - DAY, NOON + DAY
    for before in range(1000):
        directory = tmp_path / str(before)
        with closing(DayFiles(directory, UTC, 7)) as files:
            files.append([(old, b"old"), *((NOON, line) for line in LINES)])
            is_crash = crashed(before, lambda: files.rotate(now))

        with closing(DayFiles(directory, UTC, 7)) as files:
            files.append([(old, b"late"), (NOON, b"late")])
            files.rotate(now)

        assert lines_by_file(directory) == {
            "2026-11-23.jsonl.zst": [b"old", b"late"],
            COMPRESSED: [*LINES, b"late"],
        }
        if not is_crash:
            assert before > 50, "nothing was interrupted"
            return
    pytest.fail("it never came to its end")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_crash_while_appending_leaves_a_batch_or_nothing_of_it(tmp_path: Path) -> None:
    """Of each day; and what comes after it is whole."""
    for before in range(1000):
        directory = tmp_path / str(before)
        with closing(DayFiles(directory, UTC, 7)) as files:
            files.append([(NOON, line) for line in LINES])
            files.rotate(NOON + DAY)
            batch = [(NOON, b"a"), (NOON, b"b"), (NOON + DAY, b"c"), (NOON + DAY, b"d")]
            is_crash = crashed(before, lambda: files.append(batch))  # noqa: B023 - called at once

        with closing(DayFiles(directory, UTC, 7)) as files:
            files.append([(NOON, b"z"), (NOON + DAY, b"z")])

        found = lines_by_file(directory)
        assert found[COMPRESSED] in ([*LINES, b"z"], [*LINES, b"a", b"b", b"z"])
        assert found["2026-11-25.jsonl"] in ([b"z"], [b"c", b"d", b"z"])
        if not is_crash:
            assert before > 20, "nothing was interrupted"
            return
    pytest.fail("it never came to its end")


# ---------------------------------------------------------------- what another process leaves


def test_a_compressed_day_that_was_unpacked_by_hand_is_not_doubled(tmp_path: Path) -> None:
    """By `zstd -dk`, say."""
    assert after(tmp_path, {PLAIN: TEXT, COMPRESSED: packed(TEXT, b"late\n")}) == {
        COMPRESSED: [*LINES, b"late"]
    }


def test_a_plain_file_that_has_more_replaces_the_compressed_one(tmp_path: Path) -> None:
    """Somebody has put back an older one."""
    assert after(tmp_path, {PLAIN: TEXT, COMPRESSED: packed(TEXT[:14])}) == {COMPRESSED: LINES}


def test_files_that_say_different_things_are_joined(tmp_path: Path) -> None:
    """Nothing is thrown away; another crash on the way, and it is the same."""
    present = {PLAIN: TEXT, COMPRESSED: packed(b"other\n", b"frames\n")}
    expected = {COMPRESSED: [*LINES, b"other", b"frames"]}

    assert after(tmp_path, present) == expected
    assert after(tmp_path, {PLAIN: TEXT}) == expected


def test_a_compressed_file_that_is_damaged_gives_way_to_the_plain_one(
    tmp_path: Path, logged: list[Any]
) -> None:
    """What cannot be read of it is put aside."""
    found = after(tmp_path, {PLAIN: TEXT, COMPRESSED: packed(TEXT[:14]) + b"\0" * 100})

    assert found.pop("2026-11-24.jsonl.torn") == [b"\0" * 100]
    assert found == {COMPRESSED: LINES}
    assert [each["bytes"] for each in logged] == [100]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Where it leads is not the logs' business; the day is left as it is."""
    (tmp_path / "elsewhere").write_bytes(TEXT)
    (tmp_path / PLAIN).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match=r"2026-11-24\.jsonl"):
        after(tmp_path, {})

    assert (tmp_path / "elsewhere").read_bytes() == TEXT


# ---------------------------------------------------------------- on disk


def test_the_plain_file_goes_only_when_the_compressed_one_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content first, then its name."""
    plain = tmp_path / PLAIN
    plain.write_bytes(TEXT)
    seen: list[tuple[str, list[str]]] = []
    sync = os.fsync

    def note(fd: int) -> None:
        seen.append((Path(f"/proc/self/fd/{fd}").readlink().name, names(tmp_path)))
        sync(fd)

    monkeypatch.setattr(os, "fsync", note)
    compress(plain)

    assert seen == [(FRESH, [PLAIN, FRESH]), (tmp_path.name, [PLAIN, COMPRESSED])]
    assert names(tmp_path) == [COMPRESSED]


def test_an_empty_day_leaves_nothing(tmp_path: Path) -> None:
    """A write that failed has made the file, and nothing came after it."""
    assert after(tmp_path, {PLAIN: b""}) == {}


def test_a_day_gets_a_lot_smaller(tmp_path: Path) -> None:
    """As lines do that are alike."""
    plain = tmp_path / PLAIN
    plain.write_bytes(TEXT * 10_000)
    compress(plain)
    assert (tmp_path / COMPRESSED).stat().st_size < len(TEXT) * 10_000 / 10

"""Logs by day: each line is in the file of its day, once, and a week of days is there."""

from __future__ import annotations

import errno
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from actors.log.daily.day_file import end_of_frames
from actors.log.daily.rotation import DayFiles, WriteFailed, day_of, days, open_day
from tests.actors.log.day_lines import (
    DAY,
    HOUR,
    NEW_YORK,
    SANTIAGO,
    UTC,
    VIENNA,
    at,
    lines_by_day,
    lines_by_file,
    names,
)
from tests.actors.log.records import largest_file

NOON = at("2026-11-24 12:00")


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged; on standard error it would meet the same full disk."""
    with capture_logs() as kept:
        yield kept


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the log will be; neither it nor the one above is there yet."""
    return tmp_path / "tenants" / "acme"


@pytest.fixture
def files(directory: Path) -> Iterator[DayFiles]:
    """In UTC, with three days kept."""
    with closing(DayFiles(directory, UTC, 3)) as made:
        yield made


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---------------------------------------------------------------- the calendar


def test_a_day_is_one_of_the_zone() -> None:
    """The same second is another day elsewhere."""
    late = at("2026-11-24 23:30")
    assert [day_of(late, zone) for zone in (UTC, VIENNA, NEW_YORK)] == [
        "2026-11-24",
        "2026-11-25",
        "2026-11-24",
    ]


# ---------------------------------------------------------------- appending


def test_lines_go_to_the_file_of_their_own_day(files: DayFiles, directory: Path) -> None:
    """Whatever is written before or after them."""
    files.append([(NOON, b"1"), (NOON + DAY, b"2"), (NOON - DAY, b"3"), (NOON, b"4")])

    assert lines_by_file(directory) == {
        "2026-11-23.jsonl": [b"3"],
        "2026-11-24.jsonl": [b"1", b"4"],
        "2026-11-25.jsonl": [b"2"],
    }


def test_a_batch_over_midnight_is_cut_between_two_lines(files: DayFiles, directory: Path) -> None:
    """At the millisecond."""
    midnight = at("2026-11-25 00:00")
    files.append([(midnight - 0.001, b"last"), (midnight, b"first")])

    assert lines_by_day(directory) == {"2026-11-24": [b"last"], "2026-11-25": [b"first"]}


def test_a_batch_is_one_write_for_each_day(
    files: DayFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many lines there are."""
    written: list[bytes] = []
    write = os.write

    def note(fd: int, data: bytes) -> int:
        written.append(data)
        return write(fd, data)

    monkeypatch.setattr(os, "write", note)

    files.append([(NOON, b"a"), (NOON + 1, b"b"), (NOON + DAY, b"c"), (NOON + DAY, b"d")])

    assert written == [b"a\nb\n", b"c\nd\n"]


def test_nothing_to_append_makes_no_file(files: DayFiles, directory: Path) -> None:
    """Nor does looking after days that are not there."""
    files.append([])
    files.rotate(NOON)
    assert not directory.exists()
    assert days(directory) == []


def test_files_are_for_the_server_s_user_alone(files: DayFiles, directory: Path) -> None:
    """All of them, and the directories above, whatever the umask says."""
    before = os.umask(0)
    try:
        files.append([(NOON - DAY, b"1"), (NOON, b"2")])
        files.rotate(NOON)
    finally:
        os.umask(before)

    assert [mode_of(path) for path in directory.iterdir()] == [0o600, 0o600]
    assert [mode_of(path) for path in (directory, directory.parent)] == [0o700, 0o700]


def open_files(directory: Path) -> list[str]:
    """The names of our own descriptors in a directory."""
    own = Path("/proc/self/fd")
    with os.scandir(own) as entries:
        links = [(own / entry.name).readlink() for entry in entries]
    return [link.name for link in links if link.parent == directory]


def test_one_file_is_open_at_a_time(files: DayFiles, directory: Path) -> None:
    """The one written last; none after close."""
    for day in (0, 1, -1, 2):
        files.append([(NOON + day * DAY, b"1")])
        assert open_files(directory) == [day_of(NOON + day * DAY, UTC) + ".jsonl"]
    files.rotate(NOON + 3 * DAY)
    assert open_files(directory) == []
    files.append([(NOON, b"late")])
    assert open_files(directory) == ["2026-11-24.jsonl.zst"]
    files.close()
    assert open_files(directory) == []


@pytest.mark.parametrize("move", [Path.unlink, lambda path: path.rename(path.with_suffix(".old"))])
def test_a_file_that_was_taken_away_is_made_anew(
    files: DayFiles, directory: Path, move: Callable[[Path], object]
) -> None:
    """Lines must not go on into a file that has no name, or another one."""
    files.append([(NOON, b"1")])
    move(directory / "2026-11-24.jsonl")

    files.append([(NOON, b"2")])

    assert lines_by_file(directory)["2026-11-24.jsonl"] == [b"2"]


# ---------------------------------------------------------------- days that are over


def test_days_that_are_over_are_compressed_and_the_oldest_removed(
    files: DayFiles, directory: Path
) -> None:
    """Three are kept besides today's, each whole, and those of the future too."""
    files.append([(NOON + day * DAY, str(day).encode()) for day in range(-6, 2)])

    files.rotate(NOON)

    assert lines_by_file(directory) == {
        "2026-11-21.jsonl.zst": [b"-3"],
        "2026-11-22.jsonl.zst": [b"-2"],
        "2026-11-23.jsonl.zst": [b"-1"],
        "2026-11-24.jsonl": [b"0"],
        "2026-11-25.jsonl": [b"1"],
    }


def test_a_second_cycle_touches_nothing(files: DayFiles, directory: Path) -> None:
    """Not even the time of change."""
    files.append([(NOON + day * DAY, b"1") for day in range(-6, 2)])
    files.rotate(NOON)
    before = {path: path.stat() for path in directory.iterdir()}

    files.rotate(NOON + 11 * HOUR)

    assert {path: path.stat() for path in directory.iterdir()} == before


def test_what_is_not_a_day_s_is_left_alone(files: DayFiles, directory: Path) -> None:
    """An operator's notes, and files that only look alike."""
    others = ["notes.txt", "2026-01-01.jsonl.gz", "2026-01.jsonl", "x2026-01-01.jsonl"]
    files.append([(NOON, b"1")])
    for name in others:
        (directory / name).write_text("mine")

    files.rotate(NOON)

    assert set(others) < set(names(directory))
    assert [day.name for day in days(directory)] == ["2026-11-24"]


def test_a_line_for_a_compressed_day_becomes_a_frame_of_its_file(
    files: DayFiles, directory: Path
) -> None:
    """Never a plain file beside it, also after a restart."""
    files.append([(NOON, b"1"), (NOON, b"2")])
    files.rotate(NOON + DAY)

    files.append([(NOON, b"3"), (NOON, b"4"), (NOON + DAY, b"today")])
    files.append([(NOON, b"5")])
    with closing(DayFiles(directory, UTC, 3)) as again:
        again.append([(NOON, b"6")])

    assert lines_by_file(directory) == {
        "2026-11-24.jsonl.zst": [b"1", b"2", b"3", b"4", b"5", b"6"],
        "2026-11-25.jsonl": [b"today"],
    }


def test_days_are_old_by_the_time_that_is_given_for_it(files: DayFiles, directory: Path) -> None:
    """Where the clock is ten years ahead, they are compressed and not removed."""
    files.append([(NOON, b"1")])
    files.rotate(NOON + 3650 * DAY, NOON + DAY)
    assert [path.name for path in directory.iterdir()] == [day_of(NOON, UTC) + ".jsonl.zst"]
    files.rotate(NOON, NOON + 3650 * DAY)
    assert list(directory.iterdir()) == []


def test_a_line_older_than_what_is_kept_stays_until_the_next_cycle(
    files: DayFiles, directory: Path
) -> None:
    """It is not dropped, nor put where it does not belong."""
    files.append([(NOON - 30 * DAY, b"old"), (NOON, b"new")])
    assert lines_by_day(directory) == {"2026-10-25": [b"old"], "2026-11-24": [b"new"]}

    files.rotate(NOON)
    assert lines_by_day(directory) == {"2026-11-24": [b"new"]}


def test_a_compressed_day_is_read_once_for_all_its_late_lines(
    files: DayFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where lines of today come between: a clock that was set back must not make each line dear."""
    files.append([(NOON, b"1")])
    files.rotate(NOON + DAY)
    looked: list[Path] = []

    def note(path: Path) -> int:
        looked.append(path)
        return end_of_frames(path)

    monkeypatch.setattr("actors.log.daily.day_file.end_of_frames", note)

    for _ in range(5):
        files.append([(NOON, b"late"), (NOON + DAY, b"today")])

    assert looked == [directory / "2026-11-24.jsonl.zst"]
    assert len(lines_by_day(directory)["2026-11-24"]) == 6


# ---------------------------------------------------------------- reading


def test_days_are_listed_the_oldest_first(files: DayFiles, directory: Path) -> None:
    """Of both kinds."""
    files.append([(NOON + day * DAY, b"1") for day in (0, -1, 1, -2)])
    files.rotate(NOON)

    assert [(day.name, day.is_compressed) for day in days(directory)] == [
        ("2026-11-22", True),
        ("2026-11-23", True),
        ("2026-11-24", False),
        ("2026-11-25", False),
    ]


def test_a_day_with_two_files_is_listed_as_the_whole_one(files: DayFiles, directory: Path) -> None:
    """So it is between the two last steps of compression; a reader must not see its lines twice."""
    files.append([(NOON, b"1")])
    plain = (directory / "2026-11-24.jsonl").read_bytes()
    files.rotate(NOON + DAY)
    (directory / "2026-11-24.jsonl").write_bytes(plain)
    (directory / "2026-11-24.jsonl.zst.tmp").write_bytes(plain)
    (directory / "2026-11-24.torn").write_bytes(plain)

    (day,) = days(directory)
    assert day.path.name == "2026-11-24.jsonl.zst"


def test_a_day_is_read_the_same_before_and_after_it_is_compressed(
    files: DayFiles, directory: Path
) -> None:
    """Also under the name it had when it was listed."""
    lines = [b"x" * 70_000, b"y" * 200_000, *(str(number).encode() for number in range(1000))]
    files.append([(NOON, line) for line in lines])
    (day,) = days(directory)
    with open_day(day.path) as plain:
        assert [line.rstrip() for line in plain] == lines

    files.rotate(NOON + DAY)
    files.append([(NOON, b"late")])

    with open_day(day.path) as compressed:
        assert [line.rstrip() for line in compressed] == [*lines, b"late"]


def test_a_day_that_was_removed_is_not_found(files: DayFiles, directory: Path) -> None:
    """Under neither name."""
    files.append([(NOON, b"1")])
    (day,) = days(directory)
    files.rotate(NOON + 30 * DAY)

    with pytest.raises(FileNotFoundError):
        open_day(day.path)


def test_a_day_that_is_being_read_can_be_compressed_and_removed(
    files: DayFiles, directory: Path
) -> None:
    """The reader keeps what it has opened."""
    files.append([(NOON, b"1"), (NOON, b"2")])
    (day,) = days(directory)
    with open_day(day.path) as plain:
        files.rotate(NOON + DAY)
        with open_day(day.path) as compressed:
            files.rotate(NOON + 30 * DAY)
            assert plain.read() == compressed.read() == b"1\n2\n"


# ---------------------------------------------------------------- after a crash


@pytest.mark.parametrize("piece", [b'{"at', b"\0" * 5000, b"x" * 300_000])
def test_a_torn_line_is_put_aside_before_the_next_one_is_written(
    directory: Path, piece: bytes, logged: list[Any]
) -> None:
    """Then every line in the file is whole, and what is left of the other one is beside it."""
    with closing(DayFiles(directory, UTC, 3)) as files:
        files.append([(NOON, b"1"), (NOON, b"2")])
    with (directory / "2026-11-24.jsonl").open("ab") as file:
        file.write(piece)

    with closing(DayFiles(directory, UTC, 3)) as files:
        files.append([(NOON, b"3")])

    assert lines_by_file(directory)["2026-11-24.jsonl"] == [b"1", b"2", b"3"]
    aside = (directory / "2026-11-24.torn").read_bytes()
    assert aside.replace(b"\n", b"") == piece
    assert logged
    assert sum(each["bytes"] for each in logged) == len(piece)
    assert logged[0]["file"] == "acme/2026-11-24.jsonl"


def test_a_torn_line_is_put_aside_before_its_day_is_compressed(directory: Path) -> None:
    """And what was put aside goes with its day."""
    with closing(DayFiles(directory, UTC, 3)) as files:
        files.append([(NOON, b"1")])
        with (directory / "2026-11-24.jsonl").open("ab") as file:
            file.write(b'{"torn')
        files.rotate(NOON + DAY)
        files.append([(NOON, b"late")])

        assert lines_by_file(directory) == {
            "2026-11-24.jsonl.zst": [b"1", b"late"],
            "2026-11-24.torn": [b'{"torn'],
        }
        files.rotate(NOON + 4 * DAY)
        assert names(directory) == []


@pytest.mark.parametrize("cut", [1, 5, -1])
def test_a_torn_frame_is_put_aside_before_the_next_one_is_written(
    directory: Path, cut: int
) -> None:
    """It would hide all that comes behind it."""
    with closing(DayFiles(directory, UTC, 3)) as files:
        files.append([(NOON, b"1")])
        files.rotate(NOON + DAY)
        packed = directory / "2026-11-24.jsonl.zst"
        whole = packed.read_bytes()
        files.append([(NOON, b"2")])
    late = packed.read_bytes()[len(whole) :]
    packed.write_bytes(whole + late[:cut])

    with open_day(packed) as text:
        assert text.read() in (b"1\n", b"1\n2\n")  # only its checksum may be missing
    with closing(DayFiles(directory, UTC, 3)) as files:
        files.append([(NOON, b"3")])

    assert lines_by_file(directory)["2026-11-24.jsonl.zst"] == [b"1", b"3"]
    assert (directory / "2026-11-24.jsonl.torn").read_bytes() == late[:cut] + b"\n"


# ---------------------------------------------------------------- a full disk


def test_what_a_full_disk_took_of_a_batch_is_taken_back(files: DayFiles, directory: Path) -> None:
    """Nothing is half there, and the next line is whole."""
    files.append([(NOON, b"before")])
    size = (directory / "2026-11-24.jsonl").stat().st_size

    with largest_file(size + 10), pytest.raises(WriteFailed, match=r"2026-11-24\.jsonl") as failed:
        files.append([(NOON, b"a"), (NOON, b"b" * 100)])
    assert failed.value.errno == errno.EFBIG
    assert failed.value.written == 0
    assert lines_by_day(directory) == {"2026-11-24": [b"before"]}

    files.append([(NOON, b"after")])
    assert lines_by_day(directory) == {"2026-11-24": [b"before", b"after"]}


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Whatever the reason is, lines that are lost can be counted."""
    (tmp_path / "file").write_text("in the way")
    for directory in (tmp_path / "file", tmp_path / "file" / "logs", tmp_path / ("x" * 300)):
        with closing(DayFiles(directory, UTC, 3)) as files, pytest.raises(WriteFailed) as failed:
            files.append([(NOON, b"1")])
        assert failed.value.written == 0
        assert str(tmp_path) in failed.value.filename


def test_it_is_said_how_many_lines_are_written_all_the_same(
    files: DayFiles, directory: Path
) -> None:
    """The first ones, of a batch over midnight: no one then writes them again, or counts them as lost."""
    with largest_file(10), pytest.raises(WriteFailed) as failed:
        files.append([(NOON - DAY, b"1"), (NOON - DAY, b"2"), (NOON, b"b" * 100), (NOON, b"c")])

    assert failed.value.written == 2
    assert lines_by_day(directory) == {"2026-11-23": [b"1", b"2"], "2026-11-24": []}


def test_a_late_line_that_finds_no_room_leaves_no_piece_of_a_frame(
    files: DayFiles, directory: Path
) -> None:
    """Those behind it can be read."""
    files.append([(NOON, b"1")])
    files.rotate(NOON + DAY)
    size = (directory / "2026-11-24.jsonl.zst").stat().st_size

    with largest_file(size + 3), pytest.raises(WriteFailed):
        files.append([(NOON, b"lost")])
    files.append([(NOON, b"2")])

    assert lines_by_day(directory) == {"2026-11-24": [b"1", b"2"]}


def refuse(fd: int, length: int) -> None:
    """As ftruncate."""
    raise OSError(errno.EIO, "no")


def test_a_rest_that_could_not_be_taken_back_is_when_it_can(
    files: DayFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written behind it."""
    files.append([(NOON, b"before")])
    size = (directory / "2026-11-24.jsonl").stat().st_size

    with largest_file(size + 10), monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(WriteFailed):
            files.append([(NOON, b"b" * 100)])
    assert (directory / "2026-11-24.jsonl").stat().st_size == size + 10

    files.append([(NOON, b"after")])
    assert lines_by_day(directory) == {"2026-11-24": [b"before", b"after"]}


def test_a_rest_of_a_frame_that_was_left_is_found_when_the_file_is_opened_again(
    files: DayFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of the file ends before it."""
    files.append([(NOON, b"1")])
    files.rotate(NOON + DAY)
    packed = directory / "2026-11-24.jsonl.zst"
    size = packed.stat().st_size
    with largest_file(size + 3), monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(WriteFailed):
            files.append([(NOON, b"lost")])
        files.close()
    assert packed.stat().st_size == size + 3

    files.append([(NOON, b"2")])
    assert lines_by_file(directory)["2026-11-24.jsonl.zst"] == [b"1", b"2"]


def test_compression_that_finds_no_room_keeps_the_day_and_still_removes_the_old_ones(
    files: DayFiles, directory: Path
) -> None:
    """That is what makes room; the next cycle does the rest."""
    noise = [os.urandom(50).hex().encode() for _ in range(200)]
    files.append([(NOON - 9 * DAY, b"old"), *((NOON - DAY, line) for line in noise)])

    with largest_file(1000), pytest.raises(OSError, match="File too large"):
        files.rotate(NOON)
    assert lines_by_file(directory) == {"2026-11-23.jsonl": noise}

    files.rotate(NOON)
    assert lines_by_file(directory) == {"2026-11-23.jsonl.zst": noise}


def test_one_day_that_cannot_be_compressed_does_not_hold_up_the_others(
    files: DayFiles, directory: Path
) -> None:
    """Here a directory has its name."""
    files.append([(NOON - 2 * DAY, b"1"), (NOON - DAY, b"2")])
    (directory / "2026-11-22.jsonl.zst.tmp").mkdir()

    with pytest.raises(OSError, match=r"2026-11-22"):
        files.rotate(NOON)

    assert "2026-11-23.jsonl.zst" in names(directory)
    assert (directory / "2026-11-22.jsonl").read_bytes() == b"1\n"


# ---------------------------------------------------------------- ten days


class Story:
    """Two tenants' logs, what should be in them, and a clock that can be set."""

    SWITCH = at("2026-10-25 01:00")
    """When Vienna goes from two hours before UTC to one."""

    def __init__(self, logs: Path, now: float) -> None:
        self.now = now
        self.logs = logs
        self.expected: dict[str, dict[str, list[bytes]]] = {
            name: defaultdict(list) for name in ("acme", "globex")
        }
        self._number = 0
        self.restart()

    def restart(self) -> None:
        self.files = {name: DayFiles(self.logs / name, VIENNA, 7) for name in self.expected}

    def local_day(self, seconds: float) -> int:
        """Days since the epoch in Vienna, reckoned by hand."""
        return int(seconds + (7200 if seconds < self.SWITCH else 3600)) // 86_400

    def turn(self) -> None:
        """Both tenants answer three messages, the last of which is this very second's."""
        for name, files in self.files.items():
            batch = [(self.now - ago, self._line(name)) for ago in (2.0, 1.0, 0.0)]
            files.append(batch)
            for seconds, line in batch:
                day = day_of(self.local_day(seconds) * DAY, UTC)
                self.expected[name][day].append(line)

    def check_the_time(self) -> None:
        """As the Clock has the logs do, every now and then."""
        oldest = day_of((self.local_day(self.now) - 7) * DAY, UTC)
        for name, files in self.files.items():
            files.rotate(self.now)
            kept = self.expected[name]
            self.expected[name] = defaultdict(list, {d: kept[d] for d in kept if d >= oldest})

    def live(self, hours: float) -> None:
        """A turn every ten minutes, on the second; the time is looked at every half hour."""
        for step in range(int(hours * 6)):
            self.now += 600
            self.turn()
            if step % 3 == 2:
                self.check_the_time()

    def found(self) -> dict[str, dict[str, list[bytes]]]:
        return {name: lines_by_day(self.logs / name) for name in self.files}

    def _line(self, name: str) -> bytes:
        self._number += 1
        return f'{{"tenant":"{name}","number":{self._number}}}'.encode()


def test_ten_days_leave_each_line_in_the_file_of_its_day(tmp_path: Path) -> None:
    """Over the end of daylight saving, with restarts, a clock set back and forth, and a night asleep."""
    story = Story(tmp_path, at("2026-10-19 08:00", VIENNA))
    story.live(60)
    story.restart()  # the old objects' files stay open, as a crash would leave them
    story.live(30)
    story.now -= 26 * HOUR  # into a day that is compressed
    story.live(5)
    story.now += 26 * HOUR
    story.live(60)  # over 03:00, which is 02:00 again
    story.now += 2 * DAY
    story.live(1)
    story.now -= 2 * DAY
    story.live(30)
    story.now += 20 * HOUR  # asleep over midnight
    story.live(36)

    assert day_of(story.now, VIENNA) == "2026-10-29"
    assert story.found() == story.expected
    week = [f"2026-10-{day}" for day in range(22, 30)]
    for name in story.files:
        assert names(tmp_path / name) == [
            *(f"{day}.jsonl.zst" for day in week[:-1]),
            f"{week[-1]}.jsonl",
        ]


# ---------------------------------------------------------------- at random


TIMES = st.integers(0, 12 * 8).map(lambda eighth: NOON + eighth * DAY / 8)
OPERATIONS = st.one_of(
    st.tuples(st.just("append"), st.lists(TIMES, max_size=5)),
    st.tuples(st.just("rotate"), TIMES),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("crash"), st.integers(0, 20)),
    st.tuples(st.just("full"), st.lists(TIMES, min_size=1, max_size=5)),
)


class Model:
    """What should be on disk: the lines of each day, and which days are compressed."""

    def __init__(self, directory: Path, zone: ZoneInfo) -> None:
        self._directory = directory
        self._zone = zone
        self._lines: dict[str, list[bytes]] = {}
        self._compressed: set[str] = set()
        self._number = 0
        self._files = DayFiles(directory, zone, 2)

    def append(self, times: list[float]) -> None:
        batch = self._batch(times)
        self._files.append(batch)
        self._know(batch)

    def full(self, times: list[float]) -> None:
        """A batch that the disk has no room for, or only for some of it."""
        batch = self._batch(times)
        with largest_file(30):
            try:
                self._files.append(batch)
            except WriteFailed as error:
                self._know(batch[: error.written], batch[error.written])
            else:
                self._know(batch)

    def rotate(self, now: float) -> None:
        self._files.rotate(now)
        oldest = day_of(now - 2 * DAY, self._zone)
        self._lines = {day: lines for day, lines in self._lines.items() if day >= oldest}
        over = {day for day in self._lines if day < day_of(now, self._zone)}
        self._lines = {day: kept for day, kept in self._lines.items() if kept or day not in over}
        self._compressed = (self._compressed | over) & self._lines.keys()

    def restart(self, _: None) -> None:
        self._files.close()
        self._files = DayFiles(self._directory, self._zone, 2)

    def crash(self, cut: int) -> None:
        """In the writing of one more line, of which so many bytes are there."""
        self._files.close()
        plain = [path for path in self._directory.glob("*.jsonl") if path.name[:10] in self._lines]
        if plain and cut:
            with max(plain).open("ab") as file:
                file.write(b"x" * cut)
        self._files = DayFiles(self._directory, self._zone, 2)
        self._files.append(
            touched := [(at(path.name[:10] + " 12:00", self._zone), b"t") for path in plain]
        )
        self._know(touched)

    def check(self) -> None:
        found = {n: t for n, t in lines_by_file(self._directory).items() if not n.endswith(".torn")}
        assert found == {
            f"{day}.jsonl.zst" if day in self._compressed else f"{day}.jsonl": lines
            for day, lines in self._lines.items()
        }

    def close(self) -> None:
        self._files.close()

    def _batch(self, times: list[float]) -> list[tuple[float, bytes]]:
        batch = []
        for seconds in times:
            self._number += 1
            batch.append((seconds, b"line %d" % self._number))
        return batch

    def _know(self, batch: list[tuple[float, bytes]], *tried: tuple[float, bytes]) -> None:
        for seconds, line in batch:
            self._lines.setdefault(day_of(seconds, self._zone), []).append(line)
        for seconds, _ in tried:
            self._lines.setdefault(day_of(seconds, self._zone), [])


@given(st.lists(OPERATIONS, max_size=25), st.sampled_from([UTC, SANTIAGO]))
def test_whatever_happens_in_whatever_order_the_files_are_as_they_should_be(
    operations: list[tuple[str, Any]], zone: ZoneInfo
) -> None:
    """Appends at any time, cycles at any time, restarts, torn lines, a disk that fills up."""
    with TemporaryDirectory() as directory, closing(Model(Path(directory), zone)) as model:
        for name, argument in operations:
            getattr(model, name)(argument)
            model.check()

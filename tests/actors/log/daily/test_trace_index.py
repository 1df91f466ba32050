"""The index of trace ids: a search for one decompresses the frames that have it, and misses no line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from actors.log.daily import rotation
from actors.log.daily.blocks import LogCatalogue
from actors.log.daily.content import HEADER_BYTES, CompressedFile
from actors.log.daily.day_file import CorruptFrame
from actors.log.daily.rotation import DayFiles
from actors.log.daily.trace_index import index_frame, may_have
from tests.actors.log.daily.test_search_steps import find, searched
from tests.actors.log.day_lines import DAY, UTC, at, text_of

NOON = at("2026-11-24 12:00")
NUMBERS = range(8)
COMPRESSED = "2026-11-24.jsonl.zst"


def trace(number: int) -> str:
    """That of one line."""
    return f"{number:032x}"


def line(number: int) -> bytes:
    """One line."""
    second = f"2026-11-24T12:00:{number:02}.000+00:00"
    return f'{{"at":"{second}","action":"a","trace_id":"{trace(number)}"}}'.encode()


def numbered(numbers: range) -> list[tuple[float, bytes]]:
    """Lines, as a log is given them."""
    return [(NOON + number, line(number)) for number in numbers]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DayFiles]:
    """A day that is over, a frame for each line."""
    monkeypatch.setattr(rotation, "FRAME_BYTES", 1)
    with closing(DayFiles(tmp_path, UTC, 7)) as files:
        files.append(numbered(NUMBERS))
        files.rotate(NOON + DAY)
        yield files


def spans(path: Path, number: int) -> list[bytes]:
    """What would be searched."""
    text = text_of(path)
    with closing(CompressedFile(path)) as content:
        return [text[start:stop] for start, stop in content.spans_with(trace(number).encode())]


def damage(path: Path, number: int) -> None:
    """Overwrite the middle of a frame's text."""
    with closing(CompressedFile(path)) as content:
        frame = content._frames[number]
    whole = bytearray(path.read_bytes())
    middle = frame.at + HEADER_BYTES + (frame.length - HEADER_BYTES) // 2
    whole[middle : middle + 4] = b"\0\0\0\0"
    path.write_bytes(whole)


def test_it_has_what_a_member_of_that_name_says_in_any_line_and_nothing_else() -> None:
    index = index_frame(
        b'{"trace_id":"one"}\n{"trace_id" : "two","x":{"trace_id": "nested"}}\n{}\n'
    )
    assert all(may_have(index, each) for each in (b"one", b"two", b"nested"))
    assert [may_have(index, each) for each in (b"three", b"trace_id", b"")] == [False] * 3


@pytest.mark.parametrize(
    "written",
    [
        '{"a":1,"trace_id":"WANTED"}',
        '{"trace_id":"WANTED","a":1}',
        '{"trace_id":"WANTED","source":"tenant log","more":"abcdefgh"}',
        '{"a":1, "trace_id": "WANTED"}',
        '{"a":{"trace_id":"0000000000000000000000000000000f"},"trace_id":"WANTED"}',
        '{"trace_id":"WANTED","a":{"trace_id":"0000000000000000000000000000000f"}}',
        '{"trace_id":"WANTED","a":"\\"trace_id\\":\\"0000000000000000000000000000000f"}',
        '{"a":1,"trace_id":"WANTED"}\r',
    ],
)
@pytest.mark.parametrize("wanted", ["0" * 31 + "e", "short", "x" * 20])
def test_it_has_the_trace_id_wherever_a_line_has_it(written: str, wanted: str) -> None:
    text = written.replace("WANTED", wanted) + "\n"
    assert json.loads(text)["trace_id"] == wanted
    assert may_have(index_frame(b"{}\n" + text.encode() + b"{}\n"), wanted.encode())


def test_where_it_is_none_or_damaged_everything_is_searched() -> None:
    index = index_frame(line(1))
    assert not may_have(index, b"two")
    for at_byte in range(8, len(index)):
        assert may_have(index[:at_byte] + b"?" + index[at_byte + 1 :], b"two"), at_byte
    assert may_have(b"", b"two")
    assert may_have(index[:-1], b"two")


def test_only_the_frame_that_has_it_is_searched(files: DayFiles, tmp_path: Path) -> None:
    for number in NUMBERS:
        assert spans(tmp_path / COMPRESSED, number) == [line(number) + b"\n"]
    assert spans(tmp_path / COMPRESSED, 99) == []


def test_what_came_late_has_no_index_and_is_searched(files: DayFiles, tmp_path: Path) -> None:
    files.append(numbered(range(20, 22)))
    late = line(20) + b"\n" + line(21) + b"\n"
    assert spans(tmp_path / COMPRESSED, 3) == [line(3) + b"\n", late]
    assert spans(tmp_path / COMPRESSED, 7) == [line(7) + b"\n" + late], "neighbours are one"


def test_a_day_that_was_compressed_without_an_index_is_searched_whole(tmp_path: Path) -> None:
    text = b"".join(line(number) + b"\n" for number in NUMBERS)
    (tmp_path / COMPRESSED).write_bytes(
        zstandard.compress(text[:60]) + zstandard.compress(text[60:])
    )
    assert spans(tmp_path / COMPRESSED, 3) == [text]
    found = searched(LogCatalogue(tmp_path, UTC), find(trace_id=trace(3)))
    assert [each["trace_id"] for each in found["lines"]] == [trace(3)]


@pytest.mark.parametrize("after", [None, "0000-00.0"])
def test_a_search_reads_no_frame_without_it(
    files: DayFiles, tmp_path: Path, after: str | None
) -> None:
    """Damage elsewhere in the day is not met; another search meets it."""
    damage(tmp_path / COMPRESSED, 5)
    log = LogCatalogue(tmp_path, UTC)
    for number in (0, 3, 7):
        page = searched(log, find(trace_id=trace(number), after=after))
        assert [each["trace_id"] for each in page["lines"]] == [trace(number)]
    with pytest.raises(CorruptFrame):
        searched(log, find(trace_id=trace(5), after=after))
    with pytest.raises(CorruptFrame):
        searched(log, find(text="nothing", after=after))


def test_lines_that_were_passed_over_do_not_come_again(files: DayFiles, tmp_path: Path) -> None:
    """Whether from the newest back or from the oldest on, the place behind the day follows."""
    log, absent = LogCatalogue(tmp_path, UTC), find(trace_id=trace(99))
    end = f"2026-11-24.{len(text_of(tmp_path / COMPRESSED))}"
    for ask in (absent, absent._replace(after="0000-00.0"), absent._replace(after=end)):
        assert searched(log, ask) == {"lines": [], "next": None, "newest": end}

"""The indexes of files that are still written: what they pass over has no such line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.log.daily import plain_index as module
from actors.log.daily.blocks import LogCatalogue
from actors.log.daily.content import PlainFile
from actors.log.daily.plain_index import PlainIndexes
from actors.log.messages import SearchLogs
from tests.actors.log.daily.test_search_steps import find, searched
from tests.actors.log.daily.test_trace_index import line, trace
from tests.actors.log.day_lines import UTC

LINE = len(line(0)) + 1


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A day of ten lines; two and a half make a part, and three at the end have no index."""
    monkeypatch.setattr(module, "PART_BYTES", LINE * 5 // 2)
    monkeypatch.setattr(module, "END_BYTES", LINE * 3)
    day = tmp_path / "2026-11-24.jsonl"
    add(day, range(10))
    return day


def add(path: Path, numbers: range) -> None:
    """Append lines."""
    with path.open("ab") as file:
        file.writelines(line(number) + b"\n" for number in numbers)


@pytest.fixture
def content(path: Path) -> Iterator[PlainFile]:
    """The day, opened."""
    with closing(PlainFile(path)) as opened:
        yield opened


def spans(indexes: PlainIndexes, content: PlainFile, number: int, start: int = 0) -> list[range]:
    """Numbers of the lines that are to be searched for the trace of one."""
    found = indexes.spans_with(content, trace(number).encode(), start * LINE)
    return [range(start // LINE, stop // LINE) for start, stop in found]


def test_each_step_indexes_a_part_of_whole_lines_and_the_end_is_left(content: PlainFile) -> None:
    indexes = PlainIndexes()
    assert spans(indexes, content, 0) == [range(10)], "nothing has an index yet"
    assert [spans(indexes, content, 99) for _ in indexes.grow(content)] == [
        [range(2, 10)],
        [range(4, 10)],
        [range(6, 10)],
    ]
    assert spans(indexes, content, 3) == [range(2, 4), range(6, 10)]
    assert spans(indexes, content, 3, start=4) == [range(6, 10)]
    assert list(indexes.grow(content)) == []


@pytest.mark.parametrize("way", ["before", "after"])
def test_a_line_is_found_wherever_it_came_to_be_written(path: Path, way: str) -> None:
    """With one set of indexes, as the file grows; from either end."""
    indexes, log = PlainIndexes(), LogCatalogue(path.parent, UTC)
    for size in range(10, 40):
        for number in (0, 3, size // 2, size - 1):
            ask = find(trace_id=trace(number), after=None if way == "before" else "0000-00.0")
            assert traces(ask, log, indexes) == [trace(number)]
        absent = find(trace_id=trace(99), after="0000-00.0")
        assert traces(absent, log, indexes) == []
        add(path, range(size, size + 1))


def traces(ask: SearchLogs, log: LogCatalogue, indexes: PlainIndexes) -> list[str]:
    """Of the lines that are found."""
    page = searched(log, ask, indexes)
    assert page["next"] is None
    return [each["trace_id"] for each in page["lines"]]


def test_a_part_that_has_an_index_is_not_read_for_another_trace(path: Path) -> None:
    """It is seen by what is there meanwhile, which a search by text finds."""
    indexes, log = PlainIndexes(), LogCatalogue(path.parent, UTC)
    assert traces(find(trace_id=trace(1), after="0000-00.0"), log, indexes) == [trace(1)]
    path.write_bytes(path.read_bytes().replace(trace(2).encode(), trace(77).encode()))
    assert traces(find(trace_id=trace(77), after="0000-00.0"), log, indexes) == []
    assert traces(find(text=trace(77)), log, indexes) == [trace(77)]
    assert traces(find(trace_id=trace(77)), log, PlainIndexes()) == [trace(77)]


def test_another_file_or_one_that_was_cut_has_none_of_it(path: Path) -> None:
    indexes = PlainIndexes()
    with closing(PlainFile(path)) as content:
        list(indexes.grow(content))
    whole = path.read_bytes()
    path.write_bytes(whole[: LINE * 5])
    with closing(PlainFile(path)) as content:
        assert spans(indexes, content, 99) == [range(5)]
    path.write_bytes(whole[LINE:])
    with closing(PlainFile(path)) as content:
        assert spans(indexes, content, 99) == [range(9)]


def test_the_file_that_was_searched_the_longest_ago_loses_its_own(
    path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "2026-11-25.jsonl"
    add(other, range(50, 60))
    indexes = PlainIndexes(most=150)
    with closing(PlainFile(path)) as content, closing(PlainFile(other)) as second:
        list(indexes.grow(content))
        list(indexes.grow(second))
        assert spans(indexes, second, 99) == [range(6, 10)]
        assert spans(indexes, content, 99) == [range(10)]


def test_a_file_alone_has_no_more_than_all_may_have(content: PlainFile) -> None:
    indexes = PlainIndexes(most=30)
    assert len(list(indexes.grow(content))) == 2
    assert spans(indexes, content, 99) == [range(4, 10)]

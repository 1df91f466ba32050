"""Whole lines in blocks: none lost, none doubled, none in pieces, from either end."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.log.daily import blocks as module
from actors.log.daily.blocks import blocks_after, blocks_before
from actors.log.daily.content import open_text
from actors.log.daily.day_file import frame

LINES = st.lists(st.binary(max_size=20).map(lambda each: each.replace(b"\n", b"") + b"\n"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that a handful of lines fills."""
    monkeypatch.setattr(module, "FIRST_BYTES", 7)
    monkeypatch.setattr(module, "MAX_BYTES", 28)
    monkeypatch.setattr(module, "MAX_LINE", 64)


def written(directory: Path, text: bytes, cuts: list[int]) -> Path:
    """A file of this text; in frames that begin at these places, or plain where there are none."""
    if not cuts:
        path = directory / "day.jsonl"
        path.write_bytes(text)
        return path
    path = directory / "day.jsonl.zst"
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = pairwise(places)
    path.write_bytes(b"".join(frame(text[start:stop]) for start, stop in pieces))
    return path


@settings(deadline=None)
@given(
    lines=LINES, torn=st.binary(max_size=40), cuts=st.lists(st.integers(0, 9999)), data=st.data()
)
def test_all_whole_lines_come_from_either_end(
    lines: list[bytes],
    torn: bytes,
    cuts: list[int],
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """From any line on; one that is in the writing is not there yet."""
    whole = b"".join(lines)
    text = whole + torn.replace(b"\n", b"")
    number = data.draw(st.integers(0, len(lines)))
    place = len(b"".join(lines[:number]))
    with closing(open_text(written(tmp_path_factory.mktemp("day"), text, cuts))) as content:
        newer = list(blocks_after(content, place))
        older = list(blocks_before(content, place))
        everything = list(blocks_before(content, content.size))

    assert b"".join(block.text for block in newer) == whole[place:]
    assert b"".join(block.text for block in reversed(older)) == whole[:place]
    assert b"".join(block.text for block in reversed(everything)) == whole
    for block in (*newer, *older, *everything):
        assert text[block.start : block.end] == block.text
        assert block.text.endswith(b"\n")
        assert block.start == 0 or text[block.start - 1 : block.start] == b"\n"


@pytest.mark.parametrize("offset", range(1, 12))
def test_a_mistaken_offset_shows_no_piece_of_a_line_from_behind(
    tmp_path: Path, offset: int
) -> None:
    """From the front the rest of a line can come, which is no record."""
    text = b"1234567890\nabc\n"
    with closing(open_text(written(tmp_path, text, []))) as content:
        found = b"".join(block.text for block in blocks_before(content, offset))

    assert found == (text[:11] if offset == 11 else b"")


def test_what_is_longer_than_any_line_is_passed_over(tmp_path: Path) -> None:
    """Others' lines before and after it are there, and memory is not filled."""
    text = b"one\n" + b"x" * 200 + b"\ntwo\n"
    with closing(open_text(written(tmp_path, text, []))) as content:
        back = [line for block in blocks_before(content, 999) for line in block.text.split()]
        on = [line for block in blocks_after(content, 0) for line in block.text.split()]

    assert back == [b"two", b"one"]
    assert (on[0], on[-1]) == (b"one", b"two")
    assert max(map(len, on)) < 200

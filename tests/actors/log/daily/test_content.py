"""What a file says, from either end: the same whether it is compressed or not."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.log.daily import content as module
from actors.log.daily.content import SeekableText, open_text
from actors.log.daily.day_file import CorruptFrame, frame

Packer = Callable[[bytes], bytes]


def without_size(text: bytes) -> bytes:
    """A frame that does not say how much is in it."""
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return packer.compress(text) + packer.flush()


def not_compressible(text: bytes) -> bytes:
    """A frame of raw blocks: of what cannot be compressed, or by a level that does not try."""
    return zstandard.ZstdCompressor(level=-100).compress(text)


def skippable(text: bytes) -> bytes:
    """A frame of somebody else's, in front of one of ours."""
    return struct.pack("<II", 0x184D2A53, 5) + b"other" + frame(text)


PACKERS: list[Packer] = [frame, without_size, not_compressible, skippable]


def backwards(content: SeekableText, most: int) -> bytes:
    """All of it, read from the end."""
    text, end = b"", content.size
    while piece := content.before(end, most):
        assert len(piece) <= most
        text, end = piece + text, end - len(piece)
    assert end == 0
    return text


def forwards(content: SeekableText, most: int) -> bytes:
    """All of it, read from the beginning."""
    text = b""
    while piece := content.after(len(text), most):
        assert len(piece) <= most
        text += piece
    return text


def written(directory: Path, text: list[bytes], packers: list[Packer] | None = None) -> Path:
    """A file of these pieces."""
    path = directory / ("day.jsonl" if packers is None else "day.jsonl.zst")
    if packers is None:
        path.write_bytes(b"".join(text))
    else:
        pairs = zip(text, packers, strict=True)
        path.write_bytes(b"".join(pack(piece) for piece, pack in pairs))
    return path


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_it_is_the_same_from_either_end_and_whatever_the_frames(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Empty frames included, and such as take several blocks."""
    pieces = data.draw(
        st.lists(
            st.binary(max_size=300) | st.sampled_from([b"line\n" * 60_000, b"x" * 300_000]),
            max_size=6,
        )
    )
    is_plain = data.draw(st.booleans())
    packers = None if is_plain else [data.draw(st.sampled_from(PACKERS)) for _ in pieces]
    most = data.draw(st.sampled_from([1 << 22, 100_000, 999]))
    path = written(tmp_path_factory.mktemp("day"), pieces, packers)

    with closing(open_text(path)) as content:
        assert content.size == len(b"".join(pieces))
        assert backwards(content, most) == forwards(content, most) == b"".join(pieces)


@pytest.mark.parametrize("is_plain", [True, False])
def test_nothing_is_read_beyond_either_end(tmp_path: Path, is_plain: bool) -> None:
    """Whatever the offset."""
    path = written(tmp_path, [b"a\n", b"b\n"], None if is_plain else [frame, frame])

    with closing(open_text(path)) as content:
        assert content.before(0, 10) == b""
        assert content.after(4, 10) == content.after(99, 10) == b""
        assert content.before(99, 2) == b"b\n"


def test_a_plain_file_ends_where_it_ended_when_it_was_opened(tmp_path: Path) -> None:
    """What is written meanwhile is for the next reader."""
    path = written(tmp_path, [b"a\n"])
    with closing(open_text(path)) as content:
        with path.open("ab") as file:
            file.write(b"b\n")

        assert forwards(content, 10) == backwards(content, 10) == b"a\n"


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_frame_in_the_writing_ends_it(tmp_path: Path, cut: int) -> None:
    """Wherever it has been cut off."""
    last = frame(b"second " * 10)
    path = written(tmp_path, [b"first", b""], [frame, lambda _: last[: len(last) - cut]])

    with closing(open_text(path)) as content:
        assert forwards(content, 100) == b"first"


def test_a_damaged_frame_is_said_to_be_one(tmp_path: Path) -> None:
    """Rather than that something else is read for it; what is before it can be read."""
    whole = bytearray(frame(b"second " * 10))
    whole[-1] ^= 1
    path = written(tmp_path, [b"first", b""], [frame, lambda _: bytes(whole)])

    with closing(open_text(path)) as content:
        assert content.after(0, 100) == b"first"
        with pytest.raises(CorruptFrame, match="damaged in the frame at byte"):
            content.after(5, 100)


def test_what_is_no_frame_is_said_to_be_none(tmp_path: Path) -> None:
    """It is found when the file is opened."""
    path = written(tmp_path, [b"first", b"this is no frame at all"], [frame, lambda text: text])

    with pytest.raises(CorruptFrame, match="at byte"):
        open_text(path)


def test_a_frame_larger_than_any_of_ours_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could have more in it than there is memory."""
    monkeypatch.setattr(module, "MAX_FRAME", 1000)
    path = written(tmp_path, [b"x" * 1001], [frame])

    with pytest.raises(CorruptFrame, match="1001 bytes of text"):
        open_text(path)

"""Frames: however a file is cut into frames, and however it is read, it is one text."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log.daily.day_file import CorruptFrame, decompressed, end_of_frames, frame

TEXTS = st.lists(
    st.binary(max_size=50) | st.integers(1, 300_000).map(lambda size: b"x" * size), max_size=8
)


@given(TEXTS, st.integers(1_000, 200_000), st.integers(0, 30))
def test_frames_are_read_as_one_text(texts: list[bytes], size: int, torn: int) -> None:
    """In pieces of any size; of one that was cut off, what is there of its text."""
    frames = b"".join(map(frame, texts))
    with TemporaryDirectory() as directory:
        path = Path(directory) / "frames"
        path.write_bytes(frames + frame(bytes(range(100)))[:torn])

        with decompressed(path) as text:
            found = b"".join(iter(lambda: text.read(size), b""))
        assert end_of_frames(path) == len(frames)
    whole = b"".join(texts)
    assert found.startswith(whole)
    assert bytes(range(100)).startswith(found[len(whole) :])


def test_lines_are_read_across_frames(tmp_path: Path) -> None:
    """A line may even begin in one and end in the next."""
    path = tmp_path / "frames"
    path.write_bytes(frame(b"one\ntw") + frame(b"o\nthree\n"))
    with decompressed(path) as text:
        assert list(text) == [b"one\n", b"two\n", b"three\n"]


@pytest.mark.parametrize(
    "rest", [b"\0" * 50, b"no frame at all", frame(b"x" * 40)[:-4] + b"\0\0\0\0"]
)
def test_what_is_no_frame_is_named(tmp_path: Path, rest: bytes) -> None:
    """With the file and the place; what is before it can be read."""
    path = tmp_path / "frames"
    whole = frame(b"one\n")
    path.write_bytes(whole + rest)

    with decompressed(path) as text:
        assert text.readline() == b"one\n"
        with pytest.raises(
            CorruptFrame, match=rf"damaged after the first {len(whole)} bytes.*frames"
        ):
            text.read()
    assert end_of_frames(path) == len(whole)


def test_closing_closes_the_file(tmp_path: Path) -> None:
    """A warning, and so an error here, where it does not."""
    path = tmp_path / "frames"
    path.write_bytes(frame(b"one\n"))
    text = decompressed(path)
    text.close()
    assert text.closed

"""A day that is over becomes a compressed file, and a crash on the way neither loses nor doubles a line.

The law of this file: the compressed file appears whole, under its name at once, before the plain one goes.
So where both are there, the compressed one begins with all that the plain one has; only where somebody has
put other files there is it otherwise, and then what both have is joined, the plain one's lines first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from actors.host.disk import sync
from actors.log.day import COMPRESSED, PLAIN, DayFile
from actors.log.frames import CHUNK_BYTES, decompressed, frame

FRESH = f"{COMPRESSED}.tmp"
"""How a compressed file's name ends as long as it is not whole."""

FRAME_BYTES = 4 * 1024 * 1024
"""Bytes of text in a frame, and the rest of its last line: a search reads frame by frame, from either end."""

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def compress(plain: Path) -> None:
    """Compress a day that nobody is writing; OSError where that cannot be, and can be tried again.

    An empty one is removed.
    """
    compressed = plain.with_name(plain.name.removesuffix(PLAIN) + COMPRESSED)
    DayFile(plain).close()
    if compressed.exists():
        DayFile(compressed).close()
        _join(plain, compressed)
    elif plain.stat().st_size:
        _write(compressed, plain)
    plain.unlink()


def _join(plain: Path, compressed: Path) -> None:
    """Have all that both files say in the compressed one."""
    with plain.open("rb") as lines, decompressed(compressed) as text:
        if _begins_with(text, lines):
            return
    with plain.open("rb") as lines, decompressed(compressed) as text:
        rest = None if _begins_with(lines, text) else compressed
    _write(compressed, plain, rest)


def _begins_with(whole: BinaryIO, part: BinaryIO) -> bool:
    """Whether all that the second one says is what the first one says first."""
    chunks = iter(lambda: part.read(CHUNK_BYTES), b"")
    return all(whole.read(len(chunk)) == chunk for chunk in chunks)


def _write(compressed: Path, plain: Path, rest: Path | None = None) -> None:
    """Replace the compressed file by one with the plain one's lines, and behind them the frames of `rest`."""
    fresh = compressed.with_name(compressed.name.removesuffix(COMPRESSED) + FRESH)
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(fresh, FLAGS, 0o600), "wb") as target:
            with plain.open("rb") as source:
                for text in _pieces(source):
                    target.write(frame(text))
            if rest is not None:
                with rest.open("rb") as source:
                    shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(compressed)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync(compressed.parent)


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    """Whole lines, as many as go into one frame."""
    return iter(lambda: source.read(FRAME_BYTES) + source.readline(), b"")

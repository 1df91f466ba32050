"""Whole lines, many at a time, from either end of a file's text.

A line that has no break yet is being written, and is left out; so is one that is longer than any line of a
log, and what a mistaken offset leaves of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from actors.log.content import Content

FIRST_BYTES = 64 * 1024
"""Read at first: some hundred lines, a page."""

MOST_BYTES = 1024 * 1024
"""Read at a time later on; each block is twice the one before until then."""

MOST_LINE = 1024 * 1024
"""More than any line has."""


class Block(NamedTuple):
    """Lines in their order, each with its break."""

    start: int
    """Offset of the first line."""
    text: bytes

    @property
    def end(self) -> int:
        """Offset behind the last line."""
        return self.start + len(self.text)


def blocks_before(content: Content, end: int) -> Iterator[Block]:
    """All lines that end at this offset or before, the last block first."""
    behind, is_torn, most = b"", True, FIRST_BYTES
    end = min(end, content.size)
    while end > 0:
        text = content.before(end, most) + behind
        end -= len(text) - len(behind)
        if is_torn:
            text = text[: text.rfind(b"\n") + 1]
            is_torn = not text
        # What comes before the first break is the end of a line that begins in an earlier block.
        cut = (text.find(b"\n") + 1 or len(text)) if end > 0 else 0
        behind, text = text[:cut], text[cut:]
        if len(behind) > MOST_LINE:
            behind, is_torn = b"", True
        if text:
            yield Block(end + cut, text)
        most = min(most * 2, MOST_BYTES)


def blocks_after(content: Content, start: int) -> Iterator[Block]:
    """All lines that begin at this offset or after, the first block first."""
    begun, most = b"", FIRST_BYTES
    while more := content.after(start, most):
        text = begun + more
        start += len(more)
        cut = text.rfind(b"\n") + 1
        begun, text = text[cut:], text[:cut]
        if text:
            yield Block(start - len(begun) - cut, text)
        if len(begun) > MOST_LINE:
            begun = b""
        most = min(most * 2, MOST_BYTES)

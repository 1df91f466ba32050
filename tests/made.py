"""Databases that tests of this session have made: the same migrations need not run for each of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPLATES = "templates/*.db"
"""Their names hold a digest of the migrations, so that one made by others is not used."""

MADE: dict[str, bytes] = {}
"""Content of files by their paths in the data directory that they were made in."""


@contextmanager
def made_before(data: Path, *patterns: str, now: float | None = None) -> Iterator[None]:
    """Put into a data directory that is new what was made in one before; then keep what is made in it.

    What opens it within the block verifies these files as its own of an earlier start. `patterns` are those
    of files besides the templates, none of which may have been changed when the block ends; `now` is in
    seconds since the epoch, for tests with a clock of their own.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_new = not any(data.iterdir())
    if is_new:
        _lay_out(data, (TEMPLATES, *patterns), time.time() if now is None else now)
    yield
    if is_new:
        _keep(data, (TEMPLATES, *patterns))


def _lay_out(data: Path, patterns: tuple[str, ...], now: float) -> None:
    for name, content in MADE.items():
        if any(Path(name).match(pattern) for pattern in patterns):
            file = data / name
            file.parent.mkdir(mode=0o700, exist_ok=True)
            file.touch(0o600)
            file.write_bytes(content)
            os.utime(file, (now, now))  # directory.db says how old the data is


def _keep(data: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for file in data.glob(pattern):
            name = str(file.relative_to(data))
            if name not in MADE:
                MADE[name] = file.read_bytes()

"""Writes a file wholly, or not at all."""

from __future__ import annotations

from pathlib import Path

from actors.host.disk import sync
from scripts.releasing.problem import ReleaseProblem


def write_whole(file: Path, content: bytes) -> None:
    """Write or replace a file, synced, and make its folder; ReleaseProblem says what could not be written."""
    draft = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            sync(draft)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
        sync(file.parent)
    except OSError as error:
        raise ReleaseProblem(
            f"{file} could not be written: {error.strerror}: mend that, then give the same command again"
        ) from None

"""Standard error that cannot be written."""

import contextlib
import os
from pathlib import Path

import structlog

from actors.standard_error import StandardError


def test_a_line_that_can_be_written_is(tmp_path: Path) -> None:
    """At once, as whoever reads a pipe expects."""
    with (tmp_path / "log").open("w") as file:
        structlog.PrintLogger(StandardError(file)).msg("hello")  # type: ignore[arg-type]  # write and flush are all it uses
        assert (tmp_path / "log").read_text() == "hello\n"


def test_one_that_cannot_be_costs_its_logger_nothing() -> None:
    """As with a full disk behind it; nor does a later one."""
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
    log = structlog.PrintLogger(StandardError(full))  # type: ignore[arg-type]  # write and flush are all it uses
    log.msg("lost")
    log.msg("lost too")
    StandardError(full).flush()
    with contextlib.suppress(OSError):
        full.close()

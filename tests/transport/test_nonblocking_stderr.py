"""Standard error that cannot be written."""

import contextlib
import io
import os
from pathlib import Path

import structlog

from transport.nonblocking_stderr import NonBlockingStderr


def test_a_line_that_can_be_written_is(tmp_path: Path) -> None:
    """At once, as the one who reads a pipe expects."""
    with (tmp_path / "log").open("w") as file:
        structlog.WriteLogger(NonBlockingStderr(file)).msg("hello")  # type: ignore[arg-type]  # write and flush are all it uses
        assert (tmp_path / "log").read_text() == "hello\n"


def test_one_that_cannot_be_costs_its_logger_nothing() -> None:
    """As with a full disk behind it; nor does a later one."""
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
    log = structlog.WriteLogger(NonBlockingStderr(full))  # type: ignore[arg-type]  # write and flush are all it uses
    log.msg("lost")
    log.msg("lost too")
    NonBlockingStderr(full).flush()
    with contextlib.suppress(OSError):
        full.close()


def test_a_file_that_is_none_of_the_system_s_is_written_too() -> None:
    """As tests and notebooks put in the place of standard error."""
    file = io.StringIO()
    NonBlockingStderr(file).write("hello\n")

    assert file.getvalue() == "hello\n"


def test_a_reader_that_sleeps_holds_no_other_up() -> None:
    """What does not fit the pipe is lost; once it is read, the next line is a line again."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as reader, os.fdopen(writing, "w") as file:
        log = NonBlockingStderr(file)
        for _ in range(1000):
            log.write("x" * 10_000 + "\n")
        waiting = reader.read(10**7)
        log.write("awake\n")

        assert len(waiting) <= 1024 * 1024
        assert reader.read(10**7) == b"\nawake\n"


def test_a_closed_pipe_costs_its_logger_nothing() -> None:
    """Anyone who read has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        NonBlockingStderr(file).write("lost\n")

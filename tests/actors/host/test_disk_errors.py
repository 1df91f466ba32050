"""Errors of the disk: which pass by themselves, and how they are told."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import zmq
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from actors.errors import DatabaseProblem
from actors.host.disk_errors import error_text, is_passing, result_code


@pytest.mark.parametrize(
    ("number", "passes"),
    [
        (errno.ENOSPC, True),
        (errno.EIO, True),
        (errno.EMFILE, True),
        (errno.EROFS, True),
        (errno.EACCES, False),
        (errno.ENOENT, False),
        (errno.EISDIR, False),
    ],
)
def test_what_a_person_must_mend_does_not_pass(number: int, passes: bool) -> None:
    assert is_passing(OSError(number, os.strerror(number))) is passes
    assert is_passing(zmq.ZMQError(number)) is passes


def broken(path: Path) -> DBAPIError:
    """What SQLAlchemy raises for this file."""
    with pytest.raises(DBAPIError) as error, create_engine(f"sqlite:///{path}").connect() as file:
        file.execute(text("CREATE TABLE more (id)"))
    return error.value


def test_a_file_that_is_no_database_stays_one(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"garbage" * 1000)
    error = broken(tmp_path / "a.db")
    assert not is_passing(error)
    assert result_code(error) == sqlite3.SQLITE_NOTADB
    assert error_text(error) == "file is not a database"


def test_a_file_that_is_held_passes_by_extended_code_too(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "a.db", timeout=0)) as one,
        closing(sqlite3.connect(tmp_path / "a.db", timeout=0)) as other,
    ):
        one.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as error:
            other.execute("CREATE TABLE more (id)")
    error.value.sqlite_errorcode |= 2 << 8
    assert is_passing(error.value)


def test_an_error_is_what_it_was_raised_from() -> None:
    """The one who words it need not say whether it passes."""
    full = OSError(errno.ENOSPC, "", "var/x.db")
    with pytest.raises(DatabaseProblem) as error:
        raise DatabaseProblem("x.db cannot be made") from full
    assert is_passing(error.value)
    assert not is_passing(DatabaseProblem("x.db is another tenant's"))


def test_an_error_is_told_with_its_file_and_without_its_number() -> None:
    assert error_text(OSError(errno.ENOSPC, "", "var/x.db")) == "var/x.db: No space left on device"
    assert error_text(OSError(errno.EIO, "")) == "Input/output error"
    assert error_text(OSError("no room")) == "no room"

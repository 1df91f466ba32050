"""Errors of the disk: which pass by themselves, and which a person must fix."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from actors.host.disk import os_error_text

ERRORS: Final = (OSError, sqlite3.Error, SQLAlchemyError)
"""Errors of the disk, of SQLite and of SQLAlchemy."""

TROUBLE: Final = (OSError, sqlite3.OperationalError, OperationalError)
"""Those errors that are no fault of the statement or call that raised them."""

PRIMARY: Final = 0xFF
"""The low byte of an extended result code is the primary one."""

PASSING: Final = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EROFS,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""A disk that is full, failing, gone or mounted read-only; descriptors or memory that ran out."""

PASSING_RESULTS: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
    }
)
"""SQLite's primary result codes for the same (sqlite.org/rescode.html)."""


def is_passing(error: BaseException) -> bool:
    """Return whether the same call may succeed later with no file and no setting changed.

    True for an OSError or an error of SQLite (also wrapped by SQLAlchemy) that means that the disk, its
    space, descriptors or memory were not available, and for any error that was raised from one of these.
    """
    return any(_is_passing(each) for each in _causes(error))


def is_full(error: BaseException) -> bool:
    """Return whether an error, or one that it was raised from, means a full disk or an exhausted quota."""
    return any(_is_full(each) for each in _causes(error))


def is_trouble(error: BaseException) -> bool:
    """Return whether the file or its disk is at fault, for now or for good, and not the call."""
    if isinstance(error, TROUBLE):
        return True
    return result_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def error_text(error: BaseException) -> str:
    """Return an error of the disk or of SQLite as text, without numbers, statements and their values."""
    if isinstance(error, DBAPIError):
        return error_text(error.orig) if error.orig else type(error).__name__
    return os_error_text(error) if isinstance(error, OSError) else str(error)


def result_code(error: BaseException) -> int:
    """Return SQLite's primary result code; SQLITE_OK if the error is not SQLite's."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & PRIMARY


def _is_passing(error: BaseException) -> bool:
    number = getattr(error, "errno", None)  # also of ZeroMQ's errors, which are no OSError
    return number in PASSING or result_code(error) in PASSING_RESULTS


def _is_full(error: BaseException) -> bool:
    number = getattr(error, "errno", None)
    return number in {errno.ENOSPC, errno.EDQUOT} or result_code(error) == sqlite3.SQLITE_FULL


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__

"""Where a repository's files are: a folder, or a bucket (`s3://bucket/prefix`)."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from actors.host.disk import sync
from scripts.releasing.problem import ReleaseProblem

_OS_ERROR = re.compile(r"[(\[](os error|Errno) (?P<number>[0-9]+)[)\]]")
"""Of the system, as obstore and Python word it."""


class Missing(Exception):
    """There is no such file."""


class Taken(ReleaseProblem):
    """There is a file of that name with other content."""


class Store:
    """Files by path, each written wholly or not at all, and on disk when the call returns."""

    def __init__(self, place: str, *, make: bool = False) -> None:
        """`place` is a folder or a URL; `make` makes the folder. ReleaseProblem if it cannot be used.

        Credentials of a bucket are those of the environment (AWS_ACCESS_KEY_ID and so on).
        """
        self.place = place
        self._folder = None if "://" in place else Path(place).expanduser().absolute()
        try:
            self._store: ObjectStore = _opened(place, self._folder, make)
        except (BaseError, ValueError, OSError) as error:
            raise ReleaseProblem(
                f"{place} cannot be used as a repository: {_text(error)}: mend that, then give the same "
                "command again"
            ) from None

    def get(self, path: str) -> bytes:
        """Return a file's content; Missing, ReleaseProblem."""
        try:
            return bytes(obstore.get(self._store, path).bytes())
        except (NotFoundError, FileNotFoundError):
            raise Missing(path) from None
        except (BaseError, OSError) as error:
            raise self._problem(path, "read", error) from None

    def create(self, path: str, content: bytes) -> None:
        """Write a new file; Taken if there is one with other content."""
        try:
            obstore.put(self._store, path, content, mode="create")
            self._sync(path)
        except (AlreadyExistsError, FileExistsError):
            if self.get(path) != content:
                raise Taken(
                    f"{self.place}/{path} is there with other content, by another publication; look at "
                    "release list, then do it again"
                ) from None
        except (BaseError, OSError) as error:
            raise self._problem(path, "written", error) from None

    def put(self, path: str, content: bytes) -> None:
        """Write or replace a file; ReleaseProblem."""
        try:
            obstore.put(self._store, path, content)
            self._sync(path)
        except (BaseError, OSError) as error:
            raise self._problem(path, "written", error) from None

    def remove(self, path: str) -> None:
        """Remove a file, if it is there; ReleaseProblem."""
        try:
            obstore.delete(self._store, path)
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise self._problem(path, "removed", error) from None

    def _sync(self, path: str) -> None:
        """Of a folder: the file, and the names that lead to it."""
        if self._folder is None:
            return
        for each in (PurePosixPath(path), *PurePosixPath(path).parents):
            sync(self._folder / each)

    def _problem(self, path: str, done: str, error: Exception) -> ReleaseProblem:
        return ReleaseProblem(
            f"{self.place}/{path} could not be {done}: {_text(error)}: mend that, then give the same command "
            "again"
        )


def _opened(place: str, folder: Path | None, make: bool) -> ObjectStore:
    if folder is None:
        return from_url(place)
    if not make and not folder.is_dir():
        raise ReleaseProblem(f"there is no folder {folder}")
    return LocalStore(folder, mkdir=make)


def _text(error: Exception) -> str:
    """The system's own words, if it has refused; else the first line: obstore shows the request below it."""
    lines = str(error).strip().splitlines()
    if (refused := _OS_ERROR.search(lines[0] if lines else "")) is not None:
        return os.strerror(int(refused["number"]))
    return lines[0] if lines else type(error).__name__

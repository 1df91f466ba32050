"""The files that an index is served from: whether one was edited since the last look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from actors.errors import CodeProblem, TenantryError
from actors.index.code import Codebase
from actors.index.entries import REVERTED, Action, Connector, Index
from actors.index.parser import read_index

Stamp = tuple[int, int, int] | None
"""Time of the last change in nanoseconds, size in bytes, number of the file; None if there is none."""


class WatchedFiles:
    """The index, the code that it names, what this imports, migrations, and the folders of all these.

    A folder changes when a file in it is made, renamed or removed: a module that was missing is noticed.
    """

    def __init__(self, index: Path) -> None:
        self._index = index
        self._paths: frozenset[Path] = frozenset()
        self._seen: dict[Path, Stamp] = {}

    def has_changed(self) -> bool:
        """Return whether a file is other than at the look before; True at the first look."""
        before, is_first = self._seen, not self._paths
        now = {path: _stamp(path) for path in self._paths}
        self._paths = frozenset(self._found())
        self._seen = {path: _stamp(path) for path in self._paths}
        return is_first or now != before

    def is_still(self) -> bool:
        """Return whether no file has changed, at the cost of one system call for each."""
        return bool(self._paths) and all(_stamp(path) == seen for path, seen in self._seen.items())

    def _found(self) -> Iterator[Path]:
        """Of an index that cannot be read, what there was before."""
        try:
            files = {self._index, *_files_of(read_index(self._index))}
        except TenantryError:
            yield from {self._index, *self._paths}
            return
        yield from files
        yield from {file.parent for file in files}


def _files_of(index: Index) -> Iterator[Path]:
    codebase = Codebase(index.root)
    owners: tuple[Action | Connector, ...] = (*index.actions.values(), *index.connectors.values())
    for owner in owners:
        for version in owner.versions:
            if version.code is not None and version.state != REVERTED:
                with suppress(CodeProblem):
                    yield codebase.source(version.code).file
                    yield from codebase.imported_files(version.code)
    if index.storage.migrations is not None:
        yield index.storage.migrations / "versions"


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

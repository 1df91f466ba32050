"""An index file on disk, read again and again, and parsed only if it is another than the time before."""

from __future__ import annotations

from pathlib import Path

from actors.host.released import folder_of
from actors.index.entries import Index, MigrationScripts
from actors.index.parser import read_served_index


class IndexFile:
    """Reads index files for one actor. A parsed index is immutable: each reader may have the same one."""

    def __init__(self) -> None:
        self._known: Index | None = None

    def read(self, path: Path) -> Index:
        """Return the index in the file; raises IndexProblem."""
        known = self._known
        if known is None or known.path != path or not _is_as_parsed(known):
            known = self._known = read_served_index(path)
        return known


def _is_as_parsed(index: Index) -> bool:
    """Whether the file's text and the list of its migrations are those that were parsed."""
    try:
        return (
            index.path.read_bytes() == index.text.encode()
            and folder_of(index.path) == index.root
            and _listed(index.storage) == index.storage
        )
    except OSError:
        return False  # parsing finds out what is wrong


def _listed(storage: MigrationScripts) -> MigrationScripts:
    if storage.migrations is None:
        return storage
    scripts = (storage.migrations / "versions").iterdir()
    return storage._replace(
        scripts=tuple(sorted(each.name for each in scripts if each.name.endswith(".py")))
    )

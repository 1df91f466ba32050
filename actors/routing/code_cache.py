"""The code cache: keeps the loaded code of versions from one table to the next.

A table serves a version with the very code that the table before had, unless that must be rechecked: moving
one version never loads the half-written file of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import NamedTuple

from actors.errors import CodeProblem
from actors.index.code import Codebase, Loaded
from actors.index.entries import Index, Threshold, Version
from actors.index.imports import changed
from actors.routing.health import FailureDetector

Key = tuple[str, int]
"""An action's name, or the `connector_key` of a connector's name, and a version's number."""

Load = Callable[[Codebase, str, Loaded | None], Loaded]


def connector_key(name: str) -> str:
    """Return a connector's name as a key. An action may have the same name; no name contains a space."""
    return f"connector {name}"


class LoadedVersion(NamedTuple):
    """The code of one version, and the detector that counts its failures."""

    code: Loaded
    detector: FailureDetector


LoadedVersions = Mapping[Key, LoadedVersion]

EMPTY: LoadedVersions = MappingProxyType({})


def all_versions(_: Key) -> bool:
    """Return True: recheck the file of every version."""
    return True


class CodeCache:
    """Loads the code that one table needs, and keeps it for the next."""

    def __init__(
        self,
        root: Path,
        threshold: Threshold | None,
        before: LoadedVersions = EMPTY,
        must_recheck: Callable[[Key], bool] = all_versions,
        load: Load = Codebase.load,
    ) -> None:
        """`must_recheck` says whether a version's file is read again, and loaded again if it has changed."""
        self._codebase = Codebase(root)
        self._load = load
        self._threshold = threshold
        self._before = before
        self._must_recheck = must_recheck
        self._versions: dict[Key, LoadedVersion] = {}

    @property
    def versions(self) -> LoadedVersions:
        """All versions that `get` returned."""
        return MappingProxyType(dict(self._versions))

    @property
    def modules(self) -> tuple[ModuleType, ...]:
        """The modules of these versions, each once."""
        return tuple(dict.fromkeys(each.code.module for each in self._versions.values()))

    def get(self, name: str, version: Version) -> LoadedVersion:
        """Return the code of one version.

        Raises CodeProblem if it cannot be loaded, or has changed since it left `under dev`.
        """
        key = (name, version.number)
        found = self._versions.get(key)
        if found is None:
            found = self._versions[key] = self._found(key, version)
        return found

    def keep(self, name: str, versions: Iterable[Version]) -> bool:
        """Keep what the table before had loaded of an action; False, and nothing kept, to recheck one."""
        keys = [(name, each.number) for each in versions]
        if any(map(self._must_recheck, keys)):
            return False
        before = self._before
        self._versions.update((key, before[key]) for key in keys if key in before)
        return True

    def _found(self, key: Key, version: Version) -> LoadedVersion:
        before, reference = self._before.get(key), version.code or ""
        if before is not None and before.code.reference != reference:
            before = None
        if before is not None and not self._must_recheck(key):
            return before
        require_unchanged(self._codebase, reference, version)
        loaded = self._load(self._codebase, reference, before and before.code)
        if before is not None and loaded is before.code:
            return before
        return LoadedVersion(loaded, FailureDetector(self._threshold))


def require_unchanged(codebase: Codebase, reference: str, version: Version) -> None:
    """Raise CodeProblem if the code of a version has changed since it left `under dev`; none of it is run."""
    source = codebase.source(reference)
    if version.digest not in (None, source.digest):
        raise CodeProblem(
            f"code {reference}: {source.file} has changed since version {version.number} left "
            f"`under dev`: put the file back as it was (SHA-256 {str(version.digest)[:12]}…), and write the "
            "change as a new version in a file of its own"
        )
    for name in changed(version.imports or {}, codebase.imports(reference)):
        raise CodeProblem(
            f"code {reference}: the shared module {name}, which it imports, has changed since version "
            f"{version.number} left `under dev`: put it back as it was, and write the change as a new "
            "version that imports a module of its own"
        )


class ProblemCollector:
    """Collects what is wrong with the code of one index, to raise all of it at once."""

    def __init__(self, index: Index) -> None:
        self._path = index.path
        self._found: dict[str, None] = {}  # each once, in order

    @contextmanager
    def collect(self, name: str, version: Version | None) -> Iterator[None]:
        """Collect a CodeProblem of this version instead of raising it."""
        try:
            yield
        except CodeProblem as problem:
            number = version.number if version else 0
            self._found[f"{self._path}: {name} version {number}: {problem}"] = None

    def raise_all(self) -> None:
        """Raise the collected problems as one CodeProblem, if there are any."""
        if self._found:
            raise CodeProblem("\n".join(self._found))

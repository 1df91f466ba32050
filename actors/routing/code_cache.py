"""The code cache: the code of versions, as it was loaded, from one table to the next.

What a table serves goes on being served by the very code that the table before had, unless that is doubted:
nobody's half-written file is taken in because somebody else moved a version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import NamedTuple

from actors.errors import CodeProblem
from actors.index.code import Codebase, Loaded
from actors.index.entries import Index, Threshold, Version
from actors.routing.health import FailureDetector

Key = tuple[str, int]
"""An action's name, or what `connector_key` makes of a connector's, and a version's number."""

Load = Callable[[Codebase, str, Loaded | None], Loaded]


def connector_key(name: str) -> str:
    """An action may have the name of a connector; no name has a space in it."""
    return f"connector {name}"


class LoadedVersion(NamedTuple):
    """One version's code."""

    code: Loaded
    detector: FailureDetector


LoadedVersions = Mapping[Key, LoadedVersion]

EMPTY: LoadedVersions = MappingProxyType({})


def all_versions(_: Key) -> bool:
    """Doubt all: look at each file again."""
    return True


class CodeCache:
    """Loads what one table needs, and remembers it for the next."""

    def __init__(
        self,
        root: Path,
        threshold: Threshold | None,
        before: LoadedVersions = EMPTY,
        must_recheck: Callable[[Key], bool] = all_versions,
        load: Load = Codebase.load,
    ) -> None:
        """Where `doubt` says so, a version's file is read, and loaded anew if it is not as it was."""
        self._codebase = Codebase(root)
        self._load = load
        self._threshold = threshold
        self._before = before
        self._must_recheck = must_recheck
        self._versions: dict[Key, LoadedVersion] = {}

    @property
    def versions(self) -> LoadedVersions:
        """All that was asked for."""
        return MappingProxyType(dict(self._versions))

    @property
    def modules(self) -> tuple[ModuleType, ...]:
        """Each once."""
        return tuple(dict.fromkeys(each.code.module for each in self._versions.values()))

    def get(self, name: str, version: Version) -> LoadedVersion:
        """The code of one version; CodeProblem, also where it is not what left `under dev`."""
        key = (name, version.number)
        found = self._versions.get(key)
        if found is None:
            found = self._versions[key] = self._found(key, version)
        return found

    def _found(self, key: Key, version: Version) -> LoadedVersion:
        before, reference = self._before.get(key), version.code or ""
        if before is not None and before.code.reference != reference:
            before = None
        if before is not None and not self._must_recheck(key):
            return before
        loaded = self._load(self._codebase, reference, before and before.code)
        require_unchanged(loaded, version)
        if before is not None and loaded is before.code:
            return before
        return LoadedVersion(loaded, FailureDetector(self._threshold))


def require_unchanged(loaded: Loaded, version: Version) -> None:
    """CodeProblem where a version that has left `under dev` is not what it was then."""
    if version.digest is not None and version.digest != loaded.digest:
        raise CodeProblem(
            f"code {loaded.reference}: {loaded.file} has changed since version {version.number} left "
            f"`under dev`: put the file back as it was (SHA-256 {version.digest[:12]}…), and write the "
            "change as a new version in a file of its own"
        )


class ProblemCollector:
    """What is wrong with the code of one index, told all at once."""

    def __init__(self, index: Index) -> None:
        self._path = index.path
        self._found: dict[str, None] = {}  # each once, in order

    @contextmanager
    def collect(self, name: str, version: Version | None) -> Iterator[None]:
        """Note a CodeProblem of this version and go on."""
        try:
            yield
        except CodeProblem as problem:
            number = version.number if version else 0
            self._found[f"{self._path}: {name} version {number}: {problem}"] = None

    def raise_all(self) -> None:
        """Raise what was noted as one."""
        if self._found:
            raise CodeProblem("\n".join(self._found))

"""Pending trips: versions that were tripped while registry.toml could not be written.

Such a version stays tripped as long as registry.toml has it in the same state and its code is unchanged, also
after a restart, for which the trips are kept in a file beside the databases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog

from actors.host.disk_errors import error_text
from actors.host.files import write_private
from actors.index.code import Codebase
from actors.index.entries import CONNECTOR, ERRORING, Action, Connector, Index, Version
from actors.registry.messages import Move
from actors.registry.transitions import Transition

log = structlog.get_logger()

MACHINE = "machine"
"""Who moves a version that keeps failing, in the file and in the audit log."""

FILE = "taken-out.json"
"""Name of a file in the data directory; it exists only while registry.toml cannot be written."""

Key = tuple[str, int]


class TrippedVersion(NamedTuple):
    """A version as it was when it was tripped."""

    kind: str
    name: str
    number: int
    state: str
    code: str | None
    """The digest of its file; None if it has none."""


class PendingTrips:
    """The pending trips of one Registry; `plans` outlive an incarnation of it, the file outlives a server."""

    def __init__(self, plans: dict[Key, Transition], path: Path | None) -> None:
        """Without a path the trips end with the process."""
        self._plans = plans
        self._path = path
        self._kept: list[TrippedVersion] = []

    def __bool__(self) -> bool:
        return bool(self._plans)

    def add(self, key: Key, plan: Transition) -> None:
        """Add a trip that is in force and not yet written."""
        self._plans[key] = plan

    def clear(self) -> None:
        """Remove all: registry.toml has the trips, or people have edited it otherwise."""
        self._plans.clear()
        self._kept = []
        if self._path is not None:
            with suppress(OSError):  # it is compared with the index whenever it is read
                self._path.unlink(missing_ok=True)

    def keep(self, root: Path) -> None:
        """Write the trips for the next start, because registry.toml could not be written.

        `root` is the directory of the index's code.
        """
        kept = [_kept(plan, Codebase(root)) for plan in self._plans.values()]
        if self._path is None or kept == self._kept:
            return
        try:
            write_private(self._path, json.dumps(kept))
            self._kept = kept
        except OSError as error:
            log.error("what was taken out is forgotten by the next start", error=error_text(error))

    def applied(self, index: Index, edited: Callable[[Index, Transition], Index]) -> Index:
        """Return the index with all trips whose version is still in the state it was tripped in."""
        for plan in self._plans.values():
            version = _version(index, plan.kind, plan.name, plan.version.number)
            if version and version.state == plan.version.state:
                index = edited(index, plan)
        return index

    def before(self, index: Index) -> Iterator[Move]:
        """Return the trips that an earlier server left, if neither state nor code has changed since."""
        codebase = Codebase(index.root)
        for kept in _read(self._path):
            version = _version(index, kept.kind, kept.name, kept.number)
            if version is None or version.state != kept.state:
                continue
            if codebase.digest(version.code or "") == kept.code:
                log.error("a version was taken out before the restart", **kept._asdict())
                why = "it kept failing before the restart, when the index could not be written"
                yield Move(kept.name, kept.number, ERRORING, why, MACHINE, MACHINE, kind=kept.kind)


def _kept(plan: Transition, codebase: Codebase) -> TrippedVersion:
    version = plan.version
    digest = codebase.digest(version.code or "")
    return TrippedVersion(plan.kind, plan.name, version.number, version.state, digest)


def _version(index: Index, kind: str, name: str, number: int) -> Version | None:
    owners: Mapping[str, Action | Connector]
    owners = index.connectors if kind == CONNECTOR else index.actions
    owner = owners.get(name)
    return owner.version(number) if owner is not None else None


def _read(path: Path | None) -> list[TrippedVersion]:
    """Return nothing if the file cannot be read: versions that keep failing are tripped again."""
    try:
        return (
            [] if path is None else [TrippedVersion(*row) for row in json.loads(path.read_bytes())]
        )
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        log.error("what was taken out cannot be read", path=str(path), error=str(error))
        return []

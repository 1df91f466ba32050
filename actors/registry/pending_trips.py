"""What the machine has taken out and the index's file does not say yet, since it could not be written.

It stays out for as long as the file has that version as it was then, and its code is the same: also after a
restart, for which it is kept in a file beside the databases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog

from actors.host.disk import error_text
from actors.host.files import write_private
from actors.index.code import Codebase
from actors.index.entries import CONNECTOR, ERRORING, Action, Connector, Index, Version
from actors.registry.messages import Move
from actors.registry.registry_file import apply_edit
from actors.registry.transitions import Transition

log = structlog.get_logger()

MACHINE = "machine"
"""Who moves a version that keeps failing."""

FILE = "taken-out.json"
"""In the data directory; there only while the index cannot be written."""

Key = tuple[str, int]


class Kept(NamedTuple):
    """A version that was taken out, as it was."""

    kind: str
    name: str
    number: int
    state: str
    code: str | None
    """The digest of its file."""


class PendingTrips:
    """The plans of one Registry; `plans` outlive an incarnation of it, the file a server."""

    def __init__(self, plans: dict[Key, Transition], path: Path | None) -> None:
        """Without a path they end with the process."""
        self._plans = plans
        self._path = path
        self._kept: list[Kept] = []

    def __bool__(self) -> bool:
        return bool(self._plans)

    def add(self, key: Key, plan: Transition) -> None:
        """It is served already, and is to be written."""
        self._plans[key] = plan

    def clear(self) -> None:
        """The index's file says all of it, or something else that people want."""
        self._plans.clear()
        self._kept = []
        if self._path is not None:
            with suppress(OSError):  # what it says is compared with the index, whenever it is read
                self._path.unlink(missing_ok=True)

    def keep(self, root: Path) -> None:
        """For the next start: the index's file, whose code lies below `root`, could not be written."""
        kept = [_kept(plan, Codebase(root)) for plan in self._plans.values()]
        if self._path is None or kept == self._kept:
            return
        try:
            write_private(self._path, json.dumps(kept))
            self._kept = kept
        except OSError as error:
            log.error("what was taken out is forgotten by the next start", error=error_text(error))

    def text(self, index: Index) -> str:
        """The index's text with all of it, where its file still has the version as it was then."""
        text = index.text
        for plan in self._plans.values():
            version = _version(index, plan.kind, plan.name, plan.version.number)
            if version and version.state == plan.version.state:
                text = apply_edit(text, plan.section, plan.name, version.number, plan.values)
        return text

    def before(self, index: Index) -> Iterator[Move]:
        """What a server before this one took out, where neither state nor code has changed since."""
        codebase = Codebase(index.root)
        for kept in _read(self._path):
            version = _version(index, kept.kind, kept.name, kept.number)
            if version is None or version.state != kept.state:
                continue
            if codebase.digest(version.code or "") == kept.code:
                log.error("a version was taken out before the restart", **kept._asdict())
                why = "it kept failing before the restart, when the index could not be written"
                yield Move(kept.name, kept.number, ERRORING, why, MACHINE, MACHINE, kind=kept.kind)


def _kept(plan: Transition, codebase: Codebase) -> Kept:
    version = plan.version
    digest = codebase.digest(version.code or "")
    return Kept(plan.kind, plan.name, version.number, version.state, digest)


def _version(index: Index, kind: str, name: str, number: int) -> Version | None:
    owners: Mapping[str, Action | Connector]
    owners = index.connectors if kind == CONNECTOR else index.actions
    owner = owners.get(name)
    return owner.version(number) if owner is not None else None


def _read(path: Path | None) -> list[Kept]:
    """Of a file that cannot be read nothing: what keeps failing is taken out anew."""
    try:
        return [] if path is None else [Kept(*row) for row in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        log.error("what was taken out cannot be read", path=str(path), error=str(error))
        return []

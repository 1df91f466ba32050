"""Messages that the Registry receives, and its replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from actors.index.entries import FUNCTION, MigrationScripts
from actors.messages import Receipt
from actors.routing.health import Failure


class AskRunning(NamedTuple):
    """Ask: the functions that run for tenants now, as a tuple of CallRecord."""


class Reload(NamedTuple):
    """Ask: load registry.toml as it is now, and the code of what it serves.

    Answered by Reloaded. IndexProblem or CodeProblem says what is wrong; nothing is changed then.
    """

    digest: str | None = None
    """Digest of the file that the caller has seen; Aborted if the file has another by now."""


class Reloaded(NamedTuple):
    """The index that is in force from now on."""

    digest: str
    changes: tuple[str, ...]
    """The differences to the index before, in sentences."""


class ListReleases(NamedTuple):
    """Ask: what was deployed to this environment, newest first, and the journal of the latest deploy.

    Answered by Releases; Unavailable if the folder of releases cannot be read.
    """

    release: str | None = None
    """With it: that one alone, with its contents."""


class Releases(NamedTuple):
    """What was deployed."""

    deployed: list[dict[str, Any]]
    journal: dict[str, Any] | None
    contents: tuple[dict[str, Any], str] | None = None
    """Manifest and notes of the release that was named; None if it was not deployed."""


class Diff(NamedTuple):
    """Ask: compare the file with the index in force. Answered by Difference; IndexProblem."""


class Difference(NamedTuple):
    """The differences between the index in force and the file."""

    digest: str
    """Digest of the file, for Reload."""
    changes: tuple[str, ...]
    """In sentences; empty if neither the file nor any code has changed."""
    text: str
    """The differences in the format of `diff -u`."""


class MigrationsRun(NamedTuple):
    """Tell: tenants' databases have what this storage describes, whatever the index said at the start."""

    storage: MigrationScripts


class Move(NamedTuple):
    """Ask: move a version to another state. Answered by Moved.

    NotFound; FailedPrecondition if the move is not allowed, if it would break callers and `breaking` gives no
    reason, or if the version's code cannot be served; Aborted if the version is not in the expected state, or
    if the file was edited by hand; Unavailable if the file cannot be written. Nothing is changed then.
    """

    name: str
    version: int
    to: str
    why: str
    by: str
    """Who asks for the move, as written to the file."""
    capacity: str
    """The role they act in, for the audit log."""
    person: str | None = None
    kind: str = FUNCTION
    """FUNCTION or CONNECTOR."""
    expected: str | None = None
    """The state that the version must be in."""
    request: str | None = None
    """The user request that this serves, such as `R-12`."""
    breaking: str | None = None
    """Why a change that breaks callers is necessary."""
    code: str | None = None
    """Its new code reference; only for a version that comes from `dummy` or is under dev."""
    trace_id: str | None = None
    receipt: Receipt | None = None
    back: bool = False
    """Takes an earlier move back: a version may also go from `reverted` to `release`, and breaks refuse
    nothing."""


class Moved(NamedTuple):
    """The move is on disk and in force."""

    name: str
    version: int
    origin: str
    """The state that it was in."""
    to: str
    breaks: tuple[str, ...]
    """The changes that break callers."""
    served: Mapping[str, Any]
    """`version`, `state` and `reason` of the version that is served here now."""


class Release(NamedTuple):
    """Ask: make all of these moves, or none. Answered by a tuple of Moved, in the same order.

    Each move is planned on what those before it leave. Refused as Move is, with each refused move among the
    details; of several, the code is theirs where they have the same, else FailedPrecondition.
    """

    moves: tuple[Move, ...]
    receipt: Receipt | None = None
    release: str | None = None
    """The release that the moves are part of, for the audit log; None for a single move."""


class LoadVersion(NamedTuple):
    """Ask: load a version, served or not, as its file is now. Answered by its actors.routing.table.Route.

    NotFound; FailedPrecondition if its code cannot be loaded.
    """

    name: str
    version: int


class Trip(NamedTuple):
    """Tell: this version keeps failing and was tripped; its fallback is served already.

    Sent by the thread that reached the threshold.
    """

    name: str
    version: int
    failures: tuple[Failure, ...]
    kind: str = FUNCTION
    """FUNCTION or CONNECTOR."""


class CheckHangs(NamedTuple):
    """From the Clock: count hung calls as failures."""


class Look(NamedTuple):
    """Take in what was edited, if a file was: for a server that watches its files. Not answered."""


class RetryWrite(NamedTuple):
    """From the Clock: try again to write pending trips to registry.toml."""

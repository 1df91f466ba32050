"""What the Registry is asked and told, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from actors.index.entries import FUNCTION
from actors.messages import Receipt
from actors.routing.health import Failure


class Reload(NamedTuple):
    """Ask: take in the index as the file says it now, and the code of what it serves.

    Answered by Reloaded. IndexProblem, CodeProblem: what is wrong; nothing is changed then.
    """

    digest: str | None = None
    """Only where the file still has this one, which whoever asks has seen; Aborted where it has not."""


class Reloaded(NamedTuple):
    """The index that is in force from now on."""

    digest: str
    changes: tuple[str, ...]
    """What is other than before, in sentences."""


class Diff(NamedTuple):
    """Ask: how the file differs from what is in force. Answered by Difference; IndexProblem."""


class Difference(NamedTuple):
    """Between what is in force and what the file says."""

    digest: str
    """Of the file: what Reload takes."""
    changes: tuple[str, ...]
    """In sentences; empty where the file is what is in force, and nobody's code has changed."""
    text: str
    """As `diff -u` shows it."""


class Move(NamedTuple):
    """Ask: move a version to another state. Answered by Moved.

    NotFound; FailedPrecondition where no such move is allowed, where it would break callers and nobody says
    why that has to be, or where the version's code cannot be served; Aborted where the version is not in the
    state that is expected, and where the file was edited by hand; Unavailable where it cannot be written.
    Nothing is changed then.
    """

    name: str
    version: int
    to: str
    why: str
    by: str
    """Who asks for it, for the file."""
    capacity: str
    """As who, for the admin log."""
    person: str | None = None
    kind: str = FUNCTION
    """FUNCTION or CONNECTOR."""
    expected: str | None = None
    """The state that it is moved from."""
    request: str | None = None
    """The user request that this serves, such as `R-12`."""
    breaking: str | None = None
    """Why callers have to put up with a change that breaks them."""
    code: str | None = None
    """Where its code is from now on; only of one that comes from `dummy` or is under dev."""
    trace_id: str | None = None
    receipt: Receipt | None = None


class Moved(NamedTuple):
    """The move is on disk, and served from now on."""

    name: str
    version: int
    origin: str
    """The state that it was in."""
    to: str
    breaks: tuple[str, ...]
    """What callers have to put up with."""
    served: Mapping[str, Any]
    """`version`, `state` and `reason` of what is served here now."""


class LoadVersion(NamedTuple):
    """Ask: load a version, served or not, as its file is now. Answered by its actors.routing.table.Route.

    NotFound; FailedPrecondition where its code cannot be loaded.
    """

    name: str
    version: int


class Trip(NamedTuple):
    """Tell, by the turn that found it: this version keeps failing. Its fallback is served already."""

    name: str
    version: int
    failures: tuple[Failure, ...]
    kind: str = FUNCTION
    """FUNCTION or CONNECTOR."""


class CheckHangs(NamedTuple):
    """From the Clock: count calls that do not end as failed."""


class RetryWrite(NamedTuple):
    """From the Clock: what the machine has taken out is not on disk yet."""

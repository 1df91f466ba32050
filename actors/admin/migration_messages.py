"""Queries and commands about migrations of tenants: the ledger that the Directory keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from actors.errors import FailedPrecondition
from actors.messages import TenantRecord

DRY_RUN, APPLY, RESTORE = "dry run", "apply", "restore"
"""Kinds of runs."""

RUNNING = "running"
"""Of a run: it has work left, and goes on by itself, also after a restart."""
STOPPED = "stopped"
"""Of an apply or a restore: a tenant could not be changed, and those after it were not."""
FAILED = "failed"
"""Of a dry run: some tenant would fail. Of a tenant: it is as it was."""
DONE = "done"
"""Of a run, and of a tenant: wholly."""
RESTORED = "restored"
"""Of an apply, and of a tenant of one: taken back wholly."""
INTERRUPTED = "interrupted"
"""Of a dry run: the server stopped meanwhile."""
STARTED = "started"
"""Of a tenant: its migration has begun."""
GONE = "gone"
"""Of a tenant: it was deleted meanwhile."""


class Changes(NamedTuple):
    """What a folder holds, as the ledger has it."""

    folder: str
    digest: str
    """SHA-256 of all that the folder runs, in hexadecimal."""
    scripts: Mapping[str, str]
    """SHA-256 of each revision's file, by the file's name, in order."""
    origin: int
    """Revisions that are served without the run."""
    head: int


class BeginRun(NamedTuple):
    """Begin a run, or go on with an apply of the same digest that has stopped. The result has its number.

    FailedPrecondition if another run is under way; for an apply also if no dry run of this digest has found
    every tenant sound, or if tenants have been through a script whose content was another; for a restore if
    its run is not the latest apply.
    """

    kind: str
    changes: Changes
    release: str | None = None
    of: int | None = None
    """Number of the run that a restore takes back."""


class TenantStep(NamedTuple):
    """What has become of one tenant."""

    tenant: TenantRecord
    state: str
    origin: int | None = None
    """Revisions of the application that its file had, when it was begun."""
    mark: str | None = None
    error: str | None = None


class RecordSteps(NamedTuple):
    """Write down what has become of tenants of a run."""

    run: int
    steps: tuple[TenantStep, ...]


class EndRun(NamedTuple):
    """End a run in this state. A restore that is done or stopped says so of the run that it takes back."""

    run: int
    state: str
    error: str | None = None


class ShowRun(NamedTuple):
    """Query: a run and the tenants that it could not change; the latest with None. NotFound."""

    run: int | None
    limit: int


class FindRun(NamedTuple):
    """Query: the run that is under way (`run` is None), or this one, as a row of the ledger; {} if none."""

    run: int | None = None


class ListPending(NamedTuple):
    """Query: {"tenants": records of tenants that a run has not changed yet}, in the order of their ids."""

    run: int | None
    """None for all tenants."""


class ListChanged(NamedTuple):
    """Query: {"tenants": [(record, mark), …]} of those that an apply has migrated and none has taken back.

    FailedPrecondition if it is not the latest apply.
    """

    run: int


def under_way(run: int, kind: str) -> FailedPrecondition:
    """Return the refusal of a run while there is another one."""
    return FailedPrecondition(
        f"run {run} ({kind}) is under way, and there is one at a time: see migrations.status run={run}, and "
        "ask again when it has ended"
    )

"""The migrations of a release: tried on copies of all tenants, then made, by the running server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.admin.migration_messages import APPLY, RESTORED
from scripts.releasing.deploy.place import Refused, Server
from scripts.releasing.problem import ReleaseProblem
from transport.message import NOT_FOUND

LOOK_SECONDS = 0.2
"""Seconds between two looks at a run."""

MOST_NAMED = 10
"""Tenants that fail and are named."""

Say = Callable[[str], None]
Wait = Callable[[float], None]


def migrate(
    server: Server, release: str, say: Say, wait: Wait, breaking: str | None = None
) -> int | None:
    """Try the migrations of a release that was laid out, then make them; return the number of the run.

    None if there is nothing to do. ReleaseProblem names the tenants that would fail, or the one that did, and
    what code that is served would miss in the new tables, unless `breaking` says why that has to be.
    """
    if not server.offers("migrations.list"):
        return None
    found = server.call("migrations.list", release=release)
    if not found["pending"]:
        return None
    tried = server.call("migrations.dry_run", release=release)
    _require_done(_ended(server, tried["run"], "trying migrations", say, wait))
    if tried["breaks"] and breaking is None:
        raise ReleaseProblem(
            f"code that is served would miss what the migrations take away: {'; '.join(tried['breaks'])}; "
            "leave that to a later release, or say why it has to be: --breaking '…'"
        )
    why = {"breaking": breaking} if tried["breaks"] else {}
    made = server.call("migrations.apply", digest=tried["digest"], release=release, **why)
    _require_done(_ended(server, made["run"], "migrating", say, wait))
    return int(made["run"])


def restore(server: Server, release: str, run: int | None, wait: Wait) -> str | None:
    """Put back the copies from before the migrations of a release; return why that could not be.

    With None for the run the server is asked whether its latest one is the release's: a deploy may have been
    cut short before it wrote that down.
    """
    if not server.offers("migrations.status"):
        return None
    try:
        latest = _ended_run(server, None, wait)
        made = latest if run is None else _ended_run(server, run, wait)
        if made is None or (made["kind"], made["release"]) != (APPLY, release):
            return None
        if made["state"] != RESTORED:
            begun = server.call("migrations.restore", run=made["run"])
            _require_done(_ended(server, begun["run"], "putting back", _silent, wait))
    except ReleaseProblem as problem:
        return str(problem)
    return None


def _ended_run(server: Server, run: int | None, wait: Wait) -> Mapping[str, Any] | None:
    """A run, or the latest, once it has ended; None if there was none."""
    try:
        found = server.call("migrations.status", **({} if run is None else {"run": run}))
    except Refused as refused:
        if refused.code == NOT_FOUND:
            return None
        raise
    return _ended(server, found["run"], "waiting", _silent, wait)


def _silent(line: str) -> None:
    """Say nothing."""


def _ended(server: Server, run: int, doing: str, say: Say, wait: Wait) -> Mapping[str, Any]:
    """Wait until a run has ended, and say how far it is, a tenth at a time."""
    told = -1
    while True:
        status = server.call("migrations.status", run=run)
        total = max(1, status["total"])
        if (tenth := 10 * status["done"] // total) != told:
            say(f"  {doing}: {status['done']} of {status['total']} tenants")
            told = tenth
        if status["state"] != "running":
            return status
        wait(LOOK_SECONDS)


def _require_done(status: Mapping[str, Any]) -> None:
    if status["state"] == "done":
        return
    failed = "; ".join(
        f"{each['tenant']}: {each['reason']}" for each in status["failed"][:MOST_NAMED]
    )
    raise ReleaseProblem(
        f"the migrations fail ({status['kind']} {status['run']} {status['state']}): "
        f"{failed or status['error']}"
    )

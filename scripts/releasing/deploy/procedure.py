"""A deploy, step by step, with a journal: cut short, it ends wholly before or wholly after.

The steps: laid out → migrations tried on copies → migrated → link switched → index taken in → versions moved
→ watched → done. What was cut short before the versions were moved is taken back, later it is finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from actors.host.disk import os_error_text
from actors.host.released import (
    ENDED,
    current,
    read_journal,
    record_of,
    switch,
    write_journal,
    write_record,
)
from actors.index.entries import MOVES, REVERTED
from scripts.releasing.bundle import Bundle, Manifest
from scripts.releasing.deploy.difference import Change, change_of, changes_of, require_newer, told
from scripts.releasing.deploy.migrating import migrate, restore
from scripts.releasing.deploy.place import Place, Refused, Server
from scripts.releasing.deploy.staging import put_in_force, stage
from scripts.releasing.deploy.watch import figures, watched
from scripts.releasing.problem import ReleaseProblem
from transport.message import ABORTED

STAGED, MIGRATED, SWITCHED, MOVED, DONE, BACK = (
    *("staged", "migrated", "switched", "moved", "done", "back"),
)

MORE_LOOKS = 4
"""How often versions that are taken back are looked at anew, when the server has moved one itself."""

Journal = dict[str, Any]
Say = Callable[[str], None]


def print_now(line: str) -> None:
    """Print a line at once, also into a file that is followed."""
    print(line, flush=True)


class Unsettled(ReleaseProblem):
    """The release could not be taken back by now; what is next settles it."""


class TakenBack(ReleaseProblem):
    """The release was deployed, and taken back."""


class Deploy:
    """Deploys to one environment; the caller keeps other deploys away (actors.host.released.deploying)."""

    def __init__(
        self,
        place: Place,
        server: Server | None,
        say: Say = print_now,
        wait: Callable[[float], None] = time.sleep,
        breaking: str | None = None,
    ) -> None:
        """`wait` passes the seconds between two looks at what the server does.

        `breaking` says why migrations may take away what code that is served uses.
        """
        self._breaking = breaking
        self._place = place
        self._server = server
        self._say = say
        self._wait = wait

    # Forward

    def deploy(self, bundle: Bundle, seconds: float, *, only_shown: bool = False) -> None:
        """Deploy a release, and watch it for so many seconds. ReleaseProblem; TakenBack if it went back."""
        self.recover()
        manifest = bundle.manifest
        if manifest.environment != self._place.environment:
            raise ReleaseProblem(
                f"{manifest.release} is foreign: it is for {manifest.environment}, not for "
                f"{self._place.environment}"
            )
        require_newer(self._place, manifest)
        changes = changes_of(self._place, manifest, self._server.states() if self._server else {})
        for line in told(manifest, changes, self._place.releases / str(manifest.sequence)):
            self._say(line)
        if only_shown:
            return
        if self._server is None:
            self._deploy_first(bundle, changes)
            return
        self._journalled(self._server, bundle, changes, seconds)

    def _deploy_first(self, bundle: Bundle, changes: list[Change]) -> None:
        """Where no server runs, and none has: the first start takes the states of the index."""
        if not self._place.is_new:
            raise ReleaseProblem(
                f"no server of {self._place.environment} runs on {self._place.data}: start it, then deploy"
            )
        folder = self._place.releases / stage(self._place, bundle)
        put_in_force(folder, bundle.manifest)
        journal = self._journal(bundle.manifest, changes)
        self._record(journal, deployed=_now())
        switch(self._place.data, folder.name)
        self._write(journal, DONE)
        self._say(f"{bundle.manifest.release} is served once a server is started")

    def _journalled(
        self, server: Server, bundle: Bundle, changes: list[Change], seconds: float
    ) -> None:
        journal = self._journal(bundle.manifest, changes)
        stage(self._place, bundle)
        try:
            self._write(journal, STAGED)
        except OSError as error:
            raise ReleaseProblem(
                f"the journal of {journal['release']} cannot be written ({os_error_text(error)}), so nothing "
                "was changed: see to the disk, then deploy it again"
            ) from None
        try:
            self._forward(server, journal, changes, seconds)
        except (ReleaseProblem, OSError) as problem:
            why = _words(problem)
            self._say(f"going back: {why}")
            self._try_back(server, journal, why)
            raise TakenBack(
                f"{journal['release']} is not deployed, and all is as before: {why}"
            ) from None

    def _try_back(self, server: Server, journal: Journal, why: str) -> None:
        """Go back; Unsettled if that cannot be done now."""
        try:
            self.go_back(server, journal, why)
        except (ReleaseProblem, OSError) as problem:
            raise Unsettled(
                f"the deploy of {journal['release']} failed ({why}), and could not be taken back yet: "
                f"{_words(problem)}; mend that: the next deploy or rollback, or a start of the server, "
                "settles it"
            ) from None

    def _forward(
        self, server: Server, journal: Journal, changes: list[Change], seconds: float
    ) -> None:
        journal["run"] = migrate(server, journal["folder"], self._say, self._wait, self._breaking)
        self._write(journal, MIGRATED)
        switch(self._place.data, journal["folder"])
        self._write(journal, SWITCHED)
        server.reload()
        before = figures(server, changes)
        self._move(server, journal, changes)
        self._write(journal, MOVED)
        self._say(f"{journal['release']} is served; watching for {seconds:g} s")
        for line in watched(server, changes, before, seconds, self._wait):
            self._say(f"  {line}")
        self._finish(journal)

    def _move(self, server: Server, journal: Journal, changes: list[Change]) -> None:
        """All in one step: what a version is new with is where its moves begin."""
        moves = [_move(each) for each in changes if each.is_move]
        if not moves:
            return
        takes_up = any(each.origin == REVERTED for each in changes)
        server.call(
            "functions.release",
            moves=moves,
            why=f"release {journal['release']}",
            release=journal["release"],
            **({"back": True} if takes_up else {}),
        )

    def _finish(self, journal: Journal) -> None:
        self._record(journal, deployed=_now())
        self._write(journal, DONE)
        self._say(f"deployed {journal['release']}")

    # Back

    def rollback(self, why: str) -> None:
        """Take the release that is served back, as it came. ReleaseProblem if there is none before it."""
        self.recover()
        name = current(self._place.data)
        record = record_of(self._place.data, name) if name else None
        if record is None or self._server is None:
            raise ReleaseProblem(
                f"{self._place.environment} serves no release that could be taken back"
                if record is None
                else f"no server of {self._place.environment} runs: start it, then roll back"
            )
        if record["before"] is None and record["first"]:
            raise ReleaseProblem(
                f"{record['release']} is the first release of {self._place.environment}: there is nothing "
                "before it; move its versions to 'reverted'"
            )
        journal = {**record, "back": True}
        self._write(journal, MOVED)
        self._try_back(self._server, journal, why)
        self._say(f"took {record['release']} back; {self.serves()}")

    def go_back(self, server: Server, journal: Journal, why: str) -> None:
        """Make all as it was before a release; asked again, it goes on where it was cut short."""
        journal["back"] = True
        self._write(journal, journal["step"])
        _take_back(server, journal, f"back from {journal['release']}: {why}"[:500])
        if current(self._place.data) != journal["before"]:
            switch(self._place.data, journal["before"])
        server.reload()
        if problem := restore(server, journal["folder"], journal.get("run"), self._wait):
            self._say(f"the tenants' databases stay migrated: {problem}")
        self._record(journal, taken_back=_now(), why=why)
        self._write(journal, BACK)

    def recover(self) -> None:
        """Finish, or take back, a deploy that was cut short."""
        if self._server is None:
            if found := settle_here(self._place):
                self._say(found)
            return
        journal = read_journal(self._place.data)
        if journal is None or journal["step"] in ENDED:
            return
        states = self._server.states()
        wanted = [change_of(each) for each in journal["moves"]]
        has_moved = current(self._place.data) == journal["folder"] and all(
            states.get((each.kind, each.name, each.version)) == each.to for each in wanted
        )
        if has_moved and not journal.get("back"):
            self._say(
                f"the deploy of {journal['release']} was cut short after its moves: finishing it"
            )
            self._server.reload()
            self._finish(journal)
            return
        self._say(f"the deploy of {journal['release']} was cut short: taking it back")
        self.go_back(self._server, journal, "it was cut short")

    # The journal

    def serves(self) -> str:
        """Say what is served now."""
        name = current(self._place.data)
        record = record_of(self._place.data, name) if name else None
        return f"{record['release']} is served" if record else "no release is served"

    def _journal(self, manifest: Manifest, changes: list[Change]) -> Journal:
        before = current(self._place.data)
        return {
            "release": manifest.release,
            "sequence": manifest.sequence,
            "folder": str(manifest.sequence),
            "environment": manifest.environment,
            "before": before,
            "first": before is None and self._server is None,
            "moves": [each.as_map() for each in changes],
            "began": _now(),
            "step": STAGED,
        }

    def _write(self, journal: Journal, step: str) -> None:
        journal["step"] = step
        write_journal(self._place.data, journal)

    def _record(self, journal: Journal, **more: str) -> None:
        """Write down beside the release how it came, for `releases` and for a rollback."""
        journal |= more
        write_record(self._place.data, journal)


def settle_here(place: Place) -> str | None:
    """Settle without a server, which may be started at any time: it would do the same."""
    journal = read_journal(place.data)
    if journal is None or journal["step"] in ENDED:
        return None
    raise ReleaseProblem(
        f"the deploy of {journal['release']} was cut short: start the server of {place.environment}, which "
        "settles it, then do it again"
    )


def _move(change: Change) -> dict[str, Any]:
    return {
        change.kind: change.name,
        "version": change.version,
        "to": change.to,
        "expected": change.origin,
        **({"request": change.requests[-1]} if change.requests else {}),
        **({"breaking": change.breaking} if change.breaking else {}),
    }


def _take_back(server: Server, journal: Journal, why: str) -> None:
    """Move all versions of a release back, in one step; look again when the server has moved one."""
    changes = [change_of(each) for each in journal["moves"]]
    for is_last in (*[False] * MORE_LOOKS, True):
        states = server.states()
        moves = [
            move
            for each in changes
            if (move := _move_back(each, states.get((each.kind, each.name, each.version))))
        ]
        try:
            if moves:
                release = journal["release"]
                server.call("functions.release", moves=moves, why=why, release=release, back=True)
        except Refused as refused:
            if is_last or refused.code != ABORTED:
                raise
        else:
            return


def _move_back(change: Change, state: str | None) -> dict[str, Any] | None:
    """To where it was, or out of service where no move leads there; None where it is that already."""
    if state is None or state in (change.origin, REVERTED):
        return None
    to = change.origin if change.origin in MOVES[state] else REVERTED
    if to not in MOVES[state]:
        return None
    return {change.kind: change.name, "version": change.version, "to": to, "expected": state}


def _words(problem: ReleaseProblem | OSError) -> str:
    return os_error_text(problem) if isinstance(problem, OSError) else str(problem)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

"""Migrations of a thousand tenants under load: tried, applied, and once more with a kill -9 in the middle."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from scripts.endurance import verdict
from scripts.endurance.connection import LoadConnection
from scripts.endurance.load import Files, Traffic, compare, own_index
from scripts.endurance.server import Console, Installation, Server
from scripts.endurance.trials.swap import spread
from scripts.endurance.verdict import Report

ENGINE_STEP: Final = 10_000
"""`PRAGMA user_version` = engine revisions × this + application revisions."""

LOOK_SECONDS: Final = 0.1
"""Between two looks at a run: a person may make 20 calls a second."""

LONG: Final = "x" * 45
"""A mark that the first draft of the second revision cannot take."""

HEAD: Final = '''"""A trial's."""
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
'''

PICKY: Final = HEAD + (
    '    op.execute("CREATE TABLE short (id INTEGER PRIMARY KEY, text TEXT CHECK (length(text) < 40))")\n'
    '    op.execute("INSERT INTO short SELECT id, text FROM marks")\n'
)
LENIENT: Final = PICKY.replace("< 40", "< 400")
ADDING: Final = HEAD + '    op.execute("ALTER TABLE marks ADD COLUMN place TEXT")\n'


class Plan(NamedTuple):
    """How many, and how hard."""

    tenants: int
    loaded: int
    in_flight: int
    calm: int


FULL: Final = Plan(tenants=1000, loaded=50, in_flight=2, calm=5_000)
QUICK: Final = FULL._replace(tenants=100, loaded=20, calm=1_000)

MEANINGS: Final = {
    "tenants": "tenants",
    "loaded": "of them, that are called meanwhile",
    "in_flight": "requests under way at once",
    "calm": "messages before, to compare with",
}


class Ran(NamedTuple):
    """One run of migrations."""

    status: Mapping[str, Any]
    seconds: float
    latencies: list[float]
    """Seconds, of the messages that were sent meanwhile."""


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """A dry run that finds one tenant, one that finds none, an apply, and an apply that is killed."""
    report = Report(
        f"migrate: {plan.tenants} tenants, {plan.loaded} of them called meanwhile, {plan.in_flight} "
        "requests under way"
    )
    names = [f"migrate-{number:04}" for number in range(plan.tenants)]
    installation = Installation(folder, names, {"resident": 2000}, own_index(folder))
    trial = Trial(plan, installation, folder / "index" / "migrations" / "versions", progress)
    server = installation.start()
    try:
        trial.serve(server)
        server.end()
        server = trial.killed()
    finally:
        server.end()
    trial.add_to(report, compare(installation.data, trial.first, trial.traffic))
    return report


class Trial:
    """One client process: its load, its orders, and the revisions that it writes."""

    def __init__(
        self,
        plan: Plan,
        installation: Installation,
        versions: Path,
        progress: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._installation = installation
        self._versions = versions
        self._progress = progress
        self._tenants = list(installation.tokens)
        self._stays = self._tenants[len(self._tenants) * 7 // 10]
        """The tenant whose data the first draft cannot take."""

    # Under load

    def serve(self, server: Server) -> None:
        """Load alone, then with two dry runs and an apply."""
        tokens = self._installation.tokens
        loaded = self._tenants[:: max(1, len(self._tenants) // self._plan.loaded)]
        self.first = Traffic(LoadConnection(server.endpoint, tokens), [self._stays], 1, LONG)
        self.first.run(1)
        self.first.finish()
        connection = LoadConnection(server.endpoint, tokens)
        self.traffic = Traffic(connection, loaded, self._plan.in_flight, "migrate")
        self.traffic.run(len(loaded))
        self._console = Console(self._installation.data)
        self._progress("load alone")
        began = time.perf_counter()
        self.traffic.run(self._plan.calm)
        self.calm = self._latencies(began)
        self._write("0002", PICKY)
        self.found = self._run("migrations.dry_run")
        self.untouched = self._at_revision(1)
        self._write("0002", LENIENT)
        self.tried = self._run("migrations.dry_run")
        self.applied = self._run("migrations.apply", digest=self.tried.status["digest"])
        self.migrated = self._at_revision(2)
        self.traffic.finish()
        self._console.close()

    def _write(self, revision: str, text: str) -> None:
        before = f"{int(revision) - 1:04}"
        path = self._versions / f"{revision}_trial.py"
        path.write_text(text.format(revision=revision, before=before))

    def _run(self, action: str, **params: object) -> Ran:
        """Begin a run, and follow it to its end under load."""
        began = time.perf_counter()
        run = self._ask(action, **params)["run"]
        while (status := self._ask("migrations.status", run=run))["state"] == "running":
            self._progress(f"{status['kind']}: {status['done']} of {status['total']} tenants")
            self.traffic.run(200)
        seconds = time.perf_counter() - began
        self._progress(f"{status['kind']}: {status['state']} after {seconds:.1f} s")
        return Ran(status, seconds, self._latencies(began))

    def _ask(self, action: str, **params: object) -> Mapping[str, Any]:
        """Ask while the load goes on."""
        self._console.begin(action, **params)
        while (answer := self._console.receive()) is None:
            self.traffic.step()
        return answer

    def _latencies(self, since: float) -> list[float]:
        return [
            each.received - each.sent for each in self.traffic.answers.values() if each.sent > since
        ]

    # With a kill

    def killed(self) -> Server:
        """Apply a third revision, kill the server in the middle, and start it again; that server."""
        server = self._installation.start()
        self._write("0003", ADDING)
        console = Console(self._installation.data)
        tried = self._followed(console, console.ask("migrations.dry_run")["run"])
        run = console.ask("migrations.apply", digest=tried["digest"])["run"]
        while console.ask("migrations.status", run=run)["done"] < self._plan.tenants // 3:
            time.sleep(LOOK_SECONDS)
        server.kill()
        server.end()
        console.close()
        self.between = Counter(self._revisions())
        server = self._installation.start()
        console = Console(self._installation.data)
        self.resumed = self._followed(console, run)
        console.close()
        self.whole = self._at_revision(3)
        return server

    def _followed(self, console: Console, run: int) -> Mapping[str, Any]:
        while (status := console.ask("migrations.status", run=run))["state"] == "running":
            self._progress(f"{status['kind']}: {status['done']} of {status['total']} tenants")
            time.sleep(LOOK_SECONDS)
        return status

    # What came of it

    def _revisions(self) -> list[int]:
        return [revision(path) for path in verdict.tenant_files(self._installation.data).values()]

    def _at_revision(self, number: int) -> int:
        return self._revisions().count(number)

    def add_to(self, report: Report, found: Files) -> None:
        """Figures and promises."""
        self._add_figures_to(report)
        tenants, traffic = self._plan.tenants, self.traffic
        named = [each["tenant"] for each in self.found.status["failed"]]
        report.promise(
            f"the dry run names the one tenant that would fail, and no other: {', '.join(named)}; "
            f"{self.untouched} of {tenants} tenants are as they were",
            named == [self._stays] and self.untouched == tenants,
        )
        report.promise(
            f"all are migrated, and in the ledger: {self.migrated} of {tenants}, "
            f"{self.applied.status['done']} written down",
            self.migrated == self.applied.status["done"] == tenants,
        )
        wrong = Counter(each.wrong for each in traffic.answers.values() if each.wrong)
        report.promise(
            f"every message is answered exactly once, and ok: {len(traffic.sent):,} sent, "
            f"{len(traffic.answers):,} answered, {traffic.twice} twice, {wrong.total()} wrong",
            len(traffic.answers) == len(traffic.sent) and not traffic.twice and not wrong,
        )
        report.promise(
            f"killed in the middle ({dict(sorted(self.between.items()))} tenants by revision), it goes on: "
            f"{self.whole} of {tenants} migrated, run {self.resumed['state']}",
            self.whole == tenants and self.resumed["state"] == "done",
        )
        broken = [
            line
            for path in verdict.tenant_files(self._installation.data).values()
            for line in verdict.faults(path)
        ]
        report.promise(f"SQLite finds every file sound: {len(broken)} faults", not broken)
        report.promise(f"the files have what was answered: {found}", found.sound)

    def _add_figures_to(self, report: Report) -> None:
        for name, ran in (("dry run", self.tried), ("apply", self.applied)):
            each = ran.seconds / self._plan.tenants * 1000
            report.figure(name, f"{ran.seconds:.1f} s, {each:.1f} ms a tenant")
        report.figure("a message, alone", spread(self.calm))
        report.figure("a message, with the dry run", spread(self.tried.latencies))
        report.figure("a message, with the apply", spread(self.applied.latencies))


def revision(path: Path) -> int:
    """How many of the application's revisions a tenant's file has been through."""
    with closing(sqlite3.connect(path)) as file:
        (version,) = file.execute("PRAGMA user_version").fetchone()
    return int(version) % ENGINE_STEP

"""A workshop whose folder of migrations gets further revisions, on a real server."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.actors.developer_project import Workshop
from tests.deadline import until
from tests.pipe import Pipe
from tests.raw_client import Map

SECOND = '''"""Where a mark was made."""
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("marks", sa.Column("place", sa.String, nullable=True))
'''

PICKY = '''"""Only short marks from now on."""
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE short (id INTEGER PRIMARY KEY, text TEXT CHECK (length(text) < 20))")
    op.execute("INSERT INTO short SELECT id, text FROM marks")
'''

CONTRACTING = '''"""No marks any more."""
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE marks RENAME TO strokes")
'''


GATED = '''"""Waits, for tenants that have marks, until somebody opens the gate."""
from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    if op.get_bind().execute(text("SELECT count(*) FROM marks")).scalar():
        Path({path!r}).read_text()
    op.execute("CREATE TABLE gates (id INTEGER PRIMARY KEY)")
'''


class MigratedShop(Workshop):
    """Writes revisions, runs them, and looks into the tenants' files."""

    paths: Mapping[str, Path] = MappingProxyType({})
    """Of tenants' files, by name."""
    digest = ""
    """Of what the last dry run tried."""

    def add_revision(self, text: str = SECOND, name: str = "0002_second.py") -> Path:
        """Write a revision."""
        path = self.index.parent / "migrations" / "versions" / name
        path.write_text(text)
        return path

    def add_gate(self) -> Pipe:
        """Write a revision that waits in tenants with marks, until the pipe is opened and closed."""
        gate = Pipe(self.data.parent, "gate")
        self.add_revision(GATED.format(path=gate.params["path"]))
        return gate

    def gated_run(self) -> tuple[int, Pipe]:
        """Begin an apply that waits in the middle of acme's migration; its run, and the pipe."""
        self.call(text="one")
        gate = self.add_gate()
        dry = self.ask("migrations.dry_run")
        self.let_pass(gate)
        self.ended(dry["run"])
        run = self.ask("migrations.apply", digest=dry["digest"])["run"]
        gate.reached()
        return run, gate

    @staticmethod
    def let_pass(gate: Pipe) -> None:
        """Wait until a migration waits there, and let it go on."""
        gate.reached()
        gate.release()

    def path(self, tenant: str) -> Path:
        """The tenant's file."""
        record = self.server.system.local.find_tenant(tenant)
        assert record is not None
        return self.data / "tenants" / f"{record.id}.db"

    def revisions(self, tenant: str) -> int:
        """How many of the application's revisions the tenant's file has been through."""
        with closing(sqlite3.connect(self.path(tenant))) as driver:
            (version,) = driver.execute("PRAGMA user_version").fetchone()
        return int(version) % 10_000

    def forget(self, tenant: str, text: str) -> None:
        """Remove a mark as an operator would who mends what a migration stumbles over."""
        with closing(sqlite3.connect(self.path(tenant), timeout=20)) as driver, driver:
            driver.execute("DELETE FROM marks WHERE text = ?", (text,))

    def add_release(self, name: str) -> None:
        """Lay a release with a second revision beside what is served."""
        folder = self.data / "release" / name
        shutil.copytree(self.index.parent, folder)
        (folder / "migrations" / "versions" / "0002_second.py").write_text(SECOND)

    def status(self, run: int) -> Map:
        """What migrations.status says."""
        return self.ask("migrations.status", run=run)

    def ended(self, run: int) -> Map:
        """Wait until a run has ended; its status."""
        until(lambda: self.status(run)["state"] != "running", f"the end of run {run}")
        return self.status(run)

    def dry_run(self, **given: Any) -> Map:
        """Do a dry run to its end; the answer, and the status."""
        begun = self.ask("migrations.dry_run", **given)
        self.digest = begun["digest"]
        return {**self.ended(begun["run"]), "breaks": begun["breaks"]}

    def apply(self, **given: Any) -> Map:
        """Apply what a dry run has found sound, to the end; the status."""
        tried = self.dry_run(**given)
        return self.ended(self.ask("migrations.apply", digest=tried["digest"], **given)["run"])

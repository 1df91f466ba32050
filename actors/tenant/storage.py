"""Where tenants' databases are, and what is needed to make, migrate and open one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from actors.messages import TenantRecord
from actors.tenant.archive import archive_tenant, copy_before_migration
from actors.tenant.creation import create_tenant, remove_drafts, tenant_path
from actors.tenant.database import TenantDatabase
from actors.tenant.engine import SharedEngine
from actors.tenant.loaded_text import forget_unloaded, static_fragments
from actors.tenant.marker import Marker, due_markers, remove_marker
from actors.tenant.opening import StorageLimits, open_tenant
from actors.tenant.sqltext import KnownText
from actors.tenant.upgrades import Migrations


class Storage:
    """Made once, by the wiring. `open` is for a tenant's turn; the rest for the Migrator."""

    def __init__(
        self,
        data: Path,
        application: Path | None,
        database_bytes: int,
        age: Callable[[], float] = time.time,
    ) -> None:
        """`age` says the seconds since the epoch by which replies are forgotten."""
        self._age = age
        self._tenants = data / "tenants"
        self._backups = data / "backups"
        self._markers = data / "outbox"
        self._migrations = Migrations(application)
        for directory in (self._tenants, data / "templates"):
            remove_drafts(directory)
        self._template = self._migrations.template(data / "templates").read_bytes()
        self._schema = self._migrations.schema_info()
        self.database_bytes = database_bytes
        """Largest database of a tenant with no limit of its own, in bytes."""
        self._shared = SharedEngine()
        self._known: tuple[tuple[ModuleType, ...], KnownText] = ((), KnownText())

    def path(self, tenant_id: str) -> Path:
        """The tenant's file."""
        return tenant_path(self._tenants, tenant_id)

    def open(self, tenant: TenantRecord) -> TenantDatabase:
        """Open the tenant's file; MigrationNeeded, DatabaseProblem."""
        database = open_tenant(
            self.path(tenant.id),
            tenant.id,
            shared=self._shared,
            schema=self._schema,
            limits=StorageLimits(self.database_bytes),
        )
        database.age = self._age
        return database

    def create(self, tenant_id: str) -> None:
        """Make the tenant's file, on disk when this returns; DatabaseProblem."""
        create_tenant(self._template, self.path(tenant_id), tenant_id)

    def migrate(self, tenant_id: str) -> None:
        """Bring the tenant's file, open nowhere, to head: wholly or not at all; DatabaseProblem.

        A copy of it as it was is in backups/before-migration, in place of the one before.
        """
        path = self.path(tenant_id)
        self._migrations.upgrade(
            path, tenant_id, lambda: copy_before_migration(path, self._backups, tenant_id)
        )

    def archive(self, tenant_id: str) -> Path:
        """Move the tenant's file, open nowhere, into a last backup, whose path it is; DatabaseProblem."""
        backup = archive_tenant(self.path(tenant_id), self._backups, tenant_id)
        remove_marker(self._markers, tenant_id)
        return backup

    def marker(self, tenant_id: str) -> Marker:
        """Says that something is in the tenant's outbox."""
        return Marker(self._markers, tenant_id)

    def due_markers(self, now: float) -> list[str]:
        """Ids of tenants whose outbox somebody has to see to by now, the longest due first."""
        return due_markers(self._markers, now)

    def known_text(self, modules: tuple[ModuleType, ...]) -> KnownText:
        """The SQL text that this code holds as constants: the only text its functions may run.

        Each module is read once, when it was loaded (actors/tenant/loaded_text.py). The last answer is
        kept, for every tenant's turn.
        """
        of, known = self._known
        if of is not modules:
            known = KnownText(static_fragments(modules))
            forget_unloaded()
            self._known = (modules, known)
        return known

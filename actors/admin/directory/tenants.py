"""Tenants: create, suspend, resume, delete after a grace period.

Deletion has steps: the tenant's file is closed for good, then archived, then the tenant's rows are removed.

The steps keep no state of their own: the next sweep restarts from the file what a restart has interrupted.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Row, delete, func, insert, or_, select, update

from actors.access import ADMIN_OWNER
from actors.admin.directory import people, tokens
from actors.admin.directory.profiles import config_of
from actors.admin.directory.repository import (
    DirectoryTransaction,
    Result,
    format_time,
    page,
)
from actors.admin.directory.requests.commands import forget_tenant
from actors.admin.directory.tables import OF_A_TENANT, grants, subscriptions, tenants
from actors.admin.directory.tables import people as people_table
from actors.admin.directory.tables import tokens as tokens_table
from actors.admin.messages import (
    CreateTenant,
    DeleteTenant,
    ListTenants,
    ResumeTenant,
    ShowTenant,
    SuspendTenant,
)
from actors.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from actors.messages import (
    ACTIVE,
    DELETING,
    SUSPENDED,
    DirectoryChanged,
    Principal,
    Retire,
    TenantRecord,
)
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Mailbox
from transport.message import TENANT_PATTERN

TENANT_NAME = re.compile(TENANT_PATTERN.replace(r"\z", r"\Z"))

DAY = 24 * 3600.0

FIRST_LABEL = "made with the tenant"


def list_tenants(transaction: DirectoryTransaction, query: ListTenants) -> Result:
    """List one page of tenants, by name."""
    found = transaction.all(
        select(tenants)
        .where(
            tenants.c.name > query.after,
            *([tenants.c.status == query.status] if query.status else []),
        )
        .order_by(tenants.c.name)
        .limit(query.limit + 1)
    )
    listed, after = page(((row.name, tenant_map(row)) for row in found), query.limit)
    return {"tenants": listed, "next": after}


def show(transaction: DirectoryTransaction, query: ShowTenant) -> Result:
    """Show a tenant with the numbers of its people, tokens and subscriptions."""
    row = transaction.find_tenant(query.tenant)
    alive = people_table.c.removed_at.is_(None)
    now = transaction.now
    expires = tokens_table.c.expires_at
    good = tokens_table.c.revoked_at.is_(None) & (expires.is_(None) | (expires > now))
    begun = or_(subscriptions.c.since.is_(None), subscriptions.c.since <= now)
    holds = or_(subscriptions.c.until.is_(None), subscriptions.c.until > now)
    return {
        "tenant": tenant_map(row),
        "people": _count(transaction, people_table, row.id, alive),
        "tokens": _count(transaction, tokens_table, row.id, good),
        "subscriptions": _count(transaction, subscriptions, row.id, begun, holds),
        "config_revision": config_of(transaction, row.id).revision,
    }


def create(transaction: DirectoryTransaction, command: CreateTenant, by: Principal) -> Result:
    """Create a tenant. Its file comes last, when nothing else can be refused, and before the commit.

    If the commit fails, a file without a tenant remains. It is not removed: a commit that reports failure may
    be on disk all the same, and then the file belongs to a tenant.
    """
    if not TENANT_NAME.match(command.name):
        raise InvalidArgument(
            f"{command.name!r} is not a tenant name: use 1-63 of a-z, 0-9 and -, not starting with -"
        )
    if transaction.one(select(tenants.c.id).where(tenants.c.name == command.name)) is not None:
        raise AlreadyExists(f"tenant {command.name} exists already")
    tenant_id = secrets.token_hex(16)
    transaction.run(
        insert(tenants).values(
            id=tenant_id, name=command.name, created_at=transaction.now_text, status=ACTIVE
        )
    )
    transaction.changes.tenants.add(tenant_id)
    owner = people.add(transaction, tenant_id, command.owner, command.email, ADMIN_OWNER, by)
    result: Result = {"tenant": tenant_map(transaction.find_tenant(command.name)), "owner": owner}
    if command.token:
        made = tokens.create(
            transaction, transaction.find_person(tenant_id, owner["id"]), FIRST_LABEL, by
        )
        result["token"] = {"id": made.id, "text": made.text}
    transaction.create_file(tenant_id)
    return result


def suspend(transaction: DirectoryTransaction, command: SuspendTenant, _: Principal) -> Result:
    """Suspend an active tenant."""
    row = transaction.find_mutable_tenant(command.tenant)
    if row.status != ACTIVE:
        raise FailedPrecondition(f"tenant {row.name} is {row.status} already")
    return _set(transaction, row, status=SUSPENDED, reason=command.reason)


def resume(transaction: DirectoryTransaction, command: ResumeTenant, _: Principal) -> Result:
    """Activate a tenant. It cancels a deletion whose grace period is not over."""
    row = transaction.find_mutable_tenant(command.tenant, even_deleting=True)
    if row.status == ACTIVE:
        raise FailedPrecondition(f"tenant {row.name} is active")
    if row.retired_at is not None or (
        row.status == DELETING and row.delete_after <= transaction.age
    ):
        raise FailedPrecondition(f"tenant {row.name} is being deleted: its grace period is over")
    return _set(transaction, row, status=ACTIVE, reason=None, delete_after=None)


def delete_tenant(transaction: DirectoryTransaction, command: DeleteTenant, _: Principal) -> Result:
    """Stop serving a tenant now, and delete it when the grace period is over."""
    row = transaction.find_mutable_tenant(command.tenant)
    after = transaction.age + command.grace_days * DAY
    return _set(transaction, row, status=DELETING, reason=command.reason, delete_after=after)


def mark_due(transaction: DirectoryTransaction) -> list[TenantRecord]:
    """Mark the tenants whose grace period is over, and return them.

    The mark keeps the period over even if the machine's clock is set back later.
    """
    over = (tenants.c.status == DELETING) & (tenants.c.delete_after <= transaction.age)
    transaction.run(
        update(tenants)
        .where(over, tenants.c.retired_at.is_(None))
        .values(retired_at=transaction.now_text)
    )
    found = transaction.all(select(tenants).where(tenants.c.retired_at.is_not(None)))
    return [TenantRecord(row.name, row.id, row.status) for row in found]


def purge(transaction: DirectoryTransaction, tenant: TenantRecord) -> DirectoryChanged:
    """Remove every row of a tenant, and return the change to publish."""
    digests = transaction.all(
        select(tokens_table.c.digest).where(
            tokens_table.c.tenant_id == tenant.id, tokens_table.c.revoked_at.is_(None)
        )
    )
    live = transaction.all(
        select(grants.c.id).where(grants.c.tenant_id == tenant.id, grants.c.ended_at.is_(None))
    )
    forget_tenant(transaction, tenant.id)
    for table in OF_A_TENANT:
        transaction.run(delete(table).where(table.c.tenant_id == tenant.id))
    transaction.run(delete(tenants).where(tenants.c.id == tenant.id))
    return DirectoryChanged(
        revoked=tuple(row.digest for row in digests),
        ended=tuple(row.id for row in live),
        forgotten=(tenant,),
    )


def tenant_map(row: Row[Any]) -> Result:
    """Return a tenant in the form of `[shapes.tenant]`."""
    return {
        "name": row.name,
        "id": row.id,
        "status": row.status,
        "created_at": row.created_at,
        "reason": row.reason,
        "delete_after": format_time(row.delete_after),
    }


def _set(transaction: DirectoryTransaction, row: Row[Any], **values: Any) -> Result:
    transaction.run(update(tenants).where(tenants.c.id == row.id).values(**values))
    transaction.changes.tenants.add(row.id)
    transaction.changes.profiles.add(row.id)
    return {"tenant": tenant_map(transaction.find_tenant(row.name))}


def _count(transaction: DirectoryTransaction, table: Any, tenant_id: str, *which: Any) -> int:
    return transaction.count(select(func.count()).where(table.c.tenant_id == tenant_id, *which))


QUERIES: Mapping[type, Any] = MappingProxyType({ListTenants: list_tenants, ShowTenant: show})
COMMANDS: Mapping[type, Any] = MappingProxyType(
    {
        CreateTenant: create,
        SuspendTenant: suspend,
        ResumeTenant: resume,
        DeleteTenant: delete_tenant,
    }
)


log = structlog.get_logger()

StartArchive = Callable[[str], ReplyFuture]
"""Starts the last backup of the tenant with this id, then removes its file; the answer is the backup."""


class Archived(NamedTuple):
    """Sent to the Directory when a tenant's last backup has ended."""

    tenant: TenantRecord
    backup: ReplyFuture


class TenantDeletions:
    """Tenant deletions in progress. One incarnation of the Directory starts and ends them."""

    def __init__(self, mailbox: Mailbox, supervisor: Mailbox, archive: StartArchive) -> None:
        self._mailbox = mailbox
        self._supervisor = supervisor
        self._archive = archive
        self._in_progress: set[str] = set()

    def begin(self, tenants: Iterable[TenantRecord]) -> None:
        """Ask the supervisor to close the tenants' files; each answer is Retired.

        Deletions in progress are not started again.
        """
        for tenant in tenants:
            if tenant.id not in self._in_progress:
                self._in_progress.add(tenant.id)
                self._supervisor.tell(Retire(tenant, self._mailbox))

    def archive(self, tenant: TenantRecord) -> None:
        """Start the archive of a tenant whose file is closed. It may take long; Archived reports its end."""
        if tenant.id not in self._in_progress:
            return  # started by an earlier incarnation: the next sweep starts it again
        answer = self._archive(tenant.id)
        answer.add_callback(lambda: self._mailbox.tell(Archived(tenant, answer)))

    def end(self, message: Archived) -> Path | None:
        """Return the backup. None if it failed (the next sweep tries again) or was reported before."""
        tenant = message.tenant
        if tenant.id not in self._in_progress:
            return None
        self._in_progress.discard(tenant.id)
        try:
            backup: Path = message.backup.get(timeout=0)
        except (
            Exception
        ) as error:  # a full disk, for example: the tenant stays until a sweep succeeds
            log.error("tenant archive failed", tenant=tenant.name, exc_info=error)
            return None
        return backup

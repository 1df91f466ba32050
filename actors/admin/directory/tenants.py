"""Tenants: made, suspended, resumed, deleted after a grace.

Tenants on their way out: their files closed for good, then archived, then forgotten.

Nothing here is kept: what a restart interrupts is begun again by the next sweep, from what the file says.
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
from actors.admin.directory.repository import (
    DirectoryTransaction,
    Result,
    config_of,
    format_time,
    page,
)
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
    """By name."""
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
    """With what it has."""
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
    """The file comes last, when nothing else can be refused, and before the commit.

    Where that fails, it leaves a file that nobody names. It is not removed: a commit that reports failure may
    be on disk all the same, and then that file is a tenant's.
    """
    if not TENANT_NAME.match(command.name):
        raise InvalidArgument(
            f"{command.name!r} is no tenant name: use 1-63 of a-z, 0-9 and -, not beginning with -"
        )
    if transaction.one(select(tenants.c.id).where(tenants.c.name == command.name)) is not None:
        raise AlreadyExists(f"tenant {command.name} is there already")
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
    """Only an active one can be."""
    row = transaction.find_mutable_tenant(command.tenant)
    if row.status != ACTIVE:
        raise FailedPrecondition(f"tenant {row.name} is {row.status} already")
    return _set(transaction, row, status=SUSPENDED, reason=command.reason)


def resume(transaction: DirectoryTransaction, command: ResumeTenant, _: Principal) -> Result:
    """Calls a deletion off until its grace is over; the tenant is active then, whatever it was before."""
    row = transaction.find_mutable_tenant(command.tenant, even_deleting=True)
    if row.status == ACTIVE:
        raise FailedPrecondition(f"tenant {row.name} is active")
    if row.retired_at is not None or (
        row.status == DELETING and row.delete_after <= transaction.age
    ):
        raise FailedPrecondition(f"tenant {row.name} is being deleted: its grace is over")
    return _set(transaction, row, status=ACTIVE, reason=None, delete_after=None)


def delete_tenant(transaction: DirectoryTransaction, command: DeleteTenant, _: Principal) -> Result:
    """Served no more from now on; gone when the grace is over."""
    row = transaction.find_mutable_tenant(command.tenant)
    after = transaction.age + command.grace_days * DAY
    return _set(transaction, row, status=DELETING, reason=command.reason, delete_after=after)


def mark_due(transaction: DirectoryTransaction) -> list[TenantRecord]:
    """Tenants whose grace is over: marked, so that it stays over whatever the machine's clock says later."""
    over = (tenants.c.status == DELETING) & (tenants.c.delete_after <= transaction.age)
    transaction.run(
        update(tenants)
        .where(over, tenants.c.retired_at.is_(None))
        .values(retired_at=transaction.now_text)
    )
    found = transaction.all(select(tenants).where(tenants.c.retired_at.is_not(None)))
    return [TenantRecord(row.name, row.id, row.status) for row in found]


def purge(transaction: DirectoryTransaction, tenant: TenantRecord) -> DirectoryChanged:
    """Remove everything that is known of it; what others have to be told."""
    digests = transaction.all(
        select(tokens_table.c.digest).where(
            tokens_table.c.tenant_id == tenant.id, tokens_table.c.revoked_at.is_(None)
        )
    )
    live = transaction.all(
        select(grants.c.id).where(grants.c.tenant_id == tenant.id, grants.c.ended_at.is_(None))
    )
    for table in OF_A_TENANT:
        transaction.run(delete(table).where(table.c.tenant_id == tenant.id))
    transaction.run(delete(tenants).where(tenants.c.id == tenant.id))
    return DirectoryChanged(
        revoked=tuple(row.digest for row in digests),
        ended=tuple(row.id for row in live),
        forgotten=(tenant,),
    )


def tenant_map(row: Row[Any]) -> Result:
    """As `[shapes.tenant]` says."""
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
"""Begin the last backup of the tenant of this id, after which its file goes; the answer is its Path."""


class Archived(NamedTuple):
    """To the Directory: what came of a tenant's last backup is there."""

    tenant: TenantRecord
    backup: ReplyFuture


class TenantDeletions:
    """Those under way, for one incarnation of the Directory: it alone begins and ends them."""

    def __init__(self, mailbox: Mailbox, supervisor: Mailbox, archive: StartArchive) -> None:
        self._mailbox = mailbox
        self._supervisor = supervisor
        self._archive = archive
        self._in_progress: set[str] = set()

    def begin(self, tenants: Iterable[TenantRecord]) -> None:
        """Have their files closed; each is answered by Retired. Not twice while one is under way."""
        for tenant in tenants:
            if tenant.id not in self._in_progress:
                self._in_progress.add(tenant.id)
                self._supervisor.tell(Retire(tenant, self._mailbox))

    def archive(self, tenant: TenantRecord) -> None:
        """Its file is closed: have it archived, which may take long. Archived says when that has ended."""
        if tenant.id not in self._in_progress:
            return  # begun by an incarnation before: the next sweep begins it again
        answer = self._archive(tenant.id)
        answer.add_callback(lambda: self._mailbox.tell(Archived(tenant, answer)))

    def end(self, message: Archived) -> Path | None:
        """The backup; None where it failed (the next sweep tries again), and where it was heard before."""
        tenant = message.tenant
        if tenant.id not in self._in_progress:
            return None
        self._in_progress.discard(tenant.id)
        try:
            backup: Path = message.backup.get(timeout=0)
        except Exception as error:  # no disk, say: the tenant stays until there is
            log.error("a deleted tenant was not archived", tenant=tenant.name, exc_info=error)
            return None
        return backup

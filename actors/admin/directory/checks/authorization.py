"""Checks inside the transaction that the caller of a command is still authorized.

The channel decides from the last change it received. Commands that ran before this one may have taken the
token, the role, an area or the grant from its caller. Then nothing is done, and the caller may ask again.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, select

from actors.access import DEVELOPER_ADMIN, SUPER_ADMIN, TENANT_ROLES
from actors.admin.directory.repository import DirectoryTransaction
from actors.admin.directory.tables import grants, people, tenants, tokens
from actors.admin.messages import Execute
from actors.errors import Aborted, PermissionDenied
from actors.messages import Principal

PROCESS_ROLES = frozenset({"console", "machine"})
"""Roles that need no token: the process that runs the server (console), and the server itself (machine)."""


def require_still_authorized(transaction: DirectoryTransaction, message: Execute) -> None:
    """Return if the caller may still give the command.

    Raise Aborted if the caller's authorization or the tenant has changed, and PermissionDenied if the caller
    belongs to another tenant, which no channel lets through. A command that was executed before is checked
    too: its result is only for callers that are still authorized.
    """
    _require_caller(transaction, message.by, message.command)
    _require_same_tenant(transaction, message)


def _require_caller(transaction: DirectoryTransaction, by: Principal, command: Any) -> None:
    if by.role in PROCESS_ROLES:
        return
    holder = _holder(transaction, by)
    if holder is None or not _has_role(transaction, by, holder):
        raise Aborted(
            f"{by.person} is no longer {by.role}, or the token is no longer valid, so nothing was done: "
            "check your role, and send a new request if you still may"
        )
    _require_own_tenant(by, command)


def _holder(transaction: DirectoryTransaction, by: Principal) -> Row[Any] | None:
    """Return role and areas of the person, if the token is still valid."""
    now = transaction.now
    return transaction.one(
        select(people.c.role, people.c.areas)
        .join(tokens, tokens.c.person_id == people.c.id)
        .where(
            tokens.c.id == by.id,
            people.c.id == by.person,
            people.c.removed_at.is_(None),
            tokens.c.revoked_at.is_(None),
            tokens.c.suspended_at.is_(None),
            tokens.c.expires_at.is_(None) | (tokens.c.expires_at > now),
        )
    )


def _has_role(transaction: DirectoryTransaction, by: Principal, holder: Row[Any]) -> bool:
    if by.role == SUPER_ADMIN:
        return holder.role == DEVELOPER_ADMIN and live_grant(transaction, by) is not None
    return holder.role == by.role and by.areas <= frozenset(json.loads(holder.areas))


def live_grant(transaction: DirectoryTransaction, by: Principal) -> Row[Any] | None:
    """Return id and end of the grant that makes the principal a super admin, or None."""
    return transaction.one(
        select(grants.c.id, grants.c.until)
        .join(tenants, tenants.c.id == grants.c.tenant_id)
        .where(
            tenants.c.name == by.tenant,
            grants.c.person_id == by.person,
            grants.c.ended_at.is_(None),
            grants.c.until > transaction.now,
        )
    )


def _require_same_tenant(transaction: DirectoryTransaction, message: Execute) -> None:
    """Raise if another tenant has the name now. If there is no such tenant, the command itself raises."""
    name = getattr(message.command, "tenant", None)
    if name is None or message.tenant_id is None:
        return
    row = transaction.one(select(tenants.c.id).where(tenants.c.name == name))
    if row is not None and row.id != message.tenant_id:
        raise Aborted(
            f"tenant {name} was deleted and another tenant has its name now, so nothing was done: "
            "check the tenant, and send a new request if you mean this one"
        )


def _require_own_tenant(by: Principal, command: Any) -> None:
    """Super admins act on their own tenant; commands without a tenant they give as developer admins."""
    named = getattr(command, "tenant", None)
    is_elsewhere = by.role in TENANT_ROLES or (by.role == SUPER_ADMIN and named is not None)
    if is_elsewhere and named != by.tenant:
        raise PermissionDenied(f"{by.person} is {by.role} of {by.tenant} and of nothing else")

"""Whether whoever gives an order still stands as the channel saw it.

The channel decides from what it was told last; orders that were ahead of this one may have taken from its
giver the token, the role, an area or the grant. Then nothing is done, and he asks anew.
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
"""Roles of those who need no token: whoever runs the server, and the server itself."""


def require_still_authorized(transaction: DirectoryTransaction, message: Execute) -> None:
    """Return if the order may be given as it is; Aborted where its giver's standing or its tenant changed.

    PermissionDenied for someone of one tenant on another: no channel lets that through. What was done before
    is no exception: its answer is for who may still ask.
    """
    _require_caller(transaction, message.by, message.command)
    _require_same_tenant(transaction, message)


def _require_caller(transaction: DirectoryTransaction, by: Principal, command: Any) -> None:
    if by.role in PROCESS_ROLES:
        return
    holder = _holder(transaction, by)
    if holder is None or not _has_role(transaction, by, holder):
        raise Aborted(
            f"{by.person} is no longer {by.role} as when this was asked, or the token is no longer good: "
            "look again, and ask anew if you still may"
        )
    _require_own_tenant(by, command)


def _holder(transaction: DirectoryTransaction, by: Principal) -> Row[Any] | None:
    """The person, if the token is still good."""
    now = transaction.now
    return transaction.one(
        select(people.c.role, people.c.areas)
        .join(tokens, tokens.c.person_id == people.c.id)
        .where(
            tokens.c.id == by.id,
            people.c.id == by.person,
            people.c.removed_at.is_(None),
            tokens.c.revoked_at.is_(None),
            tokens.c.expires_at.is_(None) | (tokens.c.expires_at > now),
        )
    )


def _has_role(transaction: DirectoryTransaction, by: Principal, holder: Row[Any]) -> bool:
    if by.role == SUPER_ADMIN:
        return holder.role == DEVELOPER_ADMIN and live_grant(transaction, by) is not None
    return holder.role == by.role and by.areas <= frozenset(json.loads(holder.areas))


def live_grant(transaction: DirectoryTransaction, by: Principal) -> Row[Any] | None:
    """Id and end of the grant by which a super admin is one."""
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
    """A tenant that is deleted leaves its name to others; that there is none is the command's to say."""
    name = getattr(message.command, "tenant", None)
    if name is None or message.tenant_id is None:
        return
    row = transaction.one(select(tenants.c.id).where(tenants.c.name == name))
    if row is not None and row.id != message.tenant_id:
        raise Aborted(
            f"tenant {name} is another one than when this was asked, which has been deleted since: "
            "nothing was done; look again, and ask anew if you mean this one"
        )


def _require_own_tenant(by: Principal, command: Any) -> None:
    """A super admin is one on his tenant; what names no tenant he gives as the developer admin he is."""
    named = getattr(command, "tenant", None)
    is_elsewhere = by.role in TENANT_ROLES or (by.role == SUPER_ADMIN and named is not None)
    if is_elsewhere and named != by.tenant:
        raise PermissionDenied(f"{by.person} is {by.role} of {by.tenant} and of nothing else")

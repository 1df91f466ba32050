"""Suspended tokens: their holders are refused until an owner lifts it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, select, update

from actors.admin.directory.people import require_rank
from actors.admin.directory.repository import DirectoryTransaction, Result
from actors.admin.directory.tables import people, tenants, tokens
from actors.admin.directory.tokens import find_token
from actors.admin.intent_messages import LiftSuspension, ListSuspended, SuspendToken
from actors.errors import PermissionDenied
from actors.messages import Principal


def suspend(transaction: DirectoryTransaction, order: SuspendToken) -> DirectoryTransaction:
    """Suspend a token that is good, and return the transaction; any other token stays as it is."""
    row = transaction.one(select(tokens).where(tokens.c.id == order.token))
    if row is not None and row.revoked_at is None and row.suspended_at is None:
        _set(transaction, row, transaction.now_text, order.why[:200])
    return transaction


def lift(transaction: DirectoryTransaction, command: LiftSuspension, by: Principal) -> Result:
    """Serve a token again, from the next message on."""
    tenant_id = None if command.tenant is None else transaction.find_tenant(command.tenant).id
    row = find_token(transaction, tenant_id, command.token)
    holder = transaction.one(select(people).where(people.c.id == row.person_id))
    assert holder is not None
    require_rank(holder, by)
    if by.id == row.id:
        raise PermissionDenied(
            "a token is not taken off the ladder with itself: use another one, or ask another owner"
        )
    if row.suspended_at is not None:
        _set(transaction, row, None, None)
    return {"token": row.id, "was_suspended": row.suspended_at is not None}


def list_suspended(transaction: DirectoryTransaction, query: ListSuspended) -> Result:
    """Return suspended tokens as standings, those suspended last first."""
    found = transaction.all(
        select(tokens, tenants.c.name.label("tenant"))
        .outerjoin(tenants, tenants.c.id == tokens.c.tenant_id)
        .where(
            tokens.c.suspended_at.is_not(None),
            tokens.c.revoked_at.is_(None),
            *([tenants.c.name == query.tenant] if query.tenant is not None else []),
        )
        .order_by(tokens.c.suspended_at.desc(), tokens.c.id)
        .limit(query.limit)
    )
    return {"standings": [_standing(row) for row in found]}


def _standing(row: Row[Any]) -> Result:
    """As `[shapes.standing]` says."""
    return {
        "kind": "token",
        "id": row.id,
        "tenant": row.tenant,
        "person": row.person_id,
        "step": "suspend",
        "signals": [row.suspended_for.partition(":")[0]],
        "since": row.suspended_at,
        "decays_at": None,
    }


def _set(transaction: DirectoryTransaction, row: Row[Any], at: str | None, why: str | None) -> None:
    transaction.run(
        update(tokens).where(tokens.c.id == row.id).values(suspended_at=at, suspended_for=why)
    )
    transaction.changes.people.add(row.person_id)


QUERIES: Mapping[type, Any] = MappingProxyType({ListSuspended: list_suspended})
COMMANDS: Mapping[type, Any] = MappingProxyType({LiftSuspension: lift})

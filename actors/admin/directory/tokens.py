"""Tokens: random, kept as hashes, each a person's."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Row, func, insert, select, update

from actors.access import SUPER_ADMIN
from actors.admin.directory.checks.authorization import PROCESS_ROLES, live_grant
from actors.admin.directory.people import require_rank
from actors.admin.directory.repository import (
    DirectoryTransaction,
    Result,
    actor_label,
    format_time,
    new_id,
    page,
)
from actors.admin.directory.tables import people, tokens
from actors.admin.messages import IssueToken, ListTokens, RevokeToken
from actors.errors import FailedPrecondition, NotFound, PermissionDenied
from actors.host.clocks import rfc3339
from actors.messages import Principal

PREFIX = "tnt_"
"""Makes tokens recognisable to scanners of repositories."""

DAY = 24 * 3600.0

MAX_VALID = 100
"""Tokens of one person that are good at one time: every channel holds all of them in memory."""


class NewToken(NamedTuple):
    """A token that has just been made."""

    id: str
    text: str
    """Returned here and kept nowhere."""


class TokenExpiry(NamedTuple):
    """How long a token is good."""

    until: float | None = None
    """Seconds since the epoch; None for one that does not expire."""
    grant: str | None = None
    """Id of the grant that it ends with, if that ends before."""


UNLIMITED = TokenExpiry()


def list_tokens(transaction: DirectoryTransaction, query: ListTokens) -> Result:
    """Of a tenant or the platform, those that are no longer good included; by id."""
    found = transaction.all(
        select(tokens)
        .where(
            _of(_tenant_id(transaction, query.tenant)),
            tokens.c.id > query.after,
            *([tokens.c.person_id == query.person] if query.person else []),
        )
        .order_by(tokens.c.id)
        .limit(query.limit + 1)
    )
    listed, after = page(((row.id, token_map(row)) for row in found), query.limit)
    return {"tokens": listed, "next": after}


def issue(transaction: DirectoryTransaction, command: IssueToken, by: Principal) -> Result:
    """For a person of the tenant, or of the platform; never wider or for longer than the giver's."""
    tenant_id = (
        None if command.tenant is None else transaction.find_mutable_tenant(command.tenant).id
    )
    person = transaction.find_person(tenant_id, command.person)
    require_rank(person, by)
    _require_scope(command.scope, by)
    _require_capacity(transaction, person, by)
    expiry = _expiry(transaction, command, by)
    _require_expiry_within(transaction, expiry.until, by)
    made = create(transaction, person, command.label, by, command.scope, expiry)
    return {"token": token_map(find_token(transaction, tenant_id, made.id)), "text": made.text}


def revoke(transaction: DirectoryTransaction, command: RevokeToken, by: Principal) -> Result:
    """From the next message on."""
    tenant_id = None if command.tenant is None else transaction.find_tenant(command.tenant).id
    row = find_token(transaction, tenant_id, command.token)
    holder = transaction.one(select(people).where(people.c.id == row.person_id))
    assert holder is not None
    require_rank(holder, by)
    if not is_valid(row, transaction.now):
        since = row.revoked_at or format_time(row.expires_at)
        raise FailedPrecondition(f"token {row.id} is no longer good, since {since}")
    transaction.run(
        update(tokens).where(tokens.c.id == row.id).values(revoked_at=transaction.now_text)
    )
    transaction.changes.revoked.append(row.digest)
    return {"token": token_map(find_token(transaction, tenant_id, row.id))}


def create(
    transaction: DirectoryTransaction,
    person: Row[Any],
    label: str,
    by: Principal,
    scope: frozenset[str] | None = None,
    expiry: TokenExpiry = UNLIMITED,
) -> NewToken:
    """A token for a person; the result that shows its text is not to be stored."""
    made = NewToken(new_id("t"), PREFIX + secrets.token_urlsafe(32))
    transaction.run(
        insert(tokens).values(
            digest=digest(made.text),
            id=made.id,
            tenant_id=person.tenant_id,
            person_id=person.id,
            label=label,
            scope=None if scope is None else json.dumps(sorted(scope)),
            created_at=transaction.now_text,
            issued_by=actor_label(by),
            expires_at=expiry.until,
            grant_id=expiry.grant,
        )
    )
    transaction.changes.people.add(person.id)
    transaction.secret = made.id
    return made


def record_uses(transaction: DirectoryTransaction, at: Mapping[str, float]) -> None:
    """To the minute; only ever forward."""
    for token_id, seconds in at.items():
        minute = seconds - seconds % 60
        later = tokens.c.last_used_at.is_(None) | (tokens.c.last_used_at < minute)
        transaction.run(
            update(tokens).where(tokens.c.id == token_id, later).values(last_used_at=minute)
        )


def end_expired(transaction: DirectoryTransaction) -> None:
    """Mark what has expired, so that it stays so whatever the machine's clock says later."""
    over = transaction.all(
        select(tokens.c.id, tokens.c.digest, tokens.c.expires_at).where(
            tokens.c.revoked_at.is_(None), tokens.c.expires_at <= transaction.now
        )
    )
    for row in over:
        ended = rfc3339(row.expires_at, "seconds")
        transaction.run(update(tokens).where(tokens.c.id == row.id).values(revoked_at=ended))
        transaction.changes.revoked.append(row.digest)


def digest(text: str) -> bytes:
    """How a token is kept: SHA-256. Tokens are 256 random bits, so a slow hash would add nothing."""
    return sha256(text.encode()).digest()


def is_valid(row: Row[Any], now: float) -> bool:
    """Neither revoked nor expired, whether or not a sweep has seen that yet."""
    return row.revoked_at is None and (row.expires_at is None or now < row.expires_at)


def token_map(row: Row[Any]) -> Result:
    """As `[shapes.token]` says."""
    return {
        "id": row.id,
        "person": row.person_id,
        "label": row.label,
        "scope": None if row.scope is None else json.loads(row.scope),
        "created_at": row.created_at,
        "issued_by": row.issued_by,
        "expires_at": format_time(row.expires_at),
        "last_used_at": format_time(row.last_used_at),
        "revoked_at": row.revoked_at,
        "suspended_at": row.suspended_at,
        "suspended_for": row.suspended_for,
    }


def _require_scope(scope: frozenset[str] | None, by: Principal) -> None:
    if by.scope is not None and (scope is None or not scope <= by.scope):
        raise PermissionDenied(
            "the token that asks is good for some actions only, and the new one may have no others: "
            f"give it a scope within {', '.join(sorted(by.scope))}"
        )


def _expiry(transaction: DirectoryTransaction, command: IssueToken, by: Principal) -> TokenExpiry:
    """As long as was asked; but what a super admin issues on his tenant ends with his grant.

    So does what is issued with that: otherwise one call more would be enough to keep it.
    """
    until = None if command.days is None else transaction.now + command.days * DAY
    if by.role != SUPER_ADMIN:
        mine = transaction.one(select(tokens.c.grant_id).where(tokens.c.id == by.id))
        return TokenExpiry(until, mine and mine.grant_id)
    grant = live_grant(transaction, by) if command.tenant is not None else None
    if grant is None:
        return TokenExpiry(until)
    return TokenExpiry(grant.until if until is None else min(until, grant.until), grant.id)


def _require_expiry_within(
    transaction: DirectoryTransaction, until: float | None, by: Principal
) -> None:
    """What is lost or stolen would live on in what was issued with it."""
    if by.expires is None:
        return
    if until is None or until > by.expires:
        most = math.floor((by.expires - transaction.now) / DAY * 1000) / 1000
        shorter = f"give days={most} or less, or " if most else ""
        raise PermissionDenied(
            f"the token that asks is good until {format_time(by.expires)} and issues none that is good for "
            f"longer: {shorter}ask with a token that does not expire"
        )


def _require_capacity(transaction: DirectoryTransaction, person: Row[Any], by: Principal) -> None:
    """But for the operator of the server: if all tokens are lost, there is no other way in."""
    now = transaction.now
    good = tokens.c.revoked_at.is_(None) & (
        tokens.c.expires_at.is_(None) | (tokens.c.expires_at > now)
    )
    held = transaction.count(select(func.count()).where(tokens.c.person_id == person.id, good))
    if held >= MAX_VALID and by.role not in PROCESS_ROLES:
        raise FailedPrecondition(
            f"{person.id} has {MAX_VALID} good tokens, which is the most: revoke one that is not needed, "
            f"see last_used_at in {_listing(person.tenant_id)}"
        )


def _listing(tenant_id: str | None) -> str:
    """The action that lists the tokens of a tenant, or the platform's."""
    return "developers.tokens" if tenant_id is None else "tokens.list"


def _tenant_id(transaction: DirectoryTransaction, name: str | None) -> str | None:
    return None if name is None else str(transaction.find_tenant(name).id)


def _of(tenant_id: str | None) -> Any:
    return tokens.c.tenant_id.is_not_distinct_from(tenant_id)


def find_token(transaction: DirectoryTransaction, tenant_id: str | None, token_id: str) -> Row[Any]:
    """Return the row of a token of a tenant, or of the platform for None. Raise NotFound."""
    row = transaction.one(select(tokens).where(tokens.c.id == token_id, _of(tenant_id)))
    if row is None:
        listing = _listing(tenant_id)
        raise NotFound(f"there is no token {token_id} here: {listing} shows those there are")
    return row


QUERIES: Mapping[type, Any] = MappingProxyType({ListTokens: list_tokens})
COMMANDS: Mapping[type, Any] = MappingProxyType({IssueToken: issue, RevokeToken: revoke})

"""Grants: who is super admin on which tenant, why and until when.

The people of the platform: developers and developer admins, of whom there is always one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnClause, Integer, Row, insert, literal_column, select, update

from actors.access import DEVELOPER_ADMIN, PLATFORM_ROLES
from actors.admin.directory.people import (
    add,
    count,
    of_tenant,
    person_map,
    remove,
    revoke_tokens,
    set_person,
)
from actors.admin.directory.repository import (
    DirectoryTransaction,
    Result,
    actor_label,
    new_id,
)
from actors.admin.directory.tables import grants, people, tenants, tokens
from actors.admin.messages import (
    AddDeveloper,
    ChangeDeveloper,
    GrantSuper,
    ListDevelopers,
    ListSupers,
    RemoveDeveloper,
    WithdrawSuper,
)
from actors.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from actors.host.clocks import rfc3339
from actors.messages import Principal

MAX_MINUTES = 7 * 24 * 60
"""A week."""

ROWID: ColumnClause[int] = literal_column("grants.rowid", Integer)
"""The order in which grants were made, within one second as well."""

MAX_LISTED = 200
"""The newest; the audit log has them all."""


def list_supers(transaction: DirectoryTransaction, query: ListSupers) -> Result:
    """The newest first."""
    tenant = transaction.find_tenant(query.tenant)
    found = transaction.all(
        _grants()
        .where(grants.c.tenant_id == tenant.id)
        .order_by(grants.c.granted_at.desc(), ROWID.desc())
        .limit(MAX_LISTED)
    )
    return {"grants": [_map(transaction, row) for row in found]}


def grant(transaction: DirectoryTransaction, command: GrantSuper, by: Principal) -> Result:
    """Never to oneself, nor by a person one may be oneself; for a week at most, one at a time."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    if by.person and by.person == command.person:
        raise PermissionDenied(
            "a super admin cannot be granted to oneself: ask another person to grant it"
        )
    if not 0 < command.minutes <= MAX_MINUTES:
        raise InvalidArgument(f"a grant lasts more than 0 and at most {MAX_MINUTES} minutes")
    _require_developer_admin(transaction, command.person)
    _require_other_person(transaction, by, command.person)
    _require_no_grant(transaction, tenant, command.person)
    made = new_id("g")
    transaction.run(
        insert(grants).values(
            id=made,
            tenant_id=tenant.id,
            person_id=command.person,
            reason=command.reason,
            granted_by=actor_label(by),
            granted_at=transaction.now_text,
            until=transaction.now + command.minutes * 60,
        )
    )
    transaction.changes.grants.add(made)
    return {"grant": _map(transaction, _one(transaction, tenant.id, made))}


def revoke(transaction: DirectoryTransaction, command: WithdrawSuper, _: Principal) -> Result:
    """Over from the next message on, and with it what tokens he issued by it."""
    tenant = transaction.find_tenant(command.tenant)
    row = _one(transaction, tenant.id, command.grant)
    if not _is_live(transaction, row):
        raise FailedPrecondition(f"grant {row.id} is over already")
    _end(transaction, grants.c.id == row.id)
    return {"grant": _map(transaction, _one(transaction, tenant.id, row.id))}


def end_grants_of(transaction: DirectoryTransaction, person_id: str) -> None:
    """Of a person who is developer admin no longer."""
    _end(transaction, grants.c.person_id == person_id)


def end_expired(transaction: DirectoryTransaction) -> list[Row[Any]]:
    """Mark what is over, so that it stays so whatever the machine's clock says later; which they were."""
    over = transaction.all(
        _grants().where(grants.c.ended_at.is_(None), grants.c.until <= transaction.now)
    )
    for row in over:
        transaction.run(
            update(grants)
            .where(grants.c.id == row.id)
            .values(ended_at=rfc3339(row.until, "seconds"))
        )
    _publish_ended(transaction, [row.id for row in over])
    return list(over)


def _end(transaction: DirectoryTransaction, which: Any) -> None:
    live = which & grants.c.ended_at.is_(None)
    ended = [row.id for row in transaction.all(select(grants.c.id).where(live))]
    transaction.run(update(grants).where(live).values(ended_at=transaction.now_text))
    _publish_ended(transaction, ended)


def _publish_ended(transaction: DirectoryTransaction, ended: list[str]) -> None:
    """With what was issued by them."""
    transaction.changes.ended.extend(ended)
    revoke_tokens(transaction, tokens.c.grant_id.in_(ended))


def _grants() -> Any:
    return select(grants, tenants.c.name.label("tenant")).join(
        tenants, tenants.c.id == grants.c.tenant_id
    )


def _one(transaction: DirectoryTransaction, tenant_id: str, grant_id: str) -> Row[Any]:
    row = transaction.one(_grants().where(grants.c.id == grant_id, grants.c.tenant_id == tenant_id))
    if row is None:
        raise NotFound(
            f"there is no grant {grant_id} on this tenant: supers.list shows those there are"
        )
    return row


def _require_developer_admin(transaction: DirectoryTransaction, person_id: str) -> None:
    row = transaction.one(
        select(people.c.role).where(
            people.c.id == person_id, people.c.tenant_id.is_(None), people.c.removed_at.is_(None)
        )
    )
    if row is None or row.role != DEVELOPER_ADMIN:
        raise FailedPrecondition(
            f"{person_id} is no developer admin, and only one can be made super admin"
        )


def _require_other_person(transaction: DirectoryTransaction, by: Principal, person_id: str) -> None:
    """The issuer of a token has its text; the person who added a person of the platform can be that person.

    A tenant's people may have been added by him whom they grant: its first admin owner always is.
    """
    issued_by = transaction.one(select(tokens.c.issued_by).where(tokens.c.id == by.id))
    if issued_by is not None and issued_by[0] == person_id:
        raise PermissionDenied(
            f"the token that asks was issued by {person_id}, who knows it: issue one yourself, revoke this "
            "one, and ask with the new one"
        )
    is_of_platform = (people.c.id == by.person) & people.c.tenant_id.is_(None)
    added_by = transaction.one(select(people.c.added_by).where(is_of_platform))
    if added_by is not None and added_by[0] == person_id:
        raise PermissionDenied(
            f"{by.person} was added by {person_id}, who could grant it to himself that way: ask the "
            "tenant's admin owner or another developer admin"
        )


def _require_no_grant(transaction: DirectoryTransaction, tenant: Row[Any], person_id: str) -> None:
    holds = transaction.one(
        select(grants.c.id).where(
            grants.c.tenant_id == tenant.id,
            grants.c.person_id == person_id,
            grants.c.ended_at.is_(None),
            grants.c.until > transaction.now,
        )
    )
    if holds is not None:
        raise AlreadyExists(
            f"{person_id} is super admin on {tenant.name} by grant {holds.id}: withdraw it first"
        )


def _is_live(transaction: DirectoryTransaction, row: Row[Any]) -> bool:
    return row.ended_at is None and transaction.now < row.until


def _map(transaction: DirectoryTransaction, row: Row[Any]) -> Result:
    return {
        "id": row.id,
        "person": row.person_id,
        "tenant": row.tenant,
        "reason": row.reason,
        "granted_by": row.granted_by,
        "granted_at": row.granted_at,
        "until": rfc3339(row.until, "seconds"),
        "ended_at": row.ended_at,
        "live": _is_live(transaction, row),
    }


QUERIES: Mapping[type, Any] = MappingProxyType({ListSupers: list_supers})
COMMANDS: Mapping[type, Any] = MappingProxyType({GrantSuper: grant, WithdrawSuper: revoke})


MAX_DEVELOPERS = 200
"""On the platform."""


def list_developers(transaction: DirectoryTransaction, _: ListDevelopers) -> Result:
    """All of the platform."""
    found = transaction.all(
        select(people).where(of_tenant(None)).order_by(people.c.created_at, people.c.id)
    )
    return {"developers": [person_map(row) for row in found]}


def add_developer(
    transaction: DirectoryTransaction, command: AddDeveloper, by: Principal
) -> Result:
    """Without a token."""
    _require_platform_role(command.role)
    if count(transaction, None, *PLATFORM_ROLES) >= MAX_DEVELOPERS:
        raise FailedPrecondition(f"there are {MAX_DEVELOPERS} developers, which is the most")
    return {"developer": add(transaction, None, command.name, command.email, command.role, by)}


def change_developer(
    transaction: DirectoryTransaction, command: ChangeDeveloper, _: Principal
) -> Result:
    """A person who is demoted is super admin nowhere any more."""
    _require_platform_role(command.role)
    person = transaction.find_person(None, command.person)
    if person.role == command.role:
        return {"developer": person_map(person)}
    _require_not_last_admin(transaction, person)
    end_grants_of(transaction, person.id)
    return {"developer": set_person(transaction, person, role=command.role)}


def remove_developer(
    transaction: DirectoryTransaction, command: RemoveDeveloper, _: Principal
) -> Result:
    """With tokens and grants."""
    person = transaction.find_person(None, command.person)
    _require_not_last_admin(transaction, person)
    end_grants_of(transaction, person.id)
    return remove(transaction, person)


def _require_not_last_admin(transaction: DirectoryTransaction, person: Row[Any]) -> None:
    if person.role == DEVELOPER_ADMIN and count(transaction, None, DEVELOPER_ADMIN) == 1:
        raise FailedPrecondition(
            f"{person.id} is the last developer admin: add or promote another one first"
        )


def _require_platform_role(role: str) -> None:
    if role not in PLATFORM_ROLES:
        raise InvalidArgument(f"{role!r} is no role of the platform: developer or developer admin")


DEVELOPER_QUERIES: Mapping[type, Any] = MappingProxyType({ListDevelopers: list_developers})
DEVELOPER_COMMANDS: Mapping[type, Any] = MappingProxyType(
    {
        AddDeveloper: add_developer,
        ChangeDeveloper: change_developer,
        RemoveDeveloper: remove_developer,
    }
)

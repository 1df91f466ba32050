"""The people of a tenant: who they are, what is delegated to whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from actors.access import ADMIN_OWNER, AREAS, MEMBER, OWNER
from actors.admin.directory.repository import (
    DirectoryTransaction,
    Result,
    actor_label,
    new_id,
    page,
)
from actors.admin.directory.tables import people, tokens
from actors.admin.messages import (
    AddMember,
    ChangeMember,
    Delegate,
    ListMembers,
    ListOwners,
    RemoveMember,
    TransferOwnership,
    WithdrawOwner,
)
from actors.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from actors.messages import Principal

MAX_PEOPLE = 10_000
"""Of one tenant; removed persons are not counted."""

MAX_OWNERS = 100
"""Of one tenant, the admin owner included."""


def list_owners(transaction: DirectoryTransaction, query: ListOwners) -> Result:
    """The admin owner first."""
    tenant = transaction.find_tenant(query.tenant)
    found = transaction.all(
        select(people)
        .where(of_tenant(tenant.id), people.c.role.in_((OWNER, ADMIN_OWNER)))
        .order_by(people.c.role, people.c.created_at, people.c.id)
    )
    return {"owners": [person_map(row) for row in found]}


def delegate(transaction: DirectoryTransaction, command: Delegate, _: Principal) -> Result:
    """Exactly these areas from now on."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    person = transaction.find_person(tenant.id, command.person)
    if person.role == ADMIN_OWNER:
        raise FailedPrecondition(f"{person.id} is the admin owner and has every area already")
    unknown = sorted(command.areas.difference(AREAS))
    if unknown:
        raise InvalidArgument(f"there is no area {unknown[0]!r}: use {', '.join(AREAS)}")
    _require_owner_capacity(transaction, tenant, person)
    return {
        "owner": set_person(transaction, person, role=OWNER, areas=_encode_areas(command.areas))
    }


def withdraw_owner(
    transaction: DirectoryTransaction, command: WithdrawOwner, _: Principal
) -> Result:
    """A member again; nothing that he made is touched."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    person = transaction.find_person(tenant.id, command.person)
    _require_not_admin_owner(person)
    if person.role != OWNER:
        raise FailedPrecondition(f"{person.id} is not an owner")
    return {"member": set_person(transaction, person, role=MEMBER, areas="[]")}


def transfer(transaction: DirectoryTransaction, command: TransferOwnership, _: Principal) -> Result:
    """Transfer the tenant. Of two transfers at once, the second raises Aborted (require_still_authorized)."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    giver = admin_owner(transaction, tenant.id)
    taker = transaction.find_person(tenant.id, command.to)
    if taker.id == giver.id:
        raise FailedPrecondition(f"{taker.id} is the admin owner already")
    _require_owner_capacity(transaction, tenant, taker)
    owner = set_person(transaction, giver, role=OWNER, areas=_encode_areas(frozenset(AREAS)))
    return {
        "admin_owner": set_person(transaction, taker, role=ADMIN_OWNER, areas="[]"),
        "owner": owner,
    }


def list_members(transaction: DirectoryTransaction, query: ListMembers) -> Result:
    """Everyone, owners included, by id."""
    tenant = transaction.find_tenant(query.tenant)
    found = transaction.all(
        select(people)
        .where(of_tenant(tenant.id), people.c.id > query.after)
        .order_by(people.c.id)
        .limit(query.limit + 1)
    )
    members, after = page(((row.id, person_map(row)) for row in found), query.limit)
    return {"members": members, "next": after}


def add_member(transaction: DirectoryTransaction, command: AddMember, by: Principal) -> Result:
    """Without a token."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    if count(transaction, tenant.id) >= MAX_PEOPLE:
        raise FailedPrecondition(
            f"tenant {tenant.name} has {MAX_PEOPLE:,} people, which is the most: members.remove one first"
        )
    return {"member": add(transaction, tenant.id, command.name, command.email, MEMBER, by)}


def change_member(
    transaction: DirectoryTransaction, command: ChangeMember, by: Principal
) -> Result:
    """Name and address."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    person = transaction.find_person(tenant.id, command.person)
    require_rank(person, by)
    values = {"name": command.name, "email": command.email}
    given = {name: value for name, value in values.items() if value is not None}
    return {"member": set_person(transaction, person, **given) if given else person_map(person)}


def remove_member(
    transaction: DirectoryTransaction, command: RemoveMember, by: Principal
) -> Result:
    """What he made stays; his tokens go."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    person = transaction.find_person(tenant.id, command.person)
    _require_not_admin_owner(person)
    require_rank(person, by)
    return remove(transaction, person)


def add(
    transaction: DirectoryTransaction,
    tenant_id: str | None,
    name: str,
    email: str | None,
    role: str,
    by: Principal,
) -> Result:
    """A new person."""
    person = new_id("p")
    transaction.run(
        insert(people).values(
            id=person,
            tenant_id=tenant_id,
            name=name,
            email=email,
            role=role,
            areas="[]",
            created_at=transaction.now_text,
            added_by=actor_label(by),
        )
    )
    return person_map(transaction.find_person(tenant_id, person))


def admin_owner(transaction: DirectoryTransaction, tenant_id: str) -> Row[Any]:
    """There is always exactly one."""
    found = transaction.one(
        select(people).where(of_tenant(tenant_id), people.c.role == ADMIN_OWNER)
    )
    assert found is not None
    return found


def require_rank(person: Row[Any], by: Principal) -> None:
    """An owner administers members and himself; other owners only the admin owner and super admins."""
    if by.role == OWNER and person.role != MEMBER and person.id != by.person:
        raise PermissionDenied(
            f"{person.id} is {_article(person.role)}: an owner administers members; "
            "for owners ask the admin owner"
        )


def person_map(row: Row[Any]) -> Result:
    """As `[shapes.person]` says."""
    return {
        "id": row.id,
        "name": row.name,
        "email": row.email,
        "role": row.role,
        "areas": list(AREAS) if row.role == ADMIN_OWNER else json.loads(row.areas),
        "created_at": row.created_at,
    }


def of_tenant(tenant_id: str | None) -> Any:
    """The condition: a tenant's people, or the platform's for None, without those who were removed."""
    return people.c.tenant_id.is_not_distinct_from(tenant_id) & people.c.removed_at.is_(None)


def count(transaction: DirectoryTransaction, tenant_id: str | None, *roles: str) -> int:
    """How many have one of these roles; everyone where none is named."""
    wanted = [people.c.role.in_(roles)] if roles else []
    return transaction.count(select(func.count()).where(of_tenant(tenant_id), *wanted))


def set_person(transaction: DirectoryTransaction, person: Row[Any], **values: Any) -> Result:
    """Change a person; his tokens say so from the next message on."""
    transaction.run(update(people).where(people.c.id == person.id).values(**values))
    transaction.changes.people.add(person.id)
    return person_map(transaction.find_person(person.tenant_id, person.id))


def remove(transaction: DirectoryTransaction, person: Row[Any]) -> Result:
    """Out, with his tokens, name and address: history needs the id alone. How many tokens were good."""
    revoked = revoke_tokens(transaction, tokens.c.person_id == person.id)
    transaction.run(
        update(people)
        .where(people.c.id == person.id)
        .values(name="", email=None, removed_at=transaction.now_text)
    )
    return {"removed": person.id, "revoked": revoked}


def revoke_tokens(transaction: DirectoryTransaction, which: Any) -> int:
    """Those of these that were good; how many."""
    good = which & tokens.c.revoked_at.is_(None)
    digests = [row.digest for row in transaction.all(select(tokens.c.digest).where(good))]
    transaction.run(update(tokens).where(good).values(revoked_at=transaction.now_text))
    transaction.changes.revoked.extend(digests)
    return len(digests)


def _encode_areas(areas: frozenset[str]) -> str:
    return json.dumps([area for area in AREAS if area in areas])


def _require_owner_capacity(
    transaction: DirectoryTransaction, tenant: Row[Any], person: Row[Any]
) -> None:
    """For one owner more, where this person is none yet: also who takes a tenant over leaves one behind."""
    if person.role == MEMBER and count(transaction, tenant.id, OWNER, ADMIN_OWNER) >= MAX_OWNERS:
        raise FailedPrecondition(
            f"tenant {tenant.name} has {MAX_OWNERS} owners, which is the most: owners.withdraw one first"
        )


def _require_not_admin_owner(person: Row[Any]) -> None:
    if person.role == ADMIN_OWNER:
        raise FailedPrecondition(
            f"{person.id} is the admin owner, and there is always one: owners.transfer first"
        )


def _article(role: str) -> str:
    return "the admin owner" if role == ADMIN_OWNER else "an owner"


QUERIES: Mapping[type, Any] = MappingProxyType({ListOwners: list_owners, ListMembers: list_members})
COMMANDS: Mapping[type, Any] = MappingProxyType(
    {
        Delegate: delegate,
        WithdrawOwner: withdraw_owner,
        TransferOwnership: transfer,
        AddMember: add_member,
        ChangeMember: change_member,
        RemoveMember: remove_member,
    }
)

"""The people of a tenant: who they are, what is delegated to whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from actors.access import ADMIN_OWNER, AREAS, MEMBER, OWNER
from actors.admin.directory.repository import Book, Result, author, new_id, page
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

MOST_PEOPLE = 10_000
"""Of one tenant; whoever was removed is not counted."""

MOST_OWNERS = 100
"""Of one tenant, the admin owner included."""


def list_owners(book: Book, query: ListOwners) -> Result:
    """The admin owner first."""
    tenant = book.known_tenant(query.tenant)
    found = book.all(
        select(people)
        .where(of(tenant.id), people.c.role.in_((OWNER, ADMIN_OWNER)))
        .order_by(people.c.role, people.c.created_at, people.c.id)
    )
    return {"owners": [person_map(row) for row in found]}


def delegate(book: Book, order: Delegate, _: Principal) -> Result:
    """Exactly these areas from now on."""
    tenant = book.tenant(order.tenant)
    person = book.person(tenant.id, order.person)
    if person.role == ADMIN_OWNER:
        raise FailedPrecondition(f"{person.id} is the admin owner and has every area already")
    unknown = sorted(order.areas.difference(AREAS))
    if unknown:
        raise InvalidArgument(f"there is no area {unknown[0]!r}: use {', '.join(AREAS)}")
    _require_room(book, tenant, person)
    return {"owner": set_person(book, person, role=OWNER, areas=_listed(order.areas))}


def withdraw_owner(book: Book, order: WithdrawOwner, _: Principal) -> Result:
    """A member again; nothing that he made is touched."""
    tenant = book.tenant(order.tenant)
    person = book.person(tenant.id, order.person)
    _refuse_admin_owner(person)
    if person.role != OWNER:
        raise FailedPrecondition(f"{person.id} is not an owner")
    return {"member": set_person(book, person, role=MEMBER, areas="[]")}


def transfer(book: Book, order: TransferOwnership, _: Principal) -> Result:
    """Of two transfers at once, the second finds its giver no longer the admin owner (require_standing)."""
    tenant = book.tenant(order.tenant)
    giver = admin_owner(book, tenant.id)
    taker = book.person(tenant.id, order.to)
    if taker.id == giver.id:
        raise FailedPrecondition(f"{taker.id} is the admin owner already")
    _require_room(book, tenant, taker)
    owner = set_person(book, giver, role=OWNER, areas=_listed(frozenset(AREAS)))
    return {"admin_owner": set_person(book, taker, role=ADMIN_OWNER, areas="[]"), "owner": owner}


def list_members(book: Book, query: ListMembers) -> Result:
    """Everyone, owners included, by id."""
    tenant = book.known_tenant(query.tenant)
    found = book.all(
        select(people)
        .where(of(tenant.id), people.c.id > query.after)
        .order_by(people.c.id)
        .limit(query.limit + 1)
    )
    members, after = page(((row.id, person_map(row)) for row in found), query.limit)
    return {"members": members, "next": after}


def add_member(book: Book, order: AddMember, by: Principal) -> Result:
    """Without a token."""
    tenant = book.tenant(order.tenant)
    if count(book, tenant.id) >= MOST_PEOPLE:
        raise FailedPrecondition(
            f"tenant {tenant.name} has {MOST_PEOPLE:,} people, which is the most: members.remove one first"
        )
    return {"member": add(book, tenant.id, order.name, order.email, MEMBER, by)}


def change_member(book: Book, order: ChangeMember, by: Principal) -> Result:
    """Name and address."""
    tenant = book.tenant(order.tenant)
    person = book.person(tenant.id, order.person)
    require_rank(person, by)
    values = {"name": order.name, "email": order.email}
    given = {name: value for name, value in values.items() if value is not None}
    return {"member": set_person(book, person, **given) if given else person_map(person)}


def remove_member(book: Book, order: RemoveMember, by: Principal) -> Result:
    """What he made stays; his tokens go."""
    tenant = book.tenant(order.tenant)
    person = book.person(tenant.id, order.person)
    _refuse_admin_owner(person)
    require_rank(person, by)
    return remove(book, person)


def add(
    book: Book, tenant_id: str | None, name: str, email: str | None, role: str, by: Principal
) -> Result:
    """A new person."""
    person = new_id("p")
    book.run(
        insert(people).values(
            id=person,
            tenant_id=tenant_id,
            name=name,
            email=email,
            role=role,
            areas="[]",
            created_at=book.stamp,
            added_by=author(by),
        )
    )
    return person_map(book.person(tenant_id, person))


def admin_owner(book: Book, tenant_id: str) -> Row[Any]:
    """There is always exactly one."""
    found = book.one(select(people).where(of(tenant_id), people.c.role == ADMIN_OWNER))
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


def of(tenant_id: str | None) -> Any:
    """The condition: a tenant's people, or the platform's for None, without those who were removed."""
    return people.c.tenant_id.is_not_distinct_from(tenant_id) & people.c.removed_at.is_(None)


def count(book: Book, tenant_id: str | None, *roles: str) -> int:
    """How many have one of these roles; everyone where none is named."""
    wanted = [people.c.role.in_(roles)] if roles else []
    return book.count(select(func.count()).where(of(tenant_id), *wanted))


def set_person(book: Book, person: Row[Any], **values: Any) -> Result:
    """Change a person; his tokens say so from the next message on."""
    book.run(update(people).where(people.c.id == person.id).values(**values))
    book.news.people.add(person.id)
    return person_map(book.person(person.tenant_id, person.id))


def remove(book: Book, person: Row[Any]) -> Result:
    """Out, with his tokens, name and address: history needs the id alone. How many tokens were good."""
    revoked = revoke_tokens(book, tokens.c.person_id == person.id)
    book.run(
        update(people)
        .where(people.c.id == person.id)
        .values(name="", email=None, removed_at=book.stamp)
    )
    return {"removed": person.id, "revoked": revoked}


def revoke_tokens(book: Book, which: Any) -> int:
    """Those of these that were good; how many."""
    good = which & tokens.c.revoked_at.is_(None)
    digests = [row.digest for row in book.all(select(tokens.c.digest).where(good))]
    book.run(update(tokens).where(good).values(revoked_at=book.stamp))
    book.news.revoked.extend(digests)
    return len(digests)


def _listed(areas: frozenset[str]) -> str:
    return json.dumps([area for area in AREAS if area in areas])


def _require_room(book: Book, tenant: Row[Any], person: Row[Any]) -> None:
    """For one owner more, where this person is none yet: also who takes a tenant over leaves one behind."""
    if person.role == MEMBER and count(book, tenant.id, OWNER, ADMIN_OWNER) >= MOST_OWNERS:
        raise FailedPrecondition(
            f"tenant {tenant.name} has {MOST_OWNERS} owners, which is the most: owners.withdraw one first"
        )


def _refuse_admin_owner(person: Row[Any]) -> None:
    if person.role == ADMIN_OWNER:
        raise FailedPrecondition(
            f"{person.id} is the admin owner, and there is always one: owners.transfer first"
        )


def _article(role: str) -> str:
    return "the admin owner" if role == ADMIN_OWNER else "an owner"


QUESTIONS: Mapping[type, Any] = MappingProxyType(
    {ListOwners: list_owners, ListMembers: list_members}
)
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

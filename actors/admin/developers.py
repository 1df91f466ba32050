"""The people of the platform: developers and developer admins, of whom there is always one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, select

from actors.access import DEVELOPER_ADMIN, PLATFORM_ROLES
from actors.admin.book import Book, Result
from actors.admin.grants import end_grants_of
from actors.admin.messages import AddDeveloper, ChangeDeveloper, ListDevelopers, RemoveDeveloper
from actors.admin.people import add, count, of, person_map, remove, set_person
from actors.admin.tables import people
from actors.errors import FailedPrecondition, InvalidArgument
from actors.messages import Principal

MOST_DEVELOPERS = 200
"""On the platform."""


def list_developers(book: Book, _: ListDevelopers) -> Result:
    """All of the platform."""
    found = book.all(select(people).where(of(None)).order_by(people.c.created_at, people.c.id))
    return {"developers": [person_map(row) for row in found]}


def add_developer(book: Book, order: AddDeveloper, by: Principal) -> Result:
    """Without a token."""
    _require_platform_role(order.role)
    if count(book, None, *PLATFORM_ROLES) >= MOST_DEVELOPERS:
        raise FailedPrecondition(f"there are {MOST_DEVELOPERS} developers, which is the most")
    return {"developer": add(book, None, order.name, order.email, order.role, by)}


def change_developer(book: Book, order: ChangeDeveloper, _: Principal) -> Result:
    """Whoever is demoted is super admin nowhere any more."""
    _require_platform_role(order.role)
    person = book.person(None, order.person)
    if person.role == order.role:
        return {"developer": person_map(person)}
    _refuse_last_admin(book, person)
    end_grants_of(book, person.id)
    return {"developer": set_person(book, person, role=order.role)}


def remove_developer(book: Book, order: RemoveDeveloper, _: Principal) -> Result:
    """With tokens and grants."""
    person = book.person(None, order.person)
    _refuse_last_admin(book, person)
    end_grants_of(book, person.id)
    return remove(book, person)


def _refuse_last_admin(book: Book, person: Row[Any]) -> None:
    if person.role == DEVELOPER_ADMIN and count(book, None, DEVELOPER_ADMIN) == 1:
        raise FailedPrecondition(
            f"{person.id} is the last developer admin: add or promote another one first"
        )


def _require_platform_role(role: str) -> None:
    if role not in PLATFORM_ROLES:
        raise InvalidArgument(f"{role!r} is no role of the platform: developer or developer admin")


QUESTIONS: Mapping[type, Any] = MappingProxyType({ListDevelopers: list_developers})
COMMANDS: Mapping[type, Any] = MappingProxyType(
    {
        AddDeveloper: add_developer,
        ChangeDeveloper: change_developer,
        RemoveDeveloper: remove_developer,
    }
)

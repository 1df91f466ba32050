"""Which tenants are testers of which functions: they get what is under user test there.

An enrolment holds for every version to come, in the index or not, until somebody withdraws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, tuple_

from actors.admin.book import Book, Result, author, page, tested
from actors.admin.messages import EnrolTester, ListTesters, WithdrawTester
from actors.admin.tables import tenants, testers
from actors.errors import FailedPrecondition, NotFound
from actors.messages import Principal
from actors.schema.source import hint

MOST = 200
"""Functions that one tenant is a tester of."""


def list_testers(book: Book, query: ListTesters) -> Result:
    """By the tenant's name and then by function."""
    found = book.all(
        _enrolments()
        .where(*_which(book, query), _places() > tuple_(*_place(query.after)))
        .order_by(tenants.c.name, testers.c.function)
        .limit(query.limit + 1)
    )
    listed, after = page(((_cursor(row), _map(row)) for row in found), query.limit)
    return {"testers": listed, "next": after}


def enrol(book: Book, order: EnrolTester, by: Principal) -> Result:
    """Once; whoever asks again, not knowing whether it was done, finds it done."""
    tenant = book.tenant(order.tenant)
    if _find(book, tenant.id, order.function) is None:
        _require_room(book, tenant)
        book.run(
            insert(testers).values(
                tenant_id=tenant.id,
                function=order.function,
                enrolled_at=book.stamp,
                enrolled_by=author(by),
            )
        )
        book.news.profiles.add(tenant.id)
    row = _find(book, tenant.id, order.function)
    assert row is not None
    return {"tester": _map(row)}


def withdraw(book: Book, order: WithdrawTester, _: Principal) -> Result:
    """The enrolment that is over, as it was."""
    tenant = book.tenant(order.tenant)
    row = _find(book, tenant.id, order.function)
    if row is None:
        near = hint(order.function, tested(book, tenant.id))
        raise NotFound(f"{tenant.name} is no tester of {order.function}{near}")
    book.run(
        delete(testers).where(
            testers.c.tenant_id == tenant.id, testers.c.function == order.function
        )
    )
    book.news.profiles.add(tenant.id)
    return {"withdrawn": _map(row)}


def _enrolments() -> Select[Any]:
    return select(testers, tenants.c.name).join(tenants, tenants.c.id == testers.c.tenant_id)


def _which(book: Book, query: ListTesters) -> list[Any]:
    found: list[Any] = []
    if query.tenant is not None:
        found.append(testers.c.tenant_id == book.known_tenant(query.tenant).id)
    if query.function is not None:
        found.append(testers.c.function == query.function)
    return found


def _places() -> Any:
    return tuple_(tenants.c.name, testers.c.function)


def _place(cursor: str) -> tuple[str, str]:
    """Neither a tenant's name nor a function's has a space in it."""
    tenant, _, function = cursor.partition(" ")
    return tenant, function


def _cursor(row: Row[Any]) -> str:
    return f"{row.name} {row.function}"


def _find(book: Book, tenant_id: str, function: str) -> Row[Any] | None:
    return book.one(
        _enrolments().where(testers.c.tenant_id == tenant_id, testers.c.function == function)
    )


def _require_room(book: Book, tenant: Row[Any]) -> None:
    if len(tested(book, tenant.id)) >= MOST:
        raise FailedPrecondition(
            f"{tenant.name} is a tester of {MOST} functions, which is the most: functions.withdraw one first"
        )


def _map(row: Row[Any]) -> Result:
    """As `[shapes.tester]` says."""
    return {
        "tenant": row.name,
        "function": row.function,
        "enrolled_at": row.enrolled_at,
        "enrolled_by": row.enrolled_by,
    }


QUESTIONS: Mapping[type, Any] = MappingProxyType({ListTesters: list_testers})
COMMANDS: Mapping[type, Any] = MappingProxyType({EnrolTester: enrol, WithdrawTester: withdraw})

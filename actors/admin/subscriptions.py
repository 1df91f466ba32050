"""Which connectors a tenant may use, and from when until when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, insert, select, update

from actors.admin.book import Book, Result, shown
from actors.admin.messages import EndSubscription, ListSubscriptions, SetSubscription
from actors.admin.tables import subscriptions
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from actors.messages import Principal
from actors.profiles import Subscription

FIRST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()

MOST = 200
"""Connectors that one tenant is or was subscribed to."""


def list_subscriptions(book: Book, query: ListSubscriptions) -> Result:
    """By connector."""
    tenant = book.known_tenant(query.tenant)
    found = book.all(
        select(subscriptions)
        .where(subscriptions.c.tenant_id == tenant.id)
        .order_by(subscriptions.c.connector)
    )
    return {"subscriptions": [_map(book, row) for row in found]}


def set_subscription(book: Book, order: SetSubscription, _: Principal) -> Result:
    """There is one for each connector."""
    tenant = book.tenant(order.tenant)
    if order.since is not None and order.until is not None and order.since >= order.until:
        raise InvalidArgument("since must be before until")
    times = {"since": order.since, "until": order.until}
    _require_years(times)
    if _find(book, tenant.id, order.connector) is None:
        _require_room(book, tenant)
        book.run(
            insert(subscriptions).values(tenant_id=tenant.id, connector=order.connector, **times)
        )
        book.news.profiles.add(tenant.id)
        return _one(book, tenant.id, order.connector)
    return _set(book, tenant.id, order.connector, **times)


def end(book: Book, order: EndSubscription, _: Principal) -> Result:
    """From now on; one that has not begun never does."""
    tenant = book.tenant(order.tenant)
    row = _find(book, tenant.id, order.connector)
    if row is None:
        raise NotFound(f"{tenant.name} has no subscription to {order.connector}")
    now = book.now
    if row.until is not None and row.until <= now:
        raise FailedPrecondition(f"the subscription to {order.connector} is over already")
    since = row.since if row.since is None or row.since <= now else now
    return _set(book, tenant.id, order.connector, since=since, until=now)


def _set(book: Book, tenant_id: str, connector: str, **times: float | None) -> Result:
    book.run(
        update(subscriptions)
        .where(subscriptions.c.tenant_id == tenant_id, subscriptions.c.connector == connector)
        .values(**times)
    )
    book.news.profiles.add(tenant_id)
    return _one(book, tenant_id, connector)


def _one(book: Book, tenant_id: str, connector: str) -> Result:
    row = _find(book, tenant_id, connector)
    assert row is not None
    return {"subscription": _map(book, row)}


def _find(book: Book, tenant_id: str, connector: str) -> Row[Any] | None:
    return book.one(
        select(subscriptions).where(
            subscriptions.c.tenant_id == tenant_id, subscriptions.c.connector == connector
        )
    )


def _require_years(times: Mapping[str, float | None]) -> None:
    """A date-time with an offset may lie beyond them in UTC, and could not be shown any more."""
    for name, at in times.items():
        if at is not None and not FIRST <= at < LAST:
            raise InvalidArgument(f"{name} is outside the years 1 to 9999 in UTC")


def _require_room(book: Book, tenant: Row[Any]) -> None:
    held = book.all(select(subscriptions.c.connector).where(subscriptions.c.tenant_id == tenant.id))
    if len(held) >= MOST:
        raise FailedPrecondition(f"{tenant.name} has {MOST} subscriptions, which is the most")


def _map(book: Book, row: Row[Any]) -> Result:
    return {
        "connector": row.connector,
        "since": shown(row.since),
        "until": shown(row.until),
        "live": Subscription(row.connector, row.since, row.until).is_live(book.now),
    }


QUESTIONS: Mapping[type, Any] = MappingProxyType({ListSubscriptions: list_subscriptions})
COMMANDS: Mapping[type, Any] = MappingProxyType(
    {SetSubscription: set_subscription, EndSubscription: end}
)

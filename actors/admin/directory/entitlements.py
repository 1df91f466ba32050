"""Which tenants are testers of which functions: they get what is under user test there.

An enrolment holds for every version to come, in the index or not, until it is withdrawn.

Which connectors a tenant may use, and from when until when.

What one tenant may use; the server's own settings decide what is not set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, tuple_, update

from actors.admin.directory.profiles import limits_of, tested_functions
from actors.admin.directory.repository import (
    DirectoryTransaction,
    Result,
    actor_label,
    format_time,
    page,
)
from actors.admin.directory.tables import limits, subscriptions, tenants, testers
from actors.admin.messages import (
    EndSubscription,
    EnrolTester,
    ListSubscriptions,
    ListTesters,
    SetLimits,
    SetSubscription,
    ShowLimits,
    WithdrawTester,
)
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from actors.messages import Principal
from actors.profiles import Subscription, TenantLimits
from actors.schema.source import did_you_mean

MAX_ENTRIES = 200
"""Functions that one tenant is a tester of."""


def list_testers(transaction: DirectoryTransaction, query: ListTesters) -> Result:
    """By the tenant's name and then by function."""
    found = transaction.all(
        _enrolments()
        .where(*_filter(transaction, query), _sort_key() > tuple_(*_parse_cursor(query.after)))
        .order_by(tenants.c.name, testers.c.function)
        .limit(query.limit + 1)
    )
    listed, after = page(((_cursor(row), _map(row)) for row in found), query.limit)
    return {"testers": listed, "next": after}


def enrol(transaction: DirectoryTransaction, command: EnrolTester, by: Principal) -> Result:
    """Once; a caller that asks again, because the first outcome was not known, finds it done."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    if _find(transaction, tenant.id, command.function) is None:
        _require_tester_capacity(transaction, tenant)
        transaction.run(
            insert(testers).values(
                tenant_id=tenant.id,
                function=command.function,
                enrolled_at=transaction.now_text,
                enrolled_by=actor_label(by),
            )
        )
        transaction.changes.profiles.add(tenant.id)
    row = _find(transaction, tenant.id, command.function)
    assert row is not None
    return {"tester": _map(row)}


def withdraw(transaction: DirectoryTransaction, command: WithdrawTester, _: Principal) -> Result:
    """The enrolment that is over, as it was."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    row = _find(transaction, tenant.id, command.function)
    if row is None:
        near = did_you_mean(command.function, tested_functions(transaction, tenant.id))
        raise NotFound(f"{tenant.name} is no tester of {command.function}{near}")
    transaction.run(
        delete(testers).where(
            testers.c.tenant_id == tenant.id, testers.c.function == command.function
        )
    )
    transaction.changes.profiles.add(tenant.id)
    return {"withdrawn": _map(row)}


def _enrolments() -> Select[Any]:
    return select(testers, tenants.c.name).join(tenants, tenants.c.id == testers.c.tenant_id)


def _filter(transaction: DirectoryTransaction, query: ListTesters) -> list[Any]:
    found: list[Any] = []
    if query.tenant is not None:
        found.append(testers.c.tenant_id == transaction.find_tenant(query.tenant).id)
    if query.function is not None:
        found.append(testers.c.function == query.function)
    return found


def _sort_key() -> Any:
    return tuple_(tenants.c.name, testers.c.function)


def _parse_cursor(cursor: str) -> tuple[str, str]:
    """Neither a tenant's name nor a function's has a space in it."""
    tenant, _, function = cursor.partition(" ")
    return tenant, function


def _cursor(row: Row[Any]) -> str:
    return f"{row.name} {row.function}"


def _find(transaction: DirectoryTransaction, tenant_id: str, function: str) -> Row[Any] | None:
    return transaction.one(
        _enrolments().where(testers.c.tenant_id == tenant_id, testers.c.function == function)
    )


def _require_tester_capacity(transaction: DirectoryTransaction, tenant: Row[Any]) -> None:
    if len(tested_functions(transaction, tenant.id)) >= MAX_ENTRIES:
        raise FailedPrecondition(
            f"{tenant.name} is a tester of {MAX_ENTRIES} functions, which is the most: "
            "functions.withdraw one first"
        )


def _map(row: Row[Any]) -> Result:
    """As `[shapes.tester]` says."""
    return {
        "tenant": row.name,
        "function": row.function,
        "enrolled_at": row.enrolled_at,
        "enrolled_by": row.enrolled_by,
    }


QUERIES: Mapping[type, Any] = MappingProxyType({ListTesters: list_testers})
COMMANDS: Mapping[type, Any] = MappingProxyType({EnrolTester: enrol, WithdrawTester: withdraw})


FIRST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Connectors that one tenant is or was subscribed to."""


def list_subscriptions(transaction: DirectoryTransaction, query: ListSubscriptions) -> Result:
    """By connector."""
    tenant = transaction.find_tenant(query.tenant)
    found = transaction.all(
        select(subscriptions)
        .where(subscriptions.c.tenant_id == tenant.id)
        .order_by(subscriptions.c.connector)
    )
    return {"subscriptions": [_subscription_map(transaction, row) for row in found]}


def set_subscription(
    transaction: DirectoryTransaction, command: SetSubscription, _: Principal
) -> Result:
    """There is one for each connector."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    if command.since is not None and command.until is not None and command.since >= command.until:
        raise InvalidArgument("since must be before until")
    times = {"since": command.since, "until": command.until}
    _require_years(times)
    if _find_subscription(transaction, tenant.id, command.connector) is None:
        _require_subscription_capacity(transaction, tenant)
        transaction.run(
            insert(subscriptions).values(tenant_id=tenant.id, connector=command.connector, **times)
        )
        transaction.changes.profiles.add(tenant.id)
        return _one(transaction, tenant.id, command.connector)
    return _set(transaction, tenant.id, command.connector, **times)


def end(transaction: DirectoryTransaction, command: EndSubscription, _: Principal) -> Result:
    """From now on; one that has not begun never does."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    row = _find_subscription(transaction, tenant.id, command.connector)
    if row is None:
        raise NotFound(f"{tenant.name} has no subscription to {command.connector}")
    now = transaction.now
    if row.until is not None and row.until <= now:
        raise FailedPrecondition(f"the subscription to {command.connector} is over already")
    since = row.since if row.since is None or row.since <= now else now
    return _set(transaction, tenant.id, command.connector, since=since, until=now)


def _set(
    transaction: DirectoryTransaction, tenant_id: str, connector: str, **times: float | None
) -> Result:
    transaction.run(
        update(subscriptions)
        .where(subscriptions.c.tenant_id == tenant_id, subscriptions.c.connector == connector)
        .values(**times)
    )
    transaction.changes.profiles.add(tenant_id)
    return _one(transaction, tenant_id, connector)


def _one(transaction: DirectoryTransaction, tenant_id: str, connector: str) -> Result:
    row = _find_subscription(transaction, tenant_id, connector)
    assert row is not None
    return {"subscription": _subscription_map(transaction, row)}


def _find_subscription(
    transaction: DirectoryTransaction, tenant_id: str, connector: str
) -> Row[Any] | None:
    return transaction.one(
        select(subscriptions).where(
            subscriptions.c.tenant_id == tenant_id, subscriptions.c.connector == connector
        )
    )


def _require_years(times: Mapping[str, float | None]) -> None:
    """A date-time with an offset may lie beyond them in UTC, and could not be shown any more."""
    for name, at in times.items():
        if at is not None and not FIRST <= at < LAST:
            raise InvalidArgument(f"{name} is outside the years 1 to 9999 in UTC")


def _require_subscription_capacity(transaction: DirectoryTransaction, tenant: Row[Any]) -> None:
    held = transaction.all(
        select(subscriptions.c.connector).where(subscriptions.c.tenant_id == tenant.id)
    )
    if len(held) >= MAX_ENTRIES:
        raise FailedPrecondition(
            f"{tenant.name} has {MAX_ENTRIES} subscriptions, which is the most"
        )


def _subscription_map(transaction: DirectoryTransaction, row: Row[Any]) -> Result:
    return {
        "connector": row.connector,
        "since": format_time(row.since),
        "until": format_time(row.until),
        "live": Subscription(row.connector, row.since, row.until).is_live(transaction.now),
    }


SUBSCRIPTION_QUERIES: Mapping[type, Any] = MappingProxyType({ListSubscriptions: list_subscriptions})
SUBSCRIPTION_COMMANDS: Mapping[type, Any] = MappingProxyType(
    {SetSubscription: set_subscription, EndSubscription: end}
)


def show(transaction: DirectoryTransaction, query: ShowLimits) -> Result:
    """None where none is set."""
    return _limits_map(limits_of(transaction, transaction.find_tenant(query.tenant).id))


def set_limits(transaction: DirectoryTransaction, command: SetLimits, _: Principal) -> Result:
    """Those that are named; the others stay."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    unknown = sorted(command.limits.keys() - set(TenantLimits._fields))
    if unknown:
        raise InvalidArgument(
            f"there is no limit {unknown[0]!r}: use {', '.join(TenantLimits._fields)}"
        )
    wanted = TenantLimits(**{**limits_of(transaction, tenant.id)._asdict(), **command.limits})
    if wanted.burst is not None and wanted.requests_per_second is None:
        raise FailedPrecondition("burst needs requests_per_second: set that too")
    transaction.run(delete(limits).where(limits.c.tenant_id == tenant.id))
    content = json.dumps(wanted._asdict())
    transaction.run(insert(limits).values(tenant_id=tenant.id, content=content))
    transaction.changes.profiles.add(tenant.id)
    return _limits_map(wanted)


def _limits_map(held: TenantLimits) -> Result:
    return {"limits": held._asdict()}


LIMIT_QUERIES: Mapping[type, Any] = MappingProxyType({ShowLimits: show})
LIMIT_COMMANDS: Mapping[type, Any] = MappingProxyType({SetLimits: set_limits})

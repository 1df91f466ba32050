"""Reads the profiles of tenants: config, limits, subscriptions, tests and connector settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, Row, Select, Table, func, select

from actors.admin.directory.config import ORIGINS
from actors.admin.directory.repository import DirectoryTransaction
from actors.admin.directory.tables import (
    configs,
    connector_settings,
    limits,
    subscriptions,
    tenants,
    testers,
)
from actors.admin.secrets import Keyring, decrypt_settings
from actors.messages import ACTIVE
from actors.profiles import (
    DEFAULT_PROFILE,
    Config,
    ConnectorSettings,
    Profile,
    Subscription,
    TenantLimits,
    deep_freeze,
)


def read_profiles(transaction: DirectoryTransaction, *only: str) -> Iterator[tuple[str, Profile]]:
    """Yield tenant ids with their profiles: of these tenants, or of all tenants that have a profile.

    One query a table, however many tenants there are.
    """
    read = _TenantRows(transaction, only)
    silent = {
        row.id for row in read.rows(select(tenants).where(tenants.c.status != ACTIVE), tenants.c.id)
    }
    content = {
        row.tenant_id: _config(row) for row in read.rows(_newest_configs(), configs.c.tenant_id)
    }
    bounds = {row.tenant_id: _limits(row) for row in read.of(limits)}
    subscribed = read.grouped(subscriptions, _subscription)
    tested = read.grouped(testers, lambda row: (row.function, None))
    connected = read.grouped(connector_settings, partial(_connector_settings, transaction.keyring))
    for tenant_id in set(only) or silent.union(content, bounds, subscribed, tested, connected):
        yield (
            tenant_id,
            Profile(
                content.get(tenant_id, DEFAULT_PROFILE.config),
                bounds.get(tenant_id, DEFAULT_PROFILE.limits),
                MappingProxyType(subscribed.get(tenant_id, {})),
                frozenset(tested.get(tenant_id, ())),
                is_active=tenant_id not in silent,
                connectors=MappingProxyType(connected.get(tenant_id, {})),
            ),
        )


class _TenantRows:
    """Reads the rows of some tenants, or of all."""

    def __init__(self, transaction: DirectoryTransaction, only: Sequence[str]) -> None:
        self._transaction = transaction
        self._only = only

    def rows(self, query: Select[Any], tenant: Column[Any]) -> Iterator[Row[Any]]:
        """The rows of a query whose `tenant` is one of these."""
        return self._transaction.stream(
            query.where(tenant.in_(self._only)) if self._only else query
        )

    def of(self, table: Table) -> Iterator[Row[Any]]:
        """The rows of a table."""
        return self.rows(select(table), table.c.tenant_id)

    def grouped(
        self, table: Table, item: Callable[[Row[Any]], tuple[str, Any] | None]
    ) -> dict[str, dict[str, Any]]:
        """By tenant, what `item` makes of each row of a table; a row that it makes None of is left out."""
        found: dict[str, dict[str, Any]] = {}
        for row in self.of(table):
            made = item(row)
            if made is not None:
                found.setdefault(row.tenant_id, {})[made[0]] = made[1]
        return found


def _newest_configs() -> Select[Any]:
    """SQLite takes the other columns from the row that holds the maximum."""
    newest = func.max(configs.c.revision).label("revision")
    return select(configs.c.tenant_id, newest, configs.c.content).group_by(configs.c.tenant_id)


def config_of(transaction: DirectoryTransaction, tenant_id: str) -> Config:
    """Return the newest config of a tenant, frozen."""
    row = transaction.one(
        select(configs)
        .where(configs.c.tenant_id == tenant_id)
        .order_by(configs.c.revision.desc())
        .limit(1)
    )
    return Config() if row is None else _config(row)


def _config(row: Row[Any]) -> Config:
    content = deep_freeze(json.loads(row.content))
    origins = frozenset(content.get(ORIGINS, ()))
    return Config(row.revision, content["settings"], content["whitelabel"], origins)


def limits_of(transaction: DirectoryTransaction, tenant_id: str) -> TenantLimits:
    """Return the limits that are set for a tenant."""
    row = transaction.one(select(limits.c.content).where(limits.c.tenant_id == tenant_id))
    return TenantLimits() if row is None else _limits(row)


def _limits(row: Row[Any]) -> TenantLimits:
    return TenantLimits(**json.loads(row.content))


def _subscription(row: Row[Any]) -> tuple[str, Subscription]:
    return row.connector, Subscription(row.connector, row.since, row.until)


def tested_functions(transaction: DirectoryTransaction, tenant_id: str) -> frozenset[str]:
    """Return the names of the functions that a tenant tests."""
    found = transaction.all(select(testers.c.function).where(testers.c.tenant_id == tenant_id))
    return frozenset(row.function for row in found)


def _connector_settings(keyring: Keyring, row: Row[Any]) -> tuple[str, ConnectorSettings] | None:
    """None for settings that were removed."""
    return None if row.settings is None else (row.connector, decrypt_settings(keyring, row))

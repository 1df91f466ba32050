"""A transaction on directory.db: reads and writes rows, and collects the changes to publish afterwards."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable, Insert, Row, Select, select

from actors.admin.directory.tables import (
    grants,
    people,
    tenants,
    tokens,
)
from actors.admin.secrets import Keyring
from actors.errors import FailedPrecondition, NotFound
from actors.host.clocks import MonotonicWallClock, rfc3339
from actors.index.entries import ConfigSchemas, Connector
from actors.messages import (
    ACTIVE,
    DELETING,
    DirectoryChanged,
    Grant,
    Principal,
    TenantRecord,
    Token,
)
from actors.profiles import (
    EMPTY,
)
from actors.routing.health import SEVERAL

MAX_PAGE_BYTES = 128 * 1024
"""Bytes of a page's rows as JSON, at most: a reply stays well below the size limit of a message."""

ROWS_AT_ONCE = 1000
"""Rows of a query over all tenants that are held at once."""

LONG_AGO = float("-inf")
"""When a suspended token has expired, for the channels: they look at one time for each message."""

Result = dict[str, Any]


class CommandEnvironment(NamedTuple):
    """What the commands of the Directory need apart from the file."""

    create_file: Callable[[str], object]
    """Creates the file of the tenant of this id."""
    schemas: Callable[[], ConfigSchemas]
    """Returns the schemas of configs that are in force now."""
    connectors: Callable[[], Mapping[str, Connector]]
    """Returns the connectors that tenants may configure now, by name."""
    keyring: Keyring
    """Without keys encrypted settings stay encrypted."""
    epoch: MonotonicWallClock
    age: Callable[[], float] | None = None
    """Returns the seconds since the epoch by which old rows are removed; None for those of `epoch`."""


class DirectoryTransaction:
    """One transaction on directory.db, begun and ended by DirectoryStore."""

    def __init__(
        self,
        connection: Connection,
        environment: CommandEnvironment,
    ) -> None:
        self._connection = connection
        self._epoch = environment.epoch
        self._age = environment.age or environment.epoch.now
        self.schemas = environment.schemas
        self.create_file = environment.create_file
        self.connectors = environment.connectors
        self.keyring = environment.keyring
        self.changes = ChangeSet()
        self.secret: str | None = None
        """Id of the token whose text is in the result. Such a result is not stored."""
        self.revision: tuple[str, int] | None = None
        """Tenant id and revision of the config that is the result. The config is not stored a second time."""

    # Rows

    def run(self, statement: Executable) -> int:
        """Execute a statement that writes. Return the number of rows it changed."""
        return self._connection.execute(statement).rowcount

    def insert(self, statement: Insert) -> int:
        """Insert one row of a table with a number of its own, and return the number."""
        key = self._connection.execute(statement).inserted_primary_key
        assert key is not None
        return int(key[0])

    def all(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """Return all rows of a query."""
        return self._connection.execute(query).all()

    def stream(self, query: Select[Any]) -> Iterator[Any]:
        """Yield the rows of a query without ever holding all of them."""
        for some in self._connection.execute(query).partitions(ROWS_AT_ONCE):
            yield from some

    def one(self, query: Select[Any]) -> Row[Any] | None:
        """Return the first row of a query, or None."""
        return self._connection.execute(query).first()

    def count(self, query: Select[Any]) -> int:
        """Return the number that a counting query selects."""
        return int(self._connection.execute(query).scalar_one())

    # Time

    @property
    def now(self) -> float:
        """Current time in seconds since the epoch; it never runs backwards."""
        return self._epoch.now()

    @property
    def age(self) -> float:
        """Seconds since the epoch that decide what is old enough to be removed."""
        return self._age()

    @property
    def now_text(self) -> str:
        """Current time as RFC 3339 in UTC, to the second."""
        return rfc3339(self.now, "seconds")

    # Finding

    def find_mutable_tenant(self, name: str, *, even_deleting: bool = False) -> Row[Any]:
        """Return the row of the tenant of this name, to change it.

        Raise NotFound, or FailedPrecondition if the tenant is being deleted.
        """
        row = self.find_tenant(name)
        if row.status == DELETING and not even_deleting:
            raise FailedPrecondition(
                f"tenant {name} is being deleted and cannot be changed: call tenants.resume to keep it"
            )
        return row

    def find_tenant(self, name: str) -> Row[Any]:
        """Return the row of the tenant of this name, to read it. Raise NotFound."""
        row = self.one(select(tenants).where(tenants.c.name == name))
        if row is None:
            raise NotFound(f"there is no tenant {name}")
        return row

    def find_person(self, tenant_id: str | None, person_id: str) -> Row[Any]:
        """Return the row of a person of a tenant, or of the platform if `tenant_id` is None.

        Raise NotFound, also for a person of another tenant.
        """
        row = self.one(
            select(people).where(
                people.c.id == person_id,
                people.c.tenant_id.is_not_distinct_from(tenant_id),
                people.c.removed_at.is_(None),
            )
        )
        if row is None:
            listing = "developers.list" if tenant_id is None else "members.list"
            raise NotFound(f"there is no person {person_id} here: {listing} lists the people")
        return row


class ChangeSet:
    """What a transaction changed. Subscribers receive it once the transaction is on disk."""

    def __init__(self) -> None:
        self.tenants: set[str] = set()
        """Ids of tenants whose records changed."""
        self.people: set[str] = set()
        """Ids of people whose tokens changed."""
        self.revoked: list[bytes] = []
        self.grants: set[str] = set()
        self.ended: list[str] = []
        self.profiles: set[str] = set()
        """Ids of tenants whose profiles changed."""

    def to_message(self, transaction: DirectoryTransaction) -> DirectoryChanged:
        """Return the changes with the content that the file has now."""
        return DirectoryChanged(
            tenants=records(transaction, tenants.c.id.in_(self.tenants)) if self.tenants else (),
            tokens=valid_tokens(transaction, tokens.c.person_id.in_(self.people))
            if self.people
            else (),
            revoked=tuple(self.revoked),
            grants=live_grants(transaction, grants.c.id.in_(self.grants)) if self.grants else (),
            ended=tuple(self.ended),
        )


def snapshot(transaction: DirectoryTransaction) -> DirectoryChanged:
    """Return all tenants, all valid tokens and all live grants."""
    found = records(transaction)
    return DirectoryChanged(
        found,
        valid_tokens(transaction, names={each.name: each.name for each in found}),
        grants=live_grants(transaction),
        complete=True,
    )


def records(transaction: DirectoryTransaction, *which: Any) -> tuple[TenantRecord, ...]:
    """Return tenants as the other actors see them."""
    query = select(tenants.c.name, tenants.c.id, tenants.c.status).where(*which)
    return tuple(
        TenantRecord(name, id_, sys.intern(status))
        for name, id_, status in transaction.stream(query)
    )


def count_active(transaction: DirectoryTransaction) -> int:
    """Return the number of active tenants, at most SEVERAL: callers ask only if there are several."""
    return len(
        transaction.all(select(tenants.c.id).where(tenants.c.status == ACTIVE).limit(SEVERAL))
    )


def valid_tokens(
    transaction: DirectoryTransaction, *which: Any, names: Mapping[str, str] = EMPTY
) -> tuple[Token, ...]:
    """Return tokens that are not revoked, each with its principal.

    A principal takes the tenant's name from `names` if it is there: a name is kept once for all who have it.
    """
    stored = tokens.c
    query = (
        select(
            stored.digest, stored.id, tenants.c.name, people.c.role, stored.person_id,
            people.c.areas, stored.scope, stored.expires_at, stored.suspended_at,
        )
        .join(people, people.c.id == stored.person_id)
        .outerjoin(tenants, tenants.c.id == stored.tenant_id)
        .where(stored.revoked_at.is_(None), *which)
    )  # fmt: skip
    return tuple(
        Token(digest, Principal(
            id_, names.get(tenant, tenant), sys.intern(role), person,
            _names(areas), None if scope is None else _names(scope),
            expires if suspended is None else LONG_AGO, suspended is not None,
        ))
        for digest, id_, tenant, role, person, areas, scope, expires, suspended
        in transaction.stream(query)
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _names(text: str) -> frozenset[str]:
    """The names of a JSON list; one object for all tokens with the same."""
    return frozenset(json.loads(text))


def live_grants(transaction: DirectoryTransaction, *which: Any) -> tuple[Grant, ...]:
    """Return grants that have not ended."""
    query = (
        select(grants, tenants.c.name.label("tenant"))
        .join(tenants, tenants.c.id == grants.c.tenant_id)
        .where(grants.c.ended_at.is_(None), *which)
    )
    return tuple(
        Grant(row.id, row.person_id, row.tenant, row.until) for row in transaction.all(query)
    )


def page(rows: Iterable[tuple[str, Result]], limit: int) -> tuple[list[Result], str | None]:
    """Return at most `limit` results, and the key of the last one if more follow."""
    found: list[Result] = []
    last: str | None = None
    size = 0
    for key, result in rows:
        size += len(json.dumps(result))
        if found and (len(found) == limit or size > MAX_PAGE_BYTES):
            return found, last
        found.append(result)
        last = key
    return found, None


def new_id(kind: str) -> str:
    """Return `p_`, `t_` or `g_` and 16 random hexadecimal digits."""
    return f"{kind}_{secrets.token_hex(8)}"


def actor_label(by: Principal) -> str:
    """Return the name of the principal in the history: the person's id, or the role if there is no person."""
    return by.person or by.role


def format_time(seconds: float | None) -> str | None:
    """UTC, to the second; None for None. ValueError beyond the years 1 to 9999."""
    return None if seconds is None else rfc3339(seconds, "seconds")

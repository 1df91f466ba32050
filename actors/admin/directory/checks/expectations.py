"""What a command is about, as one digest: a command may carry the digest that its caller was shown.

The Directory computes it anew in the transaction of the command, so that no change can come in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Select, Table, select

from actors.access import ADMIN_OWNER, OWNER
from actors.admin.directory.repository import DirectoryTransaction, Result
from actors.admin.directory.tables import (
    grants,
    limits,
    people,
    request_links,
    requests,
    subscriptions,
    tenants,
    testers,
    tokens,
)
from actors.errors import InvalidArgument
from actors.expectations import Expected, ShowDigest, digest_of, require_same
from transport.message import Problem

VOLATILE: Final = frozenset({"last_used_at", "votes", "changed_at"})
"""Columns that change without anybody's decision about the row."""

Rows = Callable[[str | None, Mapping[str, Any]], Select[Any]]
"""Returns the query for rows, from the tenant's id and the params."""


def _tenant(tenant: str | None, _: Mapping[str, Any]) -> Select[Any]:
    return select(tenants).where(tenants.c.id == tenant)


def _owners(tenant: str | None, _: Mapping[str, Any]) -> Select[Any]:
    roles = people.c.role.in_((OWNER, ADMIN_OWNER))
    return select(people).where(people.c.tenant_id == tenant, roles).order_by(people.c.id)


def _person(param: str) -> Rows:
    return lambda tenant, params: select(people).where(
        people.c.id == params.get(param), people.c.tenant_id.is_not_distinct_from(tenant)
    )


def _token(tenant: str | None, params: Mapping[str, Any]) -> Select[Any]:
    mine = tokens.c.tenant_id.is_not_distinct_from(tenant)
    return select(tokens).where(tokens.c.id == params.get("token"), mine)


def _tokens_of_person(tenant: str | None, params: Mapping[str, Any]) -> Select[Any]:
    mine = tokens.c.tenant_id.is_not_distinct_from(tenant)
    return (
        select(tokens)
        .where(tokens.c.person_id == params.get("person"), tokens.c.revoked_at.is_(None), mine)
        .order_by(tokens.c.id)
    )


def _cleared_token(tenant: str | None, params: Mapping[str, Any]) -> Select[Any]:
    """People of the platform may clear a token without naming its tenant."""
    mine = () if tenant is None else (tokens.c.tenant_id == tenant,)
    return select(tokens).where(tokens.c.id == params.get("token"), *mine)


def _grants(tenant: str | None, _: Mapping[str, Any]) -> Select[Any]:
    return select(grants).where(grants.c.tenant_id == tenant, grants.c.ended_at.is_(None))


def _grant(tenant: str | None, params: Mapping[str, Any]) -> Select[Any]:
    return select(grants).where(grants.c.tenant_id == tenant, grants.c.id == params.get("grant"))


def _developer(_: str | None, params: Mapping[str, Any]) -> Select[Any]:
    return select(people).where(people.c.id == params.get("person"), people.c.tenant_id.is_(None))


def _of_connector(table: Table, param: str) -> Rows:
    return lambda tenant, params: select(table).where(
        table.c.tenant_id == tenant, table.c[param] == params.get(param)
    )


def _limits(tenant: str | None, _: Mapping[str, Any]) -> Select[Any]:
    return select(limits).where(limits.c.tenant_id == tenant)


def _request(_: str | None, params: Mapping[str, Any]) -> Select[Any]:
    return select(requests).where(requests.c.number == _number(params))


def _own_request(tenant: str | None, params: Mapping[str, Any]) -> Select[Any]:
    """Of another tenant's not even whether it has changed."""
    return _request(tenant, params).where(requests.c.tenant_id == tenant)


def _request_links(_: str | None, params: Mapping[str, Any]) -> Select[Any]:
    key = (request_links.c.kind, request_links.c.name, request_links.c.version)
    return select(request_links).where(request_links.c.number == _number(params)).order_by(*key)


def _number(params: Mapping[str, Any]) -> int:
    digits = str(params.get("request", "")).upper().removeprefix("R-")
    return int(digits) if digits.isdecimal() and len(digits) < 16 else 0


SUBJECTS: Final[Mapping[str, tuple[Rows, ...]]] = MappingProxyType(
    {
        "tenants.suspend": (_tenant,),
        "tenants.resume": (_tenant,),
        "tenants.delete": (_tenant, _owners, _grants),
        "owners.delegate": (_person("person"),),
        "owners.withdraw": (_person("person"),),
        "owners.transfer": (_person("to"), _owners),
        "members.remove": (_person("person"), _tokens_of_person),
        "tokens.revoke": (_token,),
        "intent.clear": (_cleared_token,),
        "supers.grant": (_developer, _grants),
        "supers.withdraw": (_grant,),
        "subscriptions.end": (_of_connector(subscriptions, "connector"),),
        "limits.set": (_limits,),
        "functions.withdraw": (_of_connector(testers, "function"),),
        "developers.change": (_developer,),
        "developers.remove": (_developer, _tokens_of_person),
        "developers.revoke": (_token,),
        **dict.fromkeys(
            ("requests.close", "requests.publish", "requests.unlink"), (_request, _request_links)
        ),
        "requests.withdraw": (_own_request,),
    }
)
"""The rows that each action is about. The index offers the param `expected` for these and for ELSEWHERE."""

ELSEWHERE: Final = frozenset({"actors.passivate", "actors.restart", "connectors.retry"})
"""Actions that other actors carry out, and compare."""


def show_digest(transaction: DirectoryTransaction, query: ShowDigest) -> Result:
    """Return the digest of what an action would change now. InvalidArgument for one that takes none."""
    if query.action not in SUBJECTS:
        listed = ", ".join(sorted(SUBJECTS.keys() | ELSEWHERE))
        raise InvalidArgument(
            f"{query.action} takes no digest; these do: {listed}",
            details=(Problem("params.action", "takes no digest"),),
        )
    return {"digest": _digest(transaction, query)}


def require_as_expected(
    transaction: DirectoryTransaction, expected: Expected | None, tenant_id: str | None
) -> None:
    """Return if no digest is given, or what the command is about is as it was shown; else Aborted."""
    if expected is not None:
        about = ShowDigest(expected.action, expected.params, tenant_id)
        require_same(expected, _digest(transaction, about))


def _digest(transaction: DirectoryTransaction, about: ShowDigest) -> str:
    found = [
        [_lasting(row._mapping) for row in transaction.all(rows(about.tenant_id, about.params))]
        for rows in SUBJECTS[about.action]
    ]
    return digest_of(about, found)


def _lasting(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if name not in VOLATILE}


QUERIES: Mapping[type, Any] = MappingProxyType({ShowDigest: show_digest})

"""What one tenant may use; what nobody set, the server's own settings say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import delete, insert

from actors.admin.book import Book, Result, limits_of
from actors.admin.messages import SetLimits, ShowLimits
from actors.admin.tables import limits
from actors.errors import FailedPrecondition, InvalidArgument
from actors.messages import Principal
from actors.profiles import TenantLimits


def show(book: Book, query: ShowLimits) -> Result:
    """None where none is set."""
    return _map(limits_of(book, book.known_tenant(query.tenant).id))


def set_limits(book: Book, order: SetLimits, _: Principal) -> Result:
    """Those that are named; the others stay."""
    tenant = book.tenant(order.tenant)
    unknown = sorted(order.limits.keys() - set(TenantLimits._fields))
    if unknown:
        raise InvalidArgument(
            f"there is no limit {unknown[0]!r}: use {', '.join(TenantLimits._fields)}"
        )
    wanted = TenantLimits(**{**limits_of(book, tenant.id)._asdict(), **order.limits})
    if wanted.burst is not None and wanted.requests_per_second is None:
        raise FailedPrecondition("burst needs requests_per_second: set that too")
    book.run(delete(limits).where(limits.c.tenant_id == tenant.id))
    content = json.dumps(wanted._asdict())
    book.run(insert(limits).values(tenant_id=tenant.id, content=content))
    book.news.profiles.add(tenant.id)
    return _map(wanted)


def _map(held: TenantLimits) -> Result:
    return {"limits": held._asdict()}


QUESTIONS: Mapping[type, Any] = MappingProxyType({ShowLimits: show})
COMMANDS: Mapping[type, Any] = MappingProxyType({SetLimits: set_limits})

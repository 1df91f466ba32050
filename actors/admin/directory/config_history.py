"""A tenant's config: its newest revisions, each with author and time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, delete, insert, select

from actors.admin.directory.config import checked, patched
from actors.admin.directory.repository import DirectoryTransaction, Result, actor_label, page
from actors.admin.directory.tables import configs
from actors.admin.messages import ListConfigs, PatchConfig, RevertConfig, ShowConfig
from actors.errors import Aborted, AlreadyExists, NotFound
from actors.messages import Principal

MAX_REVISIONS = 200
"""Newest revisions kept for one tenant; 12.5 MiB if all configs have the maximum size."""

MAX_CHANGE_NOTE = 200
"""Characters of the note on what a revision changed."""


def show(transaction: DirectoryTransaction, query: ShowConfig) -> Result:
    """Show the newest revision, or an old one."""
    tenant = transaction.find_tenant(query.tenant)
    if query.revision is None:
        return {"config": _map(_newest(transaction, tenant.id))}
    return {"config": _map(_at(transaction, tenant.id, query.revision))}


def patch(transaction: DirectoryTransaction, command: PatchConfig, by: Principal) -> Result:
    """Apply a patch to the newest revision, and add the result as a new one."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    newest = _require_revision(transaction, tenant, command.revision)
    content = patched(_content(newest), command.patch, transaction.schemas())
    return _add(
        transaction, tenant.id, newest, content, f"patch of {_changed_paths(command.patch)}", by
    )


def history(transaction: DirectoryTransaction, query: ListConfigs) -> Result:
    """List one page of revisions, the newest first. Revision 0, which is empty, is not listed."""
    tenant = transaction.find_tenant(query.tenant)
    found = transaction.all(
        select(configs)
        .where(
            configs.c.tenant_id == tenant.id,
            *([configs.c.revision < query.before] if query.before is not None else []),
        )
        .order_by(configs.c.revision.desc())
        .limit(query.limit + 1)
    )
    rows = ((str(row.revision), _summary(row)) for row in found)
    listed, before = page(rows, query.limit)
    return {"revisions": listed, "next": None if before is None else int(before)}


def revert(transaction: DirectoryTransaction, command: RevertConfig, by: Principal) -> Result:
    """Add a new revision with the content of an old one, if that is still valid."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    newest = _require_revision(transaction, tenant, command.revision)
    old = _content(_at(transaction, tenant.id, command.to))
    content = checked(old, transaction.schemas())
    return _add(transaction, tenant.id, newest, content, f"revert to {command.to}", by)


def reapply(transaction: DirectoryTransaction, tenant_id: str, revision: int) -> Result:
    """Return the result of the command that made this revision. Raise AlreadyExists if it was removed."""
    row = _find(transaction, tenant_id, revision)
    if row is None:
        raise AlreadyExists(
            f"this request was already executed as revision {revision} of the config, which is "
            "no longer kept: config.show returns the current one"
        )
    return {"config": _map(row)}


def _add(
    transaction: DirectoryTransaction,
    tenant_id: str,
    newest: Row[Any] | None,
    content: Mapping[str, Any],
    change: str,
    by: Principal,
) -> Result:
    number = _number(newest) + 1
    transaction.run(
        insert(configs).values(
            tenant_id=tenant_id,
            revision=number,
            content=json.dumps(content, ensure_ascii=False),
            changed_at=transaction.now_text,
            changed_by=actor_label(by),
            change=change[:MAX_CHANGE_NOTE],
        )
    )
    too_old = configs.c.revision <= number - MAX_REVISIONS
    transaction.run(delete(configs).where(configs.c.tenant_id == tenant_id, too_old))
    transaction.changes.profiles.add(tenant_id)
    transaction.revision = (tenant_id, number)
    return {"config": _map(_newest(transaction, tenant_id))}


def _newest(transaction: DirectoryTransaction, tenant_id: str) -> Row[Any] | None:
    return transaction.one(
        select(configs)
        .where(configs.c.tenant_id == tenant_id)
        .order_by(configs.c.revision.desc())
        .limit(1)
    )


def _at(transaction: DirectoryTransaction, tenant_id: str, revision: int) -> Row[Any] | None:
    if revision == 0:
        return None
    row = _find(transaction, tenant_id, revision)
    if row is None:
        raise NotFound(f"there is no revision {revision}: config.history lists the revisions")
    return row


def _find(transaction: DirectoryTransaction, tenant_id: str, revision: int) -> Row[Any] | None:
    return transaction.one(
        select(configs).where(configs.c.tenant_id == tenant_id, configs.c.revision == revision)
    )


def _require_revision(
    transaction: DirectoryTransaction, tenant: Row[Any], revision: int
) -> Row[Any] | None:
    newest = _newest(transaction, tenant.id)
    if _number(newest) != revision:
        raise Aborted(
            f"the config of {tenant.name} is at revision {_number(newest)}, not {revision}: "
            "read it again, and make the change for the current revision"
        )
    return newest


def _number(row: Row[Any] | None) -> int:
    return 0 if row is None else int(row.revision)


def _content(row: Row[Any] | None) -> dict[str, Any]:
    if row is None:
        return {"settings": {}, "whitelabel": {}}
    content: dict[str, Any] = json.loads(row.content)
    return content


def _map(row: Row[Any] | None) -> Result:
    return {
        "revision": _number(row),
        **_content(row),
        "changed_at": None if row is None else row.changed_at,
        "changed_by": None if row is None else row.changed_by,
    }


def _summary(row: Row[Any]) -> Result:
    return {
        "revision": row.revision,
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
        "change": row.change,
    }


def _changed_paths(patch: Mapping[str, Any]) -> str:
    return ", ".join(_paths(patch)) or "nothing"


def _paths(patch: Mapping[str, Any]) -> Iterator[str]:
    for part, fields in sorted(patch.items()):
        if isinstance(fields, Mapping):
            yield from (f"{part}.{name}" for name in sorted(fields))
        else:
            yield part


QUERIES: Mapping[type, Any] = MappingProxyType({ShowConfig: show, ListConfigs: history})
COMMANDS: Mapping[type, Any] = MappingProxyType({PatchConfig: patch, RevertConfig: revert})

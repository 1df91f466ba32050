"""What a tenant has set for each connector: encrypted in the file, and secret in every answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from actors.admin.book import Book, Result, author
from actors.admin.connector_messages import ConfigureConnector, ShowConnector, TryPatch
from actors.admin.connector_settings import Patched, patched, shown
from actors.admin.sealed import opened, place_of, sealed
from actors.admin.tables import connector_settings
from actors.errors import FailedPrecondition, NotFound, Unavailable, Unreadable
from actors.index.entries import Connector
from actors.messages import Principal
from actors.profiles import EMPTY
from actors.schema.source import hint


def show(book: Book, query: ShowConnector) -> Result:
    """Also for a connector that the index has no more, as long as something was ever set for it."""
    tenant = book.known_tenant(query.tenant)
    row = _find(book, tenant.id, query.connector)
    if row is None:
        _known(book, query.connector)
    return {"connector": _map(book, query.connector, row)}


def try_patch(book: Book, query: TryPatch) -> Patched:
    """Nothing is changed."""
    tenant = book.tenant(query.tenant)
    return _patched(book, query, _find(book, tenant.id, query.connector))


def configure(book: Book, order: ConfigureConnector, by: Principal) -> Result:
    """A new revision; the one before is not kept."""
    tenant = book.tenant(order.tenant)
    row = _find(book, tenant.id, order.connector)
    revision = (0 if row is None else row.revision) + 1
    dropped: tuple[str, ...] = ()
    if order.settings is None:
        _require_set(book, order.connector, row)
        blob = None
    else:
        settings, dropped = _patched(book, order, row)
        blob = _sealed(book, settings, tenant.id, order.connector, revision)
    written = _write(book, tenant.id, order.connector, blob, revision, by)
    return {**written, "dropped": list(dropped)}


def seal_anew(book: Book) -> int:
    """Encrypt with the first key what was encrypted with another one; how many. What cannot be read stays."""
    found = book.all(select(connector_settings).where(connector_settings.c.settings.is_not(None)))
    old = [row for row in found if not book.vault.is_current(row.settings)]
    return sum(_seal_row_anew(book, row) for row in old)


def _seal_row_anew(book: Book, row: Row[Any]) -> bool:
    place = place_of(row.tenant_id, row.connector, row.revision)
    try:
        blob = book.vault.seal(book.vault.open(row.settings, place), place)
    except Unreadable:
        return False
    mine = _mine(row.tenant_id, row.connector)
    book.run(update(connector_settings).where(*mine).values(settings=blob))
    return True


def _patched(book: Book, order: ConfigureConnector | TryPatch, row: Row[Any] | None) -> Patched:
    assert order.settings is not None
    connector = _known(book, order.connector)
    return patched(_settings(book, row), order.settings, connector.settings)


def _settings(book: Book, row: Row[Any] | None) -> Mapping[str, Any]:
    """What is set; Unavailable where that cannot be read."""
    if row is None or row.settings is None:
        return EMPTY
    found = opened(book.vault, row)
    if found.problem is not None:
        raise Unavailable(
            f"what is set for {row.connector} cannot be read: it {found.problem}. The server's operator may "
            "put the key back; to set everything anew, remove it first with settings=null"
        )
    return found.settings


def _sealed(
    book: Book, settings: Mapping[str, Any], tenant_id: str, connector: str, revision: int
) -> bytes:
    try:
        return sealed(book.vault, settings, place_of(tenant_id, connector, revision))
    except Unreadable as error:
        raise Unavailable(
            f"nothing can be set for connectors now: {error}; the server's operator has to put it back"
        ) from None


def _write(
    book: Book, tenant_id: str, connector: str, blob: bytes | None, revision: int, by: Principal
) -> Result:
    book.run(delete(connector_settings).where(*_mine(tenant_id, connector)))
    book.run(
        insert(connector_settings).values(
            tenant_id=tenant_id,
            connector=connector,
            settings=blob,
            revision=revision,
            changed_at=book.stamp,
            changed_by=author(by),
        )
    )
    book.news.profiles.add(tenant_id)
    return {"connector": _map(book, connector, _find(book, tenant_id, connector))}


def _known(book: Book, name: str) -> Connector:
    connectors = book.connectors()
    if name not in connectors:
        raise NotFound(f"there is no connector {name!r}{hint(name, connectors)}")
    return connectors[name]


def _require_set(book: Book, connector: str, row: Row[Any] | None) -> None:
    if row is None:
        _known(book, connector)
    if row is None or row.settings is None:
        raise FailedPrecondition(f"nothing is set for {connector}")


def _find(book: Book, tenant_id: str, connector: str) -> Row[Any] | None:
    return book.one(select(connector_settings).where(*_mine(tenant_id, connector)))


def _mine(tenant_id: str, connector: str) -> tuple[Any, Any]:
    columns = connector_settings.c
    return columns.tenant_id == tenant_id, columns.connector == connector


def _map(book: Book, name: str, row: Row[Any] | None) -> Result:
    """As `[shapes.connector]` says."""
    known = book.connectors().get(name)
    found = None if row is None or row.settings is None else opened(book.vault, row)
    problem = found and found.problem
    settings = EMPTY if found is None else found.settings
    return {
        "name": name,
        "settings": None if problem else shown(settings, known and known.settings),
        "problem": problem,
        "revision": 0 if row is None else row.revision,
        "changed_at": None if row is None else row.changed_at,
        "changed_by": None if row is None else row.changed_by,
    }


QUESTIONS: Mapping[type, Any] = MappingProxyType({ShowConnector: show, TryPatch: try_patch})
COMMANDS: Mapping[type, Any] = MappingProxyType({ConfigureConnector: configure})

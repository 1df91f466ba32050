"""A tenant's settings for each connector: encrypted in the file, without secrets in every answer.

`patched` and `visible_settings` are pure: they apply a patch, and remove the secrets.

The law: settings that `patched` returns match the connector's schema, and settings that `visible_settings`
returns hold no secret: neither a value that is secret by its schema or its name, nor a value that the schema
does not describe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, delete, insert, select, update

from actors.admin.connector_messages import ConfigureConnector, ShowConnector, TryPatch
from actors.admin.directory.config import is_deeper, merge_patch
from actors.admin.directory.repository import DirectoryTransaction, Result, actor_label
from actors.admin.directory.tables import connector_settings
from actors.admin.secrets import associated_data, decrypt_settings, encrypt_settings
from actors.errors import (
    EncryptionError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from actors.index.entries import Connector
from actors.log.redaction import Redaction
from actors.messages import Principal
from actors.profiles import EMPTY, unfreeze
from actors.schema.schema import Schema
from actors.schema.source import did_you_mean
from actors.schema.validation import summary
from transport.message import Problem

MAX_BYTES: Final = 16 * 1024
"""Bytes of one tenant's settings for one connector as compact JSON: four keys with their certificates."""

MAX_DEPTH: Final = 8
"""Levels of nested maps and lists, at most; the settings themselves are the first."""

SET: Final = "set"
"""Replaces a secret that is set; a secret that is not set is null."""

FIELD: Final = "params.settings"

TARGETS: Final = frozenset(
    {"host", "port", "endpoint", "url", "uri", "server", "address", "hostname"}
)
"""Last words of settings that name a target: `host`, `smtp_host`, `baseUrl`."""

AGAIN: Final = "was set for another host, port, endpoint or URL: send it again with the new one"

_LAST_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")


class Patched(NamedTuple):
    """Settings with a patch applied."""

    settings: dict[str, Any]
    dropped: tuple[str, ...]
    """Paths of secrets that were removed because they were set for another target."""


def patched(settings: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> Patched:
    """Return the settings with a patch applied.

    If the patch changes a target (TARGETS), secrets that it does not name are dropped: a secret that was set
    for one server is not sent to another. Raise InvalidArgument. It names each field by its path in the
    request, including fields that were set before and no longer match the schema, but never a value.
    """
    _raise_if_any(_too_deep(patch))  # before the merge, which recurses
    kept, given = unfreeze(settings), unfreeze(patch)
    dropped: tuple[str, ...] = ()
    merged: dict[str, Any] = merge_patch(kept, given)
    if list(_targets(merged)) != list(_targets(kept)):
        dropped = tuple(_drop_secrets(kept, given, visible_settings(settings, schema)))
        merged = merge_patch(kept, given)
    _raise_if_any(_too_large(merged))
    _raise_if_any(_invalid(merged, schema, dropped))
    return Patched(merged, dropped)


def visible_settings(settings: Mapping[str, Any], schema: Schema | None) -> dict[str, Any]:
    """Return the settings without secrets, with null for settings that are not set.

    `schema` is None if the index no longer has the connector.
    """
    source = {} if schema is None else schema.source
    visible = Redaction(source, described_only=True, mark=SET).redact(settings)
    return dict.fromkeys(source.get("properties", ())) | visible


def _raise_if_any(found: Iterator[Problem]) -> None:
    problems = tuple(found)
    if problems:
        message = summary("connectors.configure", "the settings are not valid", problems)
        raise InvalidArgument(message, details=problems)


def _too_deep(patch: Mapping[str, Any]) -> Iterator[Problem]:
    if is_deeper(patch, MAX_DEPTH):
        yield Problem(FIELD, f"is more than {MAX_DEPTH} maps and lists deep")


def _too_large(settings: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _too_deep(settings)
    size = len(json.dumps(settings, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_BYTES:
        yield Problem(FIELD, f"makes {size} bytes as JSON, and {MAX_BYTES} are the most")


def _invalid(
    settings: Mapping[str, Any], schema: Schema, dropped: Sequence[str] = ()
) -> Iterator[Problem]:
    try:
        schema.parse(settings)
    except InvalidArgument as error:
        for field, problem in error.refusal.details:
            lost = field.partition(".")[2] in dropped
            yield Problem(f"params.{field}", AGAIN if lost else problem)


def _targets(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting that names a target, at any depth, in the order of names."""
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            yield from _targets(value, f"{path}{name}.")
        elif _LAST_WORD.findall(name)[-1:] and _LAST_WORD.findall(name)[-1].lower() in TARGETS:
            yield path + name, value


def _drop_secrets(
    kept: dict[str, Any], given: Mapping[str, Any], visible: Mapping[str, Any], path: str = ""
) -> Iterator[str]:
    """Remove each secret that the patch does not set. Yield its path."""
    for name, value in list(kept.items()):
        seen, new = visible.get(name), given.get(name)
        if isinstance(value, dict) and isinstance(seen, dict):
            below = new if isinstance(new, dict) else {}
            if name not in given or isinstance(new, dict):
                yield from _drop_secrets(value, below, seen, f"{path}{name}.")
        elif name not in given and (seen != value or value == SET):
            del kept[name]
            yield path + name


def show(transaction: DirectoryTransaction, query: ShowConnector) -> Result:
    """Show the settings of one connector, also if the index no longer has it but settings were stored."""
    tenant = transaction.find_tenant(query.tenant)
    row = _find(transaction, tenant.id, query.connector)
    if row is None:
        _declared_connector(transaction, query.connector)
    return {"connector": _map(transaction, query.connector, row)}


def try_patch(transaction: DirectoryTransaction, query: TryPatch) -> Patched:
    """Return the settings with a patch applied, without storing them."""
    tenant = transaction.find_mutable_tenant(query.tenant)
    return _patched(transaction, query, _find(transaction, tenant.id, query.connector))


def configure(
    transaction: DirectoryTransaction, command: ConfigureConnector, by: Principal
) -> Result:
    """Store a new revision of the settings; earlier revisions are not kept."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    row = _find(transaction, tenant.id, command.connector)
    revision = (0 if row is None else row.revision) + 1
    dropped: tuple[str, ...] = ()
    if command.settings is None:
        _require_set(transaction, command.connector, row)
        blob = None
    else:
        settings, dropped = _patched(transaction, command, row)
        blob = _encrypt(transaction, settings, tenant.id, command.connector, revision)
    written = _write(transaction, tenant.id, command.connector, blob, revision, by)
    return {**written, "dropped": list(dropped)}


def reencrypt(transaction: DirectoryTransaction) -> int:
    """Encrypt with the first key what another key encrypted. Return the number of rows changed.

    Rows that cannot be decrypted stay as they are.
    """
    found = transaction.all(
        select(connector_settings).where(connector_settings.c.settings.is_not(None))
    )
    old = [row for row in found if not transaction.keyring.is_current(row.settings)]
    return sum(_reencrypt_row(transaction, row) for row in old)


def _reencrypt_row(transaction: DirectoryTransaction, row: Row[Any]) -> bool:
    place = associated_data(row.tenant_id, row.connector, row.revision)
    try:
        blob = transaction.keyring.encrypt(transaction.keyring.decrypt(row.settings, place), place)
    except EncryptionError:
        return False
    mine = _mine(row.tenant_id, row.connector)
    transaction.run(update(connector_settings).where(*mine).values(settings=blob))
    return True


def _patched(
    transaction: DirectoryTransaction, command: ConfigureConnector | TryPatch, row: Row[Any] | None
) -> Patched:
    assert command.settings is not None
    connector = _declared_connector(transaction, command.connector)
    return patched(_settings(transaction, row), command.settings, connector.settings)


def _settings(transaction: DirectoryTransaction, row: Row[Any] | None) -> Mapping[str, Any]:
    """Return the settings of a row. Raise Unavailable if they cannot be decrypted."""
    if row is None or row.settings is None:
        return EMPTY
    found = decrypt_settings(transaction.keyring, row)
    if found.problem is not None:
        raise Unavailable(
            f"the settings for {row.connector} cannot be read: the value {found.problem}. Ask the server's "
            "operator to restore the key; to replace all settings, remove them first with settings=null"
        )
    return found.settings


def _encrypt(
    transaction: DirectoryTransaction,
    settings: Mapping[str, Any],
    tenant_id: str,
    connector: str,
    revision: int,
) -> bytes:
    try:
        return encrypt_settings(
            transaction.keyring, settings, associated_data(tenant_id, connector, revision)
        )
    except EncryptionError as error:
        raise Unavailable(
            f"connectors cannot be configured now: {error}; ask the server's operator to restore the key"
        ) from None


def _write(
    transaction: DirectoryTransaction,
    tenant_id: str,
    connector: str,
    blob: bytes | None,
    revision: int,
    by: Principal,
) -> Result:
    transaction.run(delete(connector_settings).where(*_mine(tenant_id, connector)))
    transaction.run(
        insert(connector_settings).values(
            tenant_id=tenant_id,
            connector=connector,
            settings=blob,
            revision=revision,
            changed_at=transaction.now_text,
            changed_by=actor_label(by),
        )
    )
    transaction.changes.profiles.add(tenant_id)
    return {"connector": _map(transaction, connector, _find(transaction, tenant_id, connector))}


def _declared_connector(transaction: DirectoryTransaction, name: str) -> Connector:
    connectors = transaction.connectors()
    if name not in connectors:
        raise NotFound(f"there is no connector {name!r}{did_you_mean(name, connectors)}")
    return connectors[name]


def _require_set(transaction: DirectoryTransaction, connector: str, row: Row[Any] | None) -> None:
    if row is None:
        _declared_connector(transaction, connector)
    if row is None or row.settings is None:
        raise FailedPrecondition(f"no settings are stored for {connector}")


def _find(transaction: DirectoryTransaction, tenant_id: str, connector: str) -> Row[Any] | None:
    return transaction.one(select(connector_settings).where(*_mine(tenant_id, connector)))


def _mine(tenant_id: str, connector: str) -> tuple[Any, Any]:
    columns = connector_settings.c
    return columns.tenant_id == tenant_id, columns.connector == connector


def _map(transaction: DirectoryTransaction, name: str, row: Row[Any] | None) -> Result:
    """Return the settings in the form of `[shapes.connector]`."""
    known = transaction.connectors().get(name)
    found = (
        None if row is None or row.settings is None else decrypt_settings(transaction.keyring, row)
    )
    problem = found and found.problem
    settings = EMPTY if found is None else found.settings
    return {
        "name": name,
        "settings": None if problem else visible_settings(settings, known and known.settings),
        "problem": problem,
        "revision": 0 if row is None else row.revision,
        "changed_at": None if row is None else row.changed_at,
        "changed_by": None if row is None else row.changed_by,
    }


QUERIES: Mapping[type, Any] = MappingProxyType({ShowConnector: show, TryPatch: try_patch})
COMMANDS: Mapping[type, Any] = MappingProxyType({ConfigureConnector: configure})

"""Which versions serve which requests: by what developers state, and by what the index that is served names.

A link keeps the state that its version was in when it was last looked at. A request stays released while the
version that was released, or a newer one of the same function, is in `release` here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, delete, insert, select, update

from actors.admin.directory.repository import DirectoryTransaction, Result, actor_label
from actors.admin.directory.requests.records import (
    add_event,
    find_request,
    links_of,
    outcome,
    settle,
)
from actors.admin.directory.tables import request_links, requests
from actors.admin.request_messages import LinkRequest
from actors.errors import FailedPrecondition, NotFound
from actors.index.entries import CONNECTOR, FUNCTION, RELEASE, Action, Connector, Index, Version
from actors.messages import Principal

MAX_LINKS: Final = 50
"""Versions that developers may link to one request."""

REQUEST: Final = re.compile(r"R-([1-9][0-9]{0,17})\Z")


class LinkKey(NamedTuple):
    """One version of a function or connector, and a request that it serves."""

    number: int
    kind: str
    name: str
    version: int


class ServedIndex(NamedTuple):
    """What is served now."""

    described: Index
    environment: str
    release: str | None = None
    """Id of the release that brought it; None if versions were moved one by one."""


def link(transaction: DirectoryTransaction, command: LinkRequest, by: Principal) -> Result:
    """Add or remove a link; what the index names stays until the index names it no longer."""
    row = find_request(transaction, command.tenant, command.number)
    key = LinkKey(row.number, command.kind, command.name, command.version)
    known = transaction.one(select(request_links).where(*_is(key)))
    if command.linked:
        _require_capacity(transaction, row.number)
    else:
        _require_removable(known, key)
    what = command.name + (f" version {command.version}" if command.version else "")
    if command.linked and known is None:
        release = _release(transaction, command.environment, None)
        _add(transaction, key, command.state, release, from_index=False)
        add_event(transaction, row.number, "assigned", actor_label(by), what)
    elif not command.linked:
        transaction.run(delete(request_links).where(*_is(key)))
        add_event(transaction, row.number, "unlinked", actor_label(by), what)
    settle(transaction, row.number)
    return outcome(transaction, row.number)


def is_behind(transaction: DirectoryTransaction, served: ServedIndex) -> bool:
    """Return whether `follow` would write anything."""
    return next(_changes(transaction, served), None) is not None


def follow(transaction: DirectoryTransaction, served: ServedIndex) -> None:
    """Bring all links, and the states of their requests, to what is served now."""
    touched = set()
    for key, known, state in list(_changes(transaction, served)):
        touched.add(key.number)
        if state is None and known is not None and known.from_index:
            transaction.run(delete(request_links).where(*_is(key)))
            continue
        release = _release(transaction, served.environment, served.release)
        if known is None:
            _add(transaction, key, state, release, from_index=True)
        else:
            _change(transaction, key, known, state, release)
    for number in sorted(touched):
        settle(transaction, number)


def _changes(
    transaction: DirectoryTransaction, served: ServedIndex
) -> Iterator[tuple[LinkKey, Row[Any] | None, str | None]]:
    """Yield each link that is not as what is served makes it, with its row and its state now.

    The state is None if the index names it no longer, or has the version no longer.
    """
    named = _named(served.described)
    known = {
        LinkKey(row.number, row.kind, row.name, row.version): row
        for row in transaction.all(select(request_links))
    }
    there = _existing(transaction, {key.number for key in named} - {key.number for key in known})
    there |= {key.number for key in known}
    for key in sorted(named | known.keys()):
        row = known.get(key)
        if key.number not in there or not (key.version or row is None):
            continue
        is_kept = key in named or (row is not None and _outlives(served.described, key, row))
        state = _state(served.described, key, row) if is_kept else None
        if row is None or row.state != state:
            yield key, row, state


def _named(index: Index) -> set[LinkKey]:
    """Return what the index names: the requests of each version."""
    kinds = ((FUNCTION, index.actions), (CONNECTOR, index.connectors))
    return {
        LinkKey(number, kind, owner.name, version.number)
        for kind, owners in kinds
        for owner in owners.values()
        for version in owner.versions
        for number in numbers_of(version)
    }


def numbers_of(version: Version) -> Iterator[int]:
    """Yield the numbers of the requests that a version names; other texts are names of other systems."""
    for text in version.served_requests:
        found = REQUEST.match(text)
        if found is not None:
            yield int(found[1])


def _existing(transaction: DirectoryTransaction, numbers: set[int]) -> set[int]:
    query = select(requests.c.number).where(requests.c.number.in_(numbers))
    return {row.number for row in transaction.all(query)} if numbers else set()


def _outlives(index: Index, key: LinkKey, row: Row[Any]) -> bool:
    """Return whether a link stays that the index does not name.

    Those of developers do, and those of versions that were released and have left the index.
    """
    owner = _owner(index, key)
    is_gone = owner is None or owner.version(key.version) is None
    return not row.from_index or (is_gone and row.release is not None)


def _owner(index: Index, key: LinkKey) -> Action | Connector | None:
    owners: Mapping[str, Action] | Mapping[str, Connector]
    owners = index.actions if key.kind == FUNCTION else index.connectors
    return owners.get(key.name)


def _state(index: Index, key: LinkKey, row: Row[Any] | None) -> str | None:
    """Return the state of the version, or `release` if a newer one took over what was released."""
    owner = _owner(index, key)
    if owner is None:
        return None
    was_released = row is not None and row.release is not None
    newer = (each for each in owner.versions if each.number > key.version)
    if was_released and any(each.state == RELEASE for each in newer):
        return RELEASE
    version = owner.version(key.version)
    return None if version is None else version.state


# Rows


def _is(key: LinkKey) -> tuple[Any, ...]:
    return tuple(request_links.c[name] == value for name, value in key._asdict().items())


def _add(
    transaction: DirectoryTransaction,
    key: LinkKey,
    state: str | None,
    release: str,
    *,
    from_index: bool,
) -> None:
    transaction.run(
        insert(request_links).values(
            **key._asdict(),
            from_index=from_index,
            state=state,
            release=release if state == RELEASE else None,
        )
    )


def _change(
    transaction: DirectoryTransaction,
    key: LinkKey,
    known: Row[Any],
    state: str | None,
    release: str,
) -> None:
    """Set the state. What says when it was released is kept, until it is released anew."""
    is_new = state == RELEASE and known.state != RELEASE
    kept = release if is_new else known.release
    transaction.run(update(request_links).where(*_is(key)).values(state=state, release=kept))


def _release(transaction: DirectoryTransaction, environment: str, release: str | None) -> str:
    at = transaction.now_text
    return json.dumps({"environment": environment, "at": at, "release": release})


def _require_capacity(transaction: DirectoryTransaction, number: int) -> None:
    if len(links_of(transaction, [number])[number]) >= MAX_LINKS:
        raise FailedPrecondition(
            f"R-{number} is linked to {MAX_LINKS} versions, which is the most: requests.unlink one first"
        )


def _require_removable(known: Row[Any] | None, key: LinkKey) -> None:
    what = f"{key.name} version {key.version}"
    if known is None:
        raise NotFound(f"R-{key.number} is not linked to {what}: requests.show lists its versions")
    if known.from_index:
        raise FailedPrecondition(
            f"the index names R-{key.number} at {what}: remove it from `requests` there, and "
            "reload the index"
        )

"""One request as it is stored: found for who may read it, shown, its history, and the state that it is in.

The state follows from the versions that serve the request, unless people of the platform have ended it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, insert, select, update

from actors.admin.directory.repository import DirectoryTransaction, Result
from actors.admin.directory.tables import (
    request_events,
    request_links,
    request_votes,
    requests,
    tenants,
)
from actors.errors import NotFound
from actors.index.entries import CONNECTOR, FUNCTION, POTENTIAL_RELEASE, RELEASE, UNDER_USER_TEST

OPEN: Final = "open"
LINKED: Final = "linked"
IN_RELEASE: Final = "in release"
RELEASED: Final = "released"
DECLINED: Final = "declined"
CLOSED: Final = "closed"

REQUEST_STATES: Final = (OPEN, LINKED, IN_RELEASE, RELEASED, DECLINED, CLOSED)

ENDED: Final = frozenset({DECLINED, CLOSED})
"""States that people set; no version changes them."""

PRIORITIES: Final = ("low", "normal", "high", "urgent")
"""The lowest first; the table has the place in here."""

MACHINE: Final = "machine"

MOST_EVENTS: Final = 500
"""Events of one request that are shown."""

OTHERS: Final = "developer"
"""What people of a tenant see in place of the id of a person of the platform."""


class Reader(NamedTuple):
    """Who reads requests: people of one tenant, or people of the platform."""

    tenant_id: str | None
    """None for all tenants."""

    def owns(self, row: Row[Any]) -> bool:
        """Return whether all of a request may be shown."""
        return self.tenant_id is None or row.tenant_id == self.tenant_id


def reader(transaction: DirectoryTransaction, tenant: str | None) -> Reader:
    """Return the reader that a query or command names. NotFound if there is no such tenant."""
    return Reader(None if tenant is None else transaction.find_tenant(tenant).id)


def rows() -> Select[Any]:
    """Return the query of all requests, with the names of their tenants."""
    return select(requests, tenants.c.name.label("tenant")).outerjoin(
        tenants, tenants.c.id == requests.c.tenant_id
    )


def find_request(
    transaction: DirectoryTransaction, tenant: str | None, number: int, *, own: bool = True
) -> Row[Any]:
    """Return a request of the reader; with `own` false one that is published, too. NotFound otherwise."""
    found = transaction.one(rows().where(requests.c.number == number))
    who = reader(transaction, tenant)
    if found is None or not (who.owns(found) or (not own and found.title is not None)):
        raise NotFound(f"there is no request R-{number} here: requests.list lists the requests")
    return found


# What callers see


def show_all(
    transaction: DirectoryTransaction, who: Reader, found: Sequence[Row[Any]]
) -> list[Result]:
    """Return requests as `[shapes.request]` states."""
    numbers = [row.number for row in found]
    links = links_of(transaction, numbers)
    voted = _voted(transaction, who, numbers)
    return [_shown(row, who, links[row.number], row.number in voted) for row in found]


def _shown(row: Row[Any], who: Reader, links: Sequence[Row[Any]], voted: bool) -> Result:
    is_own = who.owns(row)
    return {
        "id": f"R-{row.number}",
        "state": row.state,
        "votes": row.votes,
        "priority": PRIORITIES[row.priority],
        "text": row.text if is_own else row.title,
        "tenant": row.tenant if is_own else None,
        "function": row.function if is_own else None,
        "answer": row.answer if is_own else None,
        "title": row.title,
        "release": row.release and json.loads(row.release),
        "versions": [_link_map(each) for each in links],
        "voted": voted,
        "by": row.person if is_own else None,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
    }


def outcome(transaction: DirectoryTransaction, number: int) -> Result:
    """Return what a command has made of a request: short, because it is stored under the command's id."""
    row = transaction.one(rows().where(requests.c.number == number))
    assert row is not None
    head = {
        "id": f"R-{row.number}",
        "state": row.state,
        "priority": PRIORITIES[row.priority],
        "votes": row.votes,
        "changed_at": row.changed_at,
    }
    return {"request": head}


def _link_map(link: Row[Any]) -> Result:
    return {"kind": link.kind, "name": link.name, "version": link.version, "state": link.state}


def links_of(
    transaction: DirectoryTransaction, numbers: Iterable[int]
) -> Mapping[int, list[Row[Any]]]:
    """Return the links of each of these requests, by name and version."""
    found: dict[int, list[Row[Any]]] = {number: [] for number in numbers}
    columns = request_links.c
    query = select(request_links).where(columns.number.in_(found))
    for row in transaction.all(query.order_by(columns.kind, columns.name, columns.version)):
        found[row.number].append(row)
    return found


def _voted(transaction: DirectoryTransaction, who: Reader, numbers: Sequence[int]) -> set[int]:
    votes = request_votes.c
    query = select(votes.number).where(votes.tenant_id == who.tenant_id, votes.number.in_(numbers))
    return {row.number for row in transaction.all(query)} if who.tenant_id is not None else set()


# What was said and done


def add_event(
    transaction: DirectoryTransaction,
    number: int,
    kind: str,
    by: str = MACHINE,
    text: str | None = None,
    *,
    of_platform: bool = True,
) -> None:
    """Add an event to the history of a request."""
    transaction.run(
        insert(request_events).values(
            number=number,
            at=transaction.now_text,
            kind=kind,
            by=by,
            of_platform=of_platform,
            text=text,
        )
    )
    change(transaction, number)


def change(transaction: DirectoryTransaction, number: int, **values: Any) -> None:
    """Set columns of a request, and when it was changed."""
    stamped = {**values, "changed_at": transaction.now_text}
    transaction.run(update(requests).where(requests.c.number == number).values(**stamped))


def history(transaction: DirectoryTransaction, who: Reader, row: Row[Any]) -> list[Result]:
    """Return the latest events, the oldest first; to other tenants those of the machine alone."""
    columns = request_events.c
    query = select(request_events).where(columns.number == row.number)
    if not who.owns(row):
        query = query.where(columns.by == MACHINE)
    found = transaction.all(query.order_by(columns.id.desc()).limit(MOST_EVENTS))
    return [_event_map(each, who) for each in reversed(found)]


def _event_map(event: Row[Any], who: Reader) -> Result:
    is_hidden = event.of_platform and event.by != MACHINE and who.tenant_id is not None
    by = OTHERS if is_hidden else event.by
    return {"at": event.at, "kind": event.kind, "by": by, "text": event.text}


# The state


def settle(transaction: DirectoryTransaction, number: int) -> None:
    """Set the state that follows from the versions that serve the request, and note why it changed."""
    row = transaction.one(select(requests).where(requests.c.number == number))
    assert row is not None
    links = links_of(transaction, [number])[number]
    state, link = state_by(links)
    if row.state in ENDED or row.state == state:
        return
    release = _release_of(link) if state == RELEASED and link is not None else None
    change(transaction, number, state=state, release=release and json.dumps(release))
    add_event(transaction, number, state, text=_cause(link, release))


def state_by(links: Sequence[Row[Any]]) -> tuple[str, Row[Any] | None]:
    """Return the state that links make, and the link that decides."""
    released = [each for each in links if each.state == RELEASE and each.release is not None]
    if released:
        return RELEASED, min(released, key=lambda each: str(json.loads(each.release)["at"]))
    for link in links:
        if link.state in (UNDER_USER_TEST, POTENTIAL_RELEASE):
            return IN_RELEASE, link
    return (LINKED, links[0]) if links else (OPEN, None)


def _release_of(link: Row[Any]) -> Result:
    of = {FUNCTION: None, CONNECTOR: None, link.kind: link.name}
    return {**of, "version": link.version, **json.loads(link.release)}


def _cause(link: Row[Any] | None, release: Mapping[str, Any] | None) -> str:
    if link is None:
        return "no version serves it any more"
    if not link.version:
        return f"{link.name} is to serve it"
    if release is None:
        return f"{link.name} version {link.version} is {link.state or 'gone from the index'}"
    within = f" with release {release['release']}" if release["release"] else ""
    return f"{link.name} version {link.version} is released in {release['environment']}{within}"

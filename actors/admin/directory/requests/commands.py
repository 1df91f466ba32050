"""Requests of tenants: submitted, voted for, linked to versions, answered and ended.

Each has a number for ever. People of a tenant read its own requests and those that are published; what is
published is a title by the platform, never the words of the tenant that submitted it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, or_, select, tuple_, update

from actors.access import MEMBER, TENANT_ROLES
from actors.admin.directory.repository import (
    DirectoryTransaction,
    Result,
    actor_label,
    format_time,
    page,
)
from actors.admin.directory.requests.links import link
from actors.admin.directory.requests.records import (
    CLOSED,
    ENDED,
    OPEN,
    PRIORITIES,
    RELEASED,
    REQUEST_STATES,
    add_event,
    change,
    find_request,
    history,
    outcome,
    reader,
    rows,
    settle,
    show_all,
)
from actors.admin.directory.tables import (
    request_events,
    request_links,
    request_votes,
    requests,
)
from actors.admin.request_messages import (
    AnswerRequest,
    CloseRequest,
    LinkRequest,
    ListRequests,
    PrioritiseRequest,
    PublishRequest,
    ReopenRequest,
    ShowRequest,
    SubmitRequest,
    VoteRequest,
)
from actors.errors import FailedPrecondition, PermissionDenied, ResourceExhausted
from actors.messages import Principal

MAX_A_DAY: Final = 50
"""Requests that one tenant may submit in 24 hours."""

DAY: Final = 24 * 3600.0

RETRY_MS: Final = 3600_000
"""Retry interval in the refusal of further requests, in milliseconds."""

MAX_OPEN: Final = 200
"""Requests of one tenant that are neither released nor ended."""

MAX_TEXTS: Final = 200
"""Texts that may be added to one request."""

WITHDRAWN: Final = "withdrawn"
"""How people of the tenant end their own request: its state is closed."""

SORTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "newest": requests.c.number,
        "votes": requests.c.votes,
        "priority": requests.c.priority,
    }
)
"""What requests are listed by: the largest first, and of equal ones the newest."""


def list_requests(transaction: DirectoryTransaction, query: ListRequests) -> Result:
    """Return a page, and how many there are in each state."""
    who = reader(transaction, query.tenant)
    scope = _scope(who.tenant_id, query.published)
    rank = SORTS[query.sort]
    found = transaction.all(
        rows()
        .where(*scope, *_filters(query), *_beyond(rank, query.after))
        .order_by(rank.desc(), requests.c.number.desc())
        .limit(query.limit + 1)
    )
    marks = (f"{getattr(row, rank.name)} {row.number}" for row in found)
    listed, after = page(zip(marks, show_all(transaction, who, found), strict=True), query.limit)
    return {"requests": listed, "counts": _counts(transaction, scope), "next": after}


def show(transaction: DirectoryTransaction, query: ShowRequest) -> Result:
    """Return one request, with its history."""
    who = reader(transaction, query.tenant)
    row = find_request(transaction, query.tenant, query.number, own=False)
    return {
        "request": show_all(transaction, who, [row])[0],
        "events": history(transaction, who, row),
    }


def _scope(tenant_id: str | None, published: bool) -> list[Any]:
    if published:
        return [requests.c.title.is_not(None)]
    return [] if tenant_id is None else [requests.c.tenant_id == tenant_id]


def _filters(query: ListRequests) -> list[Any]:
    found: list[Any] = []
    if query.state is not None:
        found.append(requests.c.state == query.state)
    if query.priority is not None:
        found.append(requests.c.priority == PRIORITIES.index(query.priority))
    if query.function is not None:
        linked = select(request_links.c.number).where(request_links.c.name == query.function)
        about = or_(requests.c.function == query.function, requests.c.number.in_(linked))
        found.append(about)
    if query.text is not None:
        found.append(_contains(query, query.text))
    return found


def _contains(query: ListRequests, text: str) -> Any:
    """Look in the text only where its reader may read it: a search that finds it would show it, too."""
    title = requests.c.title.icontains(text, autoescape=True)
    if query.published and query.tenant is not None:
        return title
    return or_(requests.c.text.icontains(text, autoescape=True), title)


def _beyond(rank: Any, after: str) -> list[Any]:
    """Limit a query to what follows the page that ended with this mark."""
    if not after:
        return []
    value, number = (int(part) for part in after.split(" "))
    return [tuple_(rank, requests.c.number) < tuple_(value, number)]


def _counts(transaction: DirectoryTransaction, scope: list[Any]) -> dict[str, int]:
    query = (
        select(requests.c.state, func.count().label("many"))
        .where(*scope)
        .group_by(requests.c.state)
    )
    found = {row.state: row.many for row in transaction.all(query)}
    return {state: found.get(state, 0) for state in REQUEST_STATES}


# People of tenants


def submit(transaction: DirectoryTransaction, command: SubmitRequest, by: Principal) -> Result:
    """Store it, with the vote of its tenant."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    _require_capacity(transaction, tenant)
    number = transaction.insert(
        insert(requests).values(
            tenant_id=tenant.id,
            person=actor_label(by) if by.role in TENANT_ROLES else None,
            text=command.text,
            function=command.function,
            state=OPEN,
            priority=PRIORITIES.index("normal"),
            votes=0,
            created_at=transaction.now_text,
            changed_at=transaction.now_text,
        )
    )
    _note(transaction, number, "submitted", by)
    _vote(transaction, number, tenant.id, by)
    return outcome(transaction, number)


def vote(transaction: DirectoryTransaction, command: VoteRequest, by: Principal) -> Result:
    """Give the tenant's vote, or take it back."""
    tenant = transaction.find_mutable_tenant(command.tenant)
    row = find_request(transaction, command.tenant, command.number, own=False)
    if command.vote:
        _require_not_ended(row)
        _vote(transaction, row.number, tenant.id, by)
    else:
        _unvote(transaction, row.number, tenant.id)
    return outcome(transaction, row.number)


def answer(transaction: DirectoryTransaction, command: AnswerRequest, by: Principal) -> Result:
    """Add a text; the latest of the platform is shown in lists."""
    row = find_request(transaction, command.tenant, command.number)
    if _count_texts(transaction, row.number) >= MAX_TEXTS:
        raise FailedPrecondition(
            f"R-{row.number} has {MAX_TEXTS} answers, which is the most: submit another request"
        )
    of_platform = by.role not in TENANT_ROLES
    _note(transaction, row.number, "answered" if of_platform else "added", by, command.text)
    if of_platform:
        change(transaction, row.number, answer=command.text)
    return outcome(transaction, row.number)


def _require_capacity(transaction: DirectoryTransaction, tenant: Row[Any]) -> None:
    own = requests.c.tenant_id == tenant.id
    since = format_time(transaction.now - DAY)
    count = select(func.count()).select_from(requests).where(own)
    if transaction.count(count.where(requests.c.created_at > since)) >= MAX_A_DAY:
        raise ResourceExhausted(
            f"{tenant.name} has submitted {MAX_A_DAY} requests within 24 hours, which is the most",
            retry_after_ms=RETRY_MS,
        )
    waiting = requests.c.state.not_in((RELEASED, *ENDED))
    if transaction.count(count.where(waiting)) >= MAX_OPEN:
        raise FailedPrecondition(
            f"{MAX_OPEN} requests of {tenant.name} wait already, which is the most: "
            "requests.withdraw those that are no longer wanted"
        )


def _vote(transaction: DirectoryTransaction, number: int, tenant_id: str, by: Principal) -> None:
    votes = request_votes.c
    mine = (votes.number == number) & (votes.tenant_id == tenant_id)
    if transaction.one(select(votes.number).where(mine)) is not None:
        return
    given = {"voted_at": transaction.now_text, "voted_by": actor_label(by)}
    transaction.run(insert(request_votes).values(number=number, tenant_id=tenant_id, **given))
    _count_votes(transaction, requests.c.number == number)


def _unvote(transaction: DirectoryTransaction, number: int, tenant_id: str) -> None:
    votes = request_votes.c
    mine = (votes.number == number) & (votes.tenant_id == tenant_id)
    if transaction.run(delete(request_votes).where(mine)):
        _count_votes(transaction, requests.c.number == number)


def _count_votes(transaction: DirectoryTransaction, which: Any) -> None:
    given = request_votes.c.number == requests.c.number
    count = select(func.count()).select_from(request_votes).where(given).scalar_subquery()
    transaction.run(update(requests).where(which).values(votes=count))


def _count_texts(transaction: DirectoryTransaction, number: int) -> int:
    events = request_events.c
    texts = (events.number == number) & events.kind.in_(("answered", "added"))
    return transaction.count(select(func.count()).select_from(request_events).where(texts))


# People of the platform


def prioritise(
    transaction: DirectoryTransaction, command: PrioritiseRequest, by: Principal
) -> Result:
    """Set the priority."""
    row = find_request(transaction, command.tenant, command.number)
    change(transaction, row.number, priority=PRIORITIES.index(command.priority))
    _note(transaction, row.number, "prioritised", by, command.priority)
    return outcome(transaction, row.number)


def publish(transaction: DirectoryTransaction, command: PublishRequest, by: Principal) -> Result:
    """Set the title that every tenant reads, or take it back; votes stay as they are."""
    row = find_request(transaction, command.tenant, command.number)
    change(transaction, row.number, title=command.title)
    kind = "unpublished" if command.title is None else "published"
    _note(transaction, row.number, kind, by, command.title)
    return outcome(transaction, row.number)


def close(transaction: DirectoryTransaction, command: CloseRequest, by: Principal) -> Result:
    """End it, for a reason that its tenant reads. A member ends only what they submitted."""
    row = find_request(transaction, command.tenant, command.number)
    _require_not_ended(row)
    if by.role == MEMBER and row.person != by.person:
        raise PermissionDenied(
            f"R-{row.number} was submitted by another person: that person or an owner can withdraw it"
        )
    state = CLOSED if command.state == WITHDRAWN else command.state
    change(transaction, row.number, state=state)
    _note(transaction, row.number, command.state, by, command.why)
    return outcome(transaction, row.number)


def reopen(transaction: DirectoryTransaction, command: ReopenRequest, by: Principal) -> Result:
    """Open it again; it is then in the state that its versions make."""
    row = find_request(transaction, command.tenant, command.number)
    if row.state not in ENDED:
        raise FailedPrecondition(f"R-{row.number} is {row.state}: only what has ended is reopened")
    change(transaction, row.number, state=OPEN, release=None)
    _note(transaction, row.number, "reopened", by, command.why)
    settle(transaction, row.number)
    return outcome(transaction, row.number)


def _require_not_ended(row: Row[Any]) -> None:
    if row.state in ENDED:
        raise FailedPrecondition(f"R-{row.number} is {row.state}: requests.reopen opens it again")


def _note(
    transaction: DirectoryTransaction,
    number: int,
    kind: str,
    by: Principal,
    text: str | None = None,
) -> None:
    of_platform = by.role not in TENANT_ROLES
    add_event(transaction, number, kind, actor_label(by), text, of_platform=of_platform)


# A tenant that is deleted


def forget_tenant(transaction: DirectoryTransaction, tenant_id: str) -> None:
    """Remove a tenant's votes and requests; of those that are published their titles and states stay."""
    voted = select(request_votes.c.number).where(request_votes.c.tenant_id == tenant_id)
    numbers = [row.number for row in transaction.all(voted)]
    transaction.run(delete(request_votes).where(request_votes.c.tenant_id == tenant_id))
    _count_votes(transaction, requests.c.number.in_(numbers))
    own = requests.c.tenant_id == tenant_id
    theirs = select(requests.c.number).where(own)
    said = request_events.c.number.in_(theirs) & (request_events.c.by != "machine")
    transaction.run(delete(request_events).where(said))
    private = select(requests.c.number).where(own, requests.c.title.is_(None))
    for table in (request_events, request_links, request_votes):
        transaction.run(delete(table).where(table.c.number.in_(private)))
    transaction.run(delete(requests).where(own, requests.c.title.is_(None)))
    bare = {"tenant_id": None, "person": None, "function": None, "answer": None}
    transaction.run(update(requests).where(own).values(text=requests.c.title, **bare))


QUERIES: Mapping[type, Any] = MappingProxyType({ListRequests: list_requests, ShowRequest: show})
COMMANDS: Mapping[type, Any] = MappingProxyType(
    {
        SubmitRequest: submit,
        VoteRequest: vote,
        LinkRequest: link,
        AnswerRequest: answer,
        PrioritiseRequest: prioritise,
        PublishRequest: publish,
        CloseRequest: close,
        ReopenRequest: reopen,
    }
)

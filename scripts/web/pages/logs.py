"""The logs: errors, a tenant's own, the audit records; searched, followed, and one request through all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from scripts.web.caller import Panel
from scripts.web.pages.connectors import FORMS
from scripts.web.pages.tenant import tabs
from scripts.web.sessions import MOST_STREAMS
from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document, Events, Response, fragment, named, redirect
from transport.errors import Unauthenticated
from transport.gateway.envelope import problem
from transport.gateway.statuses import HttpRefusal
from transport.message import NOT_FOUND, RESOURCE_EXHAUSTED

FILTERS: Final = ("since", "until", "action", "outcome", "trace_id", "text", "before")

LAST: Final[Mapping[str, timedelta]] = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
}
"""Times that a form offers; the address then has the moment itself, so that it shows the same to others."""

WAIT_MS: Final = 5_000
"""Milliseconds for which the server waits for a new line of a log that is followed; less than its answer may
take. Each wait is an action, and on record."""

RETRY_SECONDS: Final = 2.0


class Log(NamedTuple):
    """One of the logs."""

    title: str
    action: str
    columns: tuple[str, ...]
    has_outcome: bool


LOGS: Final[Mapping[str, Log]] = {
    "errors": Log(
        "Errors", "logs.errors", ("at", "tenant", "action", "event", "level", "trace_id"), False
    ),
    "audit": Log(
        "Audit",
        "logs.audit",
        ("at", "action", "outcome", "tenant", "capacity", "person", "message", "seq", "trace_id"),
        True,
    ),
    "log": Log(
        "Log",
        "logs.tenant",
        ("at", "action", "outcome", "version", "message", "handled_ms", "trace_id"),
        True,
    ),
}


async def errors(visit: Visit) -> Document:
    """What went wrong, of a tenant or of all."""
    return await _show(visit, "errors", visit.tenant)


async def audit(visit: Visit) -> Document:
    """Who did what; with `?verify=1` the page then asks for the check of the chain."""
    head = await visit.caller.panel("audit.head") if visit.caller.may("audit.head") else None
    return await _show(visit, "audit", visit.tenant, head=head)


async def check(visit: Visit) -> Document:
    """Check the chain of records from the first on, which may take long.

    A page of its own; with `?part=1` what the audit's page shows of it.
    """
    found = await visit.caller.panel("audit.verify", visit.request.params("head"))
    if "part" not in visit.request.query:
        return visit.page("audit_checked.html", check=found)
    return Document(visit.html("audit_check.html", check=found).encode())


async def tenant_log(visit: Visit, tenant: str) -> Document:
    """The tenant's own log."""
    is_super = await visit.caller.is_super(tenant)
    return await _show(visit, "log", tenant, tabs=tabs(visit, tenant, is_super=is_super))


async def follow(visit: Visit, log: str) -> Response:
    """New lines as they are written; HttpRefusal if too many pages follow."""
    if log not in LOGS:
        raise HttpRefusal(problem(NOT_FOUND, "there is no such log"))
    if visit.session.streams >= MOST_STREAMS:
        words = f"{MOST_STREAMS} pages of this session are live already; close one"
        raise HttpRefusal(problem(RESOURCE_EXHAUSTED, words))
    return Events(_new_lines(visit, LOGS[log]))


async def trace(visit: Visit, trace_id: str) -> Document:
    """All that the logs have of one request, and its calls of connectors."""
    params = {"trace_id": trace_id}
    story, calls = await visit.panels(
        Wanted("logs.trace", {**params, **visit.request.params("since", "until")}, visit.tenant),
        Wanted("connectors.trace", params, visit.tenant),
    )
    return visit.page("trace.html", trace_id=trace_id, story=story, calls=calls, forms=FORMS)


async def _show(visit: Visit, name: str, tenant: str | None, **values: Any) -> Document:
    last = LAST.get(visit.request.query.get("last", ""))
    if last is not None:
        since = (datetime.now(UTC) - last).isoformat(timespec="seconds")
        address = visit.request.path + visit.request.with_query(last=None, since=since)
        return redirect(address)
    log = LOGS[name]
    listed = await visit.caller.panel(log.action, _params(visit, log), tenant)
    return visit.page(
        "log.html", log=log, name=name, listed=listed, tenant=tenant, last=LAST, **values
    )


def _params(visit: Visit, log: Log) -> dict[str, Any]:
    given = visit.request.params(*FILTERS)
    if not log.has_outcome:
        given.pop("outcome", None)
    return {"limit": 50, **given}


async def _new_lines(visit: Visit, log: Log) -> AsyncGenerator[bytes]:
    """Rows of what came after the page was read, the newest first."""
    params = {**_params(visit, log), "wait_ms": WAIT_MS}
    params.pop("before", None)
    after = visit.request.query.get("after") or None
    visit.session.streams += 1
    try:
        while True:
            panel = await _look(visit, log, params, after)
            lines = panel.result.get("lines", ()) if after is not None else ()
            after = panel.result.get("newest", after)
            if lines:
                yield fragment(visit.html("log_rows.html", log=log, rows=lines[::-1]))
            yield named("looked", {"problem": panel.problem})
            if not panel.ok:
                await asyncio.sleep(RETRY_SECONDS)
    except Unauthenticated:
        yield named("ended", {})
    finally:
        visit.session.streams -= 1


async def _look(visit: Visit, log: Log, params: Mapping[str, Any], after: str | None) -> Panel:
    """Ask for lines after a place; without one only for the place where the newest is now."""
    wanted = {**params, "limit": 1, "wait_ms": 0} if after is None else {**params, "after": after}
    return await visit.caller.panel(log.action, wanted, visit.tenant)

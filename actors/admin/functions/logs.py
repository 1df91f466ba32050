"""The logs, as their readers see them: a tenant's own, of errors, of administration, and of one request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from actors.access import SUPER_ADMIN, TENANT_ROLES
from actors.admin.console.context import AdminContext, tenant_missing
from actors.admin.functions.audit import FIRST_TO_LAST
from actors.admin.messages import ShowTenant
from actors.errors import InvalidArgument
from actors.log.daily.blocks import START
from actors.log.lines import MEMBERS
from actors.log.messages import AUDIT, ERRORS, INTENT, TENANT, SearchLogs
from transport.fit import text_of
from transport.message import Problem

ERROR = ("at", "level", "event", "source", "tenant", "action", "trace_id")
"""What every line about an error has; all that a tenant's people see of it: no stack, no exception."""

KINDS: Mapping[str, tuple[type, ...]] = {
    "version": (int,),
    "params": (dict,),
    "replayed": (bool,),
    "queued_ms": (int, float),
    "handled_ms": (int, float),
    "reply_bytes": (int,),
    "seq": (int,),
}
"""What members are that are no text."""

ORDER = (ERRORS, TENANT, AUDIT)
"""In which the logs are written for one request."""

MOST_PAGES = 10
"""Of one log, for one request's lines."""

PAGE = 100
"""Lines in each of them."""

Record = dict[str, Any]
Page = dict[str, Any]


class Tale(NamedTuple):
    """What one log says of a request."""

    log: str
    lines: list[Record]
    is_whole: bool


async def tenant(ctx: AdminContext, params: Any) -> Page:
    """One page of the tenant's own log."""
    return _page(await ctx.ask(ctx.actors.log_reader, await _find(ctx, TENANT, params)), MEMBERS)


async def errors(ctx: AdminContext, params: Any) -> Page:
    """One page of what went wrong: for the tenant that was named, for all where a developer named none."""
    page: Page = await ctx.ask(ctx.actors.log_reader, await _find(ctx, ERRORS, params))
    return {**page, "lines": [_error(line) for line in page["lines"]]}


async def audit(ctx: AdminContext, params: Any) -> Page:
    """One page of records of administration, told apart as `errors` does.

    A caller that waits for new lines does not receive this action's own: each look leaves one.
    """
    find = await _find(ctx, AUDIT, params)
    omit = ctx.action if params.wait_ms else None
    return _page(await ctx.ask(ctx.actors.log_reader, find._replace(omit=omit)), FIRST_TO_LAST)


async def trace(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """All lines with this trace id, in the order of time, from every log that the caller may read."""
    tales = [
        await _tale(
            ctx, log, SearchLogs(log, **await _about(ctx, log, params), trace_id=params.trace_id)
        )
        for log in _readable(ctx)
    ]
    found = [
        {"log": tale.log, "at": line["at"], "line": line} for tale in tales for line in tale.lines
    ]
    found.sort(key=_moment)
    return {"lines": found, "complete": all(tale.is_whole for tale in tales)}


def _moment(found: Record) -> tuple[datetime, int]:
    """Within a millisecond: what is intended, what goes wrong, what is answered, what is recorded of it."""
    is_ahead = found["log"] == AUDIT and found["line"].get("kind") == INTENT
    return datetime.fromisoformat(found["at"]), -1 if is_ahead else ORDER.index(found["log"])


def _readable(ctx: AdminContext) -> tuple[str, ...]:
    """A tenant's messages are for its own people, and for those that they let in."""
    is_for_tenant = ctx.caller.role in TENANT_ROLES | {SUPER_ADMIN}
    return ORDER if is_for_tenant else tuple(log for log in ORDER if log != TENANT)


async def _tale(ctx: AdminContext, log: str, find: SearchLogs) -> Tale:
    lines: list[Record] = []
    after = str(START)
    for _ in range(MOST_PAGES):
        page: Page = await ctx.ask(ctx.actors.log_reader, find._replace(after=after, limit=PAGE))
        lines += page["lines"]
        after = page["next"]
        if after is None:
            break
    return Tale(log, lines, after is None)


async def _find(ctx: AdminContext, log: str, params: Any) -> SearchLogs:
    """What a page's params ask for; InvalidArgument where they do not go together."""
    _require_one_way(params)
    return SearchLogs(
        log,
        **await _about(ctx, log, params),
        action=params.action,
        outcome=None if log == ERRORS else params.outcome,
        trace_id=params.trace_id,
        text=params.text,
        before=params.before,
        after=params.after,
        limit=params.limit,
        wait_ms=params.wait_ms,
    )


async def _about(ctx: AdminContext, log: str, params: Any) -> dict[str, Any]:
    """Whose lines, of what time, and how much of them."""
    is_of_tenant = ctx.caller.role in TENANT_ROLES
    if ctx.tenant is None and (is_of_tenant or log == TENANT):
        raise tenant_missing(ctx.action)
    return {
        "tenant_id": None if ctx.tenant is None else ctx.tenant.id,
        "tenant": None if ctx.tenant is None else ctx.tenant.name,
        "since": await _since(ctx, log, params),
        "until": None if params.until is None else params.until.timestamp(),
        "only": ERROR if log == ERRORS and is_of_tenant else None,
    }


async def _since(ctx: AdminContext, log: str, params: Any) -> float | None:
    """Errors may know a tenant by its name, which another one may have had before."""
    since = None if params.since is None else params.since.timestamp()
    if log != ERRORS or ctx.tenant is None:
        return since
    shown = await ctx.ask(ctx.actors.directory, ShowTenant(ctx.tenant.name))
    made = datetime.fromisoformat(shown["tenant"]["created_at"]).timestamp()
    return made if since is None else max(since, made)


def _require_one_way(params: Any) -> None:
    if params.before is not None and params.after is not None:
        raise _wrong("before", "goes back, and `after` goes on: one of them")
    if params.wait_ms and params.after is None:
        raise _wrong("wait_ms", "waits for what comes after a cursor: give `after`")


def _wrong(name: str, problem: str) -> InvalidArgument:
    found = Problem(f"params.{name}", problem)
    return InvalidArgument(f"{found.field}: {found.problem}", details=(found,))


def _page(page: Page, names: tuple[str, ...]) -> Page:
    return {**page, "lines": [_members(line, names) for line in page["lines"]]}


def _members(line: Mapping[str, Any], names: tuple[str, ...]) -> Record:
    """A line of an earlier version, or one that was edited, may lack some, or have others of that name."""
    return {name: _member(name, line.get(name)) for name in names}


def _member(name: str, value: Any) -> Any:
    kinds = KINDS.get(name)
    if kinds is None:
        return value if value is None else text_of(value)
    return value if type(value) in kinds else None


def _error(line: Mapping[str, Any]) -> Record:
    """What every line has first, then whatever else it says."""
    members = _members(line, ERROR)
    return {**members, **line, **members}

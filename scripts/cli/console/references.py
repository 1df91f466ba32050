"""Completes what a person may type in short: an id by its beginning, as tables show it, a person by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.cli.console.confirmation import Read
from scripts.cli.console.connection import TokenOwner
from scripts.cli.console.grammar import ParsedCall
from scripts.cli.params import UsageError
from transport.errors import InvalidArgument, NotFound, PermissionDenied

TRACE_LENGTH = 32

LOOKED_AT = 50
"""Lines of each log that are looked at for a trace id."""

LISTED = 8
"""Candidates that are named where several fit."""

LOGS = ("logs.errors", "logs.audit", "logs.tenant")

PERSON = re.compile("p_[0-9a-f]{16}")

REQUEST = re.compile(r"\A[rR]?-?(\d+)\Z")
"""A request as people type it: R-12, r-12 or 12."""

WHOLE_ID = re.compile("[tg]_[0-9a-f]{16}")

LISTINGS = {"token": ("tokens.list", "tokens"), "grant": ("supers.list", "grants")}
"""By param: the action that lists what it may be, and the member with the rows."""

PAGE = 200

DEVELOPER_ADMIN = "developer admin"


async def resolve(
    call: ParsedCall, read: Read, traces: Sequence[str], who: TokenOwner | None
) -> ParsedCall:
    """Return the call with whole ids. UsageError if none fits or several do; raises CallError."""
    params = dict(call.params)
    trace = params.get("trace_id")
    if call.entry.name.endswith(".trace") and _is_part(trace):
        params["trace_id"] = await _trace(str(trace), call.tenant, read, traces)
    if call.entry.name == "functions.reload":
        params["digest"] = await _index_digest(params.get("digest", ""), read)
    if call.entry.name.startswith("requests.") and "request" in params:
        params["request"] = REQUEST.sub(r"R-\1", str(params["request"]))
    for name in LISTINGS:
        if name in params and not WHOLE_ID.fullmatch(str(params[name])):
            params[name] = await _listed(call, name, str(params[name]), read)
    if call.entry.name == "supers.grant" and "person" not in params:
        params["person"] = await _colleague(read, who)
    elif "person" in params and not PERSON.fullmatch(str(params["person"])):
        params["person"] = await _person(call, str(params["person"]), read)
    return call._replace(params=params)


def _is_part(trace: Any) -> bool:
    return isinstance(trace, str) and 0 < len(trace) < TRACE_LENGTH


async def _trace(prefix: str, tenant: str | None, read: Read, traces: Sequence[str]) -> str:
    """Of what was on the screen first, then of what the logs have."""
    found = [each for each in traces if each.startswith(prefix)]
    for log in LOGS if len(found) != 1 else ():
        found += await _traces_in(log, prefix, tenant, read)
    return _only(f"trace id {prefix}…", dict.fromkeys(found))


async def _traces_in(log: str, prefix: str, tenant: str | None, read: Read) -> list[str]:
    """Those that the caller may read; no log is searched in vain for what it is not for."""
    try:
        page = await read(log, {"text": prefix, "limit": LOOKED_AT}, tenant)
    except (PermissionDenied, InvalidArgument, NotFound):
        return []
    ids = (line["trace_id"] for line in page["lines"])
    return [each for each in ids if each is not None and each.startswith(prefix)]


async def _index_digest(words: str, read: Read) -> str:
    """Return the digest of the index on disk; UsageError if it is another one than was typed."""
    digest: str = (await read("functions.diff", {}, None))["digest"]
    if not digest.startswith(words):
        raise UsageError(f"the index on disk is {digest} by now, not {words}: see diff")
    return digest


async def _listed(call: ParsedCall, name: str, prefix: str, read: Read) -> str:
    """Find a token or a grant by the beginning of its id."""
    action, member = LISTINGS[name]
    if call.entry.name.startswith("developers."):
        action = "developers.tokens"
    paging = {"limit": PAGE} if action != "supers.list" else {}
    page = await read(action, paging, call.tenant)
    fits = {each["id"]: each.get("label") or "" for each in page[member]}
    return _only(f"{name} {prefix}…", {id: fits[id] for id in fits if id.startswith(prefix)})


async def _person(call: ParsedCall, words: str, read: Read) -> str:
    """Find a person of the tenant, or of the platform, by id or name."""
    of_platform = call.tenant is None or call.entry.name.startswith("supers.")
    people = await _people(read, None if of_platform else call.tenant)
    wanted = words.casefold()
    fits = {
        each["id"]: each["name"]
        for each in people
        if each["id"].startswith(words) or wanted in each["name"].casefold()
    }
    return _only(f"person {words!r}", fits)


async def _colleague(read: Read, who: TokenOwner | None) -> str:
    """Find the developer admin that is meant if none is named: the only one that is not the caller."""
    me = who.person if who is not None else None
    people = await _people(read, None)
    others = {
        each["id"]: each["name"]
        for each in people
        if each["role"] == DEVELOPER_ADMIN and each["id"] != me
    }
    return _only("developer admin that is not you", others)


async def _people(read: Read, tenant: str | None) -> Iterable[Mapping[str, Any]]:
    if tenant is None:
        page = await read("developers.list", {}, None)
        people: Sequence[Mapping[str, Any]] = page["developers"]
    else:
        page = await read("members.list", {"limit": 200}, tenant)
        people = page["members"]
    return people


def _only(what: str, found: Mapping[str, Any]) -> str:
    if len(found) == 1:
        return next(iter(found))
    if not found:
        raise UsageError(f"there is no {what}")
    listed = ", ".join(f"{id} {name or ''}".strip() for id, name in list(found.items())[:LISTED])
    raise UsageError(f"{len(found)} fit {what}: {listed}; say which")

"""The versions of functions and connectors: which there are, in which states, and who gets which."""

from __future__ import annotations

import time
from typing import Any

from actors.admin.console.context import AdminContext
from actors.admin.functions.moves import find_moves, owner_of
from actors.index.entries import (
    CONNECTOR,
    DUMMY,
    ERRORING,
    FUNCTION,
    Action,
    Connector,
    Environment,
    Version,
    moves,
)
from actors.index.selection import select, selected_in
from actors.routing.code_cache import connector_key

MOST_FAILURES = 50
"""Of one function that are told."""

LATEST_MOVES = 5
"""Of one function that functions.show tells."""

MOVES_LOOKED_AT = 50
"""For the one that explains why a version is not served."""


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """By name, functions and then connectors; those with a version in the state that was asked for."""
    index = ctx.table.described
    owners: dict[str, Action | Connector] = {**index.actions, **index.connectors}
    names = [
        name
        for name in sorted(owners)
        if name.startswith(params.prefix) and name > params.after and _has(owners[name], params)
    ]
    page = names[: params.limit]
    return {
        "functions": [_line(ctx, owners[name]) for name in page],
        "next": page[-1] if len(names) > len(page) else None,
    }


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One of them: every version, where it is served and where it can go; and what went wrong lately."""
    owner = owner_of(ctx, params)
    latest = await find_moves(ctx, owner.name, None, MOVES_LOOKED_AT)
    return {
        **_line(ctx, owner),
        "versions": [_version(ctx, owner, each) for each in owner.versions],
        "failures": _failures(ctx, owner),
        "explanation": _explanation(ctx, owner, latest["moves"]),
        "moves": latest["moves"][:LATEST_MOVES],
    }


def _has(owner: Action | Connector, params: Any) -> bool:
    if params.state is None:
        return True
    states = [each.state for each in owner.versions] or [DUMMY]
    return params.state in states


def _line(ctx: AdminContext, owner: Action | Connector) -> dict[str, Any]:
    return {
        "name": owner.name,
        "kind": FUNCTION if isinstance(owner, Action) else CONNECTOR,
        "summary": owner.summary,
        "serving": _serving(ctx, owner),
        "states": {str(each.number): each.state for each in owner.versions},
    }


def _serving(ctx: AdminContext, owner: Action | Connector) -> dict[str, Any]:
    """Here, to those who are no testers, and to those who are where that is another version."""
    place = ctx.table.described.environment(ctx.table.environment)
    found = {"environment": place.name, **_decided(owner, place, tester=False)}
    testers = _decided(owner, place, tester=True)
    return (
        found if testers == _decided(owner, place, tester=False) else {**found, "testers": testers}
    )


def _decided(owner: Action | Connector, place: Environment, *, tester: bool) -> dict[str, Any]:
    decision = select(owner, place, tester)
    version = decision.version if decision.is_served else None
    return {"version": version.number if version else 0, "reason": decision.reason}


def _version(ctx: AdminContext, owner: Action | Connector, version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "state": version.state,
        "code": version.code,
        "request": version.request,
        "requests": list(version.served_requests),
        "by": version.by,
        "before": version.before,
        "digest": version.digest,
        "served_in": selected_in(owner, version, ctx.table.described.environments.values()),
        "moves": list(moves(version)),
    }


def _failures(ctx: AdminContext, owner: Action | Connector) -> list[dict[str, Any]]:
    """Of what is loaded here: the latest, the newest first."""
    now, key = time.monotonic(), _key(owner)
    found = [
        (failure, number)
        for (name, number), loaded in ctx.table.loaded_versions.items()
        if name == key
        for failure in loaded.detector.failures
    ]
    found.sort(key=lambda each: each[0].at, reverse=True)
    return [
        {
            "version": number,
            "trace_id": failure.trace_id,
            "seconds_ago": round(now - failure.at, 1),
            "call": failure.call,
        }
        for failure, number in found[:MOST_FAILURES]
    ]


def _explanation(
    ctx: AdminContext, owner: Action | Connector, latest: list[dict[str, Any]]
) -> str | None:
    """Why the newest version is not what is served, where the machine had a hand in it."""
    for version in owner.versions:
        if version.state != ERRORING:
            continue
        found = next((each for each in latest if _is_taking_out(each, version)), None)
        cause = f": {found['why']}; traces {', '.join(found['traces'])}" if found else ""
        return (
            f"version {version.number} is erroring (it was {version.before}), moved by {version.by}{cause}; "
            f"{_instead(ctx, owner)}. Mend it: see logs.trace for each trace, then functions.move "
            f"{owner.name} version {version.number} to under dev, or write a new version"
        )
    return _out_for_some(ctx, owner)


def _out_for_some(ctx: AdminContext, owner: Action | Connector) -> str | None:
    """What the machine has taken out for single tenants; the newest such version."""
    for version in owner.versions:
        loaded = ctx.table.loaded_versions.get((_key(owner), version.number))
        left = loaded.detector.tripped_for() if loaded else {}
        if left:
            return (
                f"version {version.number} keeps failing for {len(left)} of the tenants and is out for them, "
                f"for {max(left.values()):.0f} s at most; the others are served by it"
            )
    return None


def _key(owner: Action | Connector) -> str:
    return owner.name if isinstance(owner, Action) else connector_key(owner.name)


def _is_taking_out(moved: dict[str, Any], version: Version) -> bool:
    return bool(moved["version"] == version.number and moved["to"] == version.state)


def _instead(ctx: AdminContext, owner: Action | Connector) -> str:
    serving = _serving(ctx, owner)
    if serving["version"]:
        return f"version {serving['version']} is served instead ({serving['reason']})"
    return f"nothing is served instead ({serving['reason']})"

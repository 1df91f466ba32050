"""The built-in actions: ping, whoami, and a description of what the caller may request.

Pure functions of the routing table, the caller and the params: they need no tenant and no database.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from actors.access import (
    ANY_TOKEN,
    AREAS,
    AUTHENTICATED,
    BOTH,
    CHANNELS,
    FOR_ANY_TOKEN,
    FOR_ANYONE,
    LEVELS,
    PLATFORM_LEVELS,
    PLATFORM_ROLES,
    PUBLIC,
)
from actors.errors import NotFound, PermissionDenied, Unauthenticated
from actors.host.clocks import rfc3339
from actors.index.entries import EFFECTS, RELEASE, RESERVED, STATES, Action, Version
from actors.index.selection import NEWEST, Selection
from actors.messages import Principal, TenantRequest
from actors.routing.route import Route, route_of
from actors.routing.table import RoutingTable
from actors.schema.schema import Schema
from actors.schema.source import closest
from actors.screening.screener import built_in_screener
from transport import codec

SERVER_VERSION = "0.1.0"
"""Version that system.ping returns: the one in pyproject.toml."""

PAGE_BYTES = 128 * 1024
"""A page of system.describe ends before its actions take more than this as JSON.

An action takes 64 KiB at most (actors/index/parser.py), so the largest page stays below 256 KiB, the limit
of a message."""

MOST_ACTIONS = 200
"""Most actions on one page."""

MOST_PAGES = 64
"""Most pages kept, packed: at most 16 MiB."""

DESCRIBE = f"{RESERVED}describe"

ORIGIN = f"{RESERVED}origin"
"""Asked by gateways: the origin of a page is all that a browser says of it."""

NO_ORIGINS: frozenset[str] = frozenset()

Answer = Callable[[RoutingTable, Principal, Any], dict[str, Any]]


def is_system(action: str) -> bool:
    """Return whether an action's name is reserved for built-in actions."""
    return action.startswith(RESERVED)


def answer_system(
    table: RoutingTable,
    caller: Principal,
    action: str,
    params: Mapping[str, Any],
    origins: frozenset[str] = NO_ORIGINS,
) -> tuple[Route, dict[str, Any]]:
    """Answer a built-in action: its route, for `meta`, and its result.

    `origins` are those of the tenant that the request names. NotFound for a name that is none of them;
    Unauthenticated and PermissionDenied as for any other action; InvalidArgument for params that do not fit.
    """
    route = _route_to(action, caller)
    parsed: Any = route.read(params)[0]
    if action == ORIGIN:
        return route, {"allowed": parsed.origin in origins}
    return route, _ANSWERS[action](table, caller, parsed)


class Pages:
    """Answers of the built-in actions, packed; for one actor. Those of system.describe are made once.

    Each is kept for the table it was made from, and for all callers that may call the same.
    """

    def __init__(self) -> None:
        self._table: RoutingTable | None = None
        self._packed: dict[tuple[Any, ...], bytes] = {}

    def __len__(self) -> int:
        return len(self._packed)

    def answer(
        self,
        table: RoutingTable,
        work: TenantRequest,
        tests: frozenset[str],
        origins: frozenset[str] = NO_ORIGINS,
    ) -> tuple[Route, bytes]:
        """As `answer_system`, for a caller whose tenant tests these actions."""
        caller, action, encoding = work.principal, work.request.action, work.peer.encoding
        if action != DESCRIBE:
            route, result = answer_system(table, caller, action, work.request.params, origins)
            return route, codec.encode(result, encoding)
        route = _route_to(action, caller)
        params: Any = route.read(work.request.params)[0]
        if table is not self._table or len(self._packed) >= MOST_PAGES:
            self._table, self._packed = table, {}
        asked = (params.action, params.prefix, params.after, params.limit)
        key = (caller.role, caller.areas, caller.scope, tests, encoding, *asked)
        packed = self._packed.get(key)
        if packed is None:
            page = describe(table.as_tested(tests), caller, params)
            packed = self._packed[key] = codec.encode(page, encoding)
        return route, packed


def _route_to(action: str, caller: Principal) -> Route:
    route = built_in().get(action)
    if route is None:
        near = ", ".join(closest(action, built_in()))
        raise NotFound(f"there is no action {action!r}; did you mean {near or 'system.describe'}?")
    _check_access(route, caller)
    return route


def ping(table: RoutingTable, caller: Principal, params: Any) -> dict[str, Any]:  # noqa: ARG001 - all take the same
    """Return the server's version and time."""
    return {
        "pong": True,
        "version": SERVER_VERSION,
        "environment": table.environment,
        "time": rfc3339(time.time()),
    }


def whoami(table: RoutingTable, caller: Principal, params: Any) -> dict[str, Any]:  # noqa: ARG001 - all take the same
    """Return the principal of the token and its restrictions."""
    scope, expires = caller.scope, caller.expires
    return {
        "id": caller.id,
        "person": caller.person or None,
        "tenant": caller.tenant,
        "role": caller.role,
        "areas": sorted(caller.areas),
        "scope": None if scope is None else sorted(scope),
        "expires": None if expires is None else rfc3339(expires),
    }


def describe(table: RoutingTable, caller: Principal, params: Any) -> dict[str, Any]:
    """Return one page of the actions this caller may call, by name; `next` is None on the last page."""
    routes = _visible(table, caller)
    if params.action is not None:
        return _page(table, [_one(routes, params.action, caller)], None)
    entries: list[dict[str, Any]] = []
    size = 0
    for name in sorted(routes):
        if not name.startswith(params.prefix) or name <= params.after:
            continue
        entry = _entry(routes[name], caller)
        size += len(json.dumps(entry))
        if entries and (size > PAGE_BYTES or len(entries) == params.limit):
            return _page(table, entries, entries[-1]["name"])
        entries.append(entry)
    return _page(table, entries, None)


def _check_access(route: Route, caller: Principal) -> None:
    if caller.role in route.rule.allowed:
        return
    if caller.role == PUBLIC:
        raise Unauthenticated(f"{route.name} needs a token")
    raise PermissionDenied(f"{route.name} is for {route.action.access}")


def _visible(table: RoutingTable, caller: Principal) -> dict[str, Route]:
    """Return the actions the caller may call, on either channel; developers, who build them, see all."""
    routes = {**built_in(), **table.routes}
    if caller.role in PLATFORM_ROLES:
        return routes
    return {name: route for name, route in routes.items() if route.is_for(caller)}


def _one(routes: Mapping[str, Route], name: str, caller: Principal) -> dict[str, Any]:
    if name not in routes:
        near = ", ".join(closest(name, routes))
        raise NotFound(f"there is no action {name!r} for you; nearest: {near or 'none'}")
    return _entry(routes[name], caller)


def _entry(route: Route, caller: Principal) -> dict[str, Any]:
    entry = {
        "name": route.name,
        "summary": route.action.summary,
        "access": route.action.access,
        "area": route.action.area,
        "platform": route.action.platform,
        "channel": route.action.channel,
        "effect": route.action.effect,
        **route.meta,
        "params": route.params.source,
        "result": route.result.source,
    }
    version = route.action.version(route.version)
    if caller.role in PLATFORM_ROLES and version is not None and version.served_requests:
        entry["requests"] = list(version.served_requests)
    return entry


def _page(table: RoutingTable, entries: list[dict[str, Any]], after: str | None) -> dict[str, Any]:
    return {
        "environment": table.environment,
        "index": table.digest,
        "screening": built_in_screener().names,
        "actions": entries,
        "next": after,
    }


@functools.cache
def built_in() -> Mapping[str, Route]:
    """Return the routes of the built-in actions by name; made once, at first use."""
    return MappingProxyType({route.name: route for route in _routes()})


def _routes() -> Iterator[Route]:
    yield _route("ping", "Ask whether the server answers.", PUBLIC, {}, _PONG)
    yield _route("whoami", "Ask whom the token stands for.", ANY_TOKEN, {}, _CALLER)
    yield _route(
        "origin", "Ask whether pages of an origin may call the tenant.", PUBLIC, _PAGE, _ADMITTED
    )
    yield _route("describe", "Ask what you may call here.", PUBLIC, _WANTED, _DESCRIPTION)


def _route(
    name: str, summary: str, access: str, params: Mapping[str, Any], result: Mapping[str, Any]
) -> Route:
    name = RESERVED + name
    version = Version(1, RELEASE, None, None)
    action = Action(
        name=name,
        summary=summary,
        access=access,
        area=None,
        platform=None,
        channel="data",
        effect="read",
        connectors=(),
        instructions="",
        params=Schema.build(f"{name}.params", params, is_sound=True),
        result=Schema.build(f"{name}.result", result, is_sound=True),
        versions=(version,),
    )
    rule = FOR_ANYONE if access == PUBLIC else FOR_ANY_TOKEN
    route = route_of(action, Selection(version, NEWEST), None, rule=rule)
    return replace(route, built_in=True)


_ANSWERS: Mapping[str, Answer] = {
    f"{RESERVED}ping": ping,
    f"{RESERVED}whoami": whoami,
    DESCRIBE: describe,
}

_TEXT = {"type": "string"}
_NAME = {"type": "string", "maxLength": 128}

_PONG = {
    "required": ["pong", "version", "environment", "time"],
    "properties": {
        "pong": {"const": True},
        "version": {**_TEXT, "description": "Of the server."},
        "environment": _TEXT,
        "time": {"type": "string", "format": "date-time", "description": "The server's, in UTC."},
    },
}

_CALLER = {
    "required": ["id", "person", "tenant", "role", "areas", "scope", "expires"],
    "properties": {
        "id": {**_TEXT, "description": "The same for every message under one token."},
        "person": {"type": ["string", "null"], "description": "Whom it was issued to."},
        "tenant": {"type": ["string", "null"], "description": "null for a platform token."},
        "role": {"enum": sorted(AUTHENTICATED)},
        "areas": {
            "type": "array",
            "items": {"enum": list(AREAS)},
            "description": "What is delegated to an owner; the admin owner has all without that.",
        },
        "scope": {
            "type": ["array", "null"],
            "items": _NAME,
            "description": "The only actions it is good for; null for all that the role may call.",
        },
        "expires": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "null for never.",
        },
    },
}

_PAGE = {
    "required": ["origin"],
    "properties": {
        "origin": {"type": "string", "maxLength": 300, "examples": ["https://desk.example"]}
    },
}

_ADMITTED = {
    "required": ["allowed"],
    "properties": {
        "allowed": {
            "type": "boolean",
            "description": "False also if there is no such tenant, or none is named.",
        }
    },
}

_WANTED = {
    "properties": {
        "action": {**_NAME, "description": "Only this one."},
        "prefix": {**_NAME, "default": "", "description": "Only names that begin so."},
        "after": {**_NAME, "default": "", "description": "`next` of the page before."},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_ACTIONS, "default": 50},
    },
}

_ENTRY = {
    "properties": {
        "name": _TEXT,
        "summary": _TEXT,
        "access": {"enum": [*LEVELS, ANY_TOKEN]},
        "area": {"enum": [None, *AREAS], "description": "What an owner needs besides."},
        "platform": {
            "enum": [None, *PLATFORM_LEVELS],
            "description": "The level of the platform that may call it too.",
        },
        "channel": {"enum": [*CHANNELS, BOTH]},
        "effect": {"enum": list(EFFECTS)},
        "version": {"type": "integer", "minimum": 0, "description": "0 where none is written."},
        "state": {"enum": list(STATES)},
        "requests": {
            "type": "array",
            "items": _TEXT,
            "description": "That this version serves, for developers; absent if none.",
        },
        "reason": {**_TEXT, "description": "Why this version; `none served` if it is not."},
        "params": {"type": "object", "description": "JSON Schema 2020-12."},
        "result": {"type": "object", "description": "JSON Schema 2020-12."},
    },
}

_DESCRIPTION = {
    "required": ["environment", "index", "screening", "actions", "next"],
    "properties": {
        "environment": _TEXT,
        "index": {**_TEXT, "description": "Digest of the index: changes when the index does."},
        "screening": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Engines that screen the params of every action.",
        },
        "actions": {"type": "array", "maxItems": MOST_ACTIONS, "items": _ENTRY},
        "next": {
            "type": ["string", "null"],
            "description": "Hand it on as `after`; null: no more.",
        },
    },
}

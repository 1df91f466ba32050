"""Which path is which page."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from scripts.web.pages import (
    actions,
    actors,
    config,
    connectors,
    developers,
    functions,
    logs,
    overview,
    releases,
    requests,
    tenant,
    tenants,
)
from scripts.web.web_request import WebRequest
from scripts.web.web_response import Response
from transport.gateway.envelope import problem
from transport.gateway.statuses import HttpRefusal, wrong_method
from transport.message import NOT_FOUND

Handler = Callable[..., Awaitable[Response]]

PUBLIC: Final = frozenset({"/login"})
"""Paths that need no login; the files of /static/ beside them."""


class Route(NamedTuple):
    """One page."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    action: str
    """The action that the page cannot do without; empty if there is none."""


def _route(path: str, handler: Handler, action: str = "", method: str = "GET") -> Route:
    pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)
    return Route(method, re.compile(pattern), handler, action)


ROUTES: Final = (
    _route("/", overview.show),
    _route("/live", overview.follow, "stats.tenants"),
    _route("/tenants", tenants.show, "tenants.list"),
    _route("/tenants/{tenant}", tenant.show, "tenants.show"),
    _route("/tenants/{tenant}/people", tenant.people, "members.list"),
    _route("/tenants/{tenant}/tokens", tenant.tokens, "tokens.list"),
    _route("/tenants/{tenant}/figures", tenant.figures, "stats.actions"),
    _route("/tenants/{tenant}/config", config.show, "config.show"),
    _route("/tenants/{tenant}/config", config.save, "config.patch", "POST"),
    _route("/tenants/{tenant}/log", logs.tenant_log, "logs.tenant"),
    _route("/functions", functions.index, "functions.list"),
    _route("/functions/{function}", functions.show, "functions.show"),
    _route("/index", functions.on_disk, "functions.diff"),
    _route("/requests", requests.index, "requests.list"),
    _route("/requests/{request}", requests.show, "requests.show"),
    _route("/releases", releases.index, "releases.list"),
    _route("/releases/{release}", releases.show, "releases.show"),
    _route("/connectors", connectors.calls, "connectors.calls"),
    _route("/connectors/outbox", connectors.outbox, "connectors.outbox"),
    _route("/connectors/dead", connectors.dead, "connectors.dead"),
    _route("/connectors/trace", connectors.trace, "connectors.trace"),
    _route("/errors", logs.errors, "logs.errors"),
    _route("/audit", logs.audit, "logs.audit"),
    _route("/audit/check", logs.check, "audit.verify"),
    _route("/follow/{log}/live", logs.follow),
    _route("/trace/{trace_id}", logs.trace, "logs.trace"),
    _route("/actors", actors.show, "actors.list"),
    _route("/stacks", actors.stacks, "actors.stacks"),
    _route("/developers", developers.show, "developers.list"),
    _route("/actions", actions.catalog),
    _route("/actions/{action}", actions.form),
    _route("/actions/{action}", actions.submit, method="POST"),
)


def find(request: WebRequest) -> tuple[Route, dict[str, str]]:
    """Return the page of a path, and the names in it. HttpRefusal if there is none."""
    method = "GET" if request.method == "HEAD" else request.method
    others = set()
    for route in ROUTES:
        found = route.pattern.fullmatch(request.path)
        if found is not None and route.method == method:
            return route, found.groupdict()
        if found is not None:
            others.add(route.method)
    if others:
        raise wrong_method(", ".join(sorted(others)))
    raise HttpRefusal(problem(NOT_FOUND, "there is no such page"))

"""Which path is which page."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from scripts.web.pages import actions, overview, tenants
from scripts.web.web_request import WebRequest
from scripts.web.web_response import Response
from transport.gateway.envelope import problem
from transport.gateway.statuses import HttpRefusal, wrong_method
from transport.message import NOT_FOUND

Handler = Callable[..., Awaitable[Response]]

PUBLIC: Final = frozenset({"/login"})
"""Paths for which nobody has to be logged in; the files of /static/ beside them."""


class Route(NamedTuple):
    """One page."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler


def _route(path: str, handler: Handler, method: str = "GET") -> Route:
    pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)
    return Route(method, re.compile(pattern), handler)


ROUTES: Final = (
    _route("/", overview.show),
    _route("/live", overview.follow),
    _route("/tenants", tenants.show),
    _route("/actions", actions.catalog),
    _route("/actions/{action}", actions.form),
    _route("/actions/{action}", actions.submit, "POST"),
)


def find(request: WebRequest) -> tuple[Handler, dict[str, str]]:
    """Return the page of a path, and the names in it. HttpRefusal if there is none."""
    method = "GET" if request.method == "HEAD" else request.method
    others = set()
    for route in ROUTES:
        found = route.pattern.fullmatch(request.path)
        if found is not None and route.method == method:
            return route.handler, found.groupdict()
        if found is not None:
            others.add(route.method)
    if others:
        raise wrong_method(", ".join(sorted(others)))
    raise HttpRefusal(problem(NOT_FOUND, "there is no such page"))

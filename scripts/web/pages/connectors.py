"""Calls of outside services, what waits to be sent, what was given up, and each call whole."""

from __future__ import annotations

from typing import Final

from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document

FORMS: Final = (
    ("inner_request", "what the function asked for"),
    ("outer_request", "what went out"),
    ("outer_response", "what came back"),
    ("inner_result", "what the function got"),
)


async def calls(visit: Visit) -> Document:
    """The newest calls, of a tenant or of all."""
    params = {"limit": 50, **visit.request.params("connector", "outcome")}
    listed = await visit.caller.panel("connectors.calls", params, visit.tenant)
    return visit.page("calls.html", listed=listed, tenant=visit.tenant)


async def outbox(visit: Visit) -> Document:
    """What a tenant's functions have sent and connectors have not done yet."""
    return await _deliveries(visit, "connectors.outbox", "Outbox")


async def dead(visit: Visit) -> Document:
    """What was given up; it can be sent again."""
    return await _deliveries(visit, "connectors.dead", "Given up")


async def trace(visit: Visit) -> Document:
    """Calls whole: four forms, tries, timings."""
    wanted = visit.request.params("id", "key", "trace_id")
    found = await visit.caller.panel("connectors.trace", wanted, visit.tenant)
    return visit.page("call.html", found=found, forms=FORMS, tenant=visit.tenant)


async def _deliveries(visit: Visit, action: str, title: str) -> Document:
    after = visit.request.query.get("after", "")
    params: dict[str, object] = {"limit": 50, **visit.request.params("connector")}
    if after.isdecimal():
        params["after"] = int(after)
    listed = None
    if visit.tenant is not None:
        (listed,) = await visit.panels(Wanted(action, params, visit.tenant))
    return visit.page("deliveries.html", listed=listed, title=title, tenant=visit.tenant)

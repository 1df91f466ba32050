"""One tenant: how it is, its people, tokens, limits, subscriptions, figures."""

from __future__ import annotations

from typing import Final

from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document
from transport.gateway.envelope import problem
from transport.gateway.statuses import HttpRefusal
from transport.message import NOT_FOUND

TABS: Final = (
    ("Summary", "", "tenants.show"),
    ("People", "/people", "members.list"),
    ("Tokens", "/tokens", "tokens.list"),
    ("Config", "/config", "config.show"),
    ("Figures", "/figures", "stats.actions"),
    ("Log", "/log", "logs.tenant"),
)
"""Each part with its path and the action that it cannot do without."""


async def show(visit: Visit, tenant: str) -> Document:
    """How it is, and what may be done with it."""
    is_super = await visit.caller.is_super(tenant)
    shown, limits, stats, subscriptions, supers, testers = await visit.panels(
        Wanted("tenants.show", {}, tenant),
        Wanted("limits.show", {}, tenant),
        Wanted("stats.show", {}, tenant),
        Wanted("subscriptions.list", {}, tenant),
        Wanted("supers.list", {}, tenant),
        Wanted("functions.testers", {}, tenant),
    )
    if shown.problem.startswith(f"{NOT_FOUND}:"):
        raise HttpRefusal(problem(NOT_FOUND, shown.problem))
    return visit.page(
        "tenant.html",
        tenant=tenant,
        tabs=tabs(visit, tenant, is_super=is_super),
        is_super=is_super,
        shown=shown,
        limits=limits,
        stats=stats,
        subscriptions=subscriptions,
        supers=supers,
        testers=testers,
    )


async def people(visit: Visit, tenant: str) -> Document:
    """Owners with their areas, and all members."""
    is_super = await visit.caller.is_super(tenant)
    params = {"limit": 50, **visit.request.params("after")}
    owners, members = await visit.panels(
        Wanted("owners.list", {}, tenant), Wanted("members.list", params, tenant)
    )
    return visit.page(
        "people.html",
        tenant=tenant,
        tabs=tabs(visit, tenant, is_super=is_super),
        is_super=is_super,
        owners=owners,
        members=members,
    )


async def tokens(visit: Visit, tenant: str) -> Document:
    """The tenant's tokens, or those of one person."""
    is_super = await visit.caller.is_super(tenant)
    params = {"limit": 50, **visit.request.params("after", "person")}
    listed = await visit.caller.panel("tokens.list", params, tenant)
    return visit.page(
        "tokens.html",
        tenant=tenant,
        tabs=tabs(visit, tenant, is_super=is_super),
        is_super=is_super,
        listed=listed,
    )


async def figures(visit: Visit, tenant: str) -> Document:
    """How often each action was called, and how it ended."""
    is_super = await visit.caller.is_super(tenant)
    listed = await visit.caller.panel("stats.actions", tenant=tenant)
    return visit.page(
        "figures.html",
        tenant=tenant,
        tabs=tabs(visit, tenant, is_super=is_super),
        listed=listed,
        rows=listed.result.get("actions", ()),
    )


def tabs(visit: Visit, tenant: str, *, is_super: bool) -> list[tuple[str, str, bool]]:
    """Return the pages of the tenant that the person may see: name, address, whether it is this one."""
    base = f"/tenants/{tenant}"
    return [
        (name, base + path, visit.request.path == base + path)
        for name, path, action in TABS
        if visit.caller.may(action, is_super=is_super)
    ]

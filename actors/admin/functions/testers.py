"""Who gets what is under user test."""

from __future__ import annotations

from typing import Any

from actors.access import TENANT_ROLES
from actors.admin.console.context import AdminContext, tenant_missing
from actors.admin.messages import EnrolTester, ListTesters, WithdrawTester
from actors.errors import NotFound
from actors.schema.source import did_you_mean


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page of enrolments: of the tenant that was named, of all where a developer named none."""
    if ctx.tenant is None and ctx.caller.role in TENANT_ROLES:
        raise tenant_missing(ctx.action)
    tenant = None if ctx.tenant is None else ctx.tenant.name
    page: dict[str, Any] = await ctx.ask(
        ctx.actors.directory, ListTesters(tenant, params.function, params.after, params.limit)
    )
    return page


async def enrol(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """From the next message on; NotFound for a function that the index does not have.

    What is built in has one version, which every tenant gets.
    """
    functions = ctx.table.described.actions
    if params.function not in functions:
        raise NotFound(
            f"the index has no function {params.function!r}{did_you_mean(params.function, functions)}"
        )
    return await ctx.execute(EnrolTester(ctx.tenant_name, params.function))


async def withdraw(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """From the next message on; also of a function that the index has no more."""
    return await ctx.execute(WithdrawTester(ctx.tenant_name, params.function))

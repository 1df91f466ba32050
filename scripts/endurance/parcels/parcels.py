"""Functions that send parcels, and one that hears of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
)

from actors.errors import FailedPrecondition
from actors.tenant.context import Context

metadata = MetaData()
parcels = Table(
    "parcels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text),
    Column("key", Text),
)
heard_of = Table(
    "heard",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text),
    Column("ok", Boolean),
)

ADD = insert(parcels).values(name=bindparam("name"), key=bindparam("key"))
HEAR = insert(heard_of).values(key=bindparam("key"), ok=bindparam("ok")).returning(heard_of.c.id)
PARCELS = select(func.count()).select_from(parcels)
HEARD = select(func.count()).select_from(heard_of)


def send(ctx: Context, params: Any) -> dict[str, Any]:
    """Send it, note it, and end as it is told to."""
    then = params.then or None
    key = ctx.send("post.deliver", {"name": params.name}, then=then, ordered=params.ordered)
    ctx.db.run(ADD, {"name": params.name, "key": key})
    if params.fail == "refusal":
        raise FailedPrecondition("it was told to refuse")
    if params.fail == "defect":
        raise RuntimeError("it was told to fail")
    return {"key": key}


async def send_two(ctx: Context, params: Any) -> dict[str, Any]:
    """The first leaves while it waits."""
    keys = [ctx.send("post.deliver", {"name": params.name}, then="parcels.heard_slowly")]
    ctx.db.run(ADD, {"name": params.name, "key": keys[0]})
    await ctx.call("timer.sleep", seconds=0.0)
    keys.append(ctx.send("post.deliver", {"name": params.name}, then="parcels.heard"))
    ctx.db.run(ADD, {"name": params.name, "key": keys[1]})
    return {"keys": keys}


def heard(ctx: Context, params: Any) -> dict[str, Any]:
    """Note it; fail where the peer says so."""
    mark = ctx.db.scalar(HEAR, {"key": params.key, "ok": params.ok})
    said = params.result.receipt if params.ok else params.error.message
    if said == "have them refuse":
        raise FailedPrecondition("the peer said so")
    if said == "have them fail":
        raise RuntimeError("the peer said so")
    return {"id": mark}


async def heard_slowly(ctx: Context, params: Any) -> dict[str, Any]:
    """Note it after a wait."""
    await ctx.call("timer.sleep", seconds=0.0)
    return {"id": ctx.db.scalar(HEAR, {"key": params.key, "ok": params.ok})}


def count(ctx: Context, params: Any) -> dict[str, Any]:
    """A read."""
    if params.send:
        ctx.send("post.deliver", {"name": "never"})
    return {"parcels": ctx.db.scalar(PARCELS), "heard": ctx.db.scalar(HEARD)}

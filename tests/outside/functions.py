"""Functions that call the connector `echo`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, insert

from actors.errors import ActionError
from actors.tenant.context import Context

marks = Table("marks", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text))

ADD = insert(marks).values(text=bindparam("text")).returning(marks.c.id)


def add(ctx: Context, params: Any) -> dict[str, Any]:
    """Makes no call."""
    return {"id": ctx.db.scalar(ADD, {"text": params.text})}


async def say(ctx: Context, params: Any) -> dict[str, Any]:
    """What is on the way when it is refused stays refused."""
    given = {"secret": params.secret} if params.secret else {}
    answer = await ctx.call("echo.say", text=params.text, **given)
    return {"said": answer.said}


async def attempt(ctx: Context, params: Any) -> dict[str, Any]:
    """Catches what the connector refuses."""
    try:
        await ctx.call("echo.say", text=params.text)
    except ActionError as error:
        return {"code": error.code}
    return {"code": "ok"}


def not_subscribed(ctx: Context, params: Any) -> dict[str, Any]:
    """In the words of this product."""
    return {"user_message": f"{{product_name}} needs {params.connector} for this. Ask your owner."}

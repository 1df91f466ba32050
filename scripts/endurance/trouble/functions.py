"""One function that behaves, and four that do not."""

from __future__ import annotations

import sys
import time
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, insert

from actors.tenant.context import Context

marks = Table("marks", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text))

ADD = insert(marks).values(text=bindparam("text")).returning(marks.c.id)


def add(ctx: Context, params: Any) -> dict[str, Any]:
    """Behaves."""
    return {"id": ctx.db.scalar(ADD, {"text": params.text})}


def fail(ctx: Context, params: Any) -> dict[str, Any]:  # noqa: ARG001 - a function takes both
    """Raises."""
    ctx.db.scalar(ADD, {"text": "fail"})
    raise RuntimeError("a defect, made on purpose")


def misshape(ctx: Context, params: Any) -> dict[str, Any]:  # noqa: ARG001 - a function takes both
    """Returns what its schema does not know."""
    ctx.db.scalar(ADD, {"text": "misshape"})
    return {"id": "seven"}


def leave(ctx: Context, params: Any) -> dict[str, Any]:  # noqa: ARG001 - a function takes both
    """Tries to end the process."""
    ctx.db.scalar(ADD, {"text": "leave"})
    sys.exit(3)


def block(ctx: Context, params: Any) -> dict[str, Any]:
    """Holds its thread, which nothing can interrupt, and then behaves."""
    mark = ctx.db.scalar(ADD, {"text": "block"})
    time.sleep(params.seconds)
    return {"id": mark}

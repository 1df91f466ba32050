"""Version 2 of marks.sign, which behaves until a file beside it says that it is broken."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, insert

from actors.tenant.context import Context

marks = Table("marks", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text))

ADD = insert(marks).values(text=bindparam("text")).returning(marks.c.id)

BROKEN = Path(__file__).with_name("broken")
"""Holds the seconds for which a call holds its thread before it raises."""


def sign(ctx: Context, params: Any) -> dict[str, Any]:
    """Behaves, or writes its mark and raises."""
    ctx.db.scalar(ADD, {"text": f"2 {params.text}"})
    if BROKEN.exists():
        time.sleep(float(BROKEN.read_text()))
        raise RuntimeError("a defect, made on purpose")
    return {"version": 2}

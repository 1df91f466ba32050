"""Functions and connectors: their versions and states, moves, failures, testers, and how code differs."""

from __future__ import annotations

from typing import Final

from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document

ROWS: Final = 100


async def index(visit: Visit) -> Document:
    """One page of the index, with how many versions are in each state."""
    params = {"limit": ROWS, **visit.request.params("state", "prefix", "after")}
    listed, todo = await visit.panels(
        Wanted("functions.list", params), Wanted("functions.todo", {"limit": 20})
    )
    return visit.page("functions.html", listed=listed, todo=todo)


async def show(visit: Visit, function: str) -> Document:
    """One function, or with `?kind=connector` one connector."""
    query = visit.request.query
    kind = "connector" if query.get("kind") == "connector" else "function"
    named = {kind: function}
    before = visit.request.params("before")
    shown, history, testers = await visit.panels(
        Wanted("functions.show", named),
        Wanted("functions.history", {**named, "limit": 20, **before}),
        Wanted("functions.testers", {"function": function, "limit": 50}),
    )
    diff = None
    if kind == "function" and ("version" in query or "diff" in query):
        numbers = {
            name: int(text)
            for name, text in visit.request.params("version", "against").items()
            if text.isdecimal()
        }
        diff = await visit.caller.panel("functions.diff", {"function": function, **numbers})
    return visit.page(
        "function.html",
        name=function,
        kind=kind,
        shown=shown,
        history=history,
        testers=testers,
        diff=diff,
        lines=diff.result.get("text", "").splitlines() if diff is not None else [],
    )


async def on_disk(visit: Visit) -> Document:
    """How the index on disk differs from what is in force."""
    diff = await visit.caller.panel("functions.diff")
    return visit.page("index.html", diff=diff, lines=diff.result.get("text", "").splitlines())

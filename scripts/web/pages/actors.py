"""The server's actors: state, mail that waits, turns, restarts; one with what it says of itself."""

from __future__ import annotations

from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document


async def show(visit: Visit) -> Document:
    """The list, functions that run long, and one actor if the address names it."""
    params = {"limit": 100, **visit.request.params("sort", "kind", "prefix")}
    wanted = [Wanted("actors.list", params), Wanted("actors.slow", {"ms": 100})]
    if name := visit.request.query.get("actor"):
        wanted.append(Wanted("actors.show", {"actor": name}))
    listed, slow, *one = await visit.panels(*wanted)
    return visit.page("actors.html", listed=listed, slow=slow, one=one[0] if one else None)


async def stacks(visit: Visit) -> Document:
    """Where each thread is now."""
    return visit.page("stacks.html", found=await visit.caller.panel("actors.stacks"))

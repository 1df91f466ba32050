"""The people of the platform, and their tokens."""

from __future__ import annotations

from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document


async def show(visit: Visit) -> Document:
    """All of them; tokens for those who may see them."""
    wanted = [Wanted("developers.list")]
    if visit.caller.may("developers.tokens"):
        params = {"limit": 100, **visit.request.params("person", "after")}
        wanted.append(Wanted("developers.tokens", params))
    listed, *tokens = await visit.panels(*wanted)
    return visit.page("developers.html", listed=listed, tokens=tokens[0] if tokens else None)

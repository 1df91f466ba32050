"""Releases: what was deployed to this environment, for which requests, and one of them with its notes."""

from __future__ import annotations

from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document


async def index(visit: Visit) -> Document:
    """The newest releases, and the deploy that is under way."""
    (listed,) = await visit.panels(Wanted("releases.list"))
    return visit.page("releases.html", listed=listed)


async def show(visit: Visit, release: str) -> Document:
    """One release: what it moved, its commit, migrations, breaks and notes."""
    (shown,) = await visit.panels(Wanted("releases.show", {"release": release}))
    return visit.page("release.html", name=release, shown=shown)

"""Releases that were deployed to this environment: which, when, what they contained, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.admin.console.context import AdminContext
from actors.errors import NotFound
from actors.host.released import ENDED
from actors.registry.messages import ListReleases, Releases
from actors.schema.source import did_you_mean

SHOWN = ("kind", "name", "version", "origin", "to", "requests")
"""Of each version that a release moved."""

MOST_RELEASES = 50
"""That are listed; older ones are shown by their names."""

MOST_LISTED = 20
"""Versions of each release in that list: a page stays far below the largest message."""

MOST_LINES = 1000
"""Migrations and breaks of one release that are shown."""

MOST_VERSIONS = 200
"""Versions of one release that are shown."""


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """The newest, and the deploy that is under way."""
    found: Releases = await ctx.ask(ctx.actors.registry, ListReleases())
    return {
        "releases": [_line(each, MOST_LISTED) for each in found.deployed[:MOST_RELEASES]],
        "under_way": _under_way(found.journal),
    }


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One of them, with its commit, its migrations, what it breaks, and its notes."""
    found: Releases = await ctx.ask(ctx.actors.registry, ListReleases(params.release))
    if found.contents is None:
        every: Releases = await ctx.ask(ctx.actors.registry, ListReleases())
        known = [each["release"] for each in every.deployed]
        raise NotFound(
            f"no release {params.release!r} was deployed here{did_you_mean(params.release, known)}"
        )
    manifest, notes = found.contents
    return {
        **_line(found.deployed[0], MOST_VERSIONS),
        "commit": manifest["commit"],
        "migrations": [each["file"] for each in manifest["migrations"][:MOST_LINES]],
        "breaks": manifest["breaks"][:MOST_LINES],
        "notes": notes,
    }


def _line(record: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {
        "release": record["release"],
        "sequence": record["sequence"],
        "served": record["served"],
        "deployed_at": record.get("deployed"),
        "taken_back_at": record.get("taken_back"),
        "why": record.get("why"),
        "versions": [{key: each[key] for key in SHOWN} for each in record["moves"][:most]],
    }


def _under_way(journal: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if journal is None or journal["step"] in ENDED:
        return None
    return {"release": journal["release"], "step": journal["step"], "began_at": journal["began"]}

"""The first page: rates, latencies, errors, mailboxes, disk, connectors; live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from scripts.web.caller import Panel, now_text
from scripts.web.sessions import MOST_STREAMS
from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document, Events, Response, fragment, named, redirect
from transport.errors import Unauthenticated
from transport.gateway.envelope import problem
from transport.gateway.statuses import HttpRefusal
from transport.message import RESOURCE_EXHAUSTED

BEAT_SECONDS: Final = 2.0
"""Seconds between two looks of a page that is open. Each is an action of its person, and on record."""

SLOW_BEATS: Final = 10
"""Of so many looks one also reads what changes slowly, or costs more records."""

MOST_CONNECTORS: Final = 10
"""Connectors that are asked about their circuit breakers."""

UNKNOWN: Final = "unknown"


class Breakers(NamedTuple):
    """Outside services that connectors leave alone for now, because they fail."""

    open: int | str
    """How many; UNKNOWN if no connector has said it."""
    words: str
    """Of which connectors."""


FAST: Final = {
    "stats": Wanted("stats.show"),
}

SLOW: Final = {
    "supervisor": Wanted("actors.show", {"actor": "supervisor"}),
    "disk": Wanted("actors.show", {"actor": "tenant log"}),
    "actors": Wanted("actors.list", {"sort": "mailbox", "limit": 8}),
    "connectors": Wanted("actors.list", {"kind": "connector", "limit": 20}),
    "unserved": Wanted("tenants.unserved"),
    "errors": Wanted("logs.errors", {"limit": 6}),
    "busiest": Wanted("stats.tenants"),
}


async def show(visit: Visit) -> Document:
    """The page, with what holds now; an owner's first page is the own tenant."""
    if visit.caller.who.tenant is not None:
        return redirect(f"/tenants/{visit.caller.who.tenant}")
    return visit.page("overview.html", **await _read(visit, FAST | SLOW))


async def follow(visit: Visit) -> Response:
    """The same again and again, as long as the page is open; HttpRefusal if too many are."""
    if visit.caller.who.tenant is not None:
        return Document(b"", 403)
    if visit.session.streams >= MOST_STREAMS:
        words = f"{MOST_STREAMS} pages of this session are live already; close one"
        raise HttpRefusal(problem(RESOURCE_EXHAUSTED, words))
    return Events(_looks(visit))


async def _looks(visit: Visit) -> AsyncGenerator[bytes]:
    panels: dict[str, Any] = {}
    beat = 0
    visit.session.streams += 1
    try:
        while True:
            is_slow = beat % SLOW_BEATS == 0
            panels |= await _read(visit, FAST | SLOW if is_slow else FAST)
            yield fragment(visit.html("overview_live.html", **panels))
            yield named("figures", _figures(panels["stats"].result))
            beat += 1
            await asyncio.sleep(BEAT_SECONDS)
    except Unauthenticated:
        yield named("ended", {})
    finally:
        visit.session.streams -= 1


async def _read(visit: Visit, wanted: Mapping[str, Wanted]) -> dict[str, Any]:
    found: dict[str, Any] = dict(zip(wanted, await visit.panels(*wanted.values()), strict=True))
    if "connectors" in found:
        rows = await _connectors(visit, found["connectors"])
        found |= {"connector_rows": rows, "breakers": open_breakers(found["connectors"], rows)}
        found |= {"slow_at": now_text(), "slow_seconds": int(BEAT_SECONDS * SLOW_BEATS)}
    return found


async def _connectors(visit: Visit, connectors: Panel) -> list[dict[str, Any]]:
    """Return each connector with what it says of itself; what does not answer is left out of it."""
    rows = list(connectors.result.get("actors", ()))
    wanted = [Wanted("actors.show", {"actor": each["actor"]}) for each in rows[:MOST_CONNECTORS]]
    shown = await visit.panels(*wanted)
    said = [each.result.get("snapshot") or {} for each in shown]
    return [{**row, **snapshot} for row, snapshot in zip(rows, said, strict=False)]


def open_breakers(connectors: Panel, rows: Sequence[Mapping[str, Any]]) -> Breakers:
    """Return how many circuit breakers are open, of the connectors that have said it."""
    said = [row["open_breakers"] for row in rows if "open_breakers" in row]
    total = connectors.result.get("total", 0)
    if not connectors.ok:
        return Breakers(UNKNOWN, "connectors cannot be listed")
    if not total:
        return Breakers(0, "no connector has been called yet")
    if not said:
        return Breakers(UNKNOWN, "no connector answered")
    is_all = len(said) == total
    words = "connectors' services left alone" if is_all else f"in {len(said)} of {total} connectors"
    return Breakers(sum(said), words)


def _figures(stats: Mapping[str, Any]) -> dict[str, Any]:
    """What the charts take: counts since the server's start, of which the page shows the change."""
    figures = stats.get("figures", {})
    return {
        "at": now_text(),
        "uptime": stats.get("uptime_seconds"),
        "requests": figures.get("requests"),
        "errors": figures.get("errors"),
        "p50": figures.get("handled_ms", {}).get("p50"),
        "p99": figures.get("handled_ms", {}).get("p99"),
    }

"""What is said of a move: the reply, the entry in the audit log, the event in the error log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from actors.index.entries import CONNECTOR, FUNCTION, Action, Connector, Index
from actors.log.messages import MOVE, OK, AuditEntry
from actors.registry.messages import Move, Moved, Release, Trip
from actors.registry.transitions import Transition
from actors.routing.code_cache import Key, connector_key
from actors.routing.health import Blame, Failure, calls_spanned
from actors.routing.route import ConnectorRoute, Route
from actors.routing.table import RoutingTable

log = structlog.get_logger()

MOST_TOLD = 10
"""Moves of a release that the message of its audit record names; its params have all."""


def log_trip(message: Trip, move: Move, table: RoutingTable) -> None:
    """Log that a version was tripped, and what is served in its place."""
    route = route_served(table, message.kind, message.name)
    assert route is not None
    log.error(
        Blame.VERSION.value,
        **{"action" if message.kind == FUNCTION else message.kind: move.name},
        version=move.version,
        why=move.why,
        traces=[each.trace_id for each in message.failures],
        served_instead=dict(route.meta) if not route.taken_out else None,
        trace_id=move.trace_id,
    )


def audit_entry(release: Release, done: tuple[Moved, ...]) -> AuditEntry:
    """Return the audit entry of a move, or of all moves of a release; the log adds the time.

    The action is `functions.move` for both, so that a version's moves are found by one name.
    """
    first = release.moves[0]
    if release.release is None:
        return _entry(first, _params(first, done[0].origin), _words(done[0]))
    pairs = zip(release.moves, done, strict=True)
    params = {
        "release": release.release,
        "why": first.why,
        "moves": [_params(move, each.origin) for move, each in pairs],
    }
    told = "; ".join(map(_words, done[:MOST_TOLD]))
    more = f"; and {len(done) - MOST_TOLD} more" if len(done) > MOST_TOLD else ""
    return _entry(first, params, f"release {release.release}: {told}{more}")


def trip_entry(move: Move, origin: str, failures: tuple[Failure, ...]) -> AuditEntry:
    """Return the audit entry of a version that was tripped."""
    traces = [each.trace_id for each in failures]
    words = f"{move.name} version {move.version}: {origin} → {move.to}"
    return _entry(move, {**_params(move, origin), "traces": traces}, words)


def _params(move: Move, origin: str) -> dict[str, Any]:
    params: dict[str, Any] = {
        move.kind: move.name,
        "version": move.version,
        "from": origin,
        "to": move.to,
        "why": move.why,
        "request": move.request,
        "breaking": move.breaking,
    }
    return {name: value for name, value in params.items() if value is not None}


def _words(done: Moved) -> str:
    return f"{done.name} version {done.version}: {done.origin} → {done.to}"


def _entry(move: Move, params: Mapping[str, Any], words: str) -> AuditEntry:
    return AuditEntry(
        kind=MOVE,
        action="functions.move",
        capacity=move.capacity,
        person=move.person,
        params=params,
        outcome=OK,
        message=words,
        trace_id=move.trace_id,
    )


def reason(failures: tuple[Failure, ...]) -> str:
    """Return why a version was tripped, in words."""
    first, last = failures[0], failures[-1]
    calls, seconds = calls_spanned(failures), last.at - first.at
    tenants = len({each.tenant for each in failures})
    several = f", of {tenants} tenants" if tenants > 1 else ""
    return f"{len(failures)} unexpected errors within {calls} calls, in {seconds:.1f} s{several}"


def key_of(message: Move | Trip) -> Key:
    """Return the key of the version in a routing table."""
    is_connector = message.kind == CONNECTOR
    return connector_key(message.name) if is_connector else message.name, message.version


def owner_of(index: Index, kind: str, name: str) -> Action | Connector | None:
    """Return the function or connector of this name; None if there is none."""
    return index.connectors.get(name) if kind == CONNECTOR else index.actions.get(name)


def route_served(table: RoutingTable, kind: str, name: str) -> Route | ConnectorRoute | None:
    """Return what serves the function or connector of this name; None if nothing does."""
    return table.connector_routes.get(name) if kind == CONNECTOR else table.routes.get(name)


def moved(message: Move, plan: Transition, table: RoutingTable) -> Moved:
    """Return the reply to a move that was made."""
    route = route_served(table, message.kind, message.name)
    serving: Mapping[str, Any] = dict(route.meta) if route is not None else {}
    told = tuple(f"{each.where}: {each.what}" for each in plan.breaks)
    return Moved(message.name, message.version, plan.version.state, message.to, told, serving)

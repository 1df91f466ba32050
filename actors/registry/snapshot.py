"""The routing snapshot: one reference to the current table, replaced as a whole by the Registry."""

from __future__ import annotations

from typing import TypeVar

import structlog

from actors.index.entries import FUNCTION
from actors.registry.messages import Trip
from actors.registry.transitions import Transition
from actors.routing.code_cache import Key
from actors.routing.health import Blame, Running
from actors.routing.route import ConnectorRoute, Route
from actors.routing.table import RoutingTable
from actors.runtime.mailbox import Mailbox
from actors.watchdog.running import RunningCalls

log = structlog.get_logger()

Served = TypeVar("Served", Route, ConnectorRoute)


class RoutingSnapshot:
    """The current routing table, which every actor may read, and the Registry that replaces it."""

    __slots__ = (
        "current",
        "file_digest",
        "pending_trips",
        "registry",
        "running_calls",
        "shows_defects",
        "tenants",
    )

    def __init__(self, current: RoutingTable, registry: Mailbox | None = None) -> None:
        self.current = current
        self.registry = registry
        """Mailbox of the Registry; None if the table is never replaced."""
        self.running_calls = RunningCalls()
        """The calls that run at this moment."""
        self.shows_defects = False
        """Whether a caller reads what was wrong with a function: for a developer's own server alone."""
        self.tenants = 1
        """How many tenants of this environment can call; the Directory sets it."""
        self.file_digest = current.described.digest
        """Digest of registry.toml as last read or written. For the Registry only, as is the next one; kept
        here because it outlives an incarnation."""
        self.pending_trips: dict[Key, Transition] = {}
        """Versions that were tripped and are not yet moved in the file."""

    def report_failure(self, route: Route | ConnectorRoute, running: Running | None) -> None:
        """Count a call that ended in an unexpected error; log it or trip the version at the threshold."""
        detector, instead = route.detector, route.fallback
        if detector is None or running is None:
            return
        blame = detector.record_failure(running, self.tenants, is_replaceable=instead is not None)
        if blame is Blame.VERSION and self.registry is not None:
            self.registry.tell(Trip(route.name, route.version, detector.evidence, route.kind))
        elif blame is not None:
            log.error(
                blame.value,
                **{"action" if route.kind == FUNCTION else route.kind: route.name},
                version=route.version,
                tenant_id=running.tenant,
                trace_id=running.trace_id,
                traces=[
                    each.trace_id for each in detector.failures if each.tenant == running.tenant
                ],
                served_instead=dict(instead.meta) if instead is not None else None,
            )


def select_healthy(route: Served, tenant_id: str) -> Served:
    """Return the first route that is not tripped for this tenant: itself, a fallback, or the last one."""
    found = route
    while found.detector is not None and found.fallback is not None:
        if not found.detector.is_tripped_for(tenant_id):
            break
        found = found.fallback
    return found

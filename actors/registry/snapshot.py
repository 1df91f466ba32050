"""The published routing table: one reference, replaced as a whole by the Registry and read by everybody."""

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
    """An immutable snapshot, and whom to tell about it."""

    __slots__ = ("current", "file_digest", "pending_trips", "registry", "running_calls", "tenants")

    def __init__(self, current: RoutingTable, registry: Mailbox | None = None) -> None:
        self.current = current
        self.registry = registry
        """Of the actor that replaces the snapshot; None where nothing ever does."""
        self.running_calls = RunningCalls()
        """What is called of it at this moment."""
        self.tenants = 1
        """How many this environment has that can call: the Directory's to say."""
        self.file_digest = current.described.digest
        """That actor's own, as the next; here because it outlives an incarnation: of the file as it was last
        read or written."""
        self.pending_trips: dict[Key, Transition] = {}
        """What the machine has taken out and the file does not say yet."""

    def report_failure(self, route: Route | ConnectorRoute, running: Running | None) -> None:
        """A call of this version ended in an unexpected error; where that is one too many, tell."""
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
    """The route or service itself, or what takes over for this tenant; the last there is takes no leave."""
    found = route
    while found.detector is not None and found.fallback is not None:
        if not found.detector.is_tripped_for(tenant_id):
            break
        found = found.fallback
    return found

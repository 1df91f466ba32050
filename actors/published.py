"""The published routing table: one reference, replaced as a whole by the Registry and read by everybody."""

from __future__ import annotations

from typing import TypeVar

from actors.health import Running
from actors.index.messages import TakeOut
from actors.index.move import Plan
from actors.library import Key
from actors.mailbox import Mailbox
from actors.routing import Route, RoutingTable
from actors.service import Service

Served = TypeVar("Served", Route, Service)


class Published:
    """An immutable snapshot, and whom to tell about it."""

    __slots__ = ("current", "on_disk", "registry", "unwritten")

    def __init__(self, current: RoutingTable, registry: Mailbox | None = None) -> None:
        self.current = current
        self.registry = registry
        """Of the actor that replaces the snapshot; None where nothing ever does."""
        self.on_disk = current.described.digest
        """That actor's own, as the next; here because it outlives an incarnation: of the file as it was last
        read or written."""
        self.unwritten: dict[Key, Plan] = {}
        """What the machine has taken out and the file does not say yet."""

    def failed(self, route: Route | Service, running: Running | None) -> None:
        """A call of this version ended in an unexpected error; where that is one too many, tell."""
        health = route.health
        if health is None or running is None or not health.fail(running):
            return
        if self.registry is not None:
            self.registry.tell(TakeOut(route.name, route.version, health.failures, route.kind))


def sound(route: Served) -> Served | None:
    """The route or service itself, or what takes over once it is out; None where nothing does."""
    found: Served | None = route
    while found is not None and found.health is not None and found.health.is_out:
        found = found.fallback
    return found

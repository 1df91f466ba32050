"""The service of a connector: the version that answers its operations in one environment, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from actors.health import Health
from actors.index.decision import FALLBACK, Decision, ranking, serve
from actors.index.entries import DUMMY, ERRORING, Connector, Environment, Index
from actors.index.messages import CONNECTOR
from actors.library import Library, Problems, Volume, connector_key


class Service(NamedTuple):
    """All that serving one call of one connector needs."""

    connector: Connector
    name: str
    version: int
    """0 where no version is written."""
    state: str
    reason: str
    make: Callable[[Any], Any] | None
    """The class of the version, called with the operator's Boundary; None for a dummy, and where none is
    served."""
    is_dummy: bool = False
    """It answers with the examples of its operations' results."""
    taken_out: bool = False
    """True where a version would be served were it not erroring."""
    health: Health | None = None
    """What counts the version's calls and failures; None where there is no code."""
    fallback: Service | None = None
    """What takes over once the version is out; None where nothing would."""

    @property
    def kind(self) -> str:
        """What versions it is one of."""
        return CONNECTOR

    @property
    def meta(self) -> Mapping[str, Any]:
        """Which version, and why."""
        return {"version": self.version, "state": self.state, "reason": self.reason}


class Services:
    """Those of one index, while a table is being made."""

    def __init__(
        self, index: Index, place: Environment, library: Library, problems: Problems
    ) -> None:
        self._index = index
        self._place = place
        self._library = library
        self._problems = problems

    def all(self) -> Mapping[str, Service]:
        """By the connector's name; what is wrong with code is noted."""
        connectors = self._index.connectors
        return MappingProxyType({name: self._service(each) for name, each in connectors.items()})

    def _service(self, connector: Connector) -> Service:
        ranked = ranking(connector, self._place)
        fallback = None
        if self._place.takes_out is not None:
            for version in reversed(ranked[1:]):
                decision = Decision(version, FALLBACK[ERRORING])
                fallback = self._made(connector, decision, fallback)
        return self._made(connector, serve(connector, self._place), fallback)

    def _made(self, connector: Connector, decision: Decision, fallback: Service | None) -> Service:
        number, state = decision.version[:2] if decision.version else (0, DUMMY)
        is_dummy = decision.is_served and state == DUMMY
        volume: Volume | None = None
        if decision.version is not None and decision.is_served and not is_dummy:
            key = connector_key(connector.name)
            with self._problems.of(key, decision.version):
                volume = self._library.volume(key, decision.version)
        return Service(
            connector=connector,
            name=connector.name,
            version=number,
            state=state,
            reason=decision.reason,
            make=volume and volume.loaded.function,
            is_dummy=is_dummy,
            taken_out=decision.taken_out,
            health=volume and volume.health,
            fallback=fallback,
        )

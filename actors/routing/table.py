"""The routing table: for each action, the version served in one environment and all that it needs.

Everything that can be prepared is prepared when a table is built, because each message reads it. A table
never changes: another index, state or environment makes another table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType, ModuleType
from typing import NamedTuple

from actors.access import ADMIN, AREAS
from actors.errors import NotFound
from actors.index.code import Codebase
from actors.index.entries import (
    DUMMY,
    ERRORING,
    Action,
    ConfigSchemas,
    Connector,
    Environment,
    Index,
    Operation,
)
from actors.index.parser import built_in_index
from actors.index.selection import FALLBACK, NEWEST, Selection, rank_versions, select
from actors.messages import Principal
from actors.routing.code_cache import (
    EMPTY,
    CodeCache,
    Key,
    LoadedVersions,
    ProblemCollector,
    all_versions,
)
from actors.routing.route import ConnectorRoute, ConnectorRoutes, Route, route_of
from actors.schema.source import closest


class RoutingTable(NamedTuple):
    """The routes that one environment serves of one index. Immutable."""

    routes: Mapping[str, Route]
    """Routes by action name, the engine's own actions included."""
    environment: str
    digest: str
    """Digest of the index that the table was built from, the engine's own part included."""
    modules: tuple[ModuleType, ...]
    """All modules that tenants run; their globals hold the SQL statements they were written with."""
    config: ConfigSchemas
    """Schemas of a tenant's config."""
    connectors: Mapping[str, Connector]
    """Connectors by name: those a tenant can be subscribed to."""
    operations: Mapping[str, Operation]
    """Operations by full name, such as `mail.send`, the engine's own included."""
    described: Index
    """The index that the table was built from."""
    testers: Mapping[str, Route]
    """Routes for testers by action name, only if they differ from `routes`."""
    loaded_versions: LoadedVersions
    """The code of all versions that are served, or are a fallback."""
    connector_routes: Mapping[str, ConnectorRoute]
    """Routes to connectors by name; the engine's own connectors are actors and have none."""

    @classmethod
    def build(
        cls,
        index: Index,
        environment: str,
        before: RoutingTable | None = None,
        must_recheck: Callable[[Key], bool] = all_versions,
    ) -> RoutingTable:
        """Select the version of every action and connector, and load the code of what is served.

        Versions loaded in the table `before` stay in use, unless they must be rechecked and their file has
        changed; so do the routes of actions that the index has taken over from it as they are. Raises
        SettingsError for an environment that the index does not have; CodeProblem, which names each action
        and version whose code cannot be served.
        """
        place = index.environment(environment)
        loaded = EMPTY if before is None else before.loaded_versions
        code_cache = CodeCache(index.root, place.takes_out, loaded, must_recheck)
        outward = CodeCache(
            index.root, place.takes_out, loaded, must_recheck, Codebase.load_connector
        )
        problems = ProblemCollector(index)
        connector_routes = ConnectorRoutes(index, place, outward, problems).all()
        stated = _RouteBuilder(index, place, code_cache, problems, before).part()
        built_in = built_in_part()
        return cls(
            routes=MappingProxyType({**stated.routes, **built_in.routes}),
            environment=environment,
            digest=sha256(f"{stated.digest} {built_in.digest}".encode()).hexdigest(),
            modules=(*stated.modules, *built_in.modules),
            config=index.config,
            connectors=index.connectors,
            operations=MappingProxyType({**index.operations(), **built_in_index().operations()}),
            described=index,
            testers=stated.testers,
            loaded_versions=MappingProxyType({**code_cache.versions, **outward.versions}),
            connector_routes=connector_routes,
        )

    def serves_as(self, index: Index, place: Environment) -> bool:
        """Return whether what is served of an action depends on the same environment in both."""
        return self.environment == place.name and self.described.environments is index.environments

    def as_tested(self, tests: frozenset[str]) -> RoutingTable:
        """Return the table for a tenant that is enrolled as a tester of these actions."""
        theirs = {name: route for name, route in self.testers.items() if name in tests}
        return self._replace(routes=MappingProxyType({**self.routes, **theirs})) if theirs else self

    def find(self, name: str, caller: Principal | str | None = None) -> Route:
        """Return the route of an action; NotFound with the closest names among those the caller may call.

        A role in place of a caller stands for everyone in that role.
        """
        route = self.routes.get(name)
        if route is not None:
            return route
        near = self.nearest(name, caller=caller)
        advice = (
            f"did you mean {', '.join(near)}?" if near else "system.describe lists what there is"
        )
        raise NotFound(f"there is no action {name!r}; {advice}")

    def nearest(self, name: str, n: int = 3, *, caller: Principal | str | None = None) -> list[str]:
        """Return at most `n` names of actions that the caller may call, closest to `name` first."""
        if isinstance(caller, str):
            caller = Principal("", None, caller, areas=frozenset(AREAS))
        known = (
            each for each, route in self.routes.items() if caller is None or route.is_for(caller)
        )
        return closest(name, known, n)


class RoutingPart(NamedTuple):
    """What one index file contributes to a routing table."""

    routes: Mapping[str, Route]
    testers: Mapping[str, Route]
    modules: tuple[ModuleType, ...]
    """All modules that tenants run, as in RoutingTable."""
    digest: str
    """Digest of the file."""


@functools.cache
def built_in_part() -> RoutingPart:
    """Return the engine's own actions, which every environment serves.

    Loaded once: they are as old as the engine that they are part of, however often an index is read again.
    """
    index = built_in_index()
    tenants, console = CodeCache(index.root, None), CodeCache(index.root, None)
    problems = ProblemCollector(index)
    routes = {}
    for action in index.actions.values():
        steps = action.channel == ADMIN
        decision = Selection(action.versions[0], NEWEST)
        with problems.collect(action.name, action.versions[0]):
            loaded = console.get if steps else tenants.get
            route = route_of(action, decision, loaded(action.name, action.versions[0]))
            routes[action.name] = route._replace(built_in=True)
    problems.raise_all()
    return RoutingPart(
        MappingProxyType(routes), MappingProxyType({}), tenants.modules, index.digest
    )


class _RouteBuilder:
    """Builds the routes of the index that a server runs."""

    def __init__(
        self,
        index: Index,
        place: Environment,
        code_cache: CodeCache,
        problems: ProblemCollector,
        before: RoutingTable | None,
    ) -> None:
        self._index = index
        self._place = place
        self._code_cache = code_cache
        self._problems = problems
        self._before = before if before and before.serves_as(index, place) else None

    def part(self) -> RoutingPart:
        """Return the route of every action; raises CodeProblem."""
        routes: dict[str, Route] = {}
        testers: dict[str, Route] = {}
        for name, action in self._index.actions.items():
            routes[name], of_testers = self._kept(action) or self._built(action)
            if of_testers is not None:
                testers[name] = of_testers
        self._problems.raise_all()
        return RoutingPart(
            MappingProxyType(routes),
            MappingProxyType(testers),
            self._code_cache.modules,
            self._index.digest,
        )

    def _kept(self, action: Action) -> tuple[Route, Route | None] | None:
        """The routes of the table before; None if they may differ."""
        before, name = self._before, action.name
        if before is None or before.described.actions.get(name) is not action:
            return None
        if not self._code_cache.keep(name, action.versions):
            return None
        return before.routes[name], before.testers.get(name)

    def _built(self, action: Action) -> tuple[Route, Route | None]:
        """The route, and that of testers if they are served another version."""
        route, of_testers = self._route(action), self._route(action, tester=True)
        return route, of_testers if of_testers.meta != route.meta else None

    def _route(self, action: Action, tester: bool = False) -> Route:
        decision = select(action, self._place, tester)
        ranked = rank_versions(action, self._place, tester)
        fallback = None
        if self._place.takes_out is not None:
            for version in reversed(ranked[1:]):
                fallback = self._build(action, Selection(version, FALLBACK[ERRORING]), fallback)
        return self._build(action, decision, fallback)

    def _build(self, action: Action, decision: Selection, fallback: Route | None) -> Route:
        version = decision.version
        loaded = None
        if version is not None and decision.is_served and version.state != DUMMY:
            with self._problems.collect(action.name, version):
                loaded = self._code_cache.get(action.name, version)
        return route_of(action, decision, loaded, fallback=fallback)

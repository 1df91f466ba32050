"""The routing table: for each action, the version served in one environment and all that it needs.

Everything that can be prepared is prepared when a table is built, because each message reads it. A table
never changes: another index, state or environment makes another table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType, ModuleType
from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from actors.access import AREAS, DATA
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
    LoadedVersion,
    LoadedVersions,
    ProblemCollector,
    all_versions,
    connector_key,
)
from actors.routing.route import ConnectorRoute, Route, connector_route_of, route_of
from actors.schema.source import closest

Owner = TypeVar("Owner", Action, Connector)
AnyRoute = TypeVar("AnyRoute", Route, ConnectorRoute)
MakeRoute = Callable[[Owner, Selection, LoadedVersion | None, AnyRoute | None], AnyRoute]


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
        connectors = _RouteBuilder(place, outward, problems, connector_route_of)
        connector_routes = _connector_routes(index, connectors)
        functions = _RouteBuilder(place, code_cache, problems, route_of)
        same = before if before and before.serves_as(index, place) else None
        stated = _stated_part(index, functions, same)
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
        steps = action.channel != DATA
        decision = Selection(action.versions[0], NEWEST)
        with problems.collect(action.name, action.versions[0]):
            loaded = console.get if steps else tenants.get
            route = route_of(action, decision, loaded(action.name, action.versions[0]))
            routes[action.name] = replace(route, built_in=True)
    problems.raise_all()
    return RoutingPart(
        MappingProxyType(routes), MappingProxyType({}), tenants.modules, index.digest
    )


class _RouteBuilder(Generic[Owner, AnyRoute]):
    """Builds the routes of functions, or of connectors, in one environment."""

    def __init__(
        self,
        place: Environment,
        code_cache: CodeCache,
        problems: ProblemCollector,
        make: MakeRoute[Owner, AnyRoute],
    ) -> None:
        self._place = place
        self.code_cache = code_cache
        self.problems = problems
        self._make: MakeRoute[Owner, AnyRoute] = make

    def route(self, key: str, owner: Owner, tester: bool = False) -> AnyRoute:
        """Return the route to what is served, with its fallbacks; problems of code are collected."""
        fallback = None
        if self._place.takes_out is not None:
            for version in reversed(rank_versions(owner, self._place, tester)[1:]):
                decision = Selection(version, FALLBACK[ERRORING])
                fallback = self._build(key, owner, decision, fallback)
        return self._build(key, owner, select(owner, self._place, tester), fallback)

    def _build(
        self, key: str, owner: Owner, decision: Selection, fallback: AnyRoute | None
    ) -> AnyRoute:
        version = decision.version
        loaded = None
        if version is not None and decision.is_served and version.state != DUMMY:
            with self.problems.collect(key, version):
                loaded = self.code_cache.get(key, version)
        return self._make(owner, decision, loaded, fallback)


def _connector_routes(
    index: Index, builder: _RouteBuilder[Connector, ConnectorRoute]
) -> Mapping[str, ConnectorRoute]:
    """Return the route to each connector of the index; problems of code are collected."""
    routes = {
        name: builder.route(connector_key(name), each) for name, each in index.connectors.items()
    }
    return MappingProxyType(routes)


def _stated_part(
    index: Index, builder: _RouteBuilder[Action, Route], before: RoutingTable | None
) -> RoutingPart:
    """Return the routes of the index that a server runs; raises CodeProblem.

    Those of actions that the index has taken over from the table `before` are taken over, too.
    """
    routes: dict[str, Route] = {}
    testers: dict[str, Route] = {}
    for name, action in index.actions.items():
        routes[name], of_testers = _kept(action, builder.code_cache, before) or _built(
            action, builder
        )
        if of_testers is not None:
            testers[name] = of_testers
    builder.problems.raise_all()
    modules = builder.code_cache.modules
    return RoutingPart(MappingProxyType(routes), MappingProxyType(testers), modules, index.digest)


def _kept(
    action: Action, code_cache: CodeCache, before: RoutingTable | None
) -> tuple[Route, Route | None] | None:
    """The routes of the table before; None if they may differ."""
    name = action.name
    if before is None or before.described.actions.get(name) is not action:
        return None
    if not code_cache.keep(name, action.versions):
        return None
    return before.routes[name], before.testers.get(name)


def _built(action: Action, builder: _RouteBuilder[Action, Route]) -> tuple[Route, Route | None]:
    """The route, and that of testers if they are served another version."""
    route = builder.route(action.name, action)
    of_testers = builder.route(action.name, action, tester=True)
    return route, of_testers if of_testers.meta != route.meta else None

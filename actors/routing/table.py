"""The routing table: for each action the version served in one environment, with all that needs.

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
    """What one environment serves of one index."""

    routes: Mapping[str, Route]
    """By the name of the action; those of the engine's own are among them."""
    environment: str
    digest: str
    """Of the index it was made from, the engine's own part included."""
    modules: tuple[ModuleType, ...]
    """All code that tenants run; its globals hold the statements it was written with."""
    config: ConfigSchemas
    """What a tenant's config may say."""
    connectors: Mapping[str, Connector]
    """By name: what a tenant can be subscribed to."""
    operations: Mapping[str, Operation]
    """By full name, such as `mail.send`: what functions can call, the engine's own included."""
    described: Index
    """What it was made from."""
    testers: Mapping[str, Route]
    """What testers of an action get, by its name, where that is not what everybody gets."""
    loaded_versions: LoadedVersions
    """The code of all versions that are served, or would be if others failed."""
    connector_routes: Mapping[str, ConnectorRoute]
    """What serves each connector, by its name; the engine's own are actors and not among them."""

    @classmethod
    def build(
        cls,
        index: Index,
        environment: str,
        before: LoadedVersions = EMPTY,
        must_recheck: Callable[[Key], bool] = all_versions,
    ) -> RoutingTable:
        """Decide for every action and load the code of what is served.

        What was loaded `before` goes on being served, unless it is in doubt and its file has changed.
        SettingsError for an environment that the index does not have; CodeProblem names each action and
        version whose code cannot be served.
        """
        place = index.environment(environment)
        code_cache = CodeCache(index.root, place.takes_out, before, must_recheck)
        outward = CodeCache(
            index.root, place.takes_out, before, must_recheck, Codebase.load_connector
        )
        problems = ProblemCollector(index)
        connector_routes = ConnectorRoutes(index, place, outward, problems).all()
        stated = _RouteBuilder(index, place, code_cache, problems).part()
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

    def as_tested(self, tests: frozenset[str]) -> RoutingTable:
        """As it is for a tenant that is enrolled for these actions."""
        theirs = {name: route for name, route in self.testers.items() if name in tests}
        return self._replace(routes=MappingProxyType({**self.routes, **theirs})) if theirs else self

    def find(self, name: str, caller: Principal | str | None = None) -> Route:
        """The route of an action; NotFound with the nearest names, of those that the caller may call.

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
        """At most `n` names that look like this one, likeliest first; of those the caller may call."""
        if isinstance(caller, str):
            caller = Principal("", None, caller, areas=frozenset(AREAS))
        known = (
            each for each, route in self.routes.items() if caller is None or route.is_for(caller)
        )
        return closest(name, known, n)


class RoutingPart(NamedTuple):
    """What one index file contributes to a table."""

    routes: Mapping[str, Route]
    testers: Mapping[str, Route]
    modules: tuple[ModuleType, ...]
    """As in RoutingTable."""
    digest: str
    """Of the file."""


@functools.cache
def built_in_part() -> RoutingPart:
    """The engine's own actions, served in every environment.

    Loaded once: they are as old as the engine that they are part of, however often an index is read anew.
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
    """The part of the index that a server runs, while it is being made."""

    def __init__(
        self, index: Index, place: Environment, code_cache: CodeCache, problems: ProblemCollector
    ) -> None:
        self._index = index
        self._place = place
        self._code_cache = code_cache
        self._problems = problems

    def part(self) -> RoutingPart:
        """Every action's route; CodeProblem."""
        actions = self._index.actions
        routes = {name: self._route(action) for name, action in actions.items()}
        testers = {name: self._route(action, tester=True) for name, action in actions.items()}
        self._problems.raise_all()
        others = {name: route for name, route in testers.items() if route.meta != routes[name].meta}
        return RoutingPart(
            MappingProxyType(routes),
            MappingProxyType(others),
            self._code_cache.modules,
            self._index.digest,
        )

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

"""The routing table: for each action the version served in one environment, with all that needs.

Everything that can be prepared is prepared when a table is built, because each message reads it. A table
never changes: another index, state or environment makes another table.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from actors.access import ADMIN, AREAS, Rule, rule_of
from actors.errors import CodeProblem, NotFound
from actors.index.code import Codebase
from actors.index.entries import (
    DUMMY,
    ERRORING,
    REVERTED,
    Action,
    ConfigSchemas,
    Connector,
    Environment,
    Index,
    Operation,
    Version,
)
from actors.index.reader import built_in_index
from actors.index.schema import Schema
from actors.index.spelling import nearest
from actors.messages import Principal

NEWEST = "newest"
TESTER = "tester"
FALLBACK = {
    ERRORING: "fallback after erroring",
    REVERTED: "fallback after reverted",
}
NONE_SERVED = "none served"


class Decision(NamedTuple):
    """Which version is served, and why."""

    version: Version | None
    """None where no version is written; for NONE_SERVED the newest one, which is not served."""
    reason: str
    """Travels in `meta.reason`: newest, tester, a fallback, dummy or none served."""

    @property
    def is_served(self) -> bool:
        """False where callers are told that nothing is there yet."""
        return self.reason != NONE_SERVED


def serve(action: Action, environment: Environment, tester: bool = False) -> Decision:
    """Decide which version of an action an environment serves: the newest whose state it serves.

    An erroring one is served only where nothing else is. An action without versions is a dummy. The
    reason is the first that holds: `tester` where only testers get the version; a fallback where a newer
    one is erroring or reverted (the newest such decides which); `dummy`; `newest`.
    """
    versions = action.versions
    if not versions:
        return Decision(None, DUMMY if DUMMY in environment.serves else NONE_SERVED)
    states = environment.serves | environment.testers if tester else environment.serves
    served = [version for version in versions if version.state in states]
    if not served:
        return Decision(versions[0], NONE_SERVED)
    sound = [version for version in served if version.state != ERRORING]
    chosen = (sound or served)[0]
    return Decision(chosen, _reason(chosen, versions, environment))


def _reason(chosen: Version, versions: tuple[Version, ...], environment: Environment) -> str:
    if chosen.state not in environment.serves:
        return TESTER
    newer = versions[: versions.index(chosen)]
    passed_over = next((each.state for each in newer if each.state in FALLBACK), None)
    if passed_over is not None:
        return FALLBACK[passed_over]
    return DUMMY if chosen.state == DUMMY else NEWEST


class Route(NamedTuple):
    """All that serving one message of one action needs."""

    action: Action
    name: str
    rule: Rule
    """Who may call it, and where it is answered."""
    writes: bool
    """False for a read: what it writes is rolled back."""
    params: Schema
    result: Schema
    version: int
    """0 where no version is written."""
    state: str
    reason: str
    function: Callable[..., Any] | None
    """None for a dummy, for what is built in, and where no version is served."""
    example: Mapping[str, Any] | None
    """What a dummy answers; None for everything else."""
    meta: Mapping[str, Any]
    """version, state and reason for a reply; to be copied, never changed."""
    is_async: bool = False
    """True for an `async def`, which is stepped from one wait to the next instead of called."""
    built_in: bool = False
    """True for what the engine itself describes and does; an index cannot change it."""

    def is_for(self, caller: Principal) -> bool:
        """Whether this caller may call it on a channel that answers it: by rule, areas and scope."""
        channel = self.rule.channel
        if channel is None:
            return caller.role in self.rule.allowed
        if caller.scope is not None and self.name not in caller.scope:
            return False
        return self.rule.admits(caller.role, caller.areas, channel)


def route_of(
    action: Action,
    decision: Decision,
    function: Callable[..., Any] | None,
    rule: Rule | None = None,
) -> Route:
    """Prepare the route for what was decided; `rule` in place of what the action states."""
    number, state = decision.version[:2] if decision.version else (0, DUMMY)
    params, result = action.schemas(decision.version)
    is_dummy = decision.is_served and state == DUMMY
    return Route(
        action=action,
        name=action.name,
        rule=rule or rule_of(action.access, action.channel, action.area, action.platform),
        writes=action.effect == "write",
        params=params,
        result=result,
        version=number,
        state=state,
        reason=decision.reason,
        function=function,
        example=result.example() if is_dummy else None,
        meta={"version": number, "state": state, "reason": decision.reason},
        is_async=inspect.iscoroutinefunction(function),
    )


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

    @classmethod
    def build(cls, index: Index, environment: str) -> RoutingTable:
        """Decide for every action and load the code of what is served.

        SettingsError for an environment that the index does not have; CodeProblem names each action and
        version whose code cannot be served.
        """
        place = index.environment(environment)
        stated = _loaded(index, lambda action: serve(action, place))
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
        )

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
        return nearest(name, known, n)


class Part(NamedTuple):
    """What one index file contributes to a table."""

    routes: Mapping[str, Route]
    modules: tuple[ModuleType, ...]
    """As in RoutingTable."""
    digest: str
    """Of the file."""


@functools.cache
def built_in_part() -> Part:
    """The engine's own actions, served in every environment.

    Loaded once: they are as old as the engine that they are part of, however often an index is read anew.
    """
    part = _loaded(built_in_index(), lambda action: Decision(action.versions[0], NEWEST), own=True)
    routes = {name: route._replace(built_in=True) for name, route in part.routes.items()}
    return part._replace(routes=MappingProxyType(routes))


def _loaded(index: Index, decide: Callable[[Action], Decision], own: bool = False) -> Part:
    """Load the code of what is served; `own` for the engine's, part of which the console runs."""
    tenants, console = Codebase(index.root), Codebase(index.root)
    problems: list[str] = []
    routes = {}
    for action in index.actions.values():
        decision, is_ours = decide(action), own and action.channel == ADMIN
        try:
            function = _function(decision, console if is_ours else tenants)
            routes[action.name] = route_of(action, decision, function)
        except CodeProblem as problem:
            problems.append(f"{index.path}: {_spelt(action, decision)}: {problem}")
    if problems:
        raise CodeProblem("\n".join(problems))
    return Part(routes, tenants.modules, index.digest)


def _function(decision: Decision, codebase: Codebase) -> Callable[..., Any] | None:
    version = decision.version
    if version is None or not decision.is_served or version.state == DUMMY:
        return None
    return codebase.load(version.code or "").function


def _spelt(action: Action, decision: Decision) -> str:
    return f"{action.name} version {decision.version.number if decision.version else 0}"

"""The service of a connector: the version that answers its operations in one environment, and why.

Permission: a caller's role, areas and scope against an action's rule, and why where it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from actors.access import Rule, rule_of
from actors.errors import PermissionDenied
from actors.index.entries import (
    CONNECTOR,
    DUMMY,
    ERRORING,
    FUNCTION,
    Action,
    Connector,
    Environment,
    Index,
)
from actors.index.selection import FALLBACK, Selection, rank_versions, select
from actors.messages import Principal
from actors.routing.code_cache import (
    CodeCache,
    LoadedVersion,
    ProblemCollector,
    connector_key,
)
from actors.routing.health import FailureDetector
from actors.schema.schema import Schema


class ConnectorRoute(NamedTuple):
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
    detector: FailureDetector | None = None
    """What counts the version's calls and failures; None where there is no code."""
    fallback: ConnectorRoute | None = None
    """What takes over once the version is out; None where nothing would."""

    @property
    def kind(self) -> str:
        """What versions it is one of."""
        return CONNECTOR

    @property
    def meta(self) -> Mapping[str, Any]:
        """Which version, and why."""
        return {"version": self.version, "state": self.state, "reason": self.reason}


class ConnectorRoutes:
    """Those of one index, while a table is being made."""

    def __init__(
        self, index: Index, place: Environment, code_cache: CodeCache, problems: ProblemCollector
    ) -> None:
        self._index = index
        self._place = place
        self._code_cache = code_cache
        self._problems = problems

    def all(self) -> Mapping[str, ConnectorRoute]:
        """By the connector's name; what is wrong with code is noted."""
        connectors = self._index.connectors
        return MappingProxyType({name: self._route(each) for name, each in connectors.items()})

    def _route(self, connector: Connector) -> ConnectorRoute:
        ranked = rank_versions(connector, self._place)
        fallback = None
        if self._place.takes_out is not None:
            for version in reversed(ranked[1:]):
                decision = Selection(version, FALLBACK[ERRORING])
                fallback = self._build(connector, decision, fallback)
        return self._build(connector, select(connector, self._place), fallback)

    def _build(
        self, connector: Connector, decision: Selection, fallback: ConnectorRoute | None
    ) -> ConnectorRoute:
        number, state = decision.version[:2] if decision.version else (0, DUMMY)
        is_dummy = decision.is_served and state == DUMMY
        loaded: LoadedVersion | None = None
        if decision.version is not None and decision.is_served and not is_dummy:
            key = connector_key(connector.name)
            with self._problems.collect(key, decision.version):
                loaded = self._code_cache.get(key, decision.version)
        return ConnectorRoute(
            connector=connector,
            name=connector.name,
            version=number,
            state=state,
            reason=decision.reason,
            make=loaded and loaded.code.function,
            is_dummy=is_dummy,
            taken_out=decision.taken_out,
            detector=loaded and loaded.detector,
            fallback=fallback,
        )


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
    taken_out: bool = False
    """True where a version would be served were it not erroring."""
    detector: FailureDetector | None = None
    """What counts the version's calls and failures; None where there is no function."""
    fallback: Route | None = None
    """What takes over once the version is out; None where nothing would."""
    module: ModuleType | None = None
    """Where the function was written; None where there is none."""

    @property
    def kind(self) -> str:
        """What versions it is one of."""
        return FUNCTION

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
    decision: Selection,
    loaded: LoadedVersion | None,
    rule: Rule | None = None,
    fallback: Route | None = None,
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
        function=loaded and loaded.code.function,
        example=result.example() if is_dummy else None,
        meta={"version": number, "state": state, "reason": decision.reason},
        taken_out=decision.taken_out,
        detector=loaded and loaded.detector,
        fallback=fallback,
        module=loaded and loaded.code.module,
        is_async=loaded is not None and loaded.code.is_async,
    )


MOST_NAMED = 5
"""Actions of a token's scope that a refusal names."""


def require(route: Route, caller: Principal, channel: str) -> None:
    """Return if this caller may call the action on this channel; PermissionDenied says why not."""
    if not route.rule.admits(caller.role, caller.areas, channel):
        raise denied(route, caller, channel)
    if caller.scope is not None and route.name not in caller.scope:
        raise out_of_scope(route, caller.scope)


def denied(route: Route, caller: Principal, channel: str) -> PermissionDenied:
    """Why the rule says no, and what would help."""
    name, rule = route.name, route.rule
    if not rule.answers(caller.role, channel):
        return PermissionDenied(f"{name} is answered on the {rule.channel} channel; call it there")
    if caller.role not in rule.allowed:
        return PermissionDenied(
            f"{name} is for {levels(route)}, and this token is {with_article(caller.role)}'s"
        )
    return PermissionDenied(
        f"{name} needs the area {rule.area!r}, which the admin owner can delegate with owners.delegate"
    )


def out_of_scope(route: Route, scope: frozenset[str]) -> PermissionDenied:
    """The token was issued for other actions."""
    named = ", ".join(sorted(scope)[:MOST_NAMED])
    more = len(scope) - MOST_NAMED
    others = f" and {more} more (system.whoami lists them)" if more > 0 else ""
    return PermissionDenied(
        f"{route.name} is not what this token was issued for: it is good for {named}{others} only"
    )


def levels(route: Route) -> str:
    """Whom the index names, such as `owner` or `owner or developer`."""
    action = route.action
    return action.access if action.platform is None else f"{action.access} or {action.platform}"


def with_article(role: str) -> str:
    """Such as `a member`, `an owner`."""
    return f"an {role}" if role[0] in "ao" else f"a {role}"

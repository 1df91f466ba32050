"""Routes: the version that serves an action, or the operations of a connector, in one environment, and why.

Permission: checks a caller's role, areas and scope against an action's rule, and words the refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple, final

from msgspec import Struct

from actors.access import DATA, Rule, rule_of
from actors.errors import PermissionDenied
from actors.index.entries import (
    CONNECTOR,
    DUMMY,
    FUNCTION,
    RESERVED,
    Action,
    Connector,
)
from actors.index.selection import Selection
from actors.messages import Principal
from actors.routing.code_cache import (
    LoadedVersion,
)
from actors.routing.health import FailureDetector
from actors.schema.schema import Schema
from actors.screening.fields import FieldScreen, Finding, field_screen
from actors.screening.turn import TurnScreening


class ConnectorRoute(NamedTuple):
    """All that serving a call of one connector needs."""

    connector: Connector
    name: str
    version: int
    """0 if no version is written."""
    state: str
    reason: str
    make: Callable[[Any], Any] | None
    """The class of the version, called with the operator's EgressPolicy; None for a dummy, and if no version
    is served."""

    is_dummy: bool = False
    """True if it replies with the examples of its operations' results."""
    taken_out: bool = False
    """True if no version is served and one would be if it were not erroring."""
    detector: FailureDetector | None = None
    """Counts the version's calls and failures; None if there is no code."""
    fallback: ConnectorRoute | None = None
    """Served once the version is tripped; None if there is no fallback."""

    @property
    def kind(self) -> str:
        """CONNECTOR."""
        return CONNECTOR

    @property
    def meta(self) -> Mapping[str, Any]:
        """version, state and reason, for a reply."""
        return {"version": self.version, "state": self.state, "reason": self.reason}


@final
class Route(Struct, frozen=True):
    """All that serving a request of one action needs."""

    action: Action
    name: str
    rule: Rule
    """Who may call it, and on which channel."""
    writes: bool
    """False for a read: what it writes is rolled back."""
    params: Schema
    result: Schema
    version: int
    """0 if no version is written."""
    state: str
    reason: str
    function: Callable[..., Any] | None
    """None for a dummy, for built-in actions, and if no version is served."""
    example: Mapping[str, Any] | None
    """The result of a dummy; None for every other route."""
    meta: Mapping[str, Any]
    """version, state and reason, for a reply. Copy it, never change it."""
    is_async: bool = False
    """True for an `async def`, which runs in steps from one await to the next."""
    built_in: bool = False
    """True for an action of the engine's own; an index cannot change it."""
    taken_out: bool = False
    """True if no version is served and one would be if it were not erroring."""
    detector: FailureDetector | None = None
    """Counts the version's calls and failures; None if there is no function."""
    fallback: Route | None = None
    """Served once the version is tripped; None if there is no fallback."""
    module: ModuleType | None = None
    """Module of the function; None if there is no function."""
    screen: FieldScreen | None = None
    """Screens the params; None if they hold no text."""
    is_watched: bool = False
    """Whether a signal of bad intent counts what the action has done."""

    def read(
        self, params: Mapping[str, Any], screening: TurnScreening | None = None
    ) -> tuple[Any, list[Finding]]:
        """Return the typed params, and what rules that are only watched have found.

        `screening` is that of the turn. Raises InvalidArgument if they do not fit the schema, and Rejected if
        they look like an attack.
        """
        typed, screen = self.params.parse(params), self.screen
        if screen is None or (screening is not None and screening.is_harmless(screen, params)):
            return typed, []
        return typed, screen.check(params)

    @property
    def kind(self) -> str:
        """FUNCTION."""
        return FUNCTION

    def is_for(self, caller: Principal) -> bool:
        """Return whether this caller may call it on its channel: by rule, areas and scope."""
        scope = caller.scope
        if scope is not None and self.name not in scope and not self.name.startswith(RESERVED):
            return False
        return self.rule.admits(caller.role, caller.areas, self.rule.channel or DATA)

    @property
    def is_administrative(self) -> bool:
        """Whether the admin console answers it, also where the data channel takes it."""
        return self.built_in and self.rule.channel != DATA


def connector_route_of(
    connector: Connector,
    decision: Selection,
    loaded: LoadedVersion | None,
    fallback: ConnectorRoute | None = None,
) -> ConnectorRoute:
    """Build the connector route of a selection."""
    number, state = decision.version[:2] if decision.version else (0, DUMMY)
    return ConnectorRoute(
        connector=connector,
        name=connector.name,
        version=number,
        state=state,
        reason=decision.reason,
        make=loaded and loaded.code.function,
        is_dummy=decision.is_served and state == DUMMY,
        taken_out=decision.taken_out,
        detector=loaded and loaded.detector,
        fallback=fallback,
    )


def route_of(
    action: Action,
    decision: Selection,
    loaded: LoadedVersion | None,
    fallback: Route | None = None,
    rule: Rule | None = None,
) -> Route:
    """Build the route of a selection; `rule` overrides the rule that the action states."""
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
        screen=field_screen(action.name, params.source, action.screening),
        is_watched=action.is_watched,
    )


MOST_NAMED = 5
"""Most actions of a token's scope that a refusal names."""


def require(route: Route, caller: Principal, channel: str) -> None:
    """Raise PermissionDenied, with the reason, if this caller may not call the action on this channel."""
    if not route.rule.admits(caller.role, caller.areas, channel):
        raise denied(route, caller, channel)
    if caller.scope is not None and route.name not in caller.scope:
        raise out_of_scope(route, caller.scope)


def denied(route: Route, caller: Principal, channel: str) -> PermissionDenied:
    """Return the refusal by the action's rule: the reason, and what the caller can do."""
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
    """Return the refusal of a token that was issued for other actions."""
    named = ", ".join(sorted(scope)[:MOST_NAMED])
    more = len(scope) - MOST_NAMED
    others = f" and {more} more (system.whoami lists them)" if more > 0 else ""
    return PermissionDenied(
        f"{route.name} is not what this token was issued for: it is good for {named}{others} only"
    )


def levels(route: Route) -> str:
    """Return the levels that may call the action, such as `owner` or `owner or developer`."""
    action = route.action
    return action.access if action.platform is None else f"{action.access} or {action.platform}"


def with_article(role: str) -> str:
    """Return a role with its article, such as `a member` or `an owner`."""
    return f"an {role}" if role[0] in "ao" else f"a {role}"

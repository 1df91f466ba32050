"""Permission: a caller's role, areas and scope against an action's rule, and why where it is refused."""

from __future__ import annotations

from actors.errors import PermissionDenied
from actors.messages import Principal
from actors.service import Route

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

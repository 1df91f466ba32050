"""Permission: the rule and the token's scope say yes or no, and a refusal says what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.access import ADMIN, AREAS, CHANNELS, DATA, ROLES
from actors.errors import PermissionDenied
from actors.messages import Principal
from actors.routing.route import require, with_article
from tests.actors.router_harness import SNAPSHOT

ROUTES = SNAPSHOT.current.routes


def caller(role: str, **more: object) -> Principal:
    """In this role, of acme."""
    return replace(Principal(id="t_1", tenant="acme", role=role), **more)


def refusal(action: str, who: Principal, channel: str) -> str:
    """Why it is refused."""
    with pytest.raises(PermissionDenied) as error:
        require(ROUTES[action], who, channel)
    return error.value.refusal.message


@given(
    st.sampled_from(sorted(ROUTES)),
    st.sampled_from(sorted(ROLES)),
    st.sampled_from(CHANNELS),
    st.frozensets(st.sampled_from(AREAS)),
    st.none() | st.frozensets(st.sampled_from(sorted(ROUTES))),
)
def test_it_is_the_rule_and_the_scope_and_nothing_else_that_decide(
    action: str, role: str, channel: str, areas: frozenset[str], scope: frozenset[str] | None
) -> None:
    route, who = ROUTES[action], caller(role, areas=areas, scope=scope)
    in_scope = scope is None or action in scope
    if route.rule.admits(role, areas, channel) and in_scope:
        require(route, who, channel)
    else:
        assert action in refusal(action, who, channel)


def test_who_asks_on_the_wrong_channel_is_told_which_is_right() -> None:
    """Before anything else: on this one no one gets any further."""
    owner = caller("owner", areas=frozenset(AREAS))
    assert "answered on the admin channel" in refusal("members.add", owner, DATA)
    assert "answered on the admin channel" in refusal("tenants.list", caller("member"), DATA)
    assert "answered on the data channel" in refusal("marks.add", caller("member"), ADMIN)


def test_who_lacks_an_area_is_told_which_and_who_gives_it() -> None:
    told = refusal("members.add", caller("owner"), ADMIN)
    assert "'members'" in told
    assert "admin owner can delegate" in told


def test_who_has_another_role_is_told_both() -> None:
    assert refusal("owners.only", caller("member"), DATA) == (
        "owners.only is for owner, and this token is a member's"
    )


def test_a_token_for_other_actions_says_which() -> None:
    told = refusal("marks.add", caller("member", scope=frozenset({"marks.count"})), DATA)
    assert (
        told == "marks.add is not what this token was issued for: it is good for marks.count only"
    )


def test_a_long_scope_is_not_listed_to_its_end() -> None:
    scope = frozenset(f"marks.number_{number}" for number in range(200))
    told = refusal("marks.add", caller("member", scope=scope), DATA)
    assert "195 more (system.whoami lists them)" in told
    assert len(told) < 300


def test_roles_have_their_article() -> None:
    assert [with_article(role) for role in ("member", "owner", "admin owner", "developer")] == [
        "a member",
        "an owner",
        "an admin owner",
        "a developer",
    ]

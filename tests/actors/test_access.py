"""Access: who is admitted where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.access import (
    ADMIN,
    ADMIN_OWNER,
    AREAS,
    CHANNELS,
    DATA,
    FOR_ANY_TOKEN,
    FOR_ANYONE,
    LEVELS,
    OWNER,
    PLATFORM_LEVELS,
    PLATFORM_ROLES,
    PUBLIC,
    ROLES,
    SUPER_ADMIN,
    TENANT_ROLES,
    Rule,
    rule_of,
)

ROLE = st.sampled_from(sorted(ROLES))
LEVEL = st.sampled_from(sorted(LEVELS))
CHANNEL = st.sampled_from(CHANNELS)
SOME_AREAS = st.frozensets(st.sampled_from(AREAS))
NARROWER = {
    "public": "member",
    "member": "owner",
    "owner": "admin owner",
    "developer": "developer admin",
}


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """What an index can state."""
    area = draw(st.none() | st.sampled_from(AREAS))
    platform = draw(st.none() | st.sampled_from(PLATFORM_LEVELS))
    return rule_of(OWNER if area else draw(LEVEL), draw(CHANNEL), area, platform)


@given(LEVEL.filter(lambda level: level != PUBLIC), CHANNEL)
def test_only_public_admits_a_caller_without_a_token(level: str, channel: str) -> None:
    """Whatever area or channel."""
    assert not rule_of(level, channel).admits(PUBLIC, frozenset(AREAS), channel)


@given(st.sampled_from(sorted(NARROWER.items())), ROLE)
def test_whom_a_narrow_level_admits_the_wider_one_admits(pair: tuple[str, str], role: str) -> None:
    """Owner admits the admin owner, member every tenant role, developer the developer admin."""
    wide, narrow = pair
    if role in LEVELS[narrow]:
        assert role in LEVELS[wide]
    assert LEVELS[narrow] < LEVELS[wide]


@given(LEVEL)
def test_tenant_and_platform_do_not_mix(level: str) -> None:
    """A developer has no right inside a tenant, nor an owner on the platform."""
    assert not (LEVELS[level] & PLATFORM_ROLES and LEVELS[level] & TENANT_ROLES)


@given(st.sampled_from(PLATFORM_LEVELS), CHANNEL)
def test_a_platform_level_besides_admits_both_and_no_other(platform: str, channel: str) -> None:
    """That is what `platform` in the index is for."""
    rule = rule_of(ADMIN_OWNER, channel, platform=platform)
    assert rule.allowed == LEVELS[ADMIN_OWNER] | LEVELS[platform]


@given(rules(), SOME_AREAS)
def test_a_super_admin_may_everything_through_the_admin_channel_alone(
    rule: Rule, areas: frozenset[str]
) -> None:
    """Which is where his actions are written ahead; on the data channel no one acts as one."""
    assert rule.admits(SUPER_ADMIN, areas, ADMIN)


@given(rules(), ROLE.filter(lambda role: role != SUPER_ADMIN), SOME_AREAS, CHANNEL)
def test_everyone_else_is_answered_on_the_channel_of_the_action(
    rule: Rule, role: str, areas: frozenset[str], channel: str
) -> None:
    """An owner who calls an administrative action on the data channel is refused."""
    if channel != rule.channel:
        assert not rule.admits(role, areas, channel)


@given(rules(), SOME_AREAS)
def test_an_owner_needs_the_area_and_an_admin_owner_does_not(
    rule: Rule, areas: frozenset[str]
) -> None:
    """Delegation is by area; what is not delegated stays with the admin owner."""
    channel = rule.channel or DATA
    if rule.area is not None:
        assert rule.admits(OWNER, areas, channel) == (rule.area in areas)
        assert rule.admits(ADMIN_OWNER, frozenset(), channel)


@given(rules(), ROLE, SOME_AREAS, SOME_AREAS, CHANNEL)
def test_more_areas_never_take_a_right_away(
    rule: Rule, role: str, some: frozenset[str], more: frozenset[str], channel: str
) -> None:
    """Narrowing a delegation can only take."""
    if rule.admits(role, some, channel):
        assert rule.admits(role, some | more, channel)


@given(ROLE, SOME_AREAS, CHANNEL)
def test_what_is_built_in_is_answered_on_both_channels(
    role: str, areas: frozenset[str], channel: str
) -> None:
    """system.ping for anyone, system.whoami for any token."""
    assert FOR_ANYONE.admits(role, areas, channel)
    assert FOR_ANY_TOKEN.admits(role, areas, channel) == (role != PUBLIC)


@given(LEVEL)
def test_each_level_admits_the_role_of_its_name(level: str) -> None:
    """The levels are named after the least role that they admit."""
    assert level in LEVELS[level]


def test_a_word_that_is_no_level_admits_nobody() -> None:
    """It is an error, and never an empty or a full set."""
    with pytest.raises(KeyError):
        rule_of("superuser", DATA)

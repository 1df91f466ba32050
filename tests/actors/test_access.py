"""Access levels: who is admitted where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.access import AUTHENTICATED, LEVELS, ROLES, allowed_roles

ROLE = st.sampled_from(sorted(ROLES))
NARROWER = {
    "member": "owner",
    "owner": "admin owner",
    "developer": "developer admin",
}


@given(ROLE)
def test_public_admits_everyone(role: str) -> None:
    """With or without a token."""
    assert role in allowed_roles("public")


@given(st.sampled_from(sorted(set(LEVELS) - {"public"})))
def test_no_other_level_admits_a_caller_without_a_token(level: str) -> None:
    """The role of a caller without a token is public."""
    assert "public" not in allowed_roles(level)
    assert allowed_roles(level) <= AUTHENTICATED


@given(st.sampled_from(sorted(NARROWER.items())), ROLE)
def test_whom_a_narrow_level_admits_the_wider_one_admits(pair: tuple[str, str], role: str) -> None:
    """Owner admits the admin owner, member every tenant role, developer the developer admin."""
    wide, narrow = pair
    if role in allowed_roles(narrow):
        assert role in allowed_roles(wide)
    assert allowed_roles(narrow) < allowed_roles(wide)


@given(st.sampled_from(sorted(set(LEVELS) - {"public"})))
def test_tenant_and_platform_do_not_mix(level: str) -> None:
    """A developer has no right inside a tenant, nor an owner on the platform."""
    platform = {"developer", "developer admin"}
    assert allowed_roles(level) <= platform or not allowed_roles(level) & platform


@given(st.sampled_from(sorted(set(LEVELS) - {"public"})))
def test_each_level_admits_the_role_of_its_name(level: str) -> None:
    """The levels are named after the least role that they admit."""
    assert level in allowed_roles(level)


def test_a_word_that_is_no_level_admits_nobody() -> None:
    """It is an error, and never an empty or a full set."""
    with pytest.raises(KeyError):
        allowed_roles("superuser")

"""Snapshots of tenants: whether a connector may be used now, and what they show of secrets."""

from __future__ import annotations

import pytest

from actors.profiles import ConnectorSettings, Profile, Subscription, deep_freeze, may_use

NOW = 1_900_000_000.0

NEEDLE = "hunter2-XYZZY"


@pytest.mark.parametrize(
    ("since", "until", "may"),
    [
        (None, None, True),
        (NOW, None, True),
        (NOW + 1, None, False),
        (None, NOW + 1, True),
        (None, NOW, False),
        (NOW - 1, NOW + 1, True),
        (NOW, NOW, False),
    ],
)
def test_a_connector_may_be_used_while_the_subscription_is_live(
    since: float | None, until: float | None, may: bool
) -> None:
    """From its first moment to before its last, and no other connector because of it."""
    profile = Profile(subscriptions={"mail": Subscription("mail", since, until)})
    assert may_use(profile, "mail", NOW) is may
    assert not may_use(profile, "crm", NOW)


def test_nothing_may_be_used_without_a_subscription() -> None:
    """Whatever is set for it."""
    profile = Profile(connectors={"mail": ConnectorSettings("mail", 1)})
    assert not may_use(profile, "mail", NOW)


def test_a_snapshot_shows_the_names_of_settings_and_none_of_their_values() -> None:
    """However it is printed, and in whatever it stands."""
    settings = deep_freeze({"password": NEEDLE, "headers": {NEEDLE: [NEEDLE]}})
    held = ConnectorSettings("mail", 3, settings)
    for told in (repr(held), str(held), f"{held}", repr(Profile(connectors={"mail": held}))):
        assert NEEDLE not in told
        assert "names=['headers', 'password']" in told
    assert held.settings["password"] == NEEDLE


def test_one_that_cannot_be_read_says_why() -> None:
    """For anyone who has to answer `unavailable`."""
    assert "its key is gone" in repr(ConnectorSettings("mail", 3, problem="its key is gone"))

"""Callers: whom a token stands for now, and who is super admin on what."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from actors.edge.authentication import Authenticator
from actors.errors import Unauthenticated, Unavailable
from actors.host.clocks import MonotonicWallClock
from actors.messages import ANYONE, SUSPENDED, DirectoryChanged, Grant, TenantRecord
from tests.actors.router_harness import ACME, GLOBEX, Wall, digest, token


@pytest.fixture
def wall() -> Wall:
    """The machine's clock."""
    return Wall()


@pytest.fixture
def authenticator(wall: Wall) -> Authenticator:
    """Informed of acme and globex, where no one has a token."""
    authenticator = Authenticator(MonotonicWallClock(wall))
    authenticator.change(DirectoryChanged(tenants=(ACME, GLOBEX), complete=True))
    return authenticator


def refused(authenticator: Authenticator, text: str) -> bool:
    """Whether this token is good for nothing."""
    try:
        authenticator.authenticate(text)
    except Unauthenticated:
        return True
    return False


def test_a_token_stands_for_its_principal_and_none_for_anyone(authenticator: Authenticator) -> None:
    ann = token("ann")
    authenticator.change(DirectoryChanged(tokens=(ann,)))
    assert authenticator.authenticate("ann") is ann.principal
    assert authenticator.authenticate(None) is ANYONE


def test_an_unknown_and_a_revoked_token_are_good_for_nothing(authenticator: Authenticator) -> None:
    authenticator.change(DirectoryChanged(tokens=(token("ann"),)))
    authenticator.change(DirectoryChanged(revoked=(digest("ann"),)))
    assert refused(authenticator, "ann")
    assert refused(authenticator, "an")
    assert refused(authenticator, "")


def test_until_the_directory_has_spoken_nobody_is_called_unknown(wall: Wall) -> None:
    """A good token must not be taken for a bad one because the server has just started."""
    authenticator = Authenticator(MonotonicWallClock(wall))
    with pytest.raises(Unavailable) as error:
        authenticator.authenticate("ann")
    assert error.value.refusal.retry_after_ms
    authenticator.change(DirectoryChanged(complete=True))
    assert refused(authenticator, "ann")


def test_a_token_expires_at_its_second_and_stays_expired_when_the_clock_jumps_back(
    authenticator: Authenticator, wall: Wall
) -> None:
    end = wall.time + 100
    authenticator.change(DirectoryChanged(tokens=(token("ann", expires=end),)))
    wall.time = end - 0.001
    assert not refused(authenticator, "ann")
    wall.time = end
    assert refused(authenticator, "ann")
    wall.time = end - 3600
    assert refused(authenticator, "ann")


def test_a_refused_token_is_not_counted_as_used(authenticator: Authenticator, wall: Wall) -> None:
    tokens = (token("ann"), token("bob"), token("old", expires=wall.time - 1))
    authenticator.change(DirectoryChanged(tokens=tokens))
    for text in ("ann", "ann", "old", "nobody", None):
        if text is None or not refused(authenticator, text):
            authenticator.authenticate(text)
    assert authenticator.drain_token_uses() == {"t_ann": wall.time}
    assert authenticator.drain_token_uses() == {}


def test_all_there_is_replaces_what_was_known(authenticator: Authenticator) -> None:
    """What was lost with a message takes effect then."""
    authenticator.change(DirectoryChanged(tokens=(token("ann"),), grants=(grant("g_1"),)))
    authenticator.change(DirectoryChanged(tenants=(GLOBEX,), tokens=(token("bob"),), complete=True))
    assert refused(authenticator, "ann")
    assert not refused(authenticator, "bob")
    assert authenticator.tenant("acme") is None
    assert authenticator.tenant("globex") is GLOBEX
    assert authenticator.grant("p_dev", "acme") is None


def test_a_tenant_is_known_by_its_newest_status(authenticator: Authenticator) -> None:
    authenticator.change(DirectoryChanged(tenants=(replace(ACME, status=SUSPENDED),)))
    known = authenticator.tenant("acme")
    assert known is not None
    assert known.status == SUSPENDED
    assert authenticator.tenant("nobody") is None
    assert authenticator.tenant(None) is None


def grant(id_: str, until: float = 1e12, **more: Any) -> Grant:
    """Of the developer admin p_dev on acme."""
    return Grant(**{"id": id_, "person": "p_dev", "tenant": "acme", "until": until, **more})


def test_a_grant_holds_on_its_tenant_for_its_person_until_its_end(
    authenticator: Authenticator, wall: Wall
) -> None:
    end = wall.time + 60
    authenticator.change(DirectoryChanged(grants=(grant("g_1", end),)))
    assert authenticator.grant("p_dev", "acme") == grant("g_1", end)
    assert authenticator.grant("p_dev", "globex") is None
    assert authenticator.grant("p_other", "acme") is None
    wall.time = end
    assert authenticator.grant("p_dev", "acme") is None
    wall.time = end - 30
    assert authenticator.grant("p_dev", "acme") is None


def test_a_withdrawn_grant_leaves_another_standing(
    authenticator: Authenticator, wall: Wall
) -> None:
    first, second = grant("g_1", wall.time + 60), grant("g_2", wall.time + 30)
    authenticator.change(DirectoryChanged(grants=(first, second)))
    assert authenticator.grant("p_dev", "acme") == first
    authenticator.change(DirectoryChanged(ended=("g_1",)))
    assert authenticator.grant("p_dev", "acme") == second
    authenticator.change(DirectoryChanged(ended=("g_2", "g_unknown")))
    assert authenticator.grant("p_dev", "acme") is None


def test_nothing_of_a_deleted_tenant_passes_to_the_next_of_its_name(
    authenticator: Authenticator,
) -> None:
    """Also where the Directory does not name its tokens and grants."""
    authenticator.change(DirectoryChanged(tokens=(token("ann"),), grants=(grant("g_1"),)))
    another = TenantRecord("acme", "c" * 32)
    authenticator.change(DirectoryChanged(forgotten=(ACME,), tenants=(another,)))
    assert authenticator.tenant("acme") is another
    assert refused(authenticator, "ann")
    assert authenticator.grant("p_dev", "acme") is None


def test_the_next_tenant_of_a_name_stays_when_the_last_is_forgotten_late(
    authenticator: Authenticator,
) -> None:
    another = TenantRecord("acme", "c" * 32)
    authenticator.change(
        DirectoryChanged(tenants=(another,), tokens=(token("ann"),), complete=True)
    )
    authenticator.change(DirectoryChanged(forgotten=(ACME,)))
    assert authenticator.tenant("acme") is another
    assert not refused(authenticator, "ann")

"""Callers: whom a token stands for now, and who is super admin on what."""

from __future__ import annotations

from typing import Any

import pytest

from actors.edge.authentication import Callers
from actors.errors import Unauthenticated, Unavailable
from actors.host.clocks import MonotonicWallClock
from actors.messages import ANYONE, SUSPENDED, DirectoryChanged, Grant, TenantRecord
from tests.actors.router_harness import ACME, GLOBEX, Wall, digest, token


@pytest.fixture
def wall() -> Wall:
    """The machine's clock."""
    return Wall()


@pytest.fixture
def callers(wall: Wall) -> Callers:
    """Informed of acme and globex, where nobody has a token."""
    callers = Callers(MonotonicWallClock(wall))
    callers.change(DirectoryChanged(tenants=(ACME, GLOBEX), complete=True))
    return callers


def refused(callers: Callers, text: str) -> bool:
    """Whether this token is good for nothing."""
    try:
        callers.caller(text)
    except Unauthenticated:
        return True
    return False


def test_a_token_stands_for_its_principal_and_none_for_anyone(callers: Callers) -> None:
    ann = token("ann")
    callers.change(DirectoryChanged(tokens=(ann,)))
    assert callers.caller("ann") is ann.principal
    assert callers.caller(None) is ANYONE


def test_an_unknown_and_a_revoked_token_are_good_for_nothing(callers: Callers) -> None:
    callers.change(DirectoryChanged(tokens=(token("ann"),)))
    callers.change(DirectoryChanged(revoked=(digest("ann"),)))
    assert refused(callers, "ann")
    assert refused(callers, "an")
    assert refused(callers, "")


def test_until_the_directory_has_spoken_nobody_is_called_unknown(wall: Wall) -> None:
    """A good token must not be taken for a bad one because the server has just started."""
    callers = Callers(MonotonicWallClock(wall))
    with pytest.raises(Unavailable) as error:
        callers.caller("ann")
    assert error.value.refusal.retry_after_ms
    callers.change(DirectoryChanged(complete=True))
    assert refused(callers, "ann")


def test_a_token_expires_at_its_second_and_stays_expired_when_the_clock_jumps_back(
    callers: Callers, wall: Wall
) -> None:
    end = wall.time + 100
    callers.change(DirectoryChanged(tokens=(token("ann", expires=end),)))
    wall.time = end - 0.001
    assert not refused(callers, "ann")
    wall.time = end
    assert refused(callers, "ann")
    wall.time = end - 3600
    assert refused(callers, "ann")


def test_a_refused_token_is_not_counted_as_used(callers: Callers, wall: Wall) -> None:
    tokens = (token("ann"), token("bob"), token("old", expires=wall.time - 1))
    callers.change(DirectoryChanged(tokens=tokens))
    for text in ("ann", "ann", "old", "nobody", None):
        if text is None or not refused(callers, text):
            callers.caller(text)
    assert callers.take_uses() == {"t_ann": wall.time}
    assert callers.take_uses() == {}


def test_all_there_is_replaces_what_was_known(callers: Callers) -> None:
    """What was lost with a message takes effect then."""
    callers.change(DirectoryChanged(tokens=(token("ann"),), grants=(grant("g_1"),)))
    callers.change(DirectoryChanged(tenants=(GLOBEX,), tokens=(token("bob"),), complete=True))
    assert refused(callers, "ann")
    assert not refused(callers, "bob")
    assert callers.tenant("acme") is None
    assert callers.tenant("globex") is GLOBEX
    assert callers.grant("p_dev", "acme") is None


def test_a_tenant_is_known_by_its_newest_status(callers: Callers) -> None:
    callers.change(DirectoryChanged(tenants=(ACME._replace(status=SUSPENDED),)))
    known = callers.tenant("acme")
    assert known is not None
    assert known.status == SUSPENDED
    assert callers.tenant("nobody") is None
    assert callers.tenant(None) is None


def grant(id_: str, until: float = 1e12, **more: Any) -> Grant:
    """Of the developer admin p_dev on acme."""
    return Grant(**{"id": id_, "person": "p_dev", "tenant": "acme", "until": until, **more})


def test_a_grant_holds_on_its_tenant_for_its_person_until_its_end(
    callers: Callers, wall: Wall
) -> None:
    end = wall.time + 60
    callers.change(DirectoryChanged(grants=(grant("g_1", end),)))
    assert callers.grant("p_dev", "acme") == grant("g_1", end)
    assert callers.grant("p_dev", "globex") is None
    assert callers.grant("p_other", "acme") is None
    wall.time = end
    assert callers.grant("p_dev", "acme") is None
    wall.time = end - 30
    assert callers.grant("p_dev", "acme") is None


def test_a_withdrawn_grant_leaves_another_standing(callers: Callers, wall: Wall) -> None:
    first, second = grant("g_1", wall.time + 60), grant("g_2", wall.time + 30)
    callers.change(DirectoryChanged(grants=(first, second)))
    assert callers.grant("p_dev", "acme") == first
    callers.change(DirectoryChanged(ended=("g_1",)))
    assert callers.grant("p_dev", "acme") == second
    callers.change(DirectoryChanged(ended=("g_2", "g_unknown")))
    assert callers.grant("p_dev", "acme") is None


def test_nothing_of_a_deleted_tenant_passes_to_the_next_of_its_name(callers: Callers) -> None:
    """Also where the Directory does not name its tokens and grants."""
    callers.change(DirectoryChanged(tokens=(token("ann"),), grants=(grant("g_1"),)))
    another = TenantRecord("acme", "c" * 32)
    callers.change(DirectoryChanged(forgotten=(ACME,), tenants=(another,)))
    assert callers.tenant("acme") is another
    assert refused(callers, "ann")
    assert callers.grant("p_dev", "acme") is None


def test_the_next_tenant_of_a_name_stays_when_the_last_is_forgotten_late(callers: Callers) -> None:
    another = TenantRecord("acme", "c" * 32)
    callers.change(DirectoryChanged(tenants=(another,), tokens=(token("ann"),), complete=True))
    callers.change(DirectoryChanged(forgotten=(ACME,)))
    assert callers.tenant("acme") is another
    assert not refused(callers, "ann")

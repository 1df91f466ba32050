"""Limits of one tenant, in place of the server's."""

from __future__ import annotations

import pytest

from actors.admin.messages import DeleteTenant, SetLimits, ShowLimits
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from actors.profiles import UNREMARKABLE, TenantLimits
from tests.actors.admin.directory_harness import TownHall

NONE = dict.fromkeys(TenantLimits._fields)


def snapshot(town: TownHall) -> TenantLimits:
    """What routers and tenants read."""
    return town.profiles.of(town.known.tenants["acme"].id).limits


def test_at_first_only_the_server_s_own_hold(town: TownHall) -> None:
    """Every one is null."""
    town.tenant()
    assert town.ask(ShowLimits("acme")) == {"limits": NONE}
    assert snapshot(town) == TenantLimits()


def test_those_that_are_named_change_and_the_others_stay(town: TownHall) -> None:
    """None takes one away; whoever reads the snapshot has it before the answer."""
    town.tenant()
    town.order(SetLimits("acme", {"requests_per_second": 2.5, "mailbox": 10}))
    town.order(SetLimits("acme", {"burst": 5, "mailbox": None, "database_bytes": 2**40}))
    wanted = {"requests_per_second": 2.5, "burst": 5, "database_bytes": 2**40}
    assert town.ask(ShowLimits("acme")) == {"limits": NONE | wanted}
    assert snapshot(town) == TenantLimits(**wanted)  # type: ignore[arg-type]  # by name
    town.restart()
    assert town.ask(ShowLimits("acme")) == {"limits": NONE | wanted}


def test_a_tenant_without_any_is_unremarkable_again(town: TownHall) -> None:
    """As if nobody had ever set one."""
    town.tenant()
    town.order(SetLimits("acme", {"mailbox": 10}))
    town.order(SetLimits("acme", {"mailbox": None}))
    assert town.profiles.of(town.known.tenants["acme"].id) is UNREMARKABLE


def test_a_burst_is_of_a_rate(town: TownHall) -> None:
    """Neither set without one nor left behind by it."""
    town.tenant()
    assert isinstance(town.refusal(SetLimits("acme", {"burst": 5})), FailedPrecondition)
    town.order(SetLimits("acme", {"burst": 5, "requests_per_second": 1}))
    error = town.refusal(SetLimits("acme", {"requests_per_second": None}))
    assert isinstance(error, FailedPrecondition)
    assert snapshot(town).requests_per_second == 1


def test_a_limit_that_there_is_not_is_refused(town: TownHall) -> None:
    """With those there are."""
    town.tenant()
    error = town.refusal(SetLimits("acme", {"mailbox": 1, "patience": 3}))
    assert isinstance(error, InvalidArgument)
    assert "'patience': use requests_per_second, burst" in str(error)
    assert snapshot(town) == TenantLimits()


def test_a_tenant_has_its_own(town: TownHall) -> None:
    """Nobody else's change with them; a tenant that there is not has none."""
    town.tenant()
    town.tenant("globex")
    town.order(SetLimits("globex", {"mailbox": 10}))
    assert town.ask(ShowLimits("acme")) == {"limits": NONE}
    assert isinstance(town.refusal(SetLimits("nowhere", {"mailbox": 1})), NotFound)
    with pytest.raises(NotFound):
        town.ask(ShowLimits("nowhere"))


def test_of_a_tenant_to_be_deleted_they_can_only_be_read(town: TownHall) -> None:
    """Until the deletion is called off."""
    town.tenant()
    town.order(DeleteTenant("acme", 30, "over"))
    assert isinstance(town.refusal(SetLimits("acme", {"mailbox": 1})), FailedPrecondition)
    assert town.ask(ShowLimits("acme")) == {"limits": NONE}

"""Limits of one tenant, in place of the server's."""

from __future__ import annotations

import pytest

from actors.admin.messages import DeleteTenant, SetLimits, ShowLimits
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from actors.profiles import DEFAULT_PROFILE, TenantLimits
from tests.actors.admin.directory_harness import DirectoryHarness

NONE = dict.fromkeys(TenantLimits._fields)


def snapshot(directory: DirectoryHarness) -> TenantLimits:
    """What routers and tenants read."""
    return directory.profiles.of(directory.known.tenants["acme"].id).limits


def test_at_first_only_the_server_s_own_hold(directory: DirectoryHarness) -> None:
    """Every one is null."""
    directory.tenant()
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE}
    assert snapshot(directory) == TenantLimits()


def test_those_that_are_named_change_and_the_others_stay(directory: DirectoryHarness) -> None:
    """None takes one away; whoever reads the snapshot has it before the answer."""
    directory.tenant()
    directory.execute(SetLimits("acme", {"requests_per_second": 2.5, "mailbox": 10}))
    directory.execute(SetLimits("acme", {"burst": 5, "mailbox": None, "database_bytes": 2**40}))
    wanted = {"requests_per_second": 2.5, "burst": 5, "database_bytes": 2**40}
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE | wanted}
    assert snapshot(directory) == TenantLimits(**wanted)  # type: ignore[arg-type]  # by name
    directory.restart()
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE | wanted}


def test_a_tenant_without_any_is_unremarkable_again(directory: DirectoryHarness) -> None:
    """As if nobody had ever set one."""
    directory.tenant()
    directory.execute(SetLimits("acme", {"mailbox": 10}))
    directory.execute(SetLimits("acme", {"mailbox": None}))
    assert directory.profiles.of(directory.known.tenants["acme"].id) is DEFAULT_PROFILE


def test_a_burst_is_of_a_rate(directory: DirectoryHarness) -> None:
    """Neither set without one nor left behind by it."""
    directory.tenant()
    assert isinstance(directory.refusal(SetLimits("acme", {"burst": 5})), FailedPrecondition)
    directory.execute(SetLimits("acme", {"burst": 5, "requests_per_second": 1}))
    error = directory.refusal(SetLimits("acme", {"requests_per_second": None}))
    assert isinstance(error, FailedPrecondition)
    assert snapshot(directory).requests_per_second == 1


def test_a_limit_that_there_is_not_is_refused(directory: DirectoryHarness) -> None:
    """With those there are."""
    directory.tenant()
    error = directory.refusal(SetLimits("acme", {"mailbox": 1, "patience": 3}))
    assert isinstance(error, InvalidArgument)
    assert "'patience': use requests_per_second, burst" in str(error)
    assert snapshot(directory) == TenantLimits()


def test_a_tenant_has_its_own(directory: DirectoryHarness) -> None:
    """Nobody else's change with them; a tenant that there is not has none."""
    directory.tenant()
    directory.tenant("globex")
    directory.execute(SetLimits("globex", {"mailbox": 10}))
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE}
    assert isinstance(directory.refusal(SetLimits("nowhere", {"mailbox": 1})), NotFound)
    with pytest.raises(NotFound):
        directory.ask(ShowLimits("nowhere"))


def test_of_a_tenant_to_be_deleted_they_can_only_be_read(directory: DirectoryHarness) -> None:
    """Until the deletion is called off."""
    directory.tenant()
    directory.execute(DeleteTenant("acme", 30, "over"))
    assert isinstance(directory.refusal(SetLimits("acme", {"mailbox": 1})), FailedPrecondition)
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE}

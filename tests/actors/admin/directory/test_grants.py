"""Grants: who is super admin where, why and until when; never by himself, never for ever."""

from __future__ import annotations

import math
import re

import pytest

from actors.admin.messages import (
    AddDeveloper,
    ChangeDeveloper,
    CreateTenant,
    DeleteTenant,
    GrantSuper,
    IssueToken,
    ListSupers,
    RemoveDeveloper,
    WithdrawSuper,
)
from actors.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from actors.messages import Grant
from tests.actors.admin.directory_harness import CONSOLE, DAY, START, DirectoryHarness, as_super
from tests.raw_client import Map

NOBODY = "p_" + "0" * 16
NOWHERE = "g_" + "0" * 16


def grant(person: str, tenant: str = "acme", minutes: float = 60) -> GrantSuper:
    """With a reason."""
    return GrantSuper(tenant, person, minutes, "ticket 4711")


def only(directory: DirectoryHarness, tenant: str = "acme") -> Map:
    """The one grant there is or was."""
    (found,) = directory.ask(ListSupers(tenant))["grants"]
    assert isinstance(found, dict)
    return found


def test_a_grant_names_person_tenant_reason_giver_and_end(directory: DirectoryHarness) -> None:
    """The same to the one who asks for it, to the list, and to the subscribers."""
    ada, admin = directory.tenant(), directory.developer()
    made = directory.execute(grant(admin.person), by=ada)["grant"]
    assert re.fullmatch(r"g_[0-9a-f]{16}", made["id"])
    assert made == only(directory) == {
        "id": made["id"],
        "person": admin.person,
        "tenant": "acme",
        "reason": "ticket 4711",
        "granted_by": ada.person,
        "granted_at": "2030-03-17T17:46:40Z",
        "until": "2030-03-17T18:46:40Z",
        "ended_at": None,
        "live": True,
    }  # fmt: skip
    assert directory.known.grants == {
        made["id"]: Grant(made["id"], admin.person, "acme", START + 3600)
    }


def test_another_developer_admin_or_the_console_grants_it(directory: DirectoryHarness) -> None:
    """The history names the person, or that it was no one's token."""
    directory.tenant()
    giver, taker = directory.developer(), directory.developer()
    assert directory.execute(grant(taker.person), by=giver)["grant"]["granted_by"] == giver.person
    assert directory.execute(grant(giver.person), by=CONSOLE)["grant"]["granted_by"] == "console"


def test_nobody_makes_himself_super_admin(directory: DirectoryHarness) -> None:
    """Nor, being one, longer than he is; also where he names himself on a tenant that is not his."""
    directory.tenant()
    directory.tenant("globex")
    admin = directory.developer()
    assert isinstance(directory.refusal(grant(admin.person), by=admin), PermissionDenied)
    directory.execute(grant(admin.person))
    assert isinstance(directory.refusal(grant(admin.person), by=as_super(admin)), PermissionDenied)
    assert isinstance(directory.refusal(grant(admin.person, "globex"), by=admin), PermissionDenied)


def test_nobody_grants_himself_by_a_token_he_issued(directory: DirectoryHarness) -> None:
    """He knows its text; with one that the giver issued himself the giver grants it."""
    directory.tenant()
    admin, colleague = directory.developer(), directory.developer()
    wanted = IssueToken(None, colleague.person, "a new laptop", None, None)
    issued = directory.principal(directory.execute(wanted, by=admin)["token"]["id"])
    error = directory.refusal(grant(admin.person), by=issued)
    assert isinstance(error, PermissionDenied)
    assert f"issued by {admin.person}" in str(error)
    directory.execute(grant(directory.developer().person), by=issued)
    directory.execute(grant(admin.person), by=colleague)


def test_the_admin_owner_grants_with_a_token_of_his_own(directory: DirectoryHarness) -> None:
    """Not with the first one, which the one who made the tenant has seen."""
    admin = directory.developer()
    made = directory.execute(CreateTenant("acme", "Ada", None, token=True), by=admin)
    first = directory.principal(made["token"]["id"])
    assert isinstance(directory.refusal(grant(admin.person), by=first), PermissionDenied)
    wanted = IssueToken("acme", first.person, "mine", None, None)
    own = directory.principal(directory.execute(wanted, by=first)["token"]["id"])
    directory.execute(grant(admin.person), by=own)


def test_nobody_grants_himself_by_somebody_he_added(directory: DirectoryHarness) -> None:
    """Even the one who issued that one's token; the other way round and to others it is allowed."""
    directory.tenant()
    admin = directory.developer()
    added = directory.execute(AddDeveloper("Bob", None, "developer admin"), by=admin)["developer"][
        "id"
    ]
    puppet = directory.with_token(None, added)
    error = directory.refusal(grant(admin.person), by=puppet)
    assert isinstance(error, PermissionDenied)
    assert f"{added} was added by {admin.person}" in str(error)
    as_super_admin = directory.execute(grant(added), by=admin)["grant"]
    assert as_super_admin["live"]
    error = directory.refusal(grant(admin.person), by=as_super(puppet))
    assert isinstance(error, PermissionDenied)
    directory.execute(grant(directory.developer().person), by=puppet)


def test_only_a_developer_admin_becomes_one(directory: DirectoryHarness) -> None:
    """In the same words for a developer, a tenant's person, one who was removed, and no one."""
    ada = directory.tenant()
    gone = directory.developer().person
    directory.developer()
    directory.execute(RemoveDeveloper(gone))
    for person in (directory.developer("developer").person, ada.person, gone, NOBODY):
        error = directory.refusal(grant(person))
        assert isinstance(error, FailedPrecondition)
        assert str(error).startswith(f"{person} is no developer admin")


@pytest.mark.parametrize("minutes", [0, -1, 10_080.01, math.inf, math.nan])
def test_a_grant_lasts_a_week_at_most(directory: DirectoryHarness, minutes: float) -> None:
    """And some time."""
    directory.tenant()
    assert isinstance(
        directory.refusal(grant(directory.developer().person, minutes=minutes)), InvalidArgument
    )


def test_there_is_one_at_a_time_for_a_person_on_a_tenant(directory: DirectoryHarness) -> None:
    """Another one when it is over, and on other tenants at any time."""
    directory.tenant()
    directory.tenant("globex")
    admin = directory.developer().person
    first = directory.execute(grant(admin))["grant"]["id"]
    error = directory.refusal(grant(admin))
    assert isinstance(error, AlreadyExists)
    assert first in str(error)
    directory.execute(grant(admin, "globex"))
    directory.execute(WithdrawSuper("acme", first))
    second = directory.execute(grant(admin))["grant"]["id"]
    directory.now += 3600
    third = directory.execute(grant(admin))["grant"][
        "id"
    ]  # no sweep has seen yet that the second is over
    grants = directory.ask(ListSupers("acme"))["grants"]
    assert [each["id"] for each in grants] == [third, second, first]
    assert [each["live"] for each in grants] == [True, False, False]


def test_a_withdrawn_grant_is_over_at_once(directory: DirectoryHarness) -> None:
    """Once is enough; no other's ends."""
    ada = directory.tenant()
    one, other = directory.super_admin(), directory.super_admin()
    id_ = next(each.id for each in directory.known.grants.values() if each.person == one.person)
    directory.now += 60
    ended = directory.execute(WithdrawSuper("acme", id_), by=ada)["grant"]
    assert (ended["live"], ended["ended_at"]) == (False, "2030-03-17T17:47:40Z")
    assert [each.person for each in directory.known.grants.values()] == [other.person]
    assert isinstance(directory.refusal(WithdrawSuper("acme", id_)), FailedPrecondition)


def test_a_grant_on_another_tenant_is_not_there(directory: DirectoryHarness) -> None:
    """As absent as one that there is not."""
    directory.tenant()
    directory.tenant("globex")
    directory.super_admin("globex")
    (id_,) = directory.known.grants
    error, same = (directory.refusal(WithdrawSuper("acme", each)) for each in (id_, NOWHERE))
    assert isinstance(error, NotFound)
    assert str(error) == str(same).replace(NOWHERE, id_)
    assert isinstance(directory.refusal(WithdrawSuper("nowhere", id_)), NotFound)
    assert isinstance(directory.refusal(grant(directory.developer().person, "nowhere")), NotFound)
    with pytest.raises(NotFound):
        directory.ask(ListSupers("nowhere"))


def test_an_expired_grant_is_over_and_recorded_once(directory: DirectoryHarness) -> None:
    """By the machine, on its tenant, naming grant and person."""
    directory.tenant()
    admin = directory.super_admin()
    (id_,) = directory.known.grants
    tenant_id = directory.known.tenants["acme"].id
    directory.now += 3599.5
    directory.sweep()
    assert list(directory.known.grants) == [id_]
    directory.now += 0.5
    assert only(directory)["live"] is False  # before any sweep
    directory.sweep()
    assert directory.known.grants == {}
    assert only(directory)["ended_at"] == "2030-03-17T18:46:40Z"
    directory.sweep()
    (entry,) = directory.recorded()
    assert (entry.action, entry.capacity, entry.outcome) == ("supers.expired", "machine", "ok")
    assert (entry.tenant, entry.tenant_id) == ("acme", tenant_id)
    assert (entry.person, entry.message) == (admin.person, id_)


def test_what_has_ended_stays_so_when_the_clock_is_set_back(directory: DirectoryHarness) -> None:
    """Even across a restart of the whole server."""
    directory.tenant()
    directory.super_admin()
    directory.now += DAY
    directory.sweep()
    directory.now = START
    directory.sweep()
    assert directory.known.grants == {}
    directory.restart()
    assert directory.fresh_view().grants == {}
    assert only(directory)["live"] is False


def test_what_expired_while_no_server_ran_is_recorded_at_the_start(
    directory: DirectoryHarness,
) -> None:
    """No one is notified of the grant as one that holds."""
    directory.tenant()
    directory.super_admin()
    directory.now += DAY
    directory.restart()
    assert directory.known.grants == {}
    assert [entry.action for entry in directory.recorded()] == ["supers.expired"]


@pytest.mark.parametrize("how", ["demoted", "removed"])
def test_who_is_developer_admin_no_longer_is_super_admin_nowhere(
    directory: DirectoryHarness, how: str
) -> None:
    """On no tenant, and not again by being promoted anew."""
    directory.tenant()
    directory.tenant("globex")
    admin = directory.super_admin()
    directory.execute(grant(admin.person, "globex"))
    directory.developer()
    if how == "removed":
        directory.execute(RemoveDeveloper(admin.person))
    else:
        directory.execute(ChangeDeveloper(admin.person, "developer"))
        directory.execute(ChangeDeveloper(admin.person, "developer admin"))
    assert directory.known.grants == directory.fresh_view().grants == {}
    assert not only(directory)["live"]
    assert not only(directory, "globex")["live"]


def test_a_tenant_to_be_deleted_gets_no_grants_but_loses_them(directory: DirectoryHarness) -> None:
    """Taking away is possible at all times."""
    directory.tenant()
    directory.super_admin()
    directory.execute(DeleteTenant("acme", 30, "over"))
    assert isinstance(directory.refusal(grant(directory.developer().person)), FailedPrecondition)
    (id_,) = directory.known.grants
    directory.execute(WithdrawSuper("acme", id_))
    assert directory.known.grants == {}


def test_the_newest_two_hundred_are_listed(directory: DirectoryHarness) -> None:
    """In the order they were made, within one second as well; the audit log has them all."""
    directory.tenant()
    admin = directory.developer().person
    made = []
    for _ in range(205):
        made.append(directory.execute(grant(admin))["grant"]["id"])
        directory.execute(WithdrawSuper("acme", made[-1]))
    listed = [each["id"] for each in directory.ask(ListSupers("acme"))["grants"]]
    assert listed == made[:4:-1]

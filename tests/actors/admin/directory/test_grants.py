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
from tests.actors.admin.directory_harness import CONSOLE, DAY, START, TownHall, as_super
from tests.wire import Map

NOBODY = "p_" + "0" * 16
NOWHERE = "g_" + "0" * 16


def grant(person: str, tenant: str = "acme", minutes: float = 60) -> GrantSuper:
    """With a reason."""
    return GrantSuper(tenant, person, minutes, "ticket 4711")


def only(town: TownHall, tenant: str = "acme") -> Map:
    """The one grant there is or was."""
    (found,) = town.ask(ListSupers(tenant))["grants"]
    assert isinstance(found, dict)
    return found


def test_a_grant_names_person_tenant_reason_giver_and_end(town: TownHall) -> None:
    """The same to whoever asks for it, to the list, and to the subscribers."""
    ada, admin = town.tenant(), town.developer()
    made = town.order(grant(admin.person), by=ada)["grant"]
    assert re.fullmatch(r"g_[0-9a-f]{16}", made["id"])
    assert made == only(town) == {
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
    assert town.known.grants == {made["id"]: Grant(made["id"], admin.person, "acme", START + 3600)}


def test_another_developer_admin_or_the_console_grants_it(town: TownHall) -> None:
    """The history names the person, or that it was nobody's token."""
    town.tenant()
    giver, taker = town.developer(), town.developer()
    assert town.order(grant(taker.person), by=giver)["grant"]["granted_by"] == giver.person
    assert town.order(grant(giver.person), by=CONSOLE)["grant"]["granted_by"] == "console"


def test_nobody_makes_himself_super_admin(town: TownHall) -> None:
    """Nor, being one, longer than he is; also where he names himself on a tenant that is not his."""
    town.tenant()
    town.tenant("globex")
    admin = town.developer()
    assert isinstance(town.refusal(grant(admin.person), by=admin), PermissionDenied)
    town.order(grant(admin.person))
    assert isinstance(town.refusal(grant(admin.person), by=as_super(admin)), PermissionDenied)
    assert isinstance(town.refusal(grant(admin.person, "globex"), by=admin), PermissionDenied)


def test_nobody_grants_himself_by_a_token_he_issued(town: TownHall) -> None:
    """He knows its text; with one that the giver issued himself the giver grants it."""
    town.tenant()
    admin, colleague = town.developer(), town.developer()
    wanted = IssueToken(None, colleague.person, "a new laptop", None, None)
    issued = town.principal(town.order(wanted, by=admin)["token"]["id"])
    error = town.refusal(grant(admin.person), by=issued)
    assert isinstance(error, PermissionDenied)
    assert f"issued by {admin.person}" in str(error)
    town.order(grant(town.developer().person), by=issued)
    town.order(grant(admin.person), by=colleague)


def test_the_admin_owner_grants_with_a_token_of_his_own(town: TownHall) -> None:
    """Not with the first one, which whoever made the tenant has seen."""
    admin = town.developer()
    made = town.order(CreateTenant("acme", "Ada", None, token=True), by=admin)
    first = town.principal(made["token"]["id"])
    assert isinstance(town.refusal(grant(admin.person), by=first), PermissionDenied)
    wanted = IssueToken("acme", first.person, "mine", None, None)
    own = town.principal(town.order(wanted, by=first)["token"]["id"])
    town.order(grant(admin.person), by=own)


def test_nobody_grants_himself_by_somebody_he_added(town: TownHall) -> None:
    """Whoever issued that one's token; the other way round and to others it is allowed."""
    town.tenant()
    admin = town.developer()
    added = town.order(AddDeveloper("Bob", None, "developer admin"), by=admin)["developer"]["id"]
    puppet = town.with_token(None, added)
    error = town.refusal(grant(admin.person), by=puppet)
    assert isinstance(error, PermissionDenied)
    assert f"{added} was added by {admin.person}" in str(error)
    as_super_admin = town.order(grant(added), by=admin)["grant"]
    assert as_super_admin["live"]
    error = town.refusal(grant(admin.person), by=as_super(puppet))
    assert isinstance(error, PermissionDenied)
    town.order(grant(town.developer().person), by=puppet)


def test_only_a_developer_admin_becomes_one(town: TownHall) -> None:
    """In the same words for a developer, a tenant's person, one who was removed, and nobody."""
    ada = town.tenant()
    gone = town.developer().person
    town.developer()
    town.order(RemoveDeveloper(gone))
    for person in (town.developer("developer").person, ada.person, gone, NOBODY):
        error = town.refusal(grant(person))
        assert isinstance(error, FailedPrecondition)
        assert str(error).startswith(f"{person} is no developer admin")


@pytest.mark.parametrize("minutes", [0, -1, 10_080.01, math.inf, math.nan])
def test_a_grant_lasts_a_week_at_most(town: TownHall, minutes: float) -> None:
    """And some time."""
    town.tenant()
    assert isinstance(
        town.refusal(grant(town.developer().person, minutes=minutes)), InvalidArgument
    )


def test_there_is_one_at_a_time_for_a_person_on_a_tenant(town: TownHall) -> None:
    """Another one when it is over, and on other tenants at any time."""
    town.tenant()
    town.tenant("globex")
    admin = town.developer().person
    first = town.order(grant(admin))["grant"]["id"]
    error = town.refusal(grant(admin))
    assert isinstance(error, AlreadyExists)
    assert first in str(error)
    town.order(grant(admin, "globex"))
    town.order(WithdrawSuper("acme", first))
    second = town.order(grant(admin))["grant"]["id"]
    town.now += 3600
    third = town.order(grant(admin))["grant"]["id"]  # no sweep has seen yet that the second is over
    grants = town.ask(ListSupers("acme"))["grants"]
    assert [each["id"] for each in grants] == [third, second, first]
    assert [each["live"] for each in grants] == [True, False, False]


def test_a_withdrawn_grant_is_over_at_once(town: TownHall) -> None:
    """Once is enough; nobody else's ends."""
    ada = town.tenant()
    one, other = town.super_admin(), town.super_admin()
    id_ = next(each.id for each in town.known.grants.values() if each.person == one.person)
    town.now += 60
    ended = town.order(WithdrawSuper("acme", id_), by=ada)["grant"]
    assert (ended["live"], ended["ended_at"]) == (False, "2030-03-17T17:47:40Z")
    assert [each.person for each in town.known.grants.values()] == [other.person]
    assert isinstance(town.refusal(WithdrawSuper("acme", id_)), FailedPrecondition)


def test_a_grant_on_another_tenant_is_not_there(town: TownHall) -> None:
    """As absent as one that there is not."""
    town.tenant()
    town.tenant("globex")
    town.super_admin("globex")
    (id_,) = town.known.grants
    error, same = (town.refusal(WithdrawSuper("acme", each)) for each in (id_, NOWHERE))
    assert isinstance(error, NotFound)
    assert str(error) == str(same).replace(NOWHERE, id_)
    assert isinstance(town.refusal(WithdrawSuper("nowhere", id_)), NotFound)
    assert isinstance(town.refusal(grant(town.developer().person, "nowhere")), NotFound)
    with pytest.raises(NotFound):
        town.ask(ListSupers("nowhere"))


def test_an_expired_grant_is_over_and_recorded_once(town: TownHall) -> None:
    """By the machine, on its tenant, naming grant and person."""
    town.tenant()
    admin = town.super_admin()
    (id_,) = town.known.grants
    tenant_id = town.known.tenants["acme"].id
    town.now += 3599.5
    town.sweep()
    assert list(town.known.grants) == [id_]
    town.now += 0.5
    assert only(town)["live"] is False  # before any sweep
    town.sweep()
    assert town.known.grants == {}
    assert only(town)["ended_at"] == "2030-03-17T18:46:40Z"
    town.sweep()
    (entry,) = town.recorded()
    assert (entry.action, entry.capacity, entry.outcome) == ("supers.expired", "machine", "ok")
    assert (entry.tenant, entry.tenant_id) == ("acme", tenant_id)
    assert (entry.person, entry.message) == (admin.person, id_)


def test_what_has_ended_stays_so_when_the_clock_is_set_back(town: TownHall) -> None:
    """Even across a restart of the whole server."""
    town.tenant()
    town.super_admin()
    town.now += DAY
    town.sweep()
    town.now = START
    town.sweep()
    assert town.known.grants == {}
    town.restart()
    assert town.everything().grants == {}
    assert only(town)["live"] is False


def test_what_expired_while_no_server_ran_is_recorded_at_the_start(town: TownHall) -> None:
    """Nobody hears of the grant as one that holds."""
    town.tenant()
    town.super_admin()
    town.now += DAY
    town.restart()
    assert town.known.grants == {}
    assert [entry.action for entry in town.recorded()] == ["supers.expired"]


@pytest.mark.parametrize("how", ["demoted", "removed"])
def test_who_is_developer_admin_no_longer_is_super_admin_nowhere(town: TownHall, how: str) -> None:
    """On no tenant, and not again by being promoted anew."""
    town.tenant()
    town.tenant("globex")
    admin = town.super_admin()
    town.order(grant(admin.person, "globex"))
    town.developer()
    if how == "removed":
        town.order(RemoveDeveloper(admin.person))
    else:
        town.order(ChangeDeveloper(admin.person, "developer"))
        town.order(ChangeDeveloper(admin.person, "developer admin"))
    assert town.known.grants == town.everything().grants == {}
    assert not only(town)["live"]
    assert not only(town, "globex")["live"]


def test_a_tenant_to_be_deleted_gets_no_grants_but_loses_them(town: TownHall) -> None:
    """Taking away is possible at all times."""
    town.tenant()
    town.super_admin()
    town.order(DeleteTenant("acme", 30, "over"))
    assert isinstance(town.refusal(grant(town.developer().person)), FailedPrecondition)
    (id_,) = town.known.grants
    town.order(WithdrawSuper("acme", id_))
    assert town.known.grants == {}


def test_the_newest_two_hundred_are_listed(town: TownHall) -> None:
    """In the order they were made, within one second as well; the audit log has them all."""
    town.tenant()
    admin = town.developer().person
    made = []
    for _ in range(205):
        made.append(town.order(grant(admin))["grant"]["id"])
        town.order(WithdrawSuper("acme", made[-1]))
    listed = [each["id"] for each in town.ask(ListSupers("acme"))["grants"]]
    assert listed == made[:4:-1]

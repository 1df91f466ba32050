"""Subscriptions: which connectors a tenant may use, from when until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from actors.admin.messages import (
    DeleteTenant,
    EndSubscription,
    ListSubscriptions,
    SetSubscription,
    ShowTenant,
)
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from actors.profiles import Subscription
from tests.actors.admin.directory_harness import DAY, START, TownHall
from tests.wire import Map


def listed(town: TownHall) -> list[Map]:
    """All of acme's."""
    found = town.ask(ListSubscriptions("acme"))["subscriptions"]
    assert isinstance(found, list)
    return found


def snapshot(town: TownHall) -> dict[str, Subscription]:
    """What tenants and connectors read."""
    return dict(town.profiles.of(town.known.tenants["acme"].id).subscriptions)


def test_a_subscription_without_days_holds_until_it_is_ended(town: TownHall) -> None:
    """In the answer, in the list, in the snapshot, and in the tenant's count."""
    town.tenant()
    made = town.order(SetSubscription("acme", "mail", None, None))["subscription"]
    assert made == {"connector": "mail", "since": None, "until": None, "live": True}
    assert listed(town) == [made]
    assert snapshot(town) == {"mail": Subscription("mail", None, None)}
    assert snapshot(town)["mail"].is_live(START)
    assert town.ask(ShowTenant("acme"))["subscriptions"] == 1


def test_days_are_set_anew_and_there_is_one_for_each_connector(town: TownHall) -> None:
    """Listed by connector."""
    town.tenant()
    town.order(SetSubscription("acme", "mail", None, None))
    town.order(SetSubscription("acme", "crm", None, None))
    town.order(SetSubscription("acme", "mail", START + DAY, START + 2 * DAY))
    assert listed(town) == [
        {"connector": "crm", "since": None, "until": None, "live": True},
        {
            "connector": "mail",
            "since": "2030-03-18T17:46:40Z",
            "until": "2030-03-19T17:46:40Z",
            "live": False,
        },
    ]
    assert snapshot(town)["mail"] == Subscription("mail", START + DAY, START + 2 * DAY)


def test_it_is_live_from_its_first_moment_to_before_its_last(town: TownHall) -> None:
    """The count of the tenant's says the same."""
    town.tenant()
    town.order(SetSubscription("acme", "mail", START + 10, START + 20))
    for at, live in ((9, False), (10, True), (19, True), (20, False)):
        town.now = START + at
        assert [each["live"] for each in listed(town)] == [live]
        assert town.ask(ShowTenant("acme"))["subscriptions"] == live


def test_an_ended_one_is_over_from_now_on(town: TownHall) -> None:
    """Once is enough; it stays in the list, and can be taken again."""
    town.tenant()
    town.order(SetSubscription("acme", "mail", None, START + DAY))
    ended = town.order(EndSubscription("acme", "mail"))["subscription"]
    assert (ended["until"], ended["live"]) == ("2030-03-17T17:46:40Z", False)
    assert listed(town) == [ended]
    assert snapshot(town)["mail"].until == START
    error = town.refusal(EndSubscription("acme", "mail"))
    assert isinstance(error, FailedPrecondition)
    assert town.order(SetSubscription("acme", "mail", None, None))["subscription"]["live"]


def test_one_that_is_ended_before_it_began_never_begins(town: TownHall) -> None:
    """The clock may go as far as it likes."""
    town.tenant()
    town.order(SetSubscription("acme", "mail", START + DAY, None))
    ended = town.order(EndSubscription("acme", "mail"))["subscription"]
    assert ended["since"] == ended["until"] == "2030-03-17T17:46:40Z"
    for days in (0, 1, 2):
        town.now = START + days * DAY
        assert [each["live"] for each in listed(town)] == [False]


@pytest.mark.parametrize("until", [START, START - 1])
def test_it_ends_after_it_begins(town: TownHall, until: float) -> None:
    """Otherwise it would be none."""
    town.tenant()
    error = town.refusal(SetSubscription("acme", "mail", START, until))
    assert isinstance(error, InvalidArgument)
    assert listed(town) == []


@pytest.mark.parametrize(
    "at",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-12))),
    ],
)
def test_a_time_that_could_not_be_shown_is_refused(town: TownHall, at: datetime) -> None:
    """Beyond the years that RFC 3339 knows, once it is in UTC."""
    town.tenant()
    for since, until in ((at.timestamp(), None), (None, at.timestamp())):
        error = town.refusal(SetSubscription("acme", "mail", since, until))
        assert isinstance(error, InvalidArgument)
        assert "years" in str(error)


def test_the_first_and_the_last_year_can_be_shown(town: TownHall) -> None:
    """With four digits."""
    town.tenant()
    first = datetime(1, 1, 1, tzinfo=UTC).timestamp()
    last = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
    made = town.order(SetSubscription("acme", "mail", first, last))["subscription"]
    assert (made["since"], made["until"]) == ("0001-01-01T00:00:00Z", "9999-12-30T00:00:00Z")


def test_what_there_is_not_is_not_found(town: TownHall) -> None:
    """A subscription that nobody took, a tenant that nobody made."""
    town.tenant()
    assert isinstance(town.refusal(EndSubscription("acme", "mail")), NotFound)
    assert isinstance(town.refusal(SetSubscription("nowhere", "mail", None, None)), NotFound)
    assert isinstance(town.refusal(EndSubscription("nowhere", "mail")), NotFound)
    with pytest.raises(NotFound):
        town.ask(ListSubscriptions("nowhere"))


def test_of_a_tenant_to_be_deleted_they_can_only_be_read(town: TownHall) -> None:
    """Until the deletion is called off."""
    town.tenant()
    town.order(SetSubscription("acme", "mail", None, None))
    town.order(DeleteTenant("acme", 30, "over"))
    for command in (SetSubscription("acme", "crm", None, None), EndSubscription("acme", "mail")):
        assert isinstance(town.refusal(command), FailedPrecondition)
    assert len(listed(town)) == 1


def test_a_tenant_has_two_hundred_at_most(town: TownHall) -> None:
    """Those that are over included, so that all fit one reply; those there are can still change."""
    town.tenant()
    for number in range(200):
        town.order(SetSubscription("acme", f"connector {number}", None, None))
    error = town.refusal(SetSubscription("acme", "one too many", None, None))
    assert isinstance(error, FailedPrecondition)
    town.order(EndSubscription("acme", "connector 7"))
    assert len(listed(town)) == 200

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
from tests.actors.admin.directory_harness import DAY, START, DirectoryHarness
from tests.raw_client import Map


def listed(directory: DirectoryHarness) -> list[Map]:
    """All of acme's."""
    found = directory.ask(ListSubscriptions("acme"))["subscriptions"]
    assert isinstance(found, list)
    return found


def snapshot(directory: DirectoryHarness) -> dict[str, Subscription]:
    """What tenants and connectors read."""
    return dict(directory.profiles.of(directory.known.tenants["acme"].id).subscriptions)


def test_a_subscription_without_days_holds_until_it_is_ended(directory: DirectoryHarness) -> None:
    """In the answer, in the list, in the snapshot, and in the tenant's count."""
    directory.tenant()
    made = directory.execute(SetSubscription("acme", "mail", None, None))["subscription"]
    assert made == {"connector": "mail", "since": None, "until": None, "live": True}
    assert listed(directory) == [made]
    assert snapshot(directory) == {"mail": Subscription("mail", None, None)}
    assert snapshot(directory)["mail"].is_live(START)
    assert directory.ask(ShowTenant("acme"))["subscriptions"] == 1


def test_days_are_set_anew_and_there_is_one_for_each_connector(directory: DirectoryHarness) -> None:
    """Listed by connector."""
    directory.tenant()
    directory.execute(SetSubscription("acme", "mail", None, None))
    directory.execute(SetSubscription("acme", "crm", None, None))
    directory.execute(SetSubscription("acme", "mail", START + DAY, START + 2 * DAY))
    assert listed(directory) == [
        {"connector": "crm", "since": None, "until": None, "live": True},
        {
            "connector": "mail",
            "since": "2030-03-18T17:46:40Z",
            "until": "2030-03-19T17:46:40Z",
            "live": False,
        },
    ]
    assert snapshot(directory)["mail"] == Subscription("mail", START + DAY, START + 2 * DAY)


def test_it_is_live_from_its_first_moment_to_before_its_last(directory: DirectoryHarness) -> None:
    """The count of the tenant's says the same."""
    directory.tenant()
    directory.execute(SetSubscription("acme", "mail", START + 10, START + 20))
    for at, live in ((9, False), (10, True), (19, True), (20, False)):
        directory.now = START + at
        assert [each["live"] for each in listed(directory)] == [live]
        assert directory.ask(ShowTenant("acme"))["subscriptions"] == live


def test_an_ended_one_is_over_from_now_on(directory: DirectoryHarness) -> None:
    """Once is enough; it stays in the list, and can be taken again."""
    directory.tenant()
    directory.execute(SetSubscription("acme", "mail", None, START + DAY))
    ended = directory.execute(EndSubscription("acme", "mail"))["subscription"]
    assert (ended["until"], ended["live"]) == ("2030-03-17T17:46:40Z", False)
    assert listed(directory) == [ended]
    assert snapshot(directory)["mail"].until == START
    error = directory.refusal(EndSubscription("acme", "mail"))
    assert isinstance(error, FailedPrecondition)
    assert directory.execute(SetSubscription("acme", "mail", None, None))["subscription"]["live"]


def test_one_that_is_ended_before_it_began_never_begins(directory: DirectoryHarness) -> None:
    """The clock may go as far as it likes."""
    directory.tenant()
    directory.execute(SetSubscription("acme", "mail", START + DAY, None))
    ended = directory.execute(EndSubscription("acme", "mail"))["subscription"]
    assert ended["since"] == ended["until"] == "2030-03-17T17:46:40Z"
    for days in (0, 1, 2):
        directory.now = START + days * DAY
        assert [each["live"] for each in listed(directory)] == [False]


@pytest.mark.parametrize("until", [START, START - 1])
def test_it_ends_after_it_begins(directory: DirectoryHarness, until: float) -> None:
    """Otherwise it would be none."""
    directory.tenant()
    error = directory.refusal(SetSubscription("acme", "mail", START, until))
    assert isinstance(error, InvalidArgument)
    assert listed(directory) == []


@pytest.mark.parametrize(
    "at",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-12))),
    ],
)
def test_a_time_that_could_not_be_shown_is_refused(
    directory: DirectoryHarness, at: datetime
) -> None:
    """Beyond the years that RFC 3339 knows, once it is in UTC."""
    directory.tenant()
    for since, until in ((at.timestamp(), None), (None, at.timestamp())):
        error = directory.refusal(SetSubscription("acme", "mail", since, until))
        assert isinstance(error, InvalidArgument)
        assert "years" in str(error)


def test_the_first_and_the_last_year_can_be_shown(directory: DirectoryHarness) -> None:
    """With four digits."""
    directory.tenant()
    first = datetime(1, 1, 1, tzinfo=UTC).timestamp()
    last = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
    made = directory.execute(SetSubscription("acme", "mail", first, last))["subscription"]
    assert (made["since"], made["until"]) == ("0001-01-01T00:00:00Z", "9999-12-30T00:00:00Z")


def test_what_there_is_not_is_not_found(directory: DirectoryHarness) -> None:
    """A subscription that no one took, a tenant that no one made."""
    directory.tenant()
    assert isinstance(directory.refusal(EndSubscription("acme", "mail")), NotFound)
    assert isinstance(directory.refusal(SetSubscription("nowhere", "mail", None, None)), NotFound)
    assert isinstance(directory.refusal(EndSubscription("nowhere", "mail")), NotFound)
    with pytest.raises(NotFound):
        directory.ask(ListSubscriptions("nowhere"))


def test_of_a_tenant_to_be_deleted_they_can_only_be_read(directory: DirectoryHarness) -> None:
    """Until the deletion is called off."""
    directory.tenant()
    directory.execute(SetSubscription("acme", "mail", None, None))
    directory.execute(DeleteTenant("acme", 30, "over"))
    for command in (SetSubscription("acme", "crm", None, None), EndSubscription("acme", "mail")):
        assert isinstance(directory.refusal(command), FailedPrecondition)
    assert len(listed(directory)) == 1


def test_a_tenant_has_two_hundred_at_most(directory: DirectoryHarness) -> None:
    """Those that are over included, so that all fit one reply; those there are can still change."""
    directory.tenant()
    for number in range(200):
        directory.execute(SetSubscription("acme", f"connector {number}", None, None))
    error = directory.refusal(SetSubscription("acme", "one too many", None, None))
    assert isinstance(error, FailedPrecondition)
    directory.execute(EndSubscription("acme", "connector 7"))
    assert len(listed(directory)) == 200

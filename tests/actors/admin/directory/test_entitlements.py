"""Testers: which tenants get what is under user test, function by function, until that is withdrawn."""

from __future__ import annotations

import pytest

from actors.admin.messages import (
    DeleteTenant,
    EnrolTester,
    ListTesters,
    ResumeTenant,
    WithdrawTester,
)
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from actors.profiles import UNREMARKABLE
from tests.actors.admin.directory_harness import DAY, TownHall, receipt
from tests.wire import Map


def listed(town: TownHall, tenant: str | None = "acme", function: str | None = None) -> list[Map]:
    """Enrolments, all on one page."""
    page = town.ask(ListTesters(tenant, function, "", 200))
    assert page["next"] is None
    found = page["testers"]
    assert isinstance(found, list)
    return found


def names(found: list[Map]) -> list[tuple[str, str]]:
    """Who, of what."""
    return [(each["tenant"], each["function"]) for each in found]


def paged(town: TownHall, tenant: str | None, function: str | None, limit: int) -> list[list[Map]]:
    """Page after page, each asked for by what the one before says."""
    pages: list[list[Map]] = []
    after: str | None = ""
    while after is not None:
        page = town.ask(ListTesters(tenant, function, after, limit))
        pages.append(page["testers"])
        after = page["next"]
    return pages


def tried(town: TownHall, tenant: str = "acme") -> frozenset[str]:
    """What whoever serves the tenant goes by."""
    return town.profiles.of(town.known.tenants[tenant].id).tests


def test_an_enrolled_tenant_is_a_tester_of_that_function(town: TownHall) -> None:
    """In the answer, in the list, in the snapshot; no other tenant is, nor of another function."""
    ada = town.tenant()
    town.tenant("globex")
    made = town.order(EnrolTester("acme", "notes.add"), by=ada)["tester"]
    assert made == {
        "tenant": "acme",
        "function": "notes.add",
        "enrolled_at": "2030-03-17T17:46:40Z",
        "enrolled_by": ada.person,
    }
    assert listed(town) == [made]
    assert tried(town) == {"notes.add"}
    assert listed(town, "globex") == []
    assert tried(town, "globex") == frozenset()


def test_whoever_starts_the_server_enrols_as_console(town: TownHall) -> None:
    """There is no person to name."""
    town.tenant()
    made = town.order(EnrolTester("acme", "notes.add"))["tester"]
    assert made["enrolled_by"] == "console"


def test_enrolling_again_finds_the_same_enrolment(town: TownHall) -> None:
    """With the date and the person of the first time, whoever asks, with or without a receipt."""
    ada, joan = town.tenant(), town.owner("testers")
    first = town.order(EnrolTester("acme", "notes.add"), ada, receipt("first", ada.id))
    town.now += DAY
    assert town.order(EnrolTester("acme", "notes.add"), joan) == first
    again = town.done(EnrolTester("acme", "notes.add"), ada, receipt("second", ada.id))
    assert (again.result, again.replayed) == (first, False)
    assert listed(town) == [first["tester"]]


def test_it_holds_across_restarts(town: TownHall) -> None:
    """The next incarnation publishes it before anybody is served."""
    town.tenant()
    town.order(EnrolTester("acme", "notes.add"))
    town.order(EnrolTester("acme", "contacts.merge"))
    before = listed(town)
    town.profiles.replace({})
    town.restart()
    assert tried(town) == {"notes.add", "contacts.merge"}
    assert listed(town) == before


def test_a_tenant_is_a_tester_until_that_is_withdrawn(town: TownHall) -> None:
    """Then it is as it was, and can be enrolled anew, from that day on."""
    town.tenant()
    made = town.order(EnrolTester("acme", "notes.add"))["tester"]
    town.order(EnrolTester("acme", "contacts.merge"))
    assert town.order(WithdrawTester("acme", "notes.add")) == {"withdrawn": made}
    assert tried(town) == {"contacts.merge"}
    town.order(WithdrawTester("acme", "contacts.merge"))
    assert listed(town) == []
    assert town.profiles.of(town.known.tenants["acme"].id) is UNREMARKABLE
    town.now += DAY
    anew = town.order(EnrolTester("acme", "notes.add"))["tester"]
    assert anew["enrolled_at"] == "2030-03-18T17:46:40Z"


def test_what_is_not_enrolled_cannot_be_withdrawn(town: TownHall) -> None:
    """The refusal says what was probably meant, of what is."""
    town.tenant()
    town.tenant("globex")
    town.order(EnrolTester("acme", "notes.add"))
    error = town.refusal(WithdrawTester("acme", "notes.ad"))
    assert isinstance(error, NotFound)
    assert str(error) == "acme is no tester of notes.ad; did you mean notes.add?"
    assert isinstance(town.refusal(WithdrawTester("globex", "notes.add")), NotFound)
    town.order(WithdrawTester("acme", "notes.add"))
    assert isinstance(town.refusal(WithdrawTester("acme", "notes.add")), NotFound)


def test_withdrawing_sent_twice_is_done_once(town: TownHall) -> None:
    """Under the same id the first answer comes again, and an enrolment made meanwhile stays."""
    ada = town.tenant()
    town.order(EnrolTester("acme", "notes.add"))
    kept = receipt("same", ada.id)
    first = town.done(WithdrawTester("acme", "notes.add"), ada, kept)
    town.order(EnrolTester("acme", "notes.add"))
    again = town.done(WithdrawTester("acme", "notes.add"), ada, kept)
    assert (again.result, again.replayed) == (first.result, True)
    assert tried(town) == {"notes.add"}


def test_testers_are_listed_by_tenant_and_then_by_function(town: TownHall) -> None:
    """Of one tenant, of one function, of both, of everybody."""
    for tenant in ("globex", "acme", "initech"):
        town.tenant(tenant)
    for tenant in ("initech", "globex", "acme"):
        town.order(EnrolTester(tenant, "notes.add"))
    town.order(EnrolTester("acme", "contacts.merge"))
    assert names(listed(town)) == [("acme", "contacts.merge"), ("acme", "notes.add")]
    everybody = [(tenant, "notes.add") for tenant in ("acme", "globex", "initech")]
    assert names(listed(town, None, "notes.add")) == everybody
    assert names(listed(town, "globex", "notes.add")) == [("globex", "notes.add")]
    assert listed(town, "globex", "contacts.merge") == []
    assert names(listed(town, None)) == [("acme", "contacts.merge"), *everybody]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9, 10])
def test_pages_have_everybody_once(town: TownHall, limit: int) -> None:
    """Wherever they end: between tenants whose names begin alike, and within one tenant."""
    functions = ("a", "a.b", "a_b")
    for tenant in ("acme", "acme-2", "acme2"):
        town.tenant(tenant)
        for function in functions:
            town.order(EnrolTester(tenant, function))
    wanted = [(tenant, each) for tenant in ("acme", "acme-2", "acme2") for each in functions]
    pages = paged(town, None, None, limit)
    assert [names(page) for page in pages] == [
        wanted[at : at + limit] for at in range(0, len(wanted), limit)
    ]
    one = [each for page in paged(town, None, "a.b", limit) for each in page]
    assert names(one) == [(tenant, each) for tenant, each in wanted if each == "a.b"]
    own = [each for page in paged(town, "acme-2", None, limit) for each in page]
    assert names(own) == [(tenant, each) for tenant, each in wanted if tenant == "acme-2"]


def test_a_page_can_be_asked_for_after_an_enrolment_that_is_over(town: TownHall) -> None:
    """What was withdrawn between two pages makes no gap."""
    town.tenant()
    for function in ("a", "b", "c"):
        town.order(EnrolTester("acme", function))
    page = town.ask(ListTesters(None, None, "", 2))
    town.order(WithdrawTester("acme", "b"))
    rest = town.ask(ListTesters(None, None, page["next"], 2))
    assert names(rest["testers"]) == [("acme", "c")]


def test_a_tenant_is_a_tester_of_two_hundred_functions_at_most(town: TownHall) -> None:
    """Those it has can be asked for again, fit one page, and make room when they are withdrawn."""
    town.tenant()
    for number in range(200):
        town.order(EnrolTester("acme", f"function_{number}"))
    error = town.refusal(EnrolTester("acme", "one_too_many"))
    assert isinstance(error, FailedPrecondition)
    assert "functions.withdraw one first" in str(error)
    town.order(EnrolTester("acme", "function_7"))
    assert len(listed(town)) == len(tried(town)) == 200
    town.order(WithdrawTester("acme", "function_7"))
    town.order(EnrolTester("acme", "one_too_many"))
    town.tenant("globex")
    town.order(EnrolTester("globex", "function_7"))


def test_of_a_tenant_that_there_is_not_nobody_is_one(town: TownHall) -> None:
    """Neither enrolled nor withdrawn nor listed."""
    for command in (EnrolTester("nowhere", "notes.add"), WithdrawTester("nowhere", "notes.add")):
        assert isinstance(town.refusal(command), NotFound)
    with pytest.raises(NotFound):
        town.ask(ListTesters("nowhere", None, "", 50))


def test_of_a_tenant_to_be_deleted_they_can_only_be_read(town: TownHall) -> None:
    """If the deletion is called off it is a tester still."""
    town.tenant()
    town.order(EnrolTester("acme", "notes.add"))
    town.order(DeleteTenant("acme", 30, "over"))
    for command in (EnrolTester("acme", "contacts.merge"), WithdrawTester("acme", "notes.add")):
        assert isinstance(town.refusal(command), FailedPrecondition)
    assert names(listed(town)) == [("acme", "notes.add")]
    town.order(ResumeTenant("acme"))
    assert tried(town) == {"notes.add"}


def test_a_name_that_would_not_show_is_refused(town: TownHall) -> None:
    """Before it stands in a list."""
    town.tenant()
    assert isinstance(town.refusal(EnrolTester("acme", "notes\n.add")), InvalidArgument)

"""Testers, until that is withdrawn, and limits in place of the server's: what one tenant has by itself."""

from __future__ import annotations

import pytest

from actors.admin.messages import (
    DeleteTenant,
    EnrolTester,
    ListTesters,
    ResumeTenant,
    SetLimits,
    ShowLimits,
    WithdrawTester,
)
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from actors.profiles import DEFAULT_PROFILE, TenantLimits
from tests.actors.admin.directory_harness import DAY, DirectoryHarness, receipt
from tests.raw_client import Map


def listed(
    directory: DirectoryHarness, tenant: str | None = "acme", function: str | None = None
) -> list[Map]:
    """Enrolments, all on one page."""
    page = directory.ask(ListTesters(tenant, function, "", 200))
    assert page["next"] is None
    found = page["testers"]
    assert isinstance(found, list)
    return found


def names(found: list[Map]) -> list[tuple[str, str]]:
    """Who, of what."""
    return [(each["tenant"], each["function"]) for each in found]


def paged(
    directory: DirectoryHarness, tenant: str | None, function: str | None, limit: int
) -> list[list[Map]]:
    """Page after page, each asked for by what the one before says."""
    pages: list[list[Map]] = []
    after: str | None = ""
    while after is not None:
        page = directory.ask(ListTesters(tenant, function, after, limit))
        pages.append(page["testers"])
        after = page["next"]
    return pages


def tried(directory: DirectoryHarness, tenant: str = "acme") -> frozenset[str]:
    """What anyone who serves the tenant goes by."""
    return directory.profiles.of(directory.known.tenants[tenant].id).tests


def test_an_enrolled_tenant_is_a_tester_of_that_function(directory: DirectoryHarness) -> None:
    """In the answer, in the list, in the snapshot; no other tenant is, nor of another function."""
    ada = directory.tenant()
    directory.tenant("globex")
    made = directory.execute(EnrolTester("acme", "notes.add"), by=ada)["tester"]
    assert made == {
        "tenant": "acme",
        "function": "notes.add",
        "enrolled_at": "2030-03-17T17:46:40Z",
        "enrolled_by": ada.person,
    }
    assert listed(directory) == [made]
    assert tried(directory) == {"notes.add"}
    assert listed(directory, "globex") == []
    assert tried(directory, "globex") == frozenset()


def test_whoever_starts_the_server_enrols_as_console(directory: DirectoryHarness) -> None:
    """There is no person to name."""
    directory.tenant()
    made = directory.execute(EnrolTester("acme", "notes.add"))["tester"]
    assert made["enrolled_by"] == "console"


def test_enrolling_again_finds_the_same_enrolment(directory: DirectoryHarness) -> None:
    """With the date and the person of the first time, no matter who asks, with or without a receipt."""
    ada, joan = directory.tenant(), directory.owner("testers")
    first = directory.execute(EnrolTester("acme", "notes.add"), ada, receipt("first", ada.id))
    directory.now += DAY
    assert directory.execute(EnrolTester("acme", "notes.add"), joan) == first
    again = directory.done(EnrolTester("acme", "notes.add"), ada, receipt("second", ada.id))
    assert (again.result, again.replayed) == (first, False)
    assert listed(directory) == [first["tester"]]


def test_it_holds_across_restarts(directory: DirectoryHarness) -> None:
    """The next incarnation publishes it before anybody is served."""
    directory.tenant()
    directory.execute(EnrolTester("acme", "notes.add"))
    directory.execute(EnrolTester("acme", "contacts.merge"))
    before = listed(directory)
    directory.profiles.replace({})
    directory.restart()
    assert tried(directory) == {"notes.add", "contacts.merge"}
    assert listed(directory) == before


def test_a_tenant_is_a_tester_until_that_is_withdrawn(directory: DirectoryHarness) -> None:
    """Then it is as it was, and can be enrolled anew, from that day on."""
    directory.tenant()
    made = directory.execute(EnrolTester("acme", "notes.add"))["tester"]
    directory.execute(EnrolTester("acme", "contacts.merge"))
    assert directory.execute(WithdrawTester("acme", "notes.add")) == {"withdrawn": made}
    assert tried(directory) == {"contacts.merge"}
    directory.execute(WithdrawTester("acme", "contacts.merge"))
    assert listed(directory) == []
    assert directory.profiles.of(directory.known.tenants["acme"].id) is DEFAULT_PROFILE
    directory.now += DAY
    anew = directory.execute(EnrolTester("acme", "notes.add"))["tester"]
    assert anew["enrolled_at"] == "2030-03-18T17:46:40Z"


def test_what_is_not_enrolled_cannot_be_withdrawn(directory: DirectoryHarness) -> None:
    """The refusal says what was probably meant, of what is."""
    directory.tenant()
    directory.tenant("globex")
    directory.execute(EnrolTester("acme", "notes.add"))
    error = directory.refusal(WithdrawTester("acme", "notes.ad"))
    assert isinstance(error, NotFound)
    assert str(error) == "acme is no tester of notes.ad; did you mean notes.add?"
    assert isinstance(directory.refusal(WithdrawTester("globex", "notes.add")), NotFound)
    directory.execute(WithdrawTester("acme", "notes.add"))
    assert isinstance(directory.refusal(WithdrawTester("acme", "notes.add")), NotFound)


def test_withdrawing_sent_twice_is_done_once(directory: DirectoryHarness) -> None:
    """Under the same id the first answer comes again, and an enrolment made meanwhile stays."""
    ada = directory.tenant()
    directory.execute(EnrolTester("acme", "notes.add"))
    kept = receipt("same", ada.id)
    first = directory.done(WithdrawTester("acme", "notes.add"), ada, kept)
    directory.execute(EnrolTester("acme", "notes.add"))
    again = directory.done(WithdrawTester("acme", "notes.add"), ada, kept)
    assert (again.result, again.replayed) == (first.result, True)
    assert tried(directory) == {"notes.add"}


def test_testers_are_listed_by_tenant_and_then_by_function(directory: DirectoryHarness) -> None:
    """Of one tenant, of one function, of both, of everybody."""
    for tenant in ("globex", "acme", "initech"):
        directory.tenant(tenant)
    for tenant in ("initech", "globex", "acme"):
        directory.execute(EnrolTester(tenant, "notes.add"))
    directory.execute(EnrolTester("acme", "contacts.merge"))
    assert names(listed(directory)) == [("acme", "contacts.merge"), ("acme", "notes.add")]
    everybody = [(tenant, "notes.add") for tenant in ("acme", "globex", "initech")]
    assert names(listed(directory, None, "notes.add")) == everybody
    assert names(listed(directory, "globex", "notes.add")) == [("globex", "notes.add")]
    assert listed(directory, "globex", "contacts.merge") == []
    assert names(listed(directory, None)) == [("acme", "contacts.merge"), *everybody]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9, 10])
def test_pages_have_everybody_once(directory: DirectoryHarness, limit: int) -> None:
    """Wherever they end: between tenants whose names begin alike, and within one tenant."""
    functions = ("a", "a.b", "a_b")
    for tenant in ("acme", "acme-2", "acme2"):
        directory.tenant(tenant)
        for function in functions:
            directory.execute(EnrolTester(tenant, function))
    wanted = [(tenant, each) for tenant in ("acme", "acme-2", "acme2") for each in functions]
    pages = paged(directory, None, None, limit)
    assert [names(page) for page in pages] == [
        wanted[at : at + limit] for at in range(0, len(wanted), limit)
    ]
    one = [each for page in paged(directory, None, "a.b", limit) for each in page]
    assert names(one) == [(tenant, each) for tenant, each in wanted if each == "a.b"]
    own = [each for page in paged(directory, "acme-2", None, limit) for each in page]
    assert names(own) == [(tenant, each) for tenant, each in wanted if tenant == "acme-2"]


def test_a_page_can_be_asked_for_after_an_enrolment_that_is_over(
    directory: DirectoryHarness,
) -> None:
    """What was withdrawn between two pages makes no gap."""
    directory.tenant()
    for function in ("a", "b", "c"):
        directory.execute(EnrolTester("acme", function))
    page = directory.ask(ListTesters(None, None, "", 2))
    directory.execute(WithdrawTester("acme", "b"))
    rest = directory.ask(ListTesters(None, None, page["next"], 2))
    assert names(rest["testers"]) == [("acme", "c")]


def test_a_tenant_is_a_tester_of_two_hundred_functions_at_most(directory: DirectoryHarness) -> None:
    """Those it has can be asked for again, fit one page, and make room when they are withdrawn."""
    directory.tenant()
    for number in range(200):
        directory.execute(EnrolTester("acme", f"function_{number}"))
    error = directory.refusal(EnrolTester("acme", "one_too_many"))
    assert isinstance(error, FailedPrecondition)
    assert "functions.withdraw one first" in str(error)
    directory.execute(EnrolTester("acme", "function_7"))
    assert len(listed(directory)) == len(tried(directory)) == 200
    directory.execute(WithdrawTester("acme", "function_7"))
    directory.execute(EnrolTester("acme", "one_too_many"))
    directory.tenant("globex")
    directory.execute(EnrolTester("globex", "function_7"))


def test_of_a_tenant_that_there_is_not_nobody_is_one(directory: DirectoryHarness) -> None:
    """Neither enrolled nor withdrawn nor listed."""
    for command in (EnrolTester("nowhere", "notes.add"), WithdrawTester("nowhere", "notes.add")):
        assert isinstance(directory.refusal(command), NotFound)
    with pytest.raises(NotFound):
        directory.ask(ListTesters("nowhere", None, "", 50))


def test_of_a_tenant_to_be_deleted_they_can_only_be_read(directory: DirectoryHarness) -> None:
    """If the deletion is called off it is a tester still."""
    directory.tenant()
    directory.execute(EnrolTester("acme", "notes.add"))
    directory.execute(DeleteTenant("acme", 30, "over"))
    for command in (EnrolTester("acme", "contacts.merge"), WithdrawTester("acme", "notes.add")):
        assert isinstance(directory.refusal(command), FailedPrecondition)
    assert names(listed(directory)) == [("acme", "notes.add")]
    directory.execute(ResumeTenant("acme"))
    assert tried(directory) == {"notes.add"}


def test_a_name_that_would_not_show_is_refused(directory: DirectoryHarness) -> None:
    """Before it stands in a list."""
    directory.tenant()
    assert isinstance(directory.refusal(EnrolTester("acme", "notes\n.add")), InvalidArgument)


# ---------------------------------------------------------------- limits

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
    """None takes one away; anyone who reads the snapshot has it before the answer."""
    directory.tenant()
    directory.execute(SetLimits("acme", {"requests_per_second": 2.5, "mailbox": 10}))
    directory.execute(SetLimits("acme", {"burst": 5, "mailbox": None, "database_bytes": 2**40}))
    wanted = {"requests_per_second": 2.5, "burst": 5, "database_bytes": 2**40}
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE | wanted}
    assert snapshot(directory) == TenantLimits(**wanted)  # type: ignore[arg-type]  # by name
    directory.restart()
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE | wanted}


def test_a_tenant_without_any_is_unremarkable_again(directory: DirectoryHarness) -> None:
    """As if no one had ever set one."""
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
    """No one else's change with them; a tenant that there is not has none."""
    directory.tenant()
    directory.tenant("globex")
    directory.execute(SetLimits("globex", {"mailbox": 10}))
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE}
    assert isinstance(directory.refusal(SetLimits("nowhere", {"mailbox": 1})), NotFound)
    with pytest.raises(NotFound):
        directory.ask(ShowLimits("nowhere"))


def test_limits_of_a_tenant_to_be_deleted_can_only_be_read(directory: DirectoryHarness) -> None:
    """Until the deletion is called off."""
    directory.tenant()
    directory.execute(DeleteTenant("acme", 30, "over"))
    assert isinstance(directory.refusal(SetLimits("acme", {"mailbox": 1})), FailedPrecondition)
    assert directory.ask(ShowLimits("acme")) == {"limits": NONE}

"""Requests in the Directory's file: limits, pages, votes, and what stays of a tenant that is deleted."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from actors.admin.directory.requests import commands as stored
from actors.admin.messages import DeleteTenant
from actors.admin.request_messages import (
    AnswerRequest,
    CloseRequest,
    LinkRequest,
    ListRequests,
    PrioritiseRequest,
    PublishRequest,
    ReopenRequest,
    ShowRequest,
    SubmitRequest,
    VoteRequest,
)
from actors.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted
from actors.messages import Principal, Retire, Retired
from actors.runtime.futures import resolve
from tests.actors.admin.directory_harness import DAY, DirectoryHarness
from tests.raw_client import Map

LIST = ListRequests(None, False, None, None, None, None, "newest", "", 200)


def submit(directory: DirectoryHarness, by: Principal, text: str = "Export") -> int:
    """A request's number."""
    made = directory.execute(SubmitRequest(by.tenant or "acme", text, None), by=by)
    return int(made["request"]["id"].removeprefix("R-"))


def listed(directory: DirectoryHarness, **wanted: Any) -> list[str]:
    """Ids, all on one page."""
    page = directory.ask(LIST._replace(**wanted))
    assert page["next"] is None
    return [each["id"] for each in page["requests"]]


def shown(directory: DirectoryHarness, number: int, tenant: str | None = None) -> Map:
    """One request with its events."""
    return directory.ask(ShowRequest(tenant, number))


@pytest.fixture
def ada(directory: DirectoryHarness) -> Principal:
    """The admin owner of acme."""
    return directory.tenant()


def test_so_many_a_day_and_the_next_ones_a_day_later(
    directory: DirectoryHarness, ada: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MAX_A_DAY", 3)
    for _ in range(3):
        submit(directory, ada)
        directory.now += 60
    refused = directory.refusal(SubmitRequest("acme", "one more", None), by=ada)
    assert isinstance(refused, ResourceExhausted)
    assert refused.refusal.retry_after_ms
    directory.now += DAY
    assert submit(directory, ada) == 4


def test_what_waits_is_limited_and_what_has_ended_does_not_wait(
    directory: DirectoryHarness, ada: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MAX_OPEN", 2)
    first, _ = submit(directory, ada), submit(directory, ada)
    refused = directory.refusal(SubmitRequest("acme", "one more", None), by=ada)
    assert isinstance(refused, FailedPrecondition)
    assert "requests.withdraw" in str(refused)
    directory.execute(CloseRequest("acme", first, "withdrawn", "done"), by=ada)
    assert submit(directory, ada) == 3


def test_answers_are_limited_and_may_have_several_lines_and_nothing_invisible(
    directory: DirectoryHarness, ada: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MAX_TEXTS", 1)
    number = submit(directory, ada, "one\n\ttwo")
    assert shown(directory, number)["request"]["text"] == "one\n\ttwo"
    for text in ("a bell \x07", "turned \u202e around"):
        refused = directory.refusal(AnswerRequest("acme", number, text), by=ada)
        assert isinstance(refused, InvalidArgument)
    directory.execute(AnswerRequest("acme", number, "first"), by=ada)
    refused = directory.refusal(AnswerRequest("acme", number, "second"), by=ada)
    assert isinstance(refused, FailedPrecondition)


@pytest.mark.parametrize("sort", sorted(stored.SORTS))
def test_page_after_page_has_each_request_once_in_one_order(
    directory: DirectoryHarness, ada: Principal, sort: str
) -> None:
    bob = directory.tenant("globex")
    numbers = [submit(directory, ada, f"wish {at}") for at in range(7)]
    for number in numbers[::2]:
        directory.execute(PublishRequest(None, number, "a title"))
        directory.execute(VoteRequest("globex", number, True), by=bob)
    for number in numbers[::3]:
        directory.execute(PrioritiseRequest(None, number, "high"))
    whole = listed(directory, sort=sort)
    assert sorted(whole) == [f"R-{number}" for number in numbers]
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = directory.ask(LIST._replace(sort=sort, after=after, limit=2))
        found += [each["id"] for each in page["requests"]]
        after = page["next"]
    assert found == whole
    first = {"newest": 7, "votes": 7, "priority": 7}[sort]
    assert whole[0] == f"R-{first}"


def test_lists_are_of_a_tenant_a_state_a_priority_or_a_function(
    directory: DirectoryHarness, ada: Principal
) -> None:
    bob = directory.tenant("globex")
    mine, theirs = submit(directory, ada), submit(directory, bob)
    about = SubmitRequest("acme", "more of it", "contacts.add")
    named = directory.execute(about, by=ada)["request"]["id"]
    link = LinkRequest(None, theirs, "function", "contacts.add", 2, "under dev", "local-dev", True)
    directory.execute(link)
    directory.execute(PrioritiseRequest(None, mine, "urgent"))
    assert listed(directory, tenant="globex") == [f"R-{theirs}"]
    assert listed(directory, state="linked") == [f"R-{theirs}"]
    assert listed(directory, priority="urgent") == [f"R-{mine}"]
    assert listed(directory, function="contacts.add") == [named, f"R-{theirs}"]
    assert listed(directory, published=True) == []
    counts = directory.ask(LIST)["counts"]
    assert (counts["open"], counts["linked"], counts["released"]) == (2, 1, 0)


def test_a_table_that_was_never_told_is_followed_within_a_minute(
    directory: DirectoryHarness, ada: Principal
) -> None:
    """As after a server that was killed between a move and what follows from it; once is enough."""
    number = submit(directory, ada)
    table = directory.snapshot.current
    action = table.described.actions["marks.add"]
    named = action.versions[0]._replace(requests=(f"R-{number}", "R-77"))
    actions = {**table.described.actions, action.name: action._replace(versions=(named,))}
    described = table.described._replace(actions=MappingProxyType(actions))
    directory.snapshot.current = table._replace(described=described)
    for _ in range(2):
        directory.sweep()
        found = shown(directory, number)
        assert found["request"]["state"] == "released"
        assert [each["kind"] for each in found["events"]] == ["submitted", "released"]
    assert found["request"]["versions"] == [
        {"kind": "function", "name": "marks.add", "version": named.number, "state": "release"}
    ]
    directory.snapshot.current = table
    directory.sweep()
    assert shown(directory, number)["request"]["state"] == "open"


def test_what_people_have_ended_no_version_changes(
    directory: DirectoryHarness, ada: Principal
) -> None:
    """Until it is reopened: then it is where its versions are."""
    number = submit(directory, ada)
    directory.execute(CloseRequest(None, number, "declined", "no"))
    link = LinkRequest(None, number, "function", "contacts.add", 1, "release", "local-dev", True)
    directory.execute(link)
    assert shown(directory, number)["request"]["state"] == "declined"
    directory.execute(ReopenRequest(None, number, "yes"))
    assert shown(directory, number)["request"]["state"] == "released"


def test_a_search_finds_what_its_reader_may_read_and_nothing_else(
    directory: DirectoryHarness, ada: Principal
) -> None:
    """In any case; `%` is a sign like any other."""
    directory.tenant("globex")
    wish, other = submit(directory, ada, "For auditor Smith: 100% export"), submit(directory, ada)
    directory.execute(PublishRequest(None, wish, "A full EXPORT"))
    found, both = [f"R-{wish}"], [f"R-{other}", f"R-{wish}"]
    assert listed(directory, text="smith") == found
    assert listed(directory, text="0%") == found
    assert listed(directory, text="export", tenant="acme") == both
    assert listed(directory, text="full export", tenant="globex", published=True) == found
    assert listed(directory, text="Smith", tenant="globex", published=True) == []


def test_of_a_deleted_tenant_what_was_published_stays_without_its_words(
    directory: DirectoryHarness, ada: Principal
) -> None:
    """And its votes go, for its own requests and for others'."""
    bob = directory.tenant("globex")
    private, public = submit(directory, ada, "for our auditor"), submit(directory, ada, "our words")
    theirs = submit(directory, bob)
    directory.execute(AnswerRequest("acme", public, "said by us"), by=ada)
    for number, title in ((public, "An export"), (theirs, "A print")):
        directory.execute(PublishRequest(None, number, title))
    directory.execute(VoteRequest("globex", public, True), by=bob)
    directory.execute(VoteRequest("acme", theirs, True), by=ada)
    assert shown(directory, theirs)["request"]["votes"] == 2

    directory.execute(DeleteTenant("acme", 0.0, "they left"))
    directory.sweep()
    (retire,) = directory.supervisor.heard()
    assert isinstance(retire, Retire)
    directory.mailbox.tell(Retired(retire.tenant))
    directory.wait_until_idle()
    ((_, answer),) = directory.archiving
    resolve(answer, directory.path.with_name("acme.db"))
    directory.wait_until_idle()

    with pytest.raises(NotFound):
        shown(directory, private)
    left = shown(directory, public)
    assert (left["request"]["text"], left["request"]["tenant"]) == ("An export", None)
    assert left["request"]["votes"] == 1
    assert "us" not in str(left["events"])
    assert shown(directory, theirs)["request"]["votes"] == 1
    assert submit(directory, bob) == theirs + 1

"""Tokens: random, known by their hashes alone, each a person's, good until they expire or are revoked."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import asdict

from actors.access import AREAS
from actors.admin.messages import (
    ChangeDeveloper,
    CreateTenant,
    DeleteTenant,
    IssueToken,
    ListTokens,
    RemoveDeveloper,
    RevokeToken,
    ShowTenant,
    TransferOwnership,
    WithdrawSuper,
)
from actors.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from actors.messages import Principal, TokensUsed
from tests.actors.admin.directory_harness import CONSOLE, DAY, START, DirectoryHarness, receipt

NOWHERE = "t_" + "0" * 16


def issue(
    person: str,
    tenant: str | None = "acme",
    label: str = "test",
    scope: frozenset[str] | None = None,
    days: float | None = None,
) -> IssueToken:
    """With what most tests do not care about."""
    return IssueToken(tenant, person, label, scope, days)


def listed(directory: DirectoryHarness, token: str, tenant: str | None = "acme") -> dict[str, Any]:
    """One token as the list shows it."""
    found = directory.ask(ListTokens(tenant, None, "", 200))["tokens"]
    return next(each for each in found if each["id"] == token)


def bytes_on_disk(directory: DirectoryHarness) -> bytes:
    """The file and what SQLite keeps beside it."""
    files = list(directory.path.parent.glob("directory.db*"))
    assert len(files) > 1, "the newest pages are in the -wal"
    return b"".join(each.read_bytes() for each in files)


def test_tokens_are_long_random_and_recognisable(directory: DirectoryHarness) -> None:
    """256 random bits behind a prefix; each has an id of its own."""
    person = directory.tenant().person
    issued = [directory.execute(issue(person)) for _ in range(50)]
    assert len({each["text"] for each in issued}) == 50
    assert all(re.fullmatch(r"tnt_[A-Za-z0-9_-]{43}", each["text"]) for each in issued)
    assert len({each["token"]["id"] for each in issued}) == 50


def test_subscribers_hear_the_hash_and_whom_it_stands_for(directory: DirectoryHarness) -> None:
    """Person, role, areas, scope, expiry; the text goes to the caller that asked, and to no other."""
    directory.tenant()
    owner = directory.owner("tokens", "config")
    scope = frozenset({"contacts.add", "contacts.find"})
    issued = directory.execute(issue(owner.person, scope=scope, days=1.5))
    principal = directory.known.principals[sha256(issued["text"].encode()).digest()]
    assert asdict(principal) == {
        "id": issued["token"]["id"],
        "tenant": "acme",
        "role": "owner",
        "person": owner.person,
        "areas": {"tokens", "config"},
        "scope": scope,
        "expires": START + 1.5 * DAY,
        "is_suspended": False,
    }


def test_the_text_of_a_token_is_in_no_file(directory: DirectoryHarness) -> None:
    """Neither where tokens are kept nor where results are, so that orders can be repeated."""
    texts = [
        directory.execute(CreateTenant("acme", "Ada", None, token=True), receipt=receipt("1"))[
            "token"
        ]["text"]
    ]
    member = directory.member().person
    texts.append(directory.execute(issue(member), receipt=receipt("2"))["text"])
    admin = directory.developer().person
    texts.append(directory.execute(issue(admin, tenant=None), receipt=receipt("3"))["text"])
    found = bytes_on_disk(directory)
    for text in texts:
        assert sha256(text.encode()).digest() in found
        assert text.encode() not in found
        assert text.removeprefix("tnt_").encode() not in found


def test_a_token_is_listed_without_its_text(directory: DirectoryHarness) -> None:
    """As it was when it was issued."""
    person = directory.tenant().person
    issued = directory.execute(issue(person, label="web shop", scope=frozenset({"b", "a"}), days=1))
    assert listed(directory, issued["token"]["id"]) == issued["token"] == {
        "id": issued["token"]["id"],
        "person": person,
        "label": "web shop",
        "scope": ["a", "b"],
        "created_at": "2030-03-17T17:46:40Z",
        "issued_by": "console",
        "expires_at": "2030-03-18T17:46:40Z",
        "last_used_at": None,
        "revoked_at": None,
        "suspended_at": None,
        "suspended_for": None,
    }  # fmt: skip


def test_tokens_are_listed_page_by_page(directory: DirectoryHarness) -> None:
    """By id, of one tenant, of one person if one is named; the platform's by themselves."""
    ada, joan = directory.tenant(), directory.member()
    more = [directory.with_token("acme", joan.person).id for _ in range(5)]
    admin = directory.developer()
    first = directory.ask(ListTokens("acme", None, "", 4))
    second = directory.ask(ListTokens("acme", None, first["next"], 4))
    found = [token["id"] for page in (first, second) for token in page["tokens"]]
    assert found == sorted([ada.id, joan.id, *more])
    assert second["next"] is None
    his = directory.ask(ListTokens("acme", joan.person, "", 200))["tokens"]
    assert {token["id"] for token in his} == {joan.id, *more}
    platform = directory.ask(ListTokens(None, None, "", 200))["tokens"]
    assert [token["id"] for token in platform] == [admin.id]
    assert directory.ask(ListTokens("acme", admin.person, "", 200))["tokens"] == []
    with pytest.raises(NotFound, match="nowhere"):
        directory.ask(ListTokens("nowhere", None, "", 200))


def test_a_revoked_token_is_good_for_nothing_from_then_on(directory: DirectoryHarness) -> None:
    """Others of the same person stay good; once is enough."""
    directory.tenant()
    joan = directory.member()
    kept = directory.with_token("acme", joan.person)
    directory.changes()
    directory.now += 60
    revoked = directory.execute(RevokeToken("acme", joan.id))["token"]
    assert revoked["revoked_at"] == "2030-03-17T17:47:40Z"
    assert listed(directory, joan.id) == revoked
    ids = {each.id for each in directory.known.principals.values()}
    assert kept.id in ids
    assert joan.id not in ids
    error = directory.refusal(RevokeToken("acme", joan.id))
    assert isinstance(error, FailedPrecondition)
    assert "since 2030-03-17T17:47:40Z" in str(error)


def test_a_token_of_elsewhere_is_not_there(directory: DirectoryHarness) -> None:
    """Another tenant's and the platform's are as absent as one that there is not."""
    directory.tenant()
    other, admin = directory.tenant("globex"), directory.developer()
    for tenant, token in (("acme", other.id), ("acme", admin.id), (None, other.id)):
        error, same = (directory.refusal(RevokeToken(tenant, each)) for each in (token, NOWHERE))
        assert isinstance(error, NotFound)
        assert str(error) == str(same).replace(NOWHERE, token)
    assert directory.fresh_view() == directory.known


@pytest.mark.parametrize("whom", ["admin owner", "owner", "member", "himself"])
def test_an_owner_revokes_tokens_of_members_and_his_own(
    directory: DirectoryHarness, whom: str
) -> None:
    """Those of other owners are for the admin owner, who may revoke all."""
    ada, owner = directory.tenant(), directory.owner("tokens")
    held: dict[str, Callable[[], Principal]] = {
        "admin owner": lambda: ada,
        "owner": lambda: directory.owner("config"),
        "member": directory.member,
        "himself": lambda: directory.with_token("acme", owner.person),
    }
    token = held[whom]()
    if whom in ("admin owner", "owner"):
        error = directory.refusal(RevokeToken("acme", token.id), by=owner)
        assert isinstance(error, PermissionDenied)
        directory.execute(RevokeToken("acme", token.id), by=ada)
    else:
        directory.execute(RevokeToken("acme", token.id), by=owner)
    assert token.id not in {each.id for each in directory.known.principals.values()}


@pytest.mark.parametrize(
    ("scope", "fits"),
    [({"a"}, True), ({"a", "b"}, True), ({"a", "c"}, False), ({"c"}, False), (None, False)],
)
def test_a_scoped_token_issues_none_that_is_wider(
    directory: DirectoryHarness, scope: set[str] | None, fits: bool
) -> None:
    """One without a scope is good for all, and so is wider than any."""
    ada = directory.tenant()
    narrow = directory.with_token("acme", ada.person, scope=frozenset({"a", "b"}))
    joan = directory.member()
    wanted = issue(joan.person, scope=None if scope is None else frozenset(scope))
    if fits:
        assert directory.execute(wanted, by=narrow)["token"]["scope"] == sorted(scope or ())
    else:
        error = directory.refusal(wanted, by=narrow)
        assert isinstance(error, PermissionDenied)
        assert "within a, b" in str(error)


def test_a_token_without_scope_issues_any(directory: DirectoryHarness) -> None:
    """Its own is as wide as can be."""
    ada = directory.tenant()
    for scope in (None, frozenset({"a"}), frozenset({"whatever.there-is"})):
        directory.execute(issue(ada.person, scope=scope), by=ada)


def test_a_token_that_ends_issues_none_that_is_good_for_longer(directory: DirectoryHarness) -> None:
    """The refusal says until when, and the days that it advises are good."""
    ada = directory.tenant()
    short = directory.with_token("acme", ada.person, days=10)
    directory.now += DAY / 3
    for days in (None, 9.67):
        error = directory.refusal(issue(ada.person, days=days), by=short)
        assert isinstance(error, PermissionDenied)
        assert "good until 2030-03-27T17:46:40Z" in str(error)
    (advised,) = re.findall(r"days=([\d.]+) or less", str(error))
    assert advised == "9.666"
    directory.execute(issue(ada.person, days=float(advised)), by=short)
    directory.execute(issue(ada.person), by=ada)
    directory.now += 9.6666 * DAY
    assert "or less" not in str(directory.refusal(issue(ada.person), by=short))


Ends = Callable[[DirectoryHarness, Principal], object]

GRANT_ENDS: dict[str, Ends] = {
    "withdrawn": lambda directory, _: directory.execute(
        WithdrawSuper("acme", next(iter(directory.known.grants)))
    ),
    "demoted": lambda directory, who: directory.execute(ChangeDeveloper(who.person, "developer")),
    "removed": lambda directory, who: directory.execute(RemoveDeveloper(who.person)),
}


def tokens_of_a_super_admin(directory: DirectoryHarness) -> tuple[Principal, list[Principal]]:
    """The super admin, one he issued, and one that was issued with that."""
    ada, admin = directory.tenant(), directory.super_admin()
    spare = directory.principal(directory.execute(issue(ada.person), by=admin)["token"]["id"])
    wanted = issue(directory.member().person, days=0.01)
    return admin, [spare, directory.principal(directory.execute(wanted, by=spare)["token"]["id"])]


@pytest.mark.parametrize("how", GRANT_ENDS)
def test_tokens_that_a_super_admin_issued_end_with_his_grant(
    directory: DirectoryHarness, how: str
) -> None:
    """And those issued with them, at once and for all; no other's do."""
    admin, issued = tokens_of_a_super_admin(directory)
    directory.developer()
    directory.super_admin("acme")
    before = [each for each in directory.known.principals.values() if each.person != admin.person]
    directory.now += 60
    GRANT_ENDS[how](directory, admin)
    left = [each for each in directory.known.principals.values() if each.person != admin.person]
    assert left == [each for each in before if each not in issued]
    assert directory.fresh_view() == directory.known
    assert {listed(directory, each.id)["revoked_at"] for each in issued} == {"2030-03-17T17:47:40Z"}


def test_tokens_that_a_super_admin_issued_expire_with_his_grant(
    directory: DirectoryHarness,
) -> None:
    """To the second, before any sweep, and then for good."""
    _, (spare, more) = tokens_of_a_super_admin(directory)
    assert (spare.expires, more.expires) == (START + 3600, START + 0.01 * DAY)
    directory.now += 3600
    assert isinstance(directory.refusal(issue(spare.person), by=spare), Aborted)
    directory.sweep()
    assert {spare, more}.isdisjoint(directory.known.principals.values())
    assert directory.known.grants == {}
    assert directory.fresh_view() == directory.known


def test_a_super_admin_s_tokens_may_end_before_his_grant(directory: DirectoryHarness) -> None:
    """As anybody's, and never after it, whatever he asks for."""
    ada, admin = directory.tenant(), directory.super_admin()
    for days, seconds in ((0.01, 864), (30, 3600), (None, 3600)):
        issued = directory.execute(issue(ada.person, days=days), by=admin)["token"]
        assert directory.principal(issued["id"]).expires == START + seconds


def test_what_a_super_admin_issues_for_the_platform_he_issues_as_developer_admin(
    directory: DirectoryHarness,
) -> None:
    """It stays: it is none of the tenant's."""
    directory.tenant()
    admin = directory.super_admin()
    issued = directory.execute(issue(admin.person, tenant=None), by=admin)["token"]["id"]
    GRANT_ENDS["withdrawn"](directory, admin)
    assert directory.principal(issued).expires is None


def test_an_expired_token_is_over_once_and_for_all(directory: DirectoryHarness) -> None:
    """The sweep marks it in the file: the machine's clock set back and a restart bring it back to no one."""
    directory.tenant()
    person = directory.member().person
    short = directory.with_token("acme", person, days=1)
    long = directory.with_token("acme", person, days=2)
    directory.now += DAY - 1
    directory.sweep()
    assert short in directory.known.principals.values()
    directory.now += 1
    directory.sweep()
    assert short not in directory.known.principals.values()
    assert long in directory.known.principals.values()
    directory.now = START
    directory.restart()
    assert short not in directory.fresh_view().principals.values()
    assert long in directory.fresh_view().principals.values()
    assert listed(directory, short.id)["revoked_at"] == "2030-03-18T17:46:40Z"


def test_a_token_that_has_expired_counts_as_over_before_any_sweep(
    directory: DirectoryHarness,
) -> None:
    """It is not counted, and there is nothing left to revoke."""
    person = directory.tenant().person
    short = directory.with_token("acme", person, days=1)
    assert directory.ask(ShowTenant("acme"))["tokens"] == 2
    directory.now += DAY
    assert directory.ask(ShowTenant("acme"))["tokens"] == 1
    error = directory.refusal(RevokeToken("acme", short.id))
    assert isinstance(error, FailedPrecondition)
    assert "since 2030-03-18T17:46:40Z" in str(error)


def test_while_the_clock_stands_back_the_directory_s_does_not(directory: DirectoryHarness) -> None:
    """What is made then is made now, and what expired before is not good again."""
    person = directory.tenant().person
    directory.now += 2 * DAY
    directory.sweep()
    directory.now = START
    issued = directory.execute(issue(person, days=1))["token"]
    assert issued["created_at"] == "2030-03-19T17:46:40Z"
    assert issued["expires_at"] == "2030-03-20T17:46:40Z"


def test_last_uses_are_kept_to_the_minute_and_go_forward_only(directory: DirectoryHarness) -> None:
    """Channels report late and in any order; unknown tokens are no one's."""
    ada = directory.tenant()
    directory.changes()
    for at, shown in (
        (START + 61, "2030-03-17T17:47:00Z"),
        (START + 5, "2030-03-17T17:47:00Z"),
        (START + 80, "2030-03-17T17:48:00Z"),
    ):
        directory.mailbox.tell(TokensUsed({ada.id: at, NOWHERE: at, "console": at}))
        assert listed(directory, ada.id)["last_used_at"] == shown
    assert directory.changes() == []


def test_a_platform_token_is_a_developer_s(directory: DirectoryHarness) -> None:
    """A tenant's person gets none, a developer none of a tenant."""
    ada, developer = directory.tenant(), directory.developer("developer")
    assert (developer.tenant, developer.role) == (None, "developer")
    for wanted in (issue(ada.person, tenant=None), issue(developer.person, tenant="acme")):
        assert isinstance(directory.refusal(wanted), NotFound)
    revoked = directory.execute(RevokeToken(None, developer.id))["token"]
    assert listed(directory, developer.id, tenant=None) == revoked


def test_of_a_tenant_to_be_deleted_tokens_are_revoked_and_not_issued(
    directory: DirectoryHarness,
) -> None:
    """Taking away is possible at all times: administration of it goes on."""
    ada = directory.tenant()
    directory.execute(DeleteTenant("acme", 30, "over"))
    assert isinstance(directory.refusal(issue(ada.person)), FailedPrecondition)
    directory.execute(RevokeToken("acme", ada.id))
    assert ada not in directory.known.principals.values()


def test_every_area_does_not_make_an_admin_owner(directory: DirectoryHarness) -> None:
    """An owner of all areas gets no token of the admin owner's."""
    ada, owner = directory.tenant(), directory.owner(*AREAS)
    assert isinstance(directory.refusal(issue(ada.person), by=owner), PermissionDenied)
    directory.execute(issue(ada.person), by=CONSOLE)


def test_a_token_tells_who_issued_it(directory: DirectoryHarness) -> None:
    """A tenant's first one was issued by the one who made the tenant."""
    admin = directory.developer()
    made = directory.execute(CreateTenant("acme", "Ada", None, token=True), by=admin)
    first = directory.principal(made["token"]["id"])
    assert listed(directory, first.id)["issued_by"] == admin.person
    assert directory.execute(issue(first.person), by=first)["token"]["issued_by"] == first.person
    second = directory.execute(issue(admin.person, tenant=None), by=CONSOLE)["token"]
    assert listed(directory, second["id"], tenant=None)["issued_by"] == "console"


def test_after_a_transfer_the_list_tells_which_tokens_others_know(
    directory: DirectoryHarness,
) -> None:
    """The new admin owner has his role under all of them until he revokes those."""
    ada, owner = directory.tenant(), directory.owner("tokens")
    joan = directory.member()
    known = directory.execute(issue(joan.person), by=owner)["token"]["id"]
    directory.execute(TransferOwnership("acme", joan.person), by=ada)
    assert directory.principal(known).role == "admin owner"
    own = directory.execute(issue(joan.person), by=directory.principal(known))["token"]["id"]
    found = directory.ask(ListTokens("acme", joan.person, "", 200))["tokens"]
    others = [each["id"] for each in found if each["issued_by"] != joan.person]
    assert sorted(others) == sorted([joan.id, known])
    for token in others:
        directory.execute(RevokeToken("acme", token), by=directory.principal(own))
    assert [
        each.id for each in directory.known.principals.values() if each.person == joan.person
    ] == [own]


def test_a_person_has_a_hundred_good_tokens_at_most(directory: DirectoryHarness) -> None:
    """Neither revoked ones nor expired ones count; anyone who runs the server gets in all the same."""
    ada, joan = directory.tenant(), directory.member()
    directory.with_token("acme", joan.person, days=1)
    for _ in range(98):
        directory.execute(issue(joan.person), by=ada)
    error = directory.refusal(issue(joan.person), by=ada)
    assert isinstance(error, FailedPrecondition)
    assert "100 good tokens, which is the most: revoke one" in str(error)
    assert "tokens.list" in str(error)
    directory.execute(issue(ada.person), by=ada)
    directory.execute(issue(joan.person), by=CONSOLE)
    directory.execute(RevokeToken("acme", joan.id))
    directory.now += DAY
    directory.execute(issue(joan.person), by=ada)
    assert isinstance(directory.refusal(issue(joan.person), by=ada), FailedPrecondition)


def test_a_token_that_is_not_there_is_to_be_looked_for_in_the_list(
    directory: DirectoryHarness,
) -> None:
    """A tenant's in one, the platform's in the other."""
    directory.tenant()
    assert "tokens.list shows" in str(directory.refusal(RevokeToken("acme", NOWHERE)))
    assert "developers.tokens shows" in str(directory.refusal(RevokeToken(None, NOWHERE)))


def test_what_was_answered_is_on_disk(directory: DirectoryHarness) -> None:
    """Another reader of the file sees it at once."""
    person = directory.tenant().person
    issued = directory.execute(issue(person, label="shop"))
    query = "SELECT digest FROM tokens WHERE label = 'shop'"
    with closing(sqlite3.connect(f"file:{directory.path}?mode=ro", uri=True)) as reader:
        assert reader.execute(query).fetchall() == [(sha256(issued["text"].encode()).digest(),)]

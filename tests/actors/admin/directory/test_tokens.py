"""Tokens: random, known by their hashes alone, each a person's, good until they expire or are revoked."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from typing import Any

import pytest

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
from tests.actors.admin.directory_harness import CONSOLE, DAY, START, TownHall, receipt

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


def listed(town: TownHall, token: str, tenant: str | None = "acme") -> dict[str, Any]:
    """One token as the list shows it."""
    found = town.ask(ListTokens(tenant, None, "", 200))["tokens"]
    return next(each for each in found if each["id"] == token)


def bytes_on_disk(town: TownHall) -> bytes:
    """The file and what SQLite keeps beside it."""
    files = list(town.path.parent.glob("directory.db*"))
    assert len(files) > 1, "the newest pages are in the -wal"
    return b"".join(each.read_bytes() for each in files)


def test_tokens_are_long_random_and_recognisable(town: TownHall) -> None:
    """256 random bits behind a prefix; each has an id of its own."""
    person = town.tenant().person
    issued = [town.order(issue(person)) for _ in range(50)]
    assert len({each["text"] for each in issued}) == 50
    assert all(re.fullmatch(r"tnt_[A-Za-z0-9_-]{43}", each["text"]) for each in issued)
    assert len({each["token"]["id"] for each in issued}) == 50


def test_subscribers_hear_the_hash_and_whom_it_stands_for(town: TownHall) -> None:
    """Person, role, areas, scope, expiry; the text goes to whoever asked, and to nobody else."""
    town.tenant()
    owner = town.owner("tokens", "config")
    scope = frozenset({"contacts.add", "contacts.find"})
    issued = town.order(issue(owner.person, scope=scope, days=1.5))
    principal = town.known.principals[sha256(issued["text"].encode()).digest()]
    assert principal._asdict() == {
        "id": issued["token"]["id"],
        "tenant": "acme",
        "role": "owner",
        "person": owner.person,
        "areas": {"tokens", "config"},
        "scope": scope,
        "expires": START + 1.5 * DAY,
    }


def test_the_text_of_a_token_is_in_no_file(town: TownHall) -> None:
    """Neither where tokens are kept nor where results are, so that orders can be repeated."""
    texts = [
        town.order(CreateTenant("acme", "Ada", None, token=True), receipt=receipt("1"))["token"][
            "text"
        ]
    ]
    member = town.member().person
    texts.append(town.order(issue(member), receipt=receipt("2"))["text"])
    admin = town.developer().person
    texts.append(town.order(issue(admin, tenant=None), receipt=receipt("3"))["text"])
    found = bytes_on_disk(town)
    for text in texts:
        assert sha256(text.encode()).digest() in found
        assert text.encode() not in found
        assert text.removeprefix("tnt_").encode() not in found


def test_a_token_is_listed_without_its_text(town: TownHall) -> None:
    """As it was when it was issued."""
    person = town.tenant().person
    issued = town.order(issue(person, label="web shop", scope=frozenset({"b", "a"}), days=1))
    assert listed(town, issued["token"]["id"]) == issued["token"] == {
        "id": issued["token"]["id"],
        "person": person,
        "label": "web shop",
        "scope": ["a", "b"],
        "created_at": "2030-03-17T17:46:40Z",
        "issued_by": "console",
        "expires_at": "2030-03-18T17:46:40Z",
        "last_used_at": None,
        "revoked_at": None,
    }  # fmt: skip


def test_tokens_are_listed_page_by_page(town: TownHall) -> None:
    """By id, of one tenant, of one person if one is named; the platform's by themselves."""
    ada, joan = town.tenant(), town.member()
    more = [town.with_token("acme", joan.person).id for _ in range(5)]
    admin = town.developer()
    first = town.ask(ListTokens("acme", None, "", 4))
    second = town.ask(ListTokens("acme", None, first["next"], 4))
    found = [token["id"] for page in (first, second) for token in page["tokens"]]
    assert found == sorted([ada.id, joan.id, *more])
    assert second["next"] is None
    his = town.ask(ListTokens("acme", joan.person, "", 200))["tokens"]
    assert {token["id"] for token in his} == {joan.id, *more}
    platform = town.ask(ListTokens(None, None, "", 200))["tokens"]
    assert [token["id"] for token in platform] == [admin.id]
    assert town.ask(ListTokens("acme", admin.person, "", 200))["tokens"] == []
    with pytest.raises(NotFound, match="nowhere"):
        town.ask(ListTokens("nowhere", None, "", 200))


def test_a_revoked_token_is_good_for_nothing_from_then_on(town: TownHall) -> None:
    """Others of the same person stay good; once is enough."""
    town.tenant()
    joan = town.member()
    kept = town.with_token("acme", joan.person)
    town.changes()
    town.now += 60
    revoked = town.order(RevokeToken("acme", joan.id))["token"]
    assert revoked["revoked_at"] == "2030-03-17T17:47:40Z"
    assert listed(town, joan.id) == revoked
    ids = {each.id for each in town.known.principals.values()}
    assert kept.id in ids
    assert joan.id not in ids
    error = town.refusal(RevokeToken("acme", joan.id))
    assert isinstance(error, FailedPrecondition)
    assert "since 2030-03-17T17:47:40Z" in str(error)


def test_a_token_of_elsewhere_is_not_there(town: TownHall) -> None:
    """Another tenant's and the platform's are as absent as one that there is not."""
    town.tenant()
    other, admin = town.tenant("globex"), town.developer()
    for tenant, token in (("acme", other.id), ("acme", admin.id), (None, other.id)):
        error, same = (town.refusal(RevokeToken(tenant, each)) for each in (token, NOWHERE))
        assert isinstance(error, NotFound)
        assert str(error) == str(same).replace(NOWHERE, token)
    assert town.everything() == town.known


@pytest.mark.parametrize("whom", ["admin owner", "owner", "member", "himself"])
def test_an_owner_revokes_tokens_of_members_and_his_own(town: TownHall, whom: str) -> None:
    """Those of other owners are for the admin owner, who may revoke all."""
    ada, owner = town.tenant(), town.owner("tokens")
    held: dict[str, Callable[[], Principal]] = {
        "admin owner": lambda: ada,
        "owner": lambda: town.owner("config"),
        "member": town.member,
        "himself": lambda: town.with_token("acme", owner.person),
    }
    token = held[whom]()
    if whom in ("admin owner", "owner"):
        error = town.refusal(RevokeToken("acme", token.id), by=owner)
        assert isinstance(error, PermissionDenied)
        town.order(RevokeToken("acme", token.id), by=ada)
    else:
        town.order(RevokeToken("acme", token.id), by=owner)
    assert token.id not in {each.id for each in town.known.principals.values()}


@pytest.mark.parametrize(
    ("scope", "fits"),
    [({"a"}, True), ({"a", "b"}, True), ({"a", "c"}, False), ({"c"}, False), (None, False)],
)
def test_a_scoped_token_issues_none_that_is_wider(
    town: TownHall, scope: set[str] | None, fits: bool
) -> None:
    """One without a scope is good for all, and so is wider than any."""
    ada = town.tenant()
    narrow = town.with_token("acme", ada.person, scope=frozenset({"a", "b"}))
    joan = town.member()
    wanted = issue(joan.person, scope=None if scope is None else frozenset(scope))
    if fits:
        assert town.order(wanted, by=narrow)["token"]["scope"] == sorted(scope or ())
    else:
        error = town.refusal(wanted, by=narrow)
        assert isinstance(error, PermissionDenied)
        assert "within a, b" in str(error)


def test_a_token_without_scope_issues_any(town: TownHall) -> None:
    """Its own is as wide as can be."""
    ada = town.tenant()
    for scope in (None, frozenset({"a"}), frozenset({"whatever.there-is"})):
        town.order(issue(ada.person, scope=scope), by=ada)


def test_a_token_that_ends_issues_none_that_is_good_for_longer(town: TownHall) -> None:
    """The refusal says until when, and the days that it advises are good."""
    ada = town.tenant()
    short = town.with_token("acme", ada.person, days=10)
    town.now += DAY / 3
    for days in (None, 9.67):
        error = town.refusal(issue(ada.person, days=days), by=short)
        assert isinstance(error, PermissionDenied)
        assert "good until 2030-03-27T17:46:40Z" in str(error)
    (advised,) = re.findall(r"days=([\d.]+) or less", str(error))
    assert advised == "9.666"
    town.order(issue(ada.person, days=float(advised)), by=short)
    town.order(issue(ada.person), by=ada)
    town.now += 9.6666 * DAY
    assert "or less" not in str(town.refusal(issue(ada.person), by=short))


Ends = Callable[[TownHall, Principal], object]

GRANT_ENDS: dict[str, Ends] = {
    "withdrawn": lambda town, _: town.order(WithdrawSuper("acme", next(iter(town.known.grants)))),
    "demoted": lambda town, who: town.order(ChangeDeveloper(who.person, "developer")),
    "removed": lambda town, who: town.order(RemoveDeveloper(who.person)),
}


def tokens_of_a_super_admin(town: TownHall) -> tuple[Principal, list[Principal]]:
    """The super admin, one he issued, and one that was issued with that."""
    ada, admin = town.tenant(), town.super_admin()
    spare = town.principal(town.order(issue(ada.person), by=admin)["token"]["id"])
    wanted = issue(town.member().person, days=0.01)
    return admin, [spare, town.principal(town.order(wanted, by=spare)["token"]["id"])]


@pytest.mark.parametrize("how", GRANT_ENDS)
def test_tokens_that_a_super_admin_issued_end_with_his_grant(town: TownHall, how: str) -> None:
    """And those issued with them, at once and for everybody; nobody else's do."""
    admin, issued = tokens_of_a_super_admin(town)
    town.developer()
    town.super_admin("acme")
    before = [each for each in town.known.principals.values() if each.person != admin.person]
    town.now += 60
    GRANT_ENDS[how](town, admin)
    left = [each for each in town.known.principals.values() if each.person != admin.person]
    assert left == [each for each in before if each not in issued]
    assert town.everything() == town.known
    assert {listed(town, each.id)["revoked_at"] for each in issued} == {"2030-03-17T17:47:40Z"}


def test_tokens_that_a_super_admin_issued_expire_with_his_grant(town: TownHall) -> None:
    """To the second, before any sweep, and then for good."""
    _, (spare, more) = tokens_of_a_super_admin(town)
    assert (spare.expires, more.expires) == (START + 3600, START + 0.01 * DAY)
    town.now += 3600
    assert isinstance(town.refusal(issue(spare.person), by=spare), Aborted)
    town.sweep()
    assert {spare, more}.isdisjoint(town.known.principals.values())
    assert town.known.grants == {}
    assert town.everything() == town.known


def test_a_super_admin_s_tokens_may_end_before_his_grant(town: TownHall) -> None:
    """As anybody's, and never after it, whatever he asks for."""
    ada, admin = town.tenant(), town.super_admin()
    for days, seconds in ((0.01, 864), (30, 3600), (None, 3600)):
        issued = town.order(issue(ada.person, days=days), by=admin)["token"]
        assert town.principal(issued["id"]).expires == START + seconds


def test_what_a_super_admin_issues_for_the_platform_he_issues_as_developer_admin(
    town: TownHall,
) -> None:
    """It stays: it is none of the tenant's."""
    town.tenant()
    admin = town.super_admin()
    issued = town.order(issue(admin.person, tenant=None), by=admin)["token"]["id"]
    GRANT_ENDS["withdrawn"](town, admin)
    assert town.principal(issued).expires is None


def test_an_expired_token_is_over_once_and_for_all(town: TownHall) -> None:
    """The sweep marks it in the file: the machine's clock set back and a restart bring it back to nobody."""
    town.tenant()
    person = town.member().person
    short = town.with_token("acme", person, days=1)
    long = town.with_token("acme", person, days=2)
    town.now += DAY - 1
    town.sweep()
    assert short in town.known.principals.values()
    town.now += 1
    town.sweep()
    assert short not in town.known.principals.values()
    assert long in town.known.principals.values()
    town.now = START
    town.restart()
    assert short not in town.everything().principals.values()
    assert long in town.everything().principals.values()
    assert listed(town, short.id)["revoked_at"] == "2030-03-18T17:46:40Z"


def test_a_token_that_has_expired_counts_as_over_before_any_sweep(town: TownHall) -> None:
    """It is not counted, and there is nothing left to revoke."""
    person = town.tenant().person
    short = town.with_token("acme", person, days=1)
    assert town.ask(ShowTenant("acme"))["tokens"] == 2
    town.now += DAY
    assert town.ask(ShowTenant("acme"))["tokens"] == 1
    error = town.refusal(RevokeToken("acme", short.id))
    assert isinstance(error, FailedPrecondition)
    assert "since 2030-03-18T17:46:40Z" in str(error)


def test_while_the_clock_stands_back_the_directory_s_does_not(town: TownHall) -> None:
    """What is made then is made now, and what expired before is not good again."""
    person = town.tenant().person
    town.now += 2 * DAY
    town.sweep()
    town.now = START
    issued = town.order(issue(person, days=1))["token"]
    assert issued["created_at"] == "2030-03-19T17:46:40Z"
    assert issued["expires_at"] == "2030-03-20T17:46:40Z"


def test_last_uses_are_kept_to_the_minute_and_go_forward_only(town: TownHall) -> None:
    """Channels report late and in any order; unknown tokens are nobody's."""
    ada = town.tenant()
    town.changes()
    for at, shown in (
        (START + 61, "2030-03-17T17:47:00Z"),
        (START + 5, "2030-03-17T17:47:00Z"),
        (START + 80, "2030-03-17T17:48:00Z"),
    ):
        town.mailbox.tell(TokensUsed({ada.id: at, NOWHERE: at, "console": at}))
        assert listed(town, ada.id)["last_used_at"] == shown
    assert town.changes() == []


def test_a_platform_token_is_a_developer_s(town: TownHall) -> None:
    """A tenant's person gets none, a developer none of a tenant."""
    ada, developer = town.tenant(), town.developer("developer")
    assert (developer.tenant, developer.role) == (None, "developer")
    for wanted in (issue(ada.person, tenant=None), issue(developer.person, tenant="acme")):
        assert isinstance(town.refusal(wanted), NotFound)
    revoked = town.order(RevokeToken(None, developer.id))["token"]
    assert listed(town, developer.id, tenant=None) == revoked


def test_of_a_tenant_to_be_deleted_tokens_are_revoked_and_not_issued(town: TownHall) -> None:
    """Taking away is possible at all times: administration of it goes on."""
    ada = town.tenant()
    town.order(DeleteTenant("acme", 30, "over"))
    assert isinstance(town.refusal(issue(ada.person)), FailedPrecondition)
    town.order(RevokeToken("acme", ada.id))
    assert ada not in town.known.principals.values()


def test_every_area_does_not_make_an_admin_owner(town: TownHall) -> None:
    """An owner of all areas gets no token of the admin owner's."""
    ada, owner = town.tenant(), town.owner(*AREAS)
    assert isinstance(town.refusal(issue(ada.person), by=owner), PermissionDenied)
    town.order(issue(ada.person), by=CONSOLE)


def test_a_token_tells_who_issued_it(town: TownHall) -> None:
    """A tenant's first one whoever made the tenant."""
    admin = town.developer()
    made = town.order(CreateTenant("acme", "Ada", None, token=True), by=admin)
    first = town.principal(made["token"]["id"])
    assert listed(town, first.id)["issued_by"] == admin.person
    assert town.order(issue(first.person), by=first)["token"]["issued_by"] == first.person
    second = town.order(issue(admin.person, tenant=None), by=CONSOLE)["token"]
    assert listed(town, second["id"], tenant=None)["issued_by"] == "console"


def test_after_a_transfer_the_list_tells_which_tokens_others_know(town: TownHall) -> None:
    """The new admin owner has his role under all of them until he revokes those."""
    ada, owner = town.tenant(), town.owner("tokens")
    joan = town.member()
    known = town.order(issue(joan.person), by=owner)["token"]["id"]
    town.order(TransferOwnership("acme", joan.person), by=ada)
    assert town.principal(known).role == "admin owner"
    own = town.order(issue(joan.person), by=town.principal(known))["token"]["id"]
    found = town.ask(ListTokens("acme", joan.person, "", 200))["tokens"]
    others = [each["id"] for each in found if each["issued_by"] != joan.person]
    assert sorted(others) == sorted([joan.id, known])
    for token in others:
        town.order(RevokeToken("acme", token), by=town.principal(own))
    assert [each.id for each in town.known.principals.values() if each.person == joan.person] == [
        own
    ]


def test_a_person_has_a_hundred_good_tokens_at_most(town: TownHall) -> None:
    """Neither revoked ones nor expired ones count; whoever runs the server gets in all the same."""
    ada, joan = town.tenant(), town.member()
    town.with_token("acme", joan.person, days=1)
    for _ in range(98):
        town.order(issue(joan.person), by=ada)
    error = town.refusal(issue(joan.person), by=ada)
    assert isinstance(error, FailedPrecondition)
    assert "100 good tokens, which is the most: revoke one" in str(error)
    assert "tokens.list" in str(error)
    town.order(issue(ada.person), by=ada)
    town.order(issue(joan.person), by=CONSOLE)
    town.order(RevokeToken("acme", joan.id))
    town.now += DAY
    town.order(issue(joan.person), by=ada)
    assert isinstance(town.refusal(issue(joan.person), by=ada), FailedPrecondition)


def test_a_token_that_is_not_there_is_to_be_looked_for_in_the_list(town: TownHall) -> None:
    """A tenant's in one, the platform's in the other."""
    town.tenant()
    assert "tokens.list shows" in str(town.refusal(RevokeToken("acme", NOWHERE)))
    assert "developers.tokens shows" in str(town.refusal(RevokeToken(None, NOWHERE)))


def test_what_was_answered_is_on_disk(town: TownHall) -> None:
    """Another reader of the file sees it at once."""
    person = town.tenant().person
    issued = town.order(issue(person, label="shop"))
    query = "SELECT digest FROM tokens WHERE label = 'shop'"
    with closing(sqlite3.connect(f"file:{town.path}?mode=ro", uri=True)) as reader:
        assert reader.execute(query).fetchall() == [(sha256(issued["text"].encode()).digest(),)]

"""The built-in actions, as each kind of caller sees them."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.edge import builtin_actions
from actors.edge.builtin_actions import (
    MOST_PAGES,
    SERVER_VERSION,
    Pages,
    answer_system,
    describe,
    is_system,
)
from actors.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from actors.index.parser import built_in_index, read_index
from actors.messages import ANYONE, Peer, Principal
from actors.routing.table import RoutingTable
from actors.runtime.mailbox import Mailbox
from tests.actors.tenant_messages import work
from transport.request.model import Request

LARGEST_BODY = 256 * 1024
MEMBER = Principal("t_1", "acme", "member", person="p_1")
OWNER = Principal("t_3", "acme", "owner")
DEVELOPER = Principal("t_2", None, "developer")
ADMINISTRATION = built_in_index().actions
"""In every table besides what its index states."""
SYSTEM = {"system.ping", "system.whoami", "system.origin", "system.describe"}

CHANNEL = {"developer": "admin"}

ENTRY = """
[actions."{name}"]
summary = "{summary}"
access = "{access}"
channel = "{channel}"
effect = "read"
params.properties.name = {{ type = "string" }}
"""


def entry(name: str, access: str, summary: str) -> str:
    channel = CHANNEL.get(access, "data")
    return ENTRY.format(name=name, access=access, channel=channel, summary=summary)


def table_of(root: Path, *entries: tuple[str, str], summary: str = "S") -> RoutingTable:
    file = root / "index.toml"
    file.write_text("".join(entry(name, access, summary) for name, access in entries))
    return RoutingTable.build(read_index(file), "local-dev")


@pytest.fixture
def table(tmp_path: Path) -> RoutingTable:
    """One action for each of four kinds of callers."""
    return table_of(
        tmp_path,
        ("desk.hello", "public"),
        ("desk.work", "member"),
        ("desk.pay", "owner"),
        ("desk.mend", "developer"),
    )


def ask(table: RoutingTable, caller: Principal, built_in: str, /, **params: Any) -> dict[str, Any]:
    """The result, proved to fit the schema that describe shows."""
    route, result = answer_system(table, caller, built_in, params)
    assert route.name == built_in
    route.result.check(result)
    return result


def names(result: dict[str, Any]) -> set[str]:
    """What is listed, administration aside."""
    return {entry["name"] for entry in result["actions"]} - ADMINISTRATION.keys()


def listed(table: RoutingTable, caller: Principal) -> set[str]:
    """All names on all pages."""
    found: set[str] = set()
    after: str | None = ""
    while after is not None:
        page = ask(table, caller, "system.describe", after=after, limit=200)
        found |= {entry["name"] for entry in page["actions"]}
        after = page["next"]
    return found


def administration(table: RoutingTable, caller: Principal) -> set[str]:
    """What is listed of administration."""
    return listed(table, caller) & ADMINISTRATION.keys()


def test_anybody_may_ask_whether_the_server_answers(table: RoutingTable) -> None:
    pong = ask(table, ANYONE, "system.ping")
    assert pong["pong"] is True
    assert (pong["version"], pong["environment"]) == (SERVER_VERSION, "local-dev")


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == SERVER_VERSION


def test_a_caller_can_ask_whom_his_token_stands_for(table: RoutingTable) -> None:
    assert ask(table, MEMBER, "system.whoami") == {
        "id": "t_1",
        "person": "p_1",
        "tenant": "acme",
        "role": "member",
        "areas": [],
        "scope": None,
        "expires": None,
    }
    assert ask(table, DEVELOPER, "system.whoami")["tenant"] is None


def test_a_caller_can_ask_what_narrows_his_token(table: RoutingTable) -> None:
    """In an order that stays the same; moments as RFC 3339 has them."""
    narrowed = replace(
        OWNER,
        areas=frozenset({"tokens", "members"}),
        scope=frozenset({"desk.work", "desk.hello"}),
        expires=1_800_000_000.5,
    )
    me = ask(table, narrowed, "system.whoami")
    assert me["areas"] == ["members", "tokens"]
    assert me["scope"] == ["desk.hello", "desk.work"]
    assert me["expires"] == "2027-01-15T08:00:00.500Z"


def test_a_token_of_nobody_is_of_no_person(table: RoutingTable) -> None:
    assert ask(table, DEVELOPER, "system.whoami")["person"] is None


def test_without_a_token_there_is_nobody_to_tell_of(table: RoutingTable) -> None:
    with pytest.raises(Unauthenticated):
        ask(table, ANYONE, "system.whoami")


def test_a_role_that_is_none_is_refused(table: RoutingTable) -> None:
    with pytest.raises(PermissionDenied):
        ask(table, Principal("x", None, "stranger"), "system.ping")


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        (ANYONE, {"desk.hello", "system.ping", "system.origin", "system.describe"}),
        (MEMBER, {"desk.hello", "desk.work"} | SYSTEM),
        (OWNER, {"desk.hello", "desk.work", "desk.pay"} | SYSTEM),
        (DEVELOPER, {"desk.hello", "desk.work", "desk.pay", "desk.mend"} | SYSTEM),
    ],
)
def test_each_caller_sees_what_he_may_call(
    table: RoutingTable, caller: Principal, seen: set[str]
) -> None:
    """And developers everything, since they build it."""
    assert listed(table, caller) - ADMINISTRATION.keys() == seen


def test_an_entry_says_how_to_call_and_what_is_served(table: RoutingTable) -> None:
    (entry,) = ask(table, MEMBER, "system.describe", action="desk.work")["actions"]
    assert entry["params"]["properties"]["name"] == {"type": "string"}
    assert (entry["version"], entry["state"], entry["reason"]) == (0, "dummy", "dummy")
    assert (entry["access"], entry["channel"], entry["effect"]) == ("member", "data", "read")


def test_what_a_caller_may_not_see_is_not_there(table: RoutingTable) -> None:
    """Nor is it among the nearest names."""
    with pytest.raises(NotFound) as caught:
        ask(table, MEMBER, "system.describe", action="desk.pay")
    assert "nearest" in str(caught.value)
    assert "desk.pay" not in str(caught.value).partition("nearest")[2]


@pytest.mark.parametrize(
    ("caller", "sees", "misses"),
    [
        (ANYONE, set(), {"config.get"}),
        (MEMBER, {"config.get"}, {"config.show", "members.list"}),
        (OWNER, {"config.show", "audit.list"}, {"members.add", "tokens.list", "tenants.list"}),
        (
            replace(OWNER, areas=frozenset({"tokens"})),
            {"tokens.issue", "tokens.list"},
            {"members.add", "owners.delegate"},
        ),
        (replace(OWNER, role="admin owner"), {"owners.delegate", "members.add"}, {"limits.set"}),
        (DEVELOPER, set(ADMINISTRATION), set()),
    ],
)
def test_administration_is_shown_to_those_whom_it_is_for(
    table: RoutingTable, caller: Principal, sees: set[str], misses: set[str]
) -> None:
    """By role and areas, as everything is; developers see everything, also what they may not call."""
    shown = administration(table, caller)
    assert sees <= shown
    assert not misses & shown


class TestAreas:
    """What is delegated to owners, on either channel."""

    @pytest.fixture
    def table(self, tmp_path: Path) -> RoutingTable:
        """An action of an area, for developers besides."""
        text = entry("desk.pay", "owner", "S").replace('"data"', '"admin"')
        text += 'area = "members"\nplatform = "developer admin"\n'
        file = tmp_path / "index.toml"
        file.write_text(text)
        return RoutingTable.build(read_index(file), "local-dev")

    @pytest.mark.parametrize(
        ("caller", "sees"),
        [
            (MEMBER, False),
            (OWNER, False),
            (replace(OWNER, areas=frozenset({"tokens"})), False),
            (replace(OWNER, areas=frozenset({"members"})), True),
            (replace(OWNER, role="admin owner"), True),
            (replace(OWNER, role="super admin"), True),
            (DEVELOPER, True),
        ],
    )
    def test_an_owner_sees_what_is_delegated_to_him(
        self, table: RoutingTable, caller: Principal, sees: bool
    ) -> None:
        assert ("desk.pay" in names(ask(table, caller, "system.describe"))) is sees

    def test_an_entry_says_what_is_needed(self, table: RoutingTable) -> None:
        (shown,) = ask(table, DEVELOPER, "system.describe", action="desk.pay")["actions"]
        assert (shown["area"], shown["platform"]) == ("members", "developer admin")
        (shown,) = ask(table, DEVELOPER, "system.describe", action="system.ping")["actions"]
        assert (shown["area"], shown["platform"]) == (None, None)


def test_a_token_with_a_scope_sees_that_and_what_is_built_in(table: RoutingTable) -> None:
    """Of a scope only what the role may call."""
    scope = frozenset({"desk.work", "desk.pay", "desk.gone"})
    seen = names(ask(table, replace(MEMBER, scope=scope), "system.describe"))
    assert seen == {"desk.work"} | SYSTEM


def test_a_prefix_narrows(table: RoutingTable) -> None:
    found = names(ask(table, MEMBER, "system.describe", prefix="system."))
    assert found == SYSTEM


def test_unknown_params_are_refused(table: RoutingTable) -> None:
    with pytest.raises(InvalidArgument, match=r"params\.prefx is unknown; did you mean prefix\?"):
        ask(table, MEMBER, "system.describe", prefx="desk")


def test_an_unknown_system_action_is_answered_with_the_nearest(table: RoutingTable) -> None:
    assert is_system("system.pin")
    with pytest.raises(NotFound, match=r"did you mean system\.ping"):
        ask(table, ANYONE, "system.pin")


def test_the_built_in_actions_describe_themselves(table: RoutingTable) -> None:
    entries = ask(table, MEMBER, "system.describe", prefix="system.")["actions"]
    described = {entry["name"]: entry["result"] for entry in entries}
    assert described == {
        name: route.result.source for name, route in builtin_actions.built_in().items()
    }


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> RoutingTable:
    """120 actions of about 4 KiB each."""
    entries = [(f"desk.a{n}", "member") for n in range(120)]
    return table_of(tmp_path_factory.mktemp("large"), *entries, summary="x" * 4000)


class TestPaging:
    """An index of any size can be read without a message growing too large."""

    @staticmethod
    def pages(table: RoutingTable, **params: Any) -> list[dict[str, Any]]:
        """Every page, as a client would ask for them."""
        found = [ask(table, MEMBER, "system.describe", **params)]
        while found[-1]["next"] is not None:
            found.append(ask(table, MEMBER, "system.describe", after=found[-1]["next"], **params))
        return found

    @given(limit=st.integers(1, 200))
    def test_pages_hold_every_action_once(self, large: RoutingTable, limit: int) -> None:
        pages = self.pages(large, limit=limit)
        listed = [entry["name"] for page in pages for entry in page["actions"]]
        seen = {name for name, route in large.routes.items() if route.is_for(MEMBER)}
        assert len(seen) > 120
        assert listed == sorted(seen | SYSTEM)
        assert all(len(page["actions"]) <= limit for page in pages)

    def test_no_page_is_larger_than_a_message(self, large: RoutingTable) -> None:
        pages = self.pages(large, limit=200)
        assert len(pages) > 1
        assert max(len(json.dumps(page)) for page in pages) < LARGEST_BODY

    def test_the_largest_actions_that_an_index_takes_fit_on_a_page(self, tmp_path: Path) -> None:
        table = table_of(tmp_path, *[(f"desk.a{n}", "member") for n in range(4)])
        text = (tmp_path / "index.toml").read_text()
        big = 'params.properties.name = {{ type = "string", description = "{}" }}'
        text = text.replace(
            'params.properties.name = { type = "string" }', big.format("x" * 65_000)
        )
        (tmp_path / "index.toml").write_text(text)
        table = RoutingTable.build(read_index(tmp_path / "index.toml"), "local-dev")
        pages = self.pages(table)
        assert max(len(json.dumps(page)) for page in pages) < LARGEST_BODY
        assert {entry["name"] for page in pages for entry in page["actions"]} >= (
            set(table.routes) - ADMINISTRATION.keys()
        )

    def test_the_index_of_this_repository_fits_on_few_pages(self) -> None:
        file = Path(__file__).parents[3] / "registry.toml"
        table = RoutingTable.build(read_index(file), "local-dev")
        assert len(self.pages(table)) == 1


# ---------------------------------------------------------------- packed pages


def packed(pages: Pages, table: RoutingTable, caller: Principal, **more: Any) -> Any:
    """What that caller gets of system.describe."""
    encoding = more.pop("encoding", "msgpack")
    asked = replace(
        work("w-1", Mailbox("test", lambda _: None)),
        principal=caller,
        request=Request(id="w-1", action="system.describe", params=more),
        peer=Peer(b"peer", delimited=False, encoding=encoding),
    )
    route, body = pages.answer(table, asked, frozenset())
    assert route.name == "system.describe"
    return json.loads(body) if encoding == "json" else msgpack.unpackb(body)


def test_a_page_is_made_once_for_all_who_may_call_the_same(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Counter[str]()

    def counted(table: RoutingTable, caller: Principal, params: Any) -> dict[str, Any]:
        made[caller.role] += 1
        return describe(table, caller, params)

    monkeypatch.setattr(builtin_actions, "describe", counted)
    pages = Pages()
    for caller in (MEMBER, replace(MEMBER, id="t_9"), OWNER, OWNER, ANYONE, DEVELOPER, MEMBER):
        for encoding in ("msgpack", "json"):
            expected = answer_system(table, caller, "system.describe", {})[1]
            assert packed(pages, table, caller, encoding=encoding) == expected
    assert made == {"member": 2, "owner": 2, "public": 2, "developer": 2}  # one in each encoding


def test_a_page_is_made_anew_for_another_question_scope_or_table(
    table: RoutingTable, tmp_path: Path
) -> None:
    pages = Pages()
    everything = packed(pages, table, MEMBER)
    assert packed(pages, table, MEMBER, prefix="system.") != everything
    assert packed(pages, table, MEMBER, limit=1)["next"] is not None
    narrow = packed(pages, table, replace(MEMBER, scope=frozenset({"desk.work"})))
    assert {each["name"] for each in narrow["actions"]} == {"desk.work", *SYSTEM}
    other = table_of(tmp_path, ("desk.other", "member"))
    assert packed(pages, other, MEMBER)["index"] == other.digest
    assert packed(pages, table, MEMBER) == everything


def test_no_more_pages_are_kept_than_are_worth_it(table: RoutingTable) -> None:
    """Anyone who asks for ever other ones fills no memory."""
    pages = Pages()
    for n in range(3 * MOST_PAGES):
        packed(pages, table, MEMBER, after=f"a{n}")
    assert len(pages) <= MOST_PAGES

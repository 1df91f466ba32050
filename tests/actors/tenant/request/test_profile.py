"""What the Directory says of a tenant holds from its next message on: config, wording, limits; and access."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgpack
import pytest
from msgspec.structs import replace

from actors.access import Rule
from actors.errors import NotFound
from actors.index.parser import read_index
from actors.messages import DeadLetter, Peer, Principal, TenantRecord, TenantRequest
from actors.profiles import Config, Profile, Profiles, TenantLimits, deep_freeze
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.route import Route
from actors.routing.table import RoutingTable
from actors.runtime.actor import stop
from actors.tenant.actor import Tenant
from actors.tenant.context import Context
from actors.tenant.resources import TenantResources
from actors.tenant.storage.files import Storage
from tests.actors.mailbox_harness import WAIT, Gate, MailboxHarness, Watch
from tests.actors.servers import INDEX
from tests.faulty.functions import ADD, marks
from tests.made import made_before
from transport.request.model import Request

MIB = 1024 * 1024
ACME = TenantRecord("acme", "a" * 32)
MEMBER = Principal("t_1", "acme", "member", "p_1")

Function = Callable[[Context, Any], Any]
Reply = dict[str, Any]


@pytest.fixture(scope="module")
def table() -> RoutingTable:
    """Of the tests' index, with all that is built in."""
    return RoutingTable.build(read_index(INDEX), "local-dev")


class Desk:
    """One tenant, alone, whose profile and functions the test sets."""

    def __init__(self, data: Path, table: RoutingTable, harness: MailboxHarness) -> None:
        self.profiles = Profiles()
        self.snapshot = RoutingSnapshot(table)
        with made_before(data):
            self.storage = Storage(data, read_index(INDEX).storage.migrations, 64 * MIB)
        self.storage.create(ACME.id)
        self.outlet = Watch()
        self.harness = harness
        self.sent = 0
        self.open()

    def open(self) -> None:
        """Start an incarnation."""
        self.mailbox = self.harness.mailbox("tenant acme", limit=1000)
        given = TenantResources(self.storage, self.snapshot, self.profiles)
        Tenant.start(self.mailbox, ACME, given)

    def replace(self, action: str, function: Function | None = None, **fields: Any) -> None:
        """Have an action do this from the next message on."""
        table = self.snapshot.current
        route: Route = replace(table.routes[action], **fields)
        if function is not None:
            route = replace(route, function=function)
        routes = MappingProxyType({**table.routes, action: route})
        self.snapshot.current = table._replace(routes=routes)

    def allow(self, action: str, *connectors: str) -> None:
        """Let it call these operations, to which the tenant is subscribed."""
        stated = self.snapshot.current.routes[action].action._replace(connectors=connectors)
        table = self.snapshot.current
        route = replace(table.routes[action], action=stated)
        self.snapshot.current = table._replace(
            routes=MappingProxyType({**table.routes, action: route})
        )

    def limit(self, **limits: Any) -> None:
        """Set limits, and take all others away."""
        self.profiles.publish(ACME.id, Profile(limits=TenantLimits(**limits)))

    def configure(self, revision: int = 1, **parts: Mapping[str, Any]) -> None:
        """Set the config."""
        config = Config(revision, **{name: deep_freeze(part) for name, part in parts.items()})
        self.profiles.publish(ACME.id, Profile(config))

    def work(
        self, action: str, caller: Principal = MEMBER, id_: str | None = None, **params: Any
    ) -> TenantRequest:
        """A request that has just come in."""
        self.sent += 1
        return TenantRequest(
            Request(id=id_ or f"r{self.sent}", tenant="acme", action=action, params=params),
            caller,
            Peer(b"peer", delimited=False, encoding="msgpack"),
            self.outlet,
            time.monotonic(),
            "0" * 32,
        )

    def ask(self, action: str, caller: Principal = MEMBER, **params: Any) -> Reply:
        """The reply to a request."""
        self.mailbox.tell(self.work(action, caller, **params))
        return self.hear()

    def hear(self) -> Reply:
        """The next reply."""
        ((_, body),) = self.outlet.hear().frames
        reply: Reply = msgpack.unpackb(body)
        return reply


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Two threads."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture
def desk(tmp_path: Path, table: RoutingTable, harness: MailboxHarness) -> Desk:
    """With a new, empty file."""
    return Desk(tmp_path / "data", table, harness)


# Callers


def test_an_id_is_its_person_s_under_any_token(desk: Desk) -> None:
    """Sent again after the token was replaced it has no second effect; another person's is another."""
    first = desk.ask("marks.add", MEMBER, id_="once", text="x")
    again = desk.ask("marks.add", replace(MEMBER, id="t_2"), id_="once", text="x")
    assert again["meta"]["replayed"]
    assert again["result"] == first["result"]
    other = desk.ask("marks.add", replace(MEMBER, person="p_2"), id_="once", text="x")
    assert other["result"] != first["result"]


# Config


def test_a_tenant_without_config_has_an_empty_one(desk: Desk) -> None:
    """At revision 0."""
    assert desk.ask("config.get")["result"] == {"revision": 0, "settings": {}, "whitelabel": {}}


def test_config_get_answers_what_holds_now(desk: Desk) -> None:
    """As plain maps and lists, at every depth; from the next message on."""
    settings = {"teams": [{"name": "first", "seats": [1, 2]}]}
    desk.configure(7, settings=settings, whitelabel={"product_name": "Desk"})
    assert desk.ask("config.get")["result"] == {
        "revision": 7,
        "settings": settings,
        "whitelabel": {"product_name": "Desk"},
    }
    desk.configure(8)
    assert desk.ask("config.get")["result"]["revision"] == 8


def test_one_message_sees_one_config(desk: Desk) -> None:
    """Also where it is changed meanwhile; the next message of the same turn sees the new one."""
    gate = Gate()

    def count(ctx: Context, params: Any) -> dict[str, Any]:
        if params.text == "wait":
            gate.turn()
        return {"count": ctx.config.settings["seats"]}

    desk.replace("marks.count", count)
    desk.configure(1, settings={"seats": 1})
    for text in ("wait", "go on"):
        desk.mailbox.try_enqueue(desk.work("marks.count", text=text))
    desk.mailbox.schedule()
    gate.entered()
    desk.configure(2, settings={"seats": 2})
    gate.open()

    (first, second) = desk.outlet.hear().frames
    counts = [msgpack.unpackb(body)["result"]["count"] for _, body in (first, second)]
    assert counts == [1, 2]


def test_a_function_cannot_change_the_config(desk: Desk) -> None:
    """What it would change is every other tenant's thread's, too: it gets TypeError, at any depth."""

    def count(ctx: Context, params: Any) -> dict[str, Any]:
        maps: list[Any] = [ctx.config.settings, ctx.config.settings["team"]]
        for each in maps:
            with pytest.raises(TypeError):
                each["seats"] = 5
        with pytest.raises(AttributeError):
            ctx.config.settings["list"].append(3)
        return {"count": len(maps)}

    desk.replace("marks.count", count)
    desk.configure(settings={"team": {}, "list": [1, 2]})
    assert desk.ask("marks.count")["result"] == {"count": 2}


# Wording


def test_refusals_speak_the_tenants_words(desk: Desk) -> None:
    """By their codes, no matter who refuses: the engine, the schema, a function, a defect."""
    texts = {
        code: f"{code}: ask {{support_address}}"
        for code in ("not_found", "invalid_argument", "permission_denied", "internal")
    }
    desk.configure(whitelabel={"texts": texts, "support_address": "help@example.com"})

    def absent(_: Context, params: Any) -> Any:
        raise NotFound("there is no such mark")

    desk.replace("marks.count", absent)
    requests: list[tuple[str, dict[str, Any]]] = [
        ("marks.nothing", {}),
        ("marks.add", {"text": 5}),
        ("owners.only", {}),
        ("trouble.make", {"kind": "fail"}),
        ("marks.count", {}),
    ]
    errors = [desk.ask(action, **params)["error"] for action, params in requests]
    assert [error["code"] for error in errors] == [
        "not_found",
        "invalid_argument",
        "permission_denied",
        "internal",
        "not_found",
    ]
    for error in errors:
        assert error["user_message"] == f"{error['code']}: ask help@example.com"
    assert errors[-1]["message"] == "there is no such mark"


def test_what_a_function_says_to_end_users_is_filled_in_and_not_replaced(desk: Desk) -> None:
    """It knows more than the code."""

    def absent(_: Context, params: Any) -> Any:
        raise NotFound("no mark", user_message="{product_name} has no such mark.")

    desk.replace("marks.count", absent)
    desk.configure(whitelabel={"texts": {"not_found": "general"}, "product_name": "Desk"})
    assert desk.ask("marks.count")["error"]["user_message"] == "Desk has no such mark."


def test_a_dead_letters_refusal_is_worded_too(desk: Desk) -> None:
    """Its sender is an end user as well; the newest config that a message has seen is used."""
    desk.configure(whitelabel={"texts": {"internal": "Sorry."}})
    desk.ask("config.get")
    desk.mailbox.tell(DeadLetter(desk.work("marks.add", text="deadly"), "Crash()"))
    assert desk.hear()["error"]["user_message"] == "Sorry."


# The size of the database


def filled(desk: Desk, mib: int) -> list[str]:
    """The codes of writes of that many MiB, 100 kB each."""

    def add(ctx: Context, params: Any) -> Any:
        return {"id": ctx.db.scalar(ADD, {"text": "x" * 100_000})}

    desk.replace("marks.add", add)
    codes = []
    for _ in range(mib * 10):
        reply = desk.ask("marks.add", text="x")
        codes.append("ok" if reply["ok"] else reply["error"]["code"])
    return codes


@pytest.mark.parametrize("live", [True, False])
def test_the_limit_of_the_size_holds_at_opening_and_live(desk: Desk, live: bool) -> None:
    """In place of the server's, which is 64 MiB here; nothing but writes is refused."""
    if live:
        assert desk.ask("marks.count")["ok"]
        desk.limit(database_bytes=MIB)
    else:
        stop(desk.mailbox, WAIT)
        desk.limit(database_bytes=MIB)
        desk.open()

    assert filled(desk, 2)[-1] == "resource_exhausted"

    assert desk.ask("marks.count")["result"]["count"] <= 10
    with closing(sqlite3.connect(f"file:{desk.storage.path(ACME.id)}?mode=ro", uri=True)) as reader:
        assert reader.execute("PRAGMA page_count").fetchone() <= (MIB // 4096,)


def test_a_size_that_is_raised_is_there_at_once(desk: Desk) -> None:
    """Without opening the file again; and so is the server's own where the limit is taken away."""
    desk.limit(database_bytes=MIB)
    assert filled(desk, 2)[-1] == "resource_exhausted"
    desk.limit(database_bytes=4 * MIB)
    assert filled(desk, 2) == ["ok"] * 20
    assert filled(desk, 2)[-1] == "resource_exhausted"
    desk.limit()
    assert filled(desk, 8) == ["ok"] * 80


def test_a_size_below_what_is_there_breaks_nothing(desk: Desk) -> None:
    """Reading and removing go on; what was removed can be written again."""
    assert filled(desk, 2) == ["ok"] * 20
    desk.limit(database_bytes=MIB)
    assert filled(desk, 1)[-1] == "resource_exhausted"
    assert desk.ask("marks.count")["ok"]

    def remove(ctx: Context, params: Any) -> Any:
        return {"count": ctx.db.run(marks.delete())}

    desk.replace("marks.count", remove, writes=True)
    assert desk.ask("marks.count")["result"]["count"] >= 20
    assert filled(desk, 1) == ["ok"] * 10


# The time of functions


def burn(ctx: Context, params: Any) -> dict[str, Any]:
    """Take 50 ms of the processor."""
    ends = time.thread_time() + 0.05
    while time.thread_time() < ends:
        pass
    if params.text == "fail":
        raise NotFound("burnt for nothing")
    return {"count": 0}


def cheap(ctx: Context, params: Any) -> dict[str, Any]:
    """Take next to nothing."""
    return {"count": 1}


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A tenant whose marks.count burns 50 ms, with 1 ms a second: 10 at once, then 40 s of debt."""
    desk.replace("marks.count", burn)
    desk.limit(function_ms_per_second=1.0)
    return desk


@pytest.mark.parametrize("outcome", ["ok", "fail"])
def test_who_has_taken_more_time_than_there_is_waits(busy: Desk, outcome: str) -> None:
    """Whether the function succeeded or not. The refusal names limit and tenant, and says how long."""
    busy.ask("marks.count", text=outcome)

    for action in ("marks.count", "config.get"):
        error = busy.ask(action)["error"]
        assert error["code"] == "resource_exhausted"
        assert "tenant acme" in error["message"]
        assert "1 ms" in error["message"]
        assert 25_000 < error["retry_after_ms"] < 120_000


def test_a_limit_that_is_raised_or_taken_away_ends_the_wait(busy: Desk) -> None:
    """The debt was to the old one."""
    busy.ask("marks.count")
    busy.limit(function_ms_per_second=1000.0)
    assert busy.ask("marks.count")["ok"]
    busy.limit()
    assert busy.ask("marks.count")["ok"]


def test_a_change_of_anything_else_leaves_the_debt(busy: Desk) -> None:
    """No one gets rid of it by changing the config."""
    busy.ask("marks.count")
    limits = TenantLimits(function_ms_per_second=1.0)
    busy.profiles.publish(ACME.id, Profile(Config(1), limits))
    assert busy.ask("marks.count")["error"]["code"] == "resource_exhausted"


def test_what_was_done_before_is_answered_again_while_others_wait(busy: Desk) -> None:
    """A replay runs no function; nor does a dead letter, and a refused request has no effect."""
    first = busy.ask("marks.add", text="once", id_="once")
    busy.ask("marks.count")
    refused = busy.ask("marks.add", text="twice", id_="twice")
    assert refused["error"]["code"] == "resource_exhausted"

    again = busy.ask("marks.add", text="once", id_="once")
    assert (again["result"], again["meta"]["replayed"]) == (first["result"], True)
    busy.mailbox.tell(DeadLetter(busy.work("marks.add", text="deadly"), "Crash()"))
    assert busy.hear()["error"]["code"] == "internal"
    assert busy.ask("marks.later", text="soon")["ok"], "a dummy takes no time"

    busy.limit()
    assert "replayed" not in busy.ask("marks.add", text="twice", id_="twice")["meta"]


def test_without_a_limit_nothing_is_measured(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the clock is read."""

    def unread() -> float:
        raise AssertionError("the clock was read")

    monkeypatch.setattr("time.thread_time", unread)
    assert desk.ask("config.get")["ok"]


# Access


def owner(*areas: str, **fields: Any) -> Principal:
    """Of acme."""
    return Principal("t_2", "acme", "owner", "p_2", frozenset(areas), **fields)


def test_an_owner_needs_the_area_that_the_action_names(desk: Desk) -> None:
    """The refusal names it; the admin owner and a super admin have every one."""
    rule: Rule = desk.snapshot.current.routes["owners.only"].rule
    desk.replace("owners.only", rule=replace(rule, area="members"))

    error = desk.ask("owners.only", owner("config"))["error"]
    assert error["code"] == "permission_denied"
    assert "'members'" in error["message"]
    assert desk.ask("owners.only", owner("config", "members"))["ok"]
    for role in ("admin owner", "super admin"):
        assert desk.ask("owners.only", replace(owner(), role=role))["ok"]


def test_an_action_of_the_admin_channel_is_run_for_those_it_admits(desk: Desk) -> None:
    """Which channel it came by is the channels' matter: none but the console hands such a one on."""
    rule: Rule = desk.snapshot.current.routes["owners.only"].rule
    desk.replace("owners.only", rule=replace(rule, channel="admin"))
    assert desk.ask("owners.only", owner())["ok"]
    assert desk.ask("owners.only", MEMBER)["error"]["code"] == "permission_denied"
    assert desk.ask("owners.only", replace(owner(), role="developer admin"))["error"]["code"] == (
        "permission_denied"
    )


def test_a_token_is_good_for_its_scope_and_nothing_else(desk: Desk) -> None:
    """Whatever the role may do."""
    scoped = owner(scope=frozenset({"marks.count"}))
    assert desk.ask("marks.count", scoped)["ok"]
    error = desk.ask("owners.only", scoped)["error"]
    assert error["code"] == "permission_denied"
    assert "marks.count" in error["message"]

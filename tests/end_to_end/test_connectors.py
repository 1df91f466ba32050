"""Connectors on a real server, with a real service on loopback: what functions, end users and owners get."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.actor import ConnectorPolicy
from actors.connectors.engine.retry import CircuitBreakers
from actors.errors import ActionError
from actors.log.events import Events
from tests.actors.connectors.peer import BUSY, HANG, REFUSED, Peer
from tests.actors.developer_project import Workshop
from tests.actors.servers import request
from tests.deadline import until
from tests.raw_client import Map, RawClient

INDEX = Path(__file__).parents[1] / "outside" / "registry.toml"

VERSION = """
[[connectors.echo.versions]]
version = {number}
state   = "{state}"
code    = "echo_{number}:Echo"
"""

PIN = "pin-of-acme-4711"


async def at_once(_: float) -> None:
    """Does not wait between tries."""
    await asyncio.sleep(0)


QUICK = ConnectorPolicy(sleep=at_once)


@pytest.fixture
def peer() -> Iterator[Peer]:
    """The outside service."""
    with Peer() as made:
        yield made


@pytest.fixture
def shop(tmp_path: Path, peer: Peer) -> Iterator[Shop]:
    """An index whose functions call it."""
    with Shop(tmp_path, peer) as made:
        yield made
        peer.release()


class Shop(Workshop):
    """Tenants of which acme and globex are subscribed."""

    def __init__(self, directory: Path, peer: Peer) -> None:
        super().__init__(directory, INDEX)
        self._peer = peer

    def open(self, environment: str = "local-dev", **settings: Any) -> Shop:
        """Serve, and subscribe."""
        self.serve(environment, **{"connector_policy": QUICK, **settings})
        for tenant in ("acme", "globex"):
            self.subscribe(tenant)
        return self

    def subscribe(self, tenant: str) -> None:
        """With settings."""
        self.ask("subscriptions.set", tenant, connector="echo")
        self.set_up(tenant, {"port": self._peer.port, "pin": PIN})

    def make_room(self, **room: int) -> None:
        """Write so in the index."""
        said = "".join(f"room.{name} = {number}\n" for name, number in room.items())
        self.edit("[connectors.echo]\n", f"[connectors.echo]\n{said}")

    def set_up(self, tenant: str, settings: Map) -> None:
        """What a tenant states for echo."""
        self.ask("connectors.configure", tenant, connector="echo", settings=settings)

    def add(self, number: int, old: str = "", new: str = "", state: str = "under dev") -> None:
        """Write a version of echo, and add it to the index."""
        text = (self.index.parent / "echo_1.py").read_text()
        assert old in text
        (self.index.parent / f"echo_{number}.py").write_text(text.replace(old, new, 1))
        with self.index.open("a") as file:
            file.write(VERSION.format(number=number, state=state))

    def move_echo(self, version: int, to: str) -> Map:
        """Move a version of echo."""
        return self.ask("functions.move", connector="echo", version=version, to=to, why="a test")

    def post(self, action: str = "marks.say", tenant: str = "acme", /, **params: Any) -> str:
        """Send, and do not wait."""
        timeout = params.pop("timeout_ms", 20_000)
        wanted = request(self.server, tenant, action, **params)
        return self.raw_client.post(**wanted, timeout_ms=timeout)

    def calls(self, tenant: str = "acme", **params: Any) -> list[Map]:
        """The latest recorded calls."""
        found: list[Map] = self.ask("connectors.calls", tenant, **params)["calls"]
        return found

    def traced(self, tenant: str = "acme", **params: Any) -> Map:
        """All about one call."""
        (found,) = self.ask("connectors.trace", tenant, **params)["calls"]
        assert isinstance(found, dict)
        return found

    def latest(self) -> Map:
        """All about the latest call."""
        return self.traced(id=self.calls()[0]["id"])


class TestCalling:
    """A function awaits an operation."""

    def test_what_the_service_answers_is_what_the_function_gets(
        self, shop: Shop, peer: Peer
    ) -> None:
        shop.open()
        assert shop.call("marks.say", text="hello")["result"] == {"said": "hello"}
        assert peer.hear()["text"] == "hello"

    def test_an_answer_that_looks_like_an_attack_is_logged_by_rule_and_handed_on(
        self, shop: Shop, events: Events
    ) -> None:
        said = "x' UNION SELECT 1, 2 --"
        shop.add(2, 'response["text"]', f'"{said}"', state="release")
        shop.open()
        events.connect(shop.server.system.logs.errors)
        try:
            assert shop.call("marks.say", text="hello")["result"] == {"said": said}
            said_so = {"text": "answer would be rejected"}
            until(lambda: shop.ask("logs.errors", **said_so)["lines"], "the answer is in the log")
            (line,) = shop.ask("logs.errors", **said_so)["lines"]
        finally:
            events.disconnect()
        assert (line["tenant"], line["action"]) == ("acme", "echo.say")
        assert "sql-union" in str(line)
        assert said not in str(line)

    def test_a_service_that_is_busy_is_tried_again_under_the_same_key(
        self, shop: Shop, peer: Peer
    ) -> None:
        shop.open()
        peer.script += [BUSY, BUSY]
        assert shop.call("marks.say", text="hello")["ok"]
        assert len({peer.hear()["key"] for _ in range(3)}) == 1
        told = shop.latest()
        assert [each["error"] for each in told["attempts"]] == ["Transient: it is busy"] * 2 + [
            None
        ]

    def test_one_that_stays_busy_is_unavailable_for_as_long_as_it_says(
        self, shop: Shop, peer: Peer
    ) -> None:
        shop.open()
        peer.script += [{"status": 503, "retry_after": 600}]
        error = shop.call("marks.say", text="hello")["error"]
        assert (error["code"], error["retry_after_ms"]) == ("unavailable", 600_000)
        assert len(shop.latest()["attempts"]) == 1

    @pytest.mark.parametrize("text", ["hello", "unsayable"])
    def test_what_it_refuses_is_not_tried_again(self, shop: Shop, peer: Peer, text: str) -> None:
        shop.open()
        peer.script += [REFUSED]
        assert shop.call("marks.say", text=text)["error"]["code"] == "failed_precondition"
        assert peer.said == (text == "hello")
        assert shop.call("marks.try", text="unsayable")["result"]["code"] == "failed_precondition"

    def test_what_is_not_answered_by_the_deadline_is_over(self, shop: Shop, peer: Peer) -> None:
        shop.open()
        peer.script += [HANG]
        sent = shop.post(text="hello", timeout_ms=300)
        assert shop.raw_client.replies(1)[sent]["error"]["code"] == "deadline_exceeded"
        until(
            lambda: [each["outcome"] for each in shop.calls()] == ["deadline_exceeded"],
            "the call was cancelled",
        )

    def test_a_dead_service_keeps_nobody_else_waiting(self, shop: Shop, peer: Peer) -> None:
        """Neither the tenant's other messages, nor other tenants' calls of the same connector."""
        shop.make_room(at_once=20, of_one=2)
        shop.open()
        peer.deaf.add("dead")
        hung = [shop.post(text="dead") for _ in range(5)]
        assert [peer.hear()["text"] for _ in range(2)] == ["dead"] * 2
        assert shop.call("marks.add", text="mark")["ok"]
        assert shop.call("marks.say", "globex", text="alive")["result"] == {"said": "alive"}
        assert peer.hear()["text"] == "alive"
        assert peer.said == 0
        peer.release()
        assert all(reply["ok"] for reply in shop.raw_client.replies(5).values())
        assert len(hung) == 5

    def test_where_too_many_wait_the_next_is_refused_at_once(self, shop: Shop, peer: Peer) -> None:
        shop.make_room(of_one=1, waiting_of_one=2)
        shop.open()
        peer.deaf.add("dead")
        for _ in range(3):
            shop.post(text="dead")
        peer.hear()
        error = shop.call("marks.say", text="one too many")["error"]
        assert error["code"] == "resource_exhausted"
        assert error["retry_after_ms"]
        assert shop.call("marks.say", "globex", text="alive")["ok"]

    def test_a_service_that_keeps_failing_is_left_alone_and_tried_again_later(
        self, shop: Shop, peer: Peer
    ) -> None:
        """For the tenant whose service it is."""
        shop.open(connector_policy=QUICK._replace(breakers=lambda: CircuitBreakers(seconds=1.0)))
        peer.script += [BUSY] * 5
        assert shop.call("marks.say", text="hello")["error"]["code"] == "unavailable"
        assert peer.said == 5
        error = shop.call("marks.say", text="hello")["error"]
        assert error["code"] == "unavailable"
        assert 0 < error["retry_after_ms"] <= 1000
        assert peer.said == 5
        assert shop.call("marks.say", "globex", text="hello")["ok"]
        until(lambda: shop.call("marks.say", text="hello")["ok"], "the breaker closes")

    def test_settings_that_are_mended_are_tried_at_once(self, shop: Shop, peer: Peer) -> None:
        """Although what was set before is left alone."""
        shop.open()
        peer.script += [BUSY] * 5
        for _ in range(2):
            assert shop.call("marks.say", text="hello")["error"]["code"] == "unavailable"
        assert peer.said == 5
        shop.set_up("acme", {"pin": "another pin"})
        assert shop.call("marks.say", text="hello")["ok"]

    def test_room_that_is_made_in_the_index_is_there_at_once(self, shop: Shop, peer: Peer) -> None:
        """Taken in while it runs."""
        shop.make_room(of_one=1)
        shop.open()
        peer.deaf.add("dead")
        hung = [shop.post(text="dead") for _ in range(2)]
        peer.hear()
        shop.edit("room.of_one = 1", "room.of_one = 3")
        assert "echo: room: " in shop.ask("functions.diff")["changes"][0]
        shop.reload()
        assert peer.hear()["text"] == "dead"
        assert shop.call("marks.say", text="alive")["ok"]
        peer.release()
        assert set(shop.raw_client.replies(2)) == set(hung)


class TestDefects:
    """Code of a connector that is wrong."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('return {"said": response["text"]}', 'return {"sad": 1}'),
            ('return {"said": response["text"]}', "return 1 / 0"),
            ("reader, writer =", "raise SystemExit(1)\n        reader, writer ="),
            ('return {"text": params["text"] + SHOUT,', 'return {"text": {1, 2},'),
            (
                '"""It reaches this machine alone."""',
                "1 / 0",
            ),
        ],
    )
    def test_the_caller_gets_internal_and_the_function_is_not_to_blame(
        self, shop: Shop, old: str, new: str
    ) -> None:
        shop.add(2, old, new)
        shop.open()
        assert shop.call("marks.say", text="hello")["error"]["code"] == "internal"
        assert shop.calls()[0]["outcome"] == "internal"
        shown = shop.ask("functions.show", connector="echo")
        assert len(shown["failures"]) == 1
        assert shop.ask("functions.show", function="marks.say")["failures"] == []

    def test_one_that_keeps_failing_is_taken_out_and_the_version_before_serves(
        self, shop: Shop
    ) -> None:
        shop.add(2, 'return {"said": response["text"]}', "return 1 / 0", "release")
        shop.open("hosted-live")
        codes = [shop.call("marks.try", text="hello")["result"]["code"] for _ in range(7)]
        assert codes == ["internal"] * 5 + ["ok"] * 2
        erroring = 'state   = "erroring"'
        until(lambda: erroring in shop.index.read_text(), "the machine's move is on disk")
        shown = shop.ask("functions.show", connector="echo")
        assert shown["versions"][0]["state"] == "erroring"
        assert shop.calls()[0]["reason"] == "fallback after erroring"

    def test_what_ends_the_loop_itself_is_survived(self, shop: Shop, peer: Peer) -> None:
        """A library's callback that exits: the actor is restarted, and waiting calls fail."""
        exits = (
            "import sys; asyncio.get_running_loop().call_soon(sys.exit)\n        reader, writer ="
        )
        shop.add(
            2,
            "reader, writer =",
            f'if outer["text"] == "exit": {exits}'.replace("\n        reader", "\n        reader"),
        )
        shop.open()
        peer.deaf.add("exit")
        assert shop.call("marks.say", text="exit")["error"]["code"] == "unavailable"
        assert shop.call("marks.say", text="hello")["ok"]
        assert {each["outcome"] for each in shop.calls()} == {"unavailable", "ok"}


class TestSwapping:
    """functions.move connector=echo"""

    def test_calls_in_flight_finish_on_what_they_began_with(self, shop: Shop, peer: Peer) -> None:
        shop.add(2, 'SHOUT = ""', 'SHOUT = "!"')
        shop.open("local-test")
        peer.script += [HANG]
        sent = shop.post(text="hello")
        peer.hear()
        shop.ask("functions.move", connector="echo", version=2, to="potential release", why="x")
        assert shop.call("marks.say", text="hi")["result"] == {"said": "hi!"}
        peer.release()
        assert shop.raw_client.replies(1)[sent]["result"] == {"said": "hello"}
        until(lambda: len(shop.calls()) == 2, "both are recorded")
        assert [each["version"] for each in shop.calls()] in ([1, 2], [2, 1])

    def test_the_old_implementation_is_closed_once_its_last_call_has_ended(
        self, shop: Shop, peer: Peer, tmp_path: Path
    ) -> None:
        mark = tmp_path / "closed"
        shop.edit('"echo_1:Echo"', '"echo_9:Echo"')
        text = (shop.index.parent / "echo_1.py").read_text()
        old = '"""Nothing is kept open."""'
        new = f"import pathlib; pathlib.Path({str(mark)!r}).touch()"
        (shop.index.parent / "echo_9.py").write_text(text.replace(old, new))
        shop.add(2)
        shop.open("local-test")
        assert shop.call("marks.say", text="hello")["ok"]
        moved = shop.move_echo(2, "potential release")
        assert moved["settled"]
        assert mark.exists()
        assert moved["serving"] == {"version": 2, "state": "potential release", "reason": "newest"}

    def test_code_that_was_changed_or_is_no_connector_is_refused(self, shop: Shop) -> None:
        shop.add(2)
        shop.open()
        shop.move_echo(2, "potential release")
        (shop.index.parent / "echo_2.py").write_text("class Echo: ...\n")
        assert "its code has changed" in shop.ask("functions.diff")["changes"][0]
        digest = shop.ask("functions.diff")["digest"]
        assert shop.refusal("functions.reload", digest=digest).code == "failed_precondition"
        shop.move_echo(1, "reverted")
        assert shop.call("marks.say", text="hello")["ok"]
        with pytest.raises(ActionError, match="needs def __init__"):
            shop.move_echo(2, "under dev")

    def test_a_connector_that_reload_adds_is_there(self, shop: Shop, peer: Peer) -> None:
        shop.open()
        text = shop.index.read_text()
        start = text.index("[connectors.echo]")
        shop.index.write_text(text + text[start:].replace("connectors.echo", "connectors.late"))
        shop.edit('connectors = ["echo.say"]', 'connectors = ["echo.say", "late.say"]')
        shop.reload()
        assert shop.ask("connectors.calls", "acme", connector="late") == {"calls": []}

    def test_a_dummy_answers_its_example_and_the_journal_says_so(self, shop: Shop) -> None:
        shop.edit('state   = "release"\ncode    = "echo_1:Echo"', 'state   = "dummy"')
        shop.open()
        assert shop.call("marks.say", text="hello")["result"] == {"said": "an example"}
        told = shop.calls()[0]
        assert (told["state"], told["reason"], told["outcome"]) == ("dummy", "dummy", "ok")

    def test_where_no_version_is_served_it_is_to_be_implemented(self, shop: Shop) -> None:
        shop.edit(
            'state   = "release"\ncode    = "echo_1', 'state   = "under dev"\ncode    = "echo_1'
        )
        shop.open("hosted-test")
        error = shop.call("marks.say", text="hello")["error"]
        assert error["code"] == "unimplemented"
        assert "to be implemented" in error["message"]


class TestSubscriptions:
    """A call without one never leaves."""

    def refused(self, shop: Shop, environment: str = "local-dev") -> Map:
        shop.serve(environment)
        patch = {"whitelabel": {"product_name": "Deskly"}}
        shop.ask("config.patch", "acme", patch=patch, revision=0)
        error: Map = shop.call("marks.say", text="hello")["error"]
        assert error["code"] == "not_subscribed"
        return error

    def test_the_end_user_hears_it_in_the_words_of_the_index_and_the_product(
        self, shop: Shop, peer: Peer
    ) -> None:
        assert self.refused(shop)["user_message"] == "Deskly needs echo for this. Ask your owner."
        assert shop.call("marks.try", text="hello")["result"]["code"] == "not_subscribed"
        assert peer.said == 0
        shop.subscribe("acme")
        assert shop.call("marks.say", text="hello")["ok"]
        shop.ask("subscriptions.end", "acme", connector="echo")
        assert shop.call("marks.say", text="hello")["error"]["code"] == "not_subscribed"

    def test_where_that_is_a_dummy_its_example_says_it(self, shop: Shop) -> None:
        shop.edit('state   = "release"\ncode    = "functions:not_subscribed"', 'state   = "dummy"')
        assert self.refused(shop)["user_message"] == "Deskly cannot say anything yet."

    def test_where_that_fails_there_is_a_plain_sentence(self, shop: Shop) -> None:
        functions = shop.index.parent / "functions.py"
        functions.write_text(functions.read_text().replace('return {"user_message"', 'return {"u"'))
        message = self.refused(shop)["user_message"]
        assert message.startswith("This is not part of what Deskly does for you so far.")


class TestTheJournal:
    """connectors.calls, trace and replay"""

    def test_it_has_the_four_forms_side_by_side_and_no_secret(self, shop: Shop, peer: Peer) -> None:
        shop.open()
        reply = shop.call("marks.say", text="hello", secret="s3cr3t-of-a-call")
        trace_id = reply["meta"]["trace_id"]
        told = shop.traced(trace_id=trace_id)
        assert told["forms"]["inner_request"] == {"text": "hello", "secret": "(redacted)"}
        assert told["forms"]["outer_request"]["greeting"] == "I am (redacted), (redacted)"
        assert told["forms"]["outer_response"] == {"status": 200, "text": "hello"}
        assert told["forms"]["inner_result"] == {"said": "hello"}
        assert (told["call"]["version"], told["call"]["outcome"]) == (1, "ok")
        assert told == shop.traced(id=told["call"]["id"]) == shop.traced(key=peer.hear()["key"])
        shop.close()
        written = b"".join(path.read_bytes() for path in (shop.data / "connectors").iterdir())
        assert b"hello" in written
        assert PIN.encode() not in written
        assert b"s3cr3t" not in written

    def test_what_a_service_quotes_is_no_secret_s_way_out(self, shop: Shop, peer: Peer) -> None:
        shop.open()
        peer.script += [REFUSED]
        error = shop.call("marks.say", text="hello", secret="s3cr3t-of-a-call")["error"]
        assert error["message"].endswith("it will not have I am (redacted), (redacted)")
        assert "s3cr3t" not in json.dumps(shop.latest())
        assert PIN not in json.dumps(shop.latest())

    def test_what_found_no_room_is_recorded_without_secrets_too(
        self, shop: Shop, peer: Peer
    ) -> None:
        shop.make_room(at_once=1, waiting=1)
        shop.open()
        peer.script += [HANG]
        for _ in range(2):
            shop.post(text="one hangs, and one waits")
        peer.hear()
        shop.call("marks.say", text="hello", secret="s3cr3t-of-a-call")
        told = shop.latest()
        assert told["forms"]["inner_request"] == {"text": "hello", "secret": "(redacted)"}
        assert (told["call"]["outcome"], told["attempts"]) == ("resource_exhausted", [])

    def test_each_tenant_sees_its_own_and_developers_see_no_payload(self, shop: Shop) -> None:
        shop.open()
        trace_id = shop.call("marks.say", text="hello")["meta"]["trace_id"]
        shop.call("marks.say", "globex", text="hi")
        assert [each["tenant"] for each in shop.calls("globex")] == ["globex"]
        assert shop.ask("connectors.trace", "globex", trace_id=trace_id)["calls"] == []
        calls = shop.ask("connectors.calls")["calls"]
        assert {each["tenant"] for each in calls} == {"acme", "globex"}
        developer = self.developer(shop)
        (told,) = self.as_developer(shop, developer, "connectors.trace", trace_id=trace_id)["calls"]
        assert told["call"]["outcome"] == "ok"
        assert "hello" not in json.dumps(told)
        assert told["forms"]["inner_result"]["_summary"].startswith("the tenant's own")
        recent = self.as_developer(shop, developer, "connectors.calls")["calls"]
        assert {each["tenant"] for each in recent} == {"acme", "globex"}

    def developer(self, shop: Shop) -> str:
        """A token."""
        person = shop.ask("developers.add", name="Grace", role="developer")["developer"]["id"]
        token: str = shop.ask("developers.issue", person=person, label="test")["text"]
        return token

    def as_developer(self, shop: Shop, token: str, action: str, **params: Any) -> Map:
        """On the admin channel."""
        with RawClient(shop.server.system.admin_endpoint) as raw_client:
            reply = raw_client.ask(token=token, action=action, params=params)
        assert reply["ok"], reply
        result: Map = reply["result"]
        return result

    def test_what_is_large_is_kept_in_outline(self, shop: Shop) -> None:
        shop.open()
        assert shop.call("marks.say", text="x" * 50_000)["ok"]
        told = shop.latest()
        assert (
            "50009 bytes" in told["forms"]["inner_request"]["_summary"]
            or told["forms"]["inner_request"]["_summary"]
        )
        assert len(json.dumps(told)) < 20_000
        refused = shop.refusal("connectors.replay", id=told["call"]["id"])
        assert refused.code == "invalid_argument"
        with pytest.raises(ActionError, match="too large"):
            shop.ask("connectors.replay", "acme", id=told["call"]["id"])

    def test_a_replay_shows_what_a_new_version_would_do_and_calls_no_connector(
        self, shop: Shop, peer: Peer
    ) -> None:
        shop.add(2, 'SHOUT = ""', 'SHOUT = "!"', "erroring")
        shop.open()
        assert shop.call("marks.say", text="hello")["ok"]
        id_ = shop.calls()[0]["id"]
        assert shop.ask("connectors.replay", "acme", id=id_)["same"]
        shop.move_echo(2, "under dev")
        shown = shop.ask("connectors.replay", "acme", id=id_)
        assert shown["differences"] == [
            {"at": "outer_request.text", "recorded": "hello", "now": "hello!"}
        ]
        assert (shown["recorded"]["version"], shown["now"]["version"]) == (1, 2)
        assert peer.said == 1
        with pytest.raises(ActionError, match="outbox"):
            shop.ask("connectors.replay", "acme", id=id_, dry=False)
        with pytest.raises(ActionError, match="no recorded call"):
            shop.ask("connectors.replay", "globex", id=id_)

    def test_what_cannot_be_written_is_counted_and_told(self, shop: Shop, events: Events) -> None:
        (shop.data / "connectors").parent.mkdir(exist_ok=True)
        (shop.data / "connectors").write_text("a file in the way")
        shop.open()
        events.connect(shop.server.system.logs.errors)
        try:
            assert shop.call("marks.say", text="hello")["ok"]
            until(
                lambda: shop.ask("logs.errors", text="were lost to its journal")["lines"],
                "the loss is in the error log",
            )
        finally:
            events.disconnect()

    def test_after_a_week_a_call_is_forgotten(self, shop: Shop) -> None:
        shop.open()
        shop.call("marks.say", text="hello")
        assert len(shop.calls()) == 1
        shop.close()
        file = shop.data / "connectors" / "echo.db"
        with sqlite3.connect(file) as database:
            database.execute("UPDATE calls SET at = ?", [time.time() - 8 * 24 * 3600])
        database.close()
        shop.open()
        until(lambda: shop.calls() == [], "the old call is swept")
        assert file.stat().st_mode & 0o777 == 0o600


class TestStopping:
    """While calls are under way."""

    def test_it_takes_no_longer_than_the_drain_and_everybody_is_answered(
        self, shop: Shop, peer: Peer
    ) -> None:
        shop.open(drain_seconds=1.0)
        peer.deaf.add("dead")
        sent = shop.post(text="dead")
        peer.hear()
        began = time.monotonic()
        shop.server.stop()
        assert time.monotonic() - began < 6.0
        assert shop.raw_client.replies(1)[sent]["error"]["code"] == "unavailable"
        thread = shop.server.system.connectors["echo"].thread  # type: ignore[attr-defined]  # a LoopMailbox's
        assert thread is None
        shop._server = None
        file = shop.data / "connectors" / "echo.db"
        with sqlite3.connect(file) as database:
            assert database.execute("SELECT outcome FROM calls").fetchall() == [("unavailable",)]
        database.close()

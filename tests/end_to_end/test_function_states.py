"""A function's versions through their states, on a real server: what callers and developers get."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.errors import FailedPrecondition, NotFound, Unavailable
from actors.log.events import Events
from actors.log.messages import MOVE
from actors.registry.registry_file import replace_if_unchanged
from tests.actors.developer_project import BODY, Workshop
from tests.actors.servers import request
from tests.deadline import until
from tests.pipe import Pipe
from tests.raw_client import Map, RawClient


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """An index of one's own."""
    with Workshop(tmp_path) as workshop:
        yield workshop


FAILING = 'raise RuntimeError("secret detail of the defect")'


WHICH = {"function": "marks.add"}


@contextmanager
def broken_names(directory: Path) -> Iterator[None]:
    """A disk that takes files, and does not sync the names in this directory."""
    sync, inode = os.fsync, directory.stat().st_ino

    def fail(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == inode:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        yield


class TestMoving:
    """functions.move"""

    def test_a_version_goes_from_state_to_state_and_is_served_where_the_table_says(
        self, shop: Workshop
    ) -> None:
        shop.write(2)
        shop.serve("hosted-test")
        assert shop.answered_by() == (1, "newest")
        for to in ("potential release", "under user test"):
            assert shop.move(2, to)["settled"]
        assert shop.answered_by() == (2, "newest")
        shop.move(2, "release", request="R-7")
        shop.move(2, "reverted", why="it is slow")
        assert shop.answered_by() == (1, "fallback after reverted")
        assert shop.states() == {2: "reverted", 1: "release"}

    def test_any_other_move_is_refused_with_those_that_are_allowed(self, shop: Workshop) -> None:
        shop.write(2)
        shop.serve()
        refused = shop.refusal(
            "functions.move", function="marks.add", version=2, to="release", why="now"
        )
        assert refused.code == "failed_precondition"
        for allowed in ("'potential release'", "'erroring'", "'dummy'"):
            assert allowed in str(refused)
        assert shop.states()[2] == "under dev"

    def test_what_is_not_there_is_named_with_what_is_near(self, shop: Workshop) -> None:
        shop.serve()
        wanted = {"version": 1, "to": "reverted", "why": "x"}
        refused = shop.refusal("functions.move", function="marks.ad", **wanted)
        assert refused.code == "not_found"
        assert "marks.add" in str(refused)
        refused = shop.refusal("functions.move", function="marks.add", **{**wanted, "version": 9})
        assert "it has: 1" in str(refused)
        assert shop.refusal("functions.move", **wanted).code == "invalid_argument"
        assert "no connector" in str(shop.refusal("functions.move", connector="mail", **wanted))

    def test_of_two_who_move_the_same_version_one_hears_so(self, shop: Workshop) -> None:
        shop.write(2)
        shop.serve()
        shop.move(2, "potential release", expected="under dev")
        refused = shop.refusal(
            "functions.move",
            function="marks.add",
            version=2,
            to="erroring",
            why="x",
            expected="under dev",
        )
        assert refused.code == "aborted"
        assert "'potential release' by now" in str(refused)

    def test_a_move_sent_twice_with_one_id_is_made_once(self, shop: Workshop) -> None:
        server = shop.serve()
        shop.write(2)
        shop.reload()
        admin = shop.ask("developers.add", name="Ada", role="developer")["developer"]["id"]
        token = shop.ask("developers.issue", person=admin, label="test")["text"]
        params = {"function": "marks.add", "version": 2, "to": "potential release", "why": "ready"}
        with RawClient(server.system.admin_endpoint) as raw_client:
            sent = {"id": "m-1", "token": token, "action": "functions.move"}
            first, again = (raw_client.ask(**sent, params=params) for _ in range(2))
            other = raw_client.ask(**sent, params={**params, "to": "under user test"})
        assert first["result"] == again["result"]
        assert other["error"]["code"] == "invalid_argument"
        assert shop.show()["versions"][0]["by"] == "Ada"
        assert [each["to"] for each in shop.show()["moves"]] == ["potential release"]

    def test_a_move_sent_again_after_a_restart_is_answered_as_it_was(self, shop: Workshop) -> None:
        """Whatever became of the answer; also of one that was on disk though it could not be said."""
        server = shop.serve()
        shop.write(2)
        shop.reload()
        admin = shop.ask("developers.add", name="Ada", role="developer")["developer"]["id"]
        token = shop.ask("developers.issue", person=admin, label="test")["text"]
        params = {"function": "marks.add", "version": 2, "to": "potential release", "why": "ready"}
        sent = {"id": "m-1", "token": token, "action": "functions.move", "params": params}
        with RawClient(server.system.admin_endpoint) as raw_client, broken_names(shop.index.parent):
            told = raw_client.ask(**sent)["error"]
            shown = raw_client.ask(
                **{**sent, "action": "functions.show", "id": "m-2", "params": WHICH}
            )
            again = raw_client.ask(**sent)["error"]
        assert told["code"] == again["code"] == "unavailable"
        assert "was changed, and it is not known whether that is on disk" in told["message"]
        assert shown["result"]["versions"][0]["state"] == "potential release"
        server = shop.serve()
        with RawClient(server.system.admin_endpoint) as raw_client:
            assert raw_client.ask(**sent)["result"]["to"] == "potential release"
        assert [each["to"] for each in shop.show()["moves"]] == ["potential release"]

    def test_a_move_says_who_when_from_where_to_where_why_and_for_which_request(
        self, shop: Workshop
    ) -> None:
        shop.write(2)
        shop.serve()
        shop.move(2, "potential release", why="as asked", request="R-12")
        (told,) = shop.ask("functions.history", function="marks.add")["moves"]
        assert told["at"]
        assert (told["version"], told["origin"], told["to"]) == (
            2,
            "under dev",
            "potential release",
        )
        assert (told["why"], told["by"], told["request"]) == ("as asked", "console", "R-12")
        records = shop.ask("audit.list", action="functions.move")["records"]
        assert [each["kind"] for each in records] == ["action", MOVE]
        assert shop.ask("functions.history", function="marks.count")["moves"] == []

    def test_a_dummy_becomes_code_once_somebody_says_where_it_is(self, shop: Workshop) -> None:
        shop.edit('code    = "functions:add"\n', "")
        shop.edit('state   = "release"', 'state   = "dummy"')
        shop.write_code(5)
        shop.serve()
        assert shop.call()["message"] == "to be implemented"
        refused = shop.refusal(
            "functions.move", function="marks.add", version=1, to="under dev", why="x"
        )
        assert "code=package.module:name" in str(refused)
        shop.move(1, "under dev", code="marks_add_5:add")
        assert shop.answered_by() == (1, "newest")
        shop.move(1, "dummy")
        assert shop.answered_by() == (1, "dummy")


CONNECTOR = """
[connectors.mail]
summary = "Send mail."
[connectors.mail.operations.send]
params.properties.to = { type = "string" }
[[connectors.mail.versions]]
version = 1
state   = "under dev"
code    = "mail:Echo"
"""

ECHO = Path(__file__).parents[1] / "outside" / "echo_1.py"


class TestConnectors:
    """Their versions move as functions' do."""

    def test_a_connectors_version_is_moved_frozen_and_told_of(self, shop: Workshop) -> None:
        (shop.index.parent / "mail.py").write_text(ECHO.read_text())
        shop.index.write_text(shop.index.read_text() + CONNECTOR)
        shop.serve()
        moved = shop.ask(
            "functions.move", connector="mail", version=1, to="potential release", why="ready"
        )
        assert (moved["connector"], moved["origin"]) == ("mail", "under dev")
        shown = shop.ask("functions.show", connector="mail")
        assert shown["kind"] == "connector"
        assert shown["versions"][0]["state"] == "potential release"
        assert shown["versions"][0]["digest"]
        assert [each["to"] for each in shown["moves"]] == ["potential release"]
        assert shop.ask("functions.history", connector="mail")["moves"] == shown["moves"]
        refused = shop.refusal(
            "functions.move", connector="mail", version=1, to="dummy", why="no such move"
        )
        assert "'under user test'" in str(refused)
        listed = shop.ask("functions.list", state="potential release")["functions"]
        assert [each["name"] for each in listed] == ["mail"]


class TestImmutability:
    """A version that has left `under dev` is what it was then."""

    def test_code_that_was_changed_is_refused_and_what_was_served_goes_on(
        self, shop: Workshop
    ) -> None:
        shop.write(2)
        shop.serve()
        shop.move(2, "potential release")
        shop.write_code(2, FAILING)
        assert "its code has changed" in shop.ask("functions.diff")["changes"][0]
        digest = shop.ask("functions.diff")["digest"]
        refused = shop.refusal("functions.reload", digest=digest)
        assert refused.code == "failed_precondition"
        assert "has changed since version 2 left `under dev`" in str(refused)
        assert shop.answered_by() == (2, "newest")
        shop.move(2, "under dev")
        assert shop.call()["error"]["code"] == "internal"

    def test_a_server_does_not_start_with_it(self, shop: Workshop) -> None:
        shop.write(2)
        shop.serve()
        shop.move(2, "potential release")
        shop.close()
        shop.write_code(2, FAILING)
        with pytest.raises(Exception, match="put the file back"):
            shop.serve()

    def test_its_schemas_stay_what_they_were(self, shop: Workshop) -> None:
        shop.write(2)
        shop.serve("local-test")
        shop.move(2, "potential release")
        shop.edit('required = ["text"]', 'required = ["text", "mood"]')
        shop.edit(
            "properties.text = { type",
            'properties.mood = { type = "string" }\nproperties.text = { type',
        )
        shop.reload()
        assert shop.call()["ok"]
        shop.serve("local-dev")
        shop.write(3)
        shop.reload()
        assert shop.call()["error"]["details"][0]["field"] == "params.mood"
        assert shop.call("marks.add", "acme", text="x", mood="fine")["meta"]["version"] == 3

    def test_somebody_elses_half_written_file_is_not_taken_in_by_a_move(
        self, shop: Workshop
    ) -> None:
        shop.write(2)
        shop.serve()
        shop.write_code(2, "return {")
        shop.ask("functions.move", function="marks.count", version=1, to="reverted", why="x")
        assert shop.answered_by() == (2, "newest")
        assert shop.call()["ok"]


class TestReleasing:
    """A release that breaks callers of the one before needs a reason."""

    def test_it_is_refused_with_what_would_break_and_made_with_a_reason(
        self, shop: Workshop
    ) -> None:
        shop.write(2)
        shop.edit('required = ["text"]', 'required = ["text", "mood"]')
        shop.edit(
            "properties.text = { type",
            'properties.mood = { type = "string" }\nproperties.text = { type',
        )
        shop.edit(
            'code    = "functions:add"\n',
            'code    = "functions:add"\nschemas = \''
            '{"params":{"properties":{"text":{"type":"string","maxLength":1000}},"required":["text"]},'
            '"result":{"properties":{"id":{"type":"integer"}},"required":["id"]}}\'\n',
        )
        shop.serve()
        shop.move(2, "potential release")
        shop.move(2, "under user test")
        wanted = {"function": "marks.add", "version": 2, "to": "release", "why": "ready"}
        refused = shop.refusal("functions.move", **wanted)
        assert refused.code == "failed_precondition"
        assert refused.refusal.details[0].field.startswith("params.mood")
        moved = shop.ask("functions.move", **wanted, breaking="mood is the law")
        assert moved["breaks"]
        assert shop.ask("functions.history", function="marks.add")["moves"][0]["breaking"]


class TestBadCode:
    """What cannot be served changes nothing, and the reply says why."""

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("import nothing_such\n", "nothing_such"),
            ("def add(ctx): ...\n", "(ctx, params)"),
            ("raise RuntimeError('at import')\n", "at import"),
            ("def add(ctx, params\n", "does not import"),
            ("def other(ctx, params): ...\n", "has no add"),
            ("import sys\nsys.exit(1)\n", "does not import"),
            ("def f(): f()\nf()\n", "RecursionError"),
        ],
    )
    def test_neither_reload_nor_a_move_takes_it_in(
        self, shop: Workshop, code: str, words: str
    ) -> None:
        shop.serve("local-test")
        shop.write(2)
        shop.reload()
        shop.code(2).write_text(code)
        refused = shop.refusal(
            "functions.move", function="marks.add", version=2, to="potential release", why="x"
        )
        assert refused.code == "failed_precondition"
        assert words in str(refused)
        assert "marks_add_2" in str(refused)
        assert shop.states()[2] == "under dev"
        assert shop.answered_by() == (1, "newest")

    @pytest.mark.parametrize(
        "body",
        [
            'return {"id": "seven"}',
            "return add(ctx, params)",
            FAILING,
            "import sys; sys.exit(3)",
            "return None",
        ],
    )
    def test_what_fails_when_it_is_called_is_a_defect_of_that_call_alone(
        self, shop: Workshop, body: str
    ) -> None:
        shop.write(2, body=body)
        shop.serve()
        refused = shop.call()
        assert refused["error"]["code"] == "internal"
        assert "secret" not in str(refused)
        assert shop.call("marks.count", "acme", text="mark")["ok"]


class TestEditingByHand:
    """The file may be edited while it is served; it is loaded when a person has seen how it differs."""

    def test_nothing_is_taken_in_before_and_then_all_of_it(self, shop: Workshop) -> None:
        shop.serve()
        shop.write(2)
        assert shop.answered_by() == (1, "newest")
        shown = shop.ask("functions.diff")
        assert shown["changes"] == ["marks.add: version 2 is new: under dev, marks_add_2:add"]
        assert "+version = 2" in shown["text"]
        shop.ask("functions.reload", digest=shown["digest"])
        assert shop.answered_by() == (2, "newest")
        assert shop.ask("functions.diff")["changes"] == []

    def test_what_was_edited_again_since_it_was_shown_is_not_taken_in(self, shop: Workshop) -> None:
        shop.serve()
        shop.write(2)
        shown = shop.ask("functions.diff")
        shop.write(3)
        assert shop.refusal("functions.reload", digest=shown["digest"]).code == "aborted"
        assert shop.answered_by() == (1, "newest")

    def test_a_move_does_not_write_over_it(self, shop: Workshop) -> None:
        shop.serve()
        shop.edit("# An index", "# My index")
        refused = shop.refusal(
            "functions.move", function="marks.add", version=1, to="reverted", why="x"
        )
        assert refused.code == "aborted"
        assert "functions.diff" in str(refused)
        shop.reload()
        shop.move(1, "reverted")
        assert shop.index.read_text().startswith("# My index")

    @pytest.mark.parametrize("nonsense", ["[actions", "x = 1\n", "\x00", ""])
    def test_nonsense_is_refused_and_all_goes_on(self, shop: Workshop, nonsense: str) -> None:
        shop.serve()
        whole = shop.index.read_text()
        shop.index.write_text(nonsense if nonsense != "" else whole.replace('"member"', '"me"'))
        refused = shop.refusal("functions.diff")
        assert refused.code == "failed_precondition"
        assert "registry.toml" in str(refused)
        assert shop.call()["ok"]
        shop.index.write_text(whole)
        shop.move(1, "reverted")

    def test_a_file_that_cannot_be_written_refuses_the_move_and_changes_nothing(
        self, shop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = shop.serve()
        before, table = shop.index.read_text(), server.system.snapshot.current
        (shop.index.parent / f".{shop.index.name}.{os.getpid()}.new").mkdir()
        refused = shop.refusal(
            "functions.move", function="marks.add", version=1, to="reverted", why="x"
        )
        assert refused.code == "unavailable"
        assert refused.refusal.retry_after_ms
        assert shop.index.read_text() == before
        assert server.system.snapshot.current is table
        assert shop.answered_by() == (1, "newest")


class TestTesters:
    """In hosted-live, what is under user test is served to testers alone."""

    def test_a_tester_gets_it_and_no_other_does(self, shop: Workshop) -> None:
        shop.write(2, "under user test")
        shop.serve("hosted-live")
        assert shop.answered_by() == (1, "newest")
        shop.ask("functions.enrol", "acme", function="marks.add")
        assert shop.answered_by() == (2, "tester")
        assert shop.call("marks.add", "globex")["meta"]["version"] == 1
        shop.serve("hosted-live")
        assert shop.answered_by() == (2, "tester")
        shop.ask("functions.withdraw", "acme", function="marks.add")
        assert shop.answered_by() == (1, "newest")

    def test_an_enrolment_holds_for_versions_to_come(self, shop: Workshop) -> None:
        shop.serve("hosted-live")
        shop.ask("functions.enrol", "acme", function="marks.add")
        assert shop.answered_by() == (1, "newest")
        for number in (2, 3):
            shop.write(number, "under user test")
            shop.reload()
            assert shop.answered_by() == (number, "tester")
        shop.move(3, "release")
        assert shop.answered_by() == (3, "newest")
        shop.write(4, "under user test")
        shop.reload()
        assert shop.answered_by() == (4, "tester")
        assert shop.call("marks.add", "globex")["meta"]["version"] == 3

    def test_one_of_a_function_that_the_index_has_no_more_is_withdrawn_and_not_made(
        self, shop: Workshop
    ) -> None:
        shop.serve("hosted-live")
        shop.ask("functions.enrol", "acme", function="marks.add")
        whole = shop.index.read_text()
        shop.index.write_text(whole.replace('"marks.add', '"marks.adds'))
        shop.reload()
        (told,) = shop.ask("functions.testers", function="marks.add")["testers"]
        assert (told["tenant"], told["function"]) == ("acme", "marks.add")
        with pytest.raises(NotFound, match=r"no function 'marks\.add'; did you mean marks\.adds"):
            shop.ask("functions.enrol", "globex", function="marks.add")
        shop.ask("functions.withdraw", "acme", function="marks.add")
        assert shop.ask("functions.testers")["testers"] == []

    def test_he_gets_it_also_where_nobody_else_gets_anything(self, shop: Workshop) -> None:
        shop.edit('state   = "release"', 'state   = "under user test"')
        shop.serve("hosted-live")
        assert shop.call()["error"]["code"] == "unimplemented"
        assert shop.described()["reason"] == "none served"
        shop.ask("functions.enrol", "acme", function="marks.add")
        assert shop.answered_by() == (1, "tester")
        assert shop.described()["reason"] == "tester"


@contextmanager
def told(events: Events, shop: Workshop) -> Iterator[None]:
    """Send errors to the server's own error log meanwhile."""
    events.connect(shop.server.system.logs.errors)
    try:
        yield
    finally:
        events.disconnect()


def kill_the_registry(shop: Workshop) -> None:
    """By a message that it has no handler for; the next incarnation has to know what this one knew."""
    registry = shop.server.system.actors.registry
    before = registry.incarnation
    registry.tell("no message of its own")
    until(lambda: registry.incarnation not in (before, None), "another one is there")


def alarms(shop: Workshop) -> list[Map]:
    """Lines of the error log about versions that would be out if there were others."""
    lines: list[Map] = shop.ask("logs.errors", text="there is nothing to fall back on")["lines"]
    return lines


def taken_out(shop: Workshop) -> list[Map]:
    """Lines of the error log about versions that were taken out."""
    lines: list[Map] = shop.ask("logs.errors", text="keeps failing and was taken out")["lines"]
    return lines


class TestTheMachine:
    """A version that keeps failing is taken out."""

    def test_after_five_failures_the_next_caller_gets_the_fallback_and_everybody_is_told(
        self, shop: Workshop, events: Events
    ) -> None:
        shop.write(2, "release", FAILING)
        shop.serve("hosted-live")
        with told(events, shop):
            replies = [shop.call() for _ in range(8)]
            until(lambda: taken_out(shop), "the error log says so")
        assert len(taken_out(shop)) == 1
        assert [reply["ok"] for reply in replies] == [False] * 5 + [True] * 3
        assert replies[5]["meta"]["reason"] == "fallback after erroring"
        until(
            lambda: 'state   = "erroring"' in shop.index.read_text(),
            "the machine's move is on disk",
        )
        shown = shop.show()
        failed = [reply["meta"]["trace_id"] for reply in replies[:5]]
        assert shown["versions"][0]["state"] == "erroring"
        assert (shown["versions"][0]["by"], shown["versions"][0]["before"]) == (
            "machine",
            "release",
        )
        (moved,) = shown["moves"]
        assert moved["by"] == "machine"
        assert moved["traces"] == failed
        assert "5 unexpected errors within 5 calls" in shown["explanation"]
        assert failed[0] in shown["explanation"]
        assert "version 1 is served instead" in shown["explanation"]

    @pytest.mark.parametrize("is_mended", [False, True], ids=["as it was", "mended"])
    def test_it_stays_out_after_a_restart_also_where_the_index_cannot_be_written(
        self, shop: Workshop, monkeypatch: pytest.MonkeyPatch, is_mended: bool
    ) -> None:
        """Until its code is other code."""

        def refuse(*_: object) -> None:
            raise Unavailable("registry.toml cannot be written")

        monkeypatch.setattr("actors.registry.version_states.replace_if_unchanged", refuse)
        kept = shop.data / "taken-out.json"
        shop.write(2, "release", FAILING)
        shop.serve("hosted-live")
        assert [shop.call()["ok"] for _ in range(6)] == [False] * 5 + [True]
        until(kept.exists, "it is kept for the next start")
        shop.close()
        assert "erroring" not in shop.index.read_text()
        if is_mended:
            shop.write_code(2)
        shop.serve("hosted-live")
        if is_mended:
            assert shop.answered_by() == (2, "newest")
        else:
            assert shop.answered_by() == (1, "fallback after erroring")
            monkeypatch.setattr(
                "actors.registry.version_states.replace_if_unchanged", replace_if_unchanged
            )
            shop.serve("hosted-live")
            assert shop.states() == {1: "release", 2: "erroring"}
        assert not kept.exists()

    def test_one_message_after_the_other_in_the_same_turn(
        self, shop: Workshop, tmp_path: Path
    ) -> None:
        """No caller waits for the Registry: the turn that finds it serves the fallback."""
        shop.write(2, "release", FAILING)
        server = shop.serve("hosted-live")
        pipe = Pipe(tmp_path)
        shop.raw_client.post(**request(server, "acme", "trouble.make", **pipe.params))
        pipe.reached()
        sent = [
            shop.raw_client.post(**request(server, "acme", "marks.add", text="x"))
            for _ in range(50)
        ]
        pipe.release()
        replies = shop.raw_client.replies(51)
        assert [replies[id]["ok"] for id in sent] == [False] * 5 + [True] * 45

    def test_where_nothing_else_is_served_it_stays_and_an_alarm_is_raised(
        self, shop: Workshop, events: Events
    ) -> None:
        shop.write_code(2, FAILING)
        shop.edit('"functions:add"', '"marks_add_2:add"')
        shop.serve("hosted-live")
        with told(events, shop):
            codes = [shop.call()["error"]["code"] for _ in range(12)]
            until(lambda: alarms(shop), "the error log says so")
        assert codes == ["internal"] * 12
        (alarm,) = alarms(shop)
        assert (alarm["action"], alarm["version"]) == ("marks.add", 1)
        assert shop.states() == {1: "release"}

    def test_where_people_have_taken_it_out_callers_get_unavailable(self, shop: Workshop) -> None:
        """And no time after which to try again: only people can change it."""
        shop.serve("hosted-live")
        shop.move(1, "erroring")
        refused = shop.call()["error"]
        assert refused["code"] == "unavailable"
        assert "until its developers move one" in refused["message"]
        assert "retry_after_ms" not in refused

    def test_one_tenants_failures_take_it_out_for_that_tenant_alone(
        self, shop: Workshop, events: Events
    ) -> None:
        """Nothing is written: for the others it is what it was."""
        picky = BODY.format(number=2).replace("return", "return 1 // (params.text != 'bad') and")
        shop.write(2, "release", picky)
        shop.serve("hosted-live")
        assert shop.call("marks.add", "globex")["meta"]["version"] == 2
        with told(events, shop):
            replies = [shop.call("marks.add", "acme", text="bad") for _ in range(7)]
            lines = "keeps failing for one tenant"
            until(lambda: shop.ask("logs.errors", text=lines)["lines"], "the error log says so")
        assert [reply["ok"] for reply in replies] == [False] * 5 + [True] * 2
        assert shop.answered_by() == (1, "fallback after erroring")
        assert shop.call("marks.add", "globex")["meta"]["version"] == 2
        assert shop.states()[2] == "release"
        shown = shop.show()
        assert "keeps failing for 1 of the tenants and is out for them" in shown["explanation"]
        assert shown["moves"] == []

    def test_expected_errors_do_not_count(self, shop: Workshop) -> None:
        refusing = 'from actors.errors import NotFound; raise NotFound("not here")'
        shop.write(2, "release", refusing)
        shop.serve("hosted-live")
        assert {shop.call()["error"]["code"] for _ in range(12)} == {"not_found"}
        assert shop.states()[2] == "release"

    def test_in_local_dev_nothing_is_taken_out(self, shop: Workshop) -> None:
        shop.write(2, body=FAILING)
        shop.serve("local-dev")
        assert {shop.call()["error"]["code"] for _ in range(12)} == {"internal"}
        assert shop.states()[2] == "under dev"

    def test_it_stays_out_when_the_server_starts_again_and_comes_back_when_it_is_mended(
        self, shop: Workshop
    ) -> None:
        shop.write(2, "under user test", FAILING)
        shop.serve("hosted-test")
        for _ in range(5):
            shop.call()
        until(lambda: shop.states()[2] == "erroring", "the machine's move is on disk")
        shop.serve("hosted-test")
        assert shop.answered_by() == (1, "fallback after erroring")
        shop.move(2, "under dev")
        shop.write_code(2)
        for to in ("potential release", "under user test"):
            shop.move(2, to)
        assert shop.answered_by() == (2, "newest")

    def test_it_is_out_although_the_file_cannot_be_written_and_written_later(
        self, shop: Workshop
    ) -> None:
        shop.write(2, "release", FAILING)
        shop.serve("hosted-live")
        whole = shop.index.read_text()
        shop.index.write_text(whole + "# edited meanwhile\n")
        for _ in range(5):
            shop.call()
        until(lambda: shop.states()[2] == "erroring", "the machine's move is on disk")
        assert shop.answered_by() == (1, "fallback after erroring")
        assert 'state   = "erroring"' not in shop.index.read_text()
        kill_the_registry(shop)
        shop.reload()
        assert shop.answered_by() == (1, "fallback after erroring")
        text = shop.index.read_text()
        assert 'state   = "erroring"' in text
        assert text.count("# edited meanwhile") == 1


class TestDryRun:
    """functions.dry_run"""

    def test_it_shows_both_and_leaves_nothing(self, shop: Workshop) -> None:
        shop.write(2)
        shop.serve("hosted-live")
        shop.call()
        shown = shop.ask(
            "functions.dry_run", "acme", function="marks.add", version=2, params={"text": "x"}
        )
        assert shown["tried"]["result"] == shown["current"]["result"] == {"id": 2}
        assert shown["same"]
        assert "'2 x'" in shown["tried"]["statements"][0]
        assert (shown["tried"]["version"], shown["current"]["version"]) == (2, 1)
        assert shown["tried"]["rows"] == 1
        assert shop.call("marks.count", "acme", text="x")["result"] == {"count": 0}
        assert shop.call()["result"] == {"id": 2}

    def test_a_failure_is_told_with_its_line(self, shop: Workshop) -> None:
        shop.write(2, body=FAILING)
        shop.serve("hosted-live")
        shown = shop.ask(
            "functions.dry_run", "acme", function="marks.add", version=2, params={"text": "x"}
        )
        error = shown["tried"]["error"]
        assert error["code"] == "internal"
        assert error["message"].startswith("RuntimeError: ")
        assert error["message"].endswith("(line 8)")
        assert shown["current"]["ok"]
        assert shop.states()[2] == "under dev"

    def test_a_function_that_exits_is_told_as_well_and_the_tenant_stays(
        self, shop: Workshop
    ) -> None:
        shop.write(2, body="raise SystemExit(3)")
        shop.serve("hosted-live")
        wanted = {"function": "marks.add", "version": 2, "params": {"text": "x"}}
        shown = shop.ask("functions.dry_run", "acme", **wanted)
        assert shown["tried"]["error"]["message"].startswith("SystemExit: 3")
        assert shop.call()["result"] == {"id": 1}

    def test_a_function_that_waits_is_run_up_to_there_and_calls_no_connector(
        self, shop: Workshop
    ) -> None:
        shop.edit('effect  = "write"', 'effect  = "write"\nconnectors = ["timer.sleep"]')
        shop.write(2)
        shop.code(2).write_text(
            "from functions import ADD\n\nasync def add(ctx, params):\n"
            '    id = ctx.db.scalar(ADD, {"text": params.text})\n'
            '    await ctx.call("timer.sleep", seconds=600)\n'
            '    return {"id": id}\n'
        )
        shop.serve("hosted-live")
        shown = shop.ask(
            "functions.dry_run", "acme", function="marks.add", version=2, params={"text": "x"}
        )
        assert shown["tried"]["waits_for"] == "timer.sleep"
        assert shown["tried"]["rows"] == 1
        assert shop.call("marks.count", "acme", text="x")["result"] == {"count": 0}

    def test_a_message_that_does_not_fit_is_told_as_callers_would_hear_it(
        self, shop: Workshop
    ) -> None:
        shop.write(2)
        shop.serve("hosted-live")
        shown = shop.ask("functions.dry_run", "acme", function="marks.add", version=2)
        assert shown["tried"]["error"]["code"] == "invalid_argument"

    def test_it_is_about_one_tenant_and_one_version_that_loads(self, shop: Workshop) -> None:
        shop.write(2, body="return {")
        shop.serve("hosted-live")
        wanted = {"function": "marks.add", "version": 2}
        assert shop.refusal("functions.dry_run", **wanted).code == "invalid_argument"
        with pytest.raises(FailedPrecondition, match="does not import"):
            shop.ask("functions.dry_run", "acme", **wanted)
        with pytest.raises(NotFound):
            shop.ask("functions.dry_run", "acme", function="marks.add", version=9)


class TestLooking:
    """functions.list, show and diff"""

    def test_all_are_listed_by_name_page_by_page_and_by_state(self, shop: Workshop) -> None:
        shop.write(2)
        shop.serve()
        names = []
        after = ""
        while True:
            page = shop.ask("functions.list", after=after, limit=2)
            names += [each["name"] for each in page["functions"]]
            if page["next"] is None:
                break
            after = page["next"]
        assert names == sorted(names)
        assert "marks.add" in names
        under_dev = shop.ask("functions.list", state="under dev")["functions"]
        assert [each["name"] for each in under_dev] == ["marks.add"]
        assert under_dev[0]["serving"] == {
            "environment": "local-dev",
            "version": 2,
            "reason": "newest",
        }

    def test_what_is_shown_has_to_be_named(self, shop: Workshop) -> None:
        shop.serve()
        assert shop.refusal("functions.show").code == "invalid_argument"
        assert shop.refusal("functions.show", function="marks.ad").code == "not_found"
        assert shop.refusal("functions.history").code == "invalid_argument"

    def test_testers_are_shown_what_they_get(self, shop: Workshop) -> None:
        shop.write(2, "under user test")
        shop.serve("hosted-live")
        assert shop.show()["serving"] == {
            "environment": "hosted-live",
            "version": 1,
            "reason": "newest",
            "testers": {"version": 2, "reason": "tester"},
        }

    def test_the_code_of_two_versions_can_be_compared(self, shop: Workshop) -> None:
        shop.write(2)
        shop.write(3, body=FAILING)
        shop.serve()
        text = shop.ask("functions.diff", function="marks.add")["text"]
        assert "-    return" in text
        assert "+    raise RuntimeError" in text
        text = shop.ask("functions.diff", function="marks.add", version=2, against=1)["text"]
        assert "+++ marks.add version 2" in text

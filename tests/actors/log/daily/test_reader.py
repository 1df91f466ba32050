"""The LogReader: searches for any caller, none held up by another, and followers who wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pykka._envelope import Envelope

from actors.errors import InvalidArgument, ResourceExhausted, Unavailable
from actors.log.daily import plain_index, search
from actors.log.daily.reader import MAX_PER_TENANT, MAX_QUERIES, POLL_SECONDS, LogReader, Poll
from actors.log.daily.rotation import DayFiles
from actors.log.messages import AUDIT, ERRORS, TENANT, ReleaseFollowers, SearchLogs
from actors.runtime.actor import Ping, ask, stop
from actors.runtime.clock import Once
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Mailbox
from tests.actors.log.day_lines import UTC, at
from tests.actors.log.records import NOVEMBER, write
from tests.actors.mailbox_harness import WAIT, Gate, MailboxHarness, Watch

NOON = at("2026-11-24 12:00")
ACME, GLOBEX = "a" * 32, "b" * 32


class Scene:
    """A reader of real files, and the clock that it asks for ticks."""

    def __init__(self, data: Path) -> None:
        self.harness = MailboxHarness(threads=1)
        self.logs, self.audit = data / "logs", data / "audit"
        self.clock = Watch()
        self.now = 0.0
        self.mailbox = self.harness.mailbox("log reader")
        self.start()

    def start(self) -> None:
        """Let a reader in."""
        LogReader.start(self.mailbox, self.logs, self.audit, UTC, self.clock, lambda: self.now)

    def add(self, *numbers: int, folder: str = f"tenants/{ACME}", **members: Any) -> None:
        """A line for each number, a second apart."""
        files = DayFiles(self.logs / folder, UTC, 7)
        for number in numbers:
            record = {"at": "2026-11-24T12:00:00.000+00:00", "number": number, **members}
            files.append([(NOON + number, json.dumps(record).encode())])
        files.close()

    def find(self, log: str = TENANT, tenant_id: str | None = ACME, **wanted: Any) -> Any:
        """Ask, and wait."""
        return ask(self.mailbox, SearchLogs(log, tenant_id, **wanted), WAIT)

    def send(self, tenant_id: str | None = ACME, **wanted: Any) -> ReplyFuture:
        """Ask, and go on."""
        answer = ReplyFuture()
        log = ERRORS if tenant_id is None else TENANT
        self.mailbox.tell(Envelope(SearchLogs(log, tenant_id, **wanted), reply_to=answer))
        return answer

    def follow(self, after: str = "0000-00.0", wait_ms: int = 20_000, **wanted: Any) -> ReplyFuture:
        """Ask for what comes, and be sure that nothing was there."""
        answer = self.send(after=after, wait_ms=wait_ms, **wanted)
        assert isinstance(self.clock.hear(), Once)
        assert not answer.done()
        return answer


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A reader of logs that are not there yet."""
    made = Scene(tmp_path)
    yield made
    made.harness.empty()


def numbers(page: Any) -> list[int]:
    """Of its lines."""
    return [line["number"] for line in page["lines"]]


def test_each_log_is_where_it_is_written(scene: Scene) -> None:
    """A tenant's by its id, errors of all in one place, audit records by the month."""
    scene.add(1, 2)
    scene.add(3, folder=f"tenants/{GLOBEX}")
    scene.add(4, folder="errors", tenant="acme", tenant_id=ACME)
    scene.add(5, folder="errors", tenant="globex", tenant_id=GLOBEX)
    write(scene.audit, NOVEMBER)

    assert numbers(scene.find()) == [2, 1]
    assert numbers(scene.find(tenant_id=GLOBEX)) == [3]
    assert numbers(scene.find(tenant_id=None)) == []
    assert numbers(scene.find(ERRORS)) == [4]
    assert numbers(scene.find(ERRORS, None)) == [5, 4]
    assert [record["seq"] for record in scene.find(AUDIT, None)["lines"]] == [1]


def test_a_short_search_does_not_wait_for_a_long_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take turns, no matter who came first."""
    monkeypatch.setattr("actors.log.daily.blocks.FIRST_BYTES", 1000)
    monkeypatch.setattr("actors.log.daily.blocks.MAX_BYTES", 1000)
    monkeypatch.setattr(search, "STEP_SECONDS", 0.0)
    scene.add(*range(300))
    scene.add(1, folder=f"tenants/{GLOBEX}")
    order: list[str] = []
    gate = Gate()
    gate.block(scene.harness.dispatcher.schedule)
    long, short = scene.send(text="none"), scene.send(GLOBEX)
    long.add_callback(lambda: order.append("long"))
    short.add_callback(lambda: order.append("short"))
    gate.open()

    assert numbers(long.get(timeout=WAIT)) == []
    assert numbers(short.get(timeout=WAIT)) == [1]
    assert order == ["short", "long"]


def test_what_one_search_has_indexed_the_next_one_does_not_read_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is seen by a line that was edited meanwhile, which a search by text finds."""
    monkeypatch.setattr(plain_index, "PART_BYTES", 300)
    monkeypatch.setattr(plain_index, "END_BYTES", 300)
    scene.add(*range(20), trace_id="1" * 32)
    absent = scene.find(trace_id="2" * 32, after="0000-00.0")
    assert numbers(absent) == []
    day = scene.logs / "tenants" / ACME / "2026-11-24.jsonl"
    lines = day.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].replace(b"1" * 32, b"2" * 32)
    day.write_bytes(b"".join(lines))
    assert numbers(scene.find(trace_id="2" * 32, after="0000-00.0")) == []
    assert numbers(scene.find(text="2" * 32)) == [5]


def test_a_follower_hears_of_the_first_new_line(scene: Scene) -> None:
    """At the next tick, and of what belongs to another not at all."""
    scene.add(1)
    newest = scene.find()["newest"]
    answer = scene.follow(newest)
    scene.add(2, folder=f"tenants/{GLOBEX}")
    scene.mailbox.tell(Poll())
    assert isinstance(scene.clock.hear(), Once)
    assert not answer.done()

    scene.add(3, 4)
    scene.mailbox.tell(Poll())

    page = answer.get(timeout=WAIT)
    assert numbers(page) == [3, 4]
    assert scene.clock.heard() == []
    assert numbers(scene.find(after=page["newest"])) == []


def test_lines_that_are_there_are_not_waited_for(scene: Scene) -> None:
    """Nor is anything by who does not follow."""
    scene.add(1)
    assert numbers(scene.find(after="0000-00.0", wait_ms=20_000)) == [1]
    assert numbers(scene.find(text="none", wait_ms=20_000)) == []
    assert scene.clock.heard() == []


def test_a_follower_waits_as_long_as_he_likes_and_no_longer(scene: Scene) -> None:
    """Then he receives where to go on."""
    scene.add(1)
    newest = scene.find()["newest"]
    short, long = scene.follow(newest, wait_ms=1000), scene.send(after=newest, wait_ms=3000)
    ask(scene.mailbox, Ping(), WAIT)  # both have begun to wait
    scene.now = 1.0
    scene.mailbox.tell(Poll())

    assert short.get(timeout=WAIT) == {"lines": [], "next": None, "newest": newest}
    assert isinstance(scene.clock.hear(), Once)  # the other one waits on
    scene.now = 3.0
    scene.mailbox.tell(Poll())
    assert long.get(timeout=WAIT)["newest"] == newest


def test_one_tick_is_for_all_who_wait(scene: Scene) -> None:
    """Or the clock would be asked ever more often."""
    scene.follow()
    for _ in range(3):
        scene.send(after="0000-00.0", wait_ms=20_000)
    ask(scene.mailbox, ReleaseFollowers(), WAIT)

    assert scene.clock.heard() == []
    assert POLL_SECONDS < 1


def test_a_follower_passes_over_what_he_does_not_ask_for(scene: Scene) -> None:
    """And does not look at it again, as would show here, where it is changed meanwhile."""
    answer = scene.follow(action="this")
    scene.add(*range(5), action="that")
    scene.mailbox.tell(Poll())
    assert isinstance(scene.clock.hear(), Once)
    (path,) = (scene.logs / "tenants" / ACME).iterdir()
    path.write_bytes(path.read_bytes().replace(b"that", b"this"))
    scene.add(7, action="this")
    scene.mailbox.tell(Poll())

    assert numbers(answer.get(timeout=WAIT)) == [7]


def test_when_the_server_stops_no_caller_waits_any_longer(scene: Scene) -> None:
    """Followers go home with an empty page, and those who come then do not wait at all."""
    answer = scene.follow()
    scene.mailbox.tell(ReleaseFollowers())

    assert answer.get(timeout=WAIT)["lines"] == []
    assert scene.find(after="0000-00.0", wait_ms=20_000)["lines"] == []


def test_a_tenant_has_so_many_searches_and_does_not_take_the_others(scene: Scene) -> None:
    """Those that wait included."""
    waiting = [scene.follow()]
    waiting += [scene.send(after="0000-00.0", wait_ms=20_000) for _ in range(MAX_PER_TENANT - 1)]

    with pytest.raises(ResourceExhausted, match="wait for one of them"):
        scene.find()
    assert scene.find(tenant_id=GLOBEX)["lines"] == []
    assert scene.find(ERRORS, None)["lines"] == []
    scene.mailbox.tell(ReleaseFollowers())
    assert [answer.get(timeout=WAIT)["lines"] for answer in waiting] == [[]] * MAX_PER_TENANT
    assert scene.find()["lines"] == []


def test_there_are_so_many_searches_in_all(scene: Scene) -> None:
    """Memory and time have an end."""
    gate = Gate()
    gate.block(scene.harness.dispatcher.schedule)
    answers = [scene.send(None) for _ in range(MAX_QUERIES + 1)]
    gate.open()

    with pytest.raises(ResourceExhausted):
        answers[-1].get(timeout=WAIT)
    assert [answer.get(timeout=WAIT)["lines"] for answer in answers[:-1]] == [[]] * MAX_QUERIES


def test_a_wrong_question_hurts_no_other(scene: Scene) -> None:
    """Its asker receives what was wrong."""
    scene.add(1)
    with pytest.raises(InvalidArgument):
        scene.find(before="nonsense")
    with pytest.raises(ValueError, match="no log 'diary'"):
        scene.find("diary")
    assert numbers(scene.find()) == [1]


def test_a_file_that_cannot_be_read_is_said_without_its_whole_path(scene: Scene) -> None:
    """Callers receive what is wrong, not where the server keeps its files; others go on."""
    scene.add(1)
    scene.add(2, folder=f"tenants/{GLOBEX}")
    folder = scene.logs / "tenants" / ACME
    (folder / "2026-11-23.jsonl.zst").write_bytes(b"this is not zstd")

    with pytest.raises(Unavailable, match=f"cannot be read: {ACME}/2026-11-23.jsonl.zst: damaged"):
        scene.find(text="none")
    assert numbers(scene.find(limit=1)) == [1]
    assert numbers(scene.find(tenant_id=GLOBEX)) == [2]


def test_a_reader_that_stops_leaves_no_caller_waiting(scene: Scene) -> None:
    """Who waits for a page receives it."""
    answer = scene.follow()
    stop(scene.mailbox, WAIT)

    with pytest.raises(Unavailable, match="the server stops"):
        answer.get(timeout=WAIT)
    assert scene.harness.watch.hear().mailbox is scene.mailbox


def test_a_reader_that_fails_leaves_no_caller_waiting(scene: Scene) -> None:
    """And the next one answers anyone who asks then."""
    answer = scene.follow()
    scene.mailbox.tell("nonsense")
    failed = scene.harness.watch.hear()

    with pytest.raises(Unavailable):
        answer.get(timeout=WAIT)
    mailbox: Mailbox = failed.mailbox
    mailbox.get()
    scene.start()
    assert scene.find()["lines"] == []

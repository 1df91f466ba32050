"""The tenant's log is told of every answered message once, and of the answer that its caller got."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from actors.index.parser import read_index
from actors.log.lines import RequestLogClient, refused_line
from actors.log.messages import FROM_TENANT, Line, TurnLines
from actors.messages import DeadLetter, Peer, Principal, Replies, TenantRecord, TenantRequest
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.table import RoutingTable
from actors.runtime.mailbox import Crashed, Mailbox
from actors.tenant.actor import Tenant
from actors.tenant.database.database import TenantDatabase
from actors.tenant.resources import TenantResources
from actors.tenant.storage.files import Storage
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch
from tests.actors.servers import INDEX
from tests.actors.tenant.full_disk import FINE, KEPT, KEPT_AND_UNKNOWN, LOST, Disk
from tests.made import made_before
from transport.message import UNAVAILABLE, Refusal
from transport.request.model import Request

MIB = 1024 * 1024
MEMBER = Principal("t_1", "acme", "member", "p_1")
REFUSAL = Refusal(UNAVAILABLE, "not now")


class Told(NamedTuple):
    """What one message was answered with, and the line about it."""

    work: TenantRequest
    body: bytes
    line: Line

    @property
    def reply(self) -> dict[str, Any]:
        """The answer, unpacked."""
        found: dict[str, Any] = msgpack.unpackb(self.body)
        return found


TABLE = RoutingTable.build(read_index(INDEX), "local-dev")
"""Of the tests' index; nothing is taken out in local-dev, so that it stays as it is."""


class Bench:
    """A tenant with an empty file, its caller and its log in one queue: what left first is received first."""

    def __init__(self, data: Path, harness: MailboxHarness, number: int) -> None:
        self.record = TenantRecord("acme", f"{number:032x}")
        with made_before(data):
            self._storage = Storage(data, TABLE.described.storage.migrations, 4 * MIB)
        self._storage.create(self.record.id)
        self._snapshot = RoutingSnapshot(TABLE)
        self.harness = harness
        self.outlet = self.log = Watch()
        self._numbers = itertools.count(1)
        self.mailbox = harness.mailbox("tenant acme")

    def start(self, log: Mailbox | None = None) -> None:
        """Start an incarnation on the mail that is there."""
        request_log = RequestLogClient(log if log is not None else self.log)
        given = TenantResources(self._storage, self._snapshot, request_log=request_log)
        Tenant.start(self.mailbox, self.record, given)

    def work(
        self, action: str, id_: str | None = None, late: float = 0.0, **params: Any
    ) -> TenantRequest:
        """A request that came in so many seconds ago, with a minute's patience."""
        number = next(self._numbers)
        return TenantRequest(
            Request(
                id=id_ or f"r{number}",
                tenant="acme",
                action=action,
                params=params,
                timeout_ms=60_000,
            ),
            MEMBER,
            Peer(b"peer", delimited=False, encoding="msgpack"),
            self.outlet,
            time.monotonic() - late,
            f"{number:032x}",
        )

    def served(self, mail: list[Any]) -> list[Told]:
        """What has been told about these messages; fails unless each was answered and told once."""
        works = {work.trace_id: work for work in map(work_of, mail)}
        bodies: dict[str, bytes] = {}
        lines: dict[str, Line] = {}
        while len(lines) < len(works) or len(bodies) < len(works):
            match self.log.hear():
                case Replies(frames):
                    for _, body in frames:
                        trace_id = msgpack.unpackb(body)["meta"]["trace_id"]
                        assert trace_id not in bodies
                        bodies[trace_id] = body
                case TurnLines(tenant, told):
                    assert tenant is self.record
                    for line in told:
                        assert line.trace_id in bodies, "told before it was answered"
                        assert line.trace_id not in lines
                        lines[line.trace_id] = line
        assert self.log.heard() == []
        return [Told(work, bodies[id_], lines[id_]) for id_, work in works.items()]


def work_of(message: Any) -> TenantRequest:
    """The request in there."""
    found: TenantRequest = message.work if isinstance(message, DeadLetter) else message
    return found


_tenants = itertools.count(1)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn takes all the mail that is there, on a slow machine, too."""
    monkeypatch.setattr("actors.tenant.actor.TURN_SECONDS", 60.0)


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Two threads."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture
def bench(tmp_path: Path, harness: MailboxHarness, disk: Disk) -> Bench:
    """One tenant, on the planned disk."""
    return Bench(tmp_path / "data", harness, next(_tenants))


def agree(told: Told) -> None:
    """The line says what the caller was told, and its times are some that can be."""
    work, body, line = told
    reply = told.reply
    request = work.request
    error = reply.get("error") or {}
    assert line.outcome == error.get("code", "ok")
    assert line.message == error.get("message")
    assert line.replayed == reply["meta"].get("replayed", False)
    assert line.reply_bytes == len(body)
    if reply["ok"]:
        chosen = (line.version, line.state, line.reason)
        assert chosen == tuple(reply["meta"][name] for name in ("version", "state", "reason"))
    assert (line.source, line.action, line.params) == (FROM_TENANT, request.action, request.params)
    assert (line.request_id, line.trace_id) == (request.id, work.trace_id)
    assert (line.caller, line.person, line.role) == ("t_1", "p_1", "member")
    assert line.queued_ms >= 0.0
    assert line.handled_ms >= 0.0
    assert abs(time.time() - line.at) < WAIT
    spent = (time.monotonic() - work.received) * 1000.0
    assert line.queued_ms + line.handled_ms <= spent


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "add": ("marks.add", {"text": "one"}),
    "again": ("marks.add", {"text": "one", "id_": "same"}),
    "other content": ("marks.add", {"text": "two", "id_": "same"}),
    "read": ("marks.count", {}),
    "dummy": ("marks.later", {"text": "soon"}),
    "unknown": ("marks.nowhere", {}),
    "wrong params": ("marks.add", {"txt": 7}),
    "not allowed": ("owners.only", {}),
    "refused": ("trouble.make", {"kind": "refuse"}),
    "defect": ("trouble.make", {"kind": "fail"}),
    "read that writes": ("trouble.read", {}),
    "quota": ("trouble.make", {"kind": "fill"}),
    "late": ("marks.add", {"text": "late", "late": 61.0}),
}


def letters(bench: Bench, kinds: list[str]) -> list[Any]:
    """A message of each kind."""
    mail: list[Any] = []
    for kind in kinds:
        is_dead = kind == "dead letter"
        action, params = KINDS["add" if is_dead else kind]
        work = bench.work(action, **params)
        mail.append(DeadLetter(work, "Crash()") if is_dead else work)
    return mail


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kinds=st.lists(st.sampled_from([*KINDS, "dead letter"]), min_size=1, max_size=25),
    fates=st.lists(st.sampled_from([FINE, LOST, KEPT]), max_size=3),
)
@example(kinds=["again", "again"], fates=[LOST])
@example(kinds=["add", "quota", "again", "quota", "again"], fates=[])
def test_whatever_comes_each_message_is_told_once_as_it_was_answered(
    kinds: list[str], fates: list[str], tmp_path: Path, harness: MailboxHarness, disk: Disk
) -> None:
    """Replays, refusals, defects, commits that fail, and runs that are served again for a full database."""
    bench = Bench(tmp_path / "data", harness, next(_tenants))
    mail = letters(bench, kinds)
    disk.clear()
    disk.extend(fates)
    for message in mail:
        bench.mailbox.tell(message)
    bench.start()
    for told in bench.served(mail):
        agree(told)


def test_a_turn_is_told_in_one_message(bench: Bench) -> None:
    """Of all its lines, in the order of the mail."""
    mail = letters(bench, ["add", "read", "refused"] * 5)
    for message in mail:
        bench.mailbox.tell(message)
    bench.start()
    assert isinstance(bench.outlet.hear(), Replies)
    turn = bench.log.hear()
    assert [line.trace_id for line in turn.lines] == [work.trace_id for work in mail]


def test_a_message_waits_while_those_before_it_are_handled(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one is being handled, the next one is queued; the commit is in neither."""
    monkeypatch.setattr("actors.tenant.request.turn.SLICE_SECONDS", float("inf"))
    mail = letters(bench, ["defect", "read"])
    for message in mail:
        bench.mailbox.tell(message)
    bench.start()
    first, second = bench.served(mail)
    earlier = (second.work.received - first.work.received) * 1000.0
    ended = first.line.queued_ms + first.line.handled_ms
    assert first.line.handled_ms > 0.0
    assert second.line.queued_ms + earlier == pytest.approx(ended)


def test_a_message_waits_while_others_compute_between_it_and_the_one_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What that takes is part of its own wait, and not of the handling of the one before."""
    monkeypatch.setattr("actors.tenant.request.turn.SLICE_SECONDS", -1.0)
    mail = letters(bench, ["defect", "read"])
    for message in mail:
        bench.mailbox.tell(message)
    bench.start()
    first, second = bench.served(mail)
    earlier = (second.work.received - first.work.received) * 1000.0
    ended = first.line.queued_ms + first.line.handled_ms
    assert second.line.queued_ms + earlier > ended


def test_what_nobody_knows_of_is_told_as_just_that(bench: Bench, disk: Disk) -> None:
    """The commit reports failure and the disk cannot be asked; what was there before is read all the same."""
    mail = letters(bench, ["add", "read"])
    for message in mail:
        bench.mailbox.tell(message)
    disk.extend([KEPT_AND_UNKNOWN])
    bench.start()
    for told in bench.served(mail):
        agree(told)
        assert told.line.outcome == "unavailable"
        assert "not known" in (told.line.message or "")
    later = letters(bench, ["read"])
    bench.mailbox.tell(later[0])
    (told,) = bench.served(later)
    assert told.line.outcome == "ok"


def test_what_kills_even_as_a_dead_letter_is_told(
    bench: Bench, harness: MailboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered outside of any turn."""

    def crash(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(TenantDatabase, "add_dead_letter", crash)
    (letter,) = letters(bench, ["dead letter"])
    bench.mailbox.tell(letter)
    for _ in range(2):
        bench.start()
        assert isinstance(harness.watch.hear(), Crashed)
    (told,) = bench.served([letter])
    assert told.reply["error"]["code"] == "internal"
    agree(told)


def test_a_log_that_wakes_by_itself_is_woken_for_many_turns_only(
    bench: Bench, harness: MailboxHarness
) -> None:
    """Each time costs as much as some lines."""
    woken = Watch()
    log = Mailbox("tenant log", woken.tell)
    log.release()
    request_log = RequestLogClient(log, wake_at=3)
    (work,) = letters(bench, ["read"])
    line = refused_line(FROM_TENANT, 1.0, work, REFUSAL, None, 100)
    request_log.tell(bench.record, (line,))
    request_log.tell(bench.record, (line,))
    assert woken.heard() == []
    request_log.tell(bench.record, (line,))
    assert woken.heard() == [log]


def test_a_log_that_is_full_holds_nobody_up_and_hears_how_much_it_missed(
    bench: Bench, harness: MailboxHarness
) -> None:
    """With the times of the first and the last line that found no room."""
    log = Mailbox("tenant log", lambda _: None, limit=1)
    log.tell("something")
    bench.start(log)
    before = time.time()
    for kind in ("add", "read", "refused"):
        (work,) = letters(bench, [kind])
        bench.mailbox.tell(work)
        assert isinstance(bench.outlet.hear(), Replies)
    harness.empty()
    _, lost = log.take_up_to(10)
    assert (lost.tenant, lost.lines) == (bench.record, 3)
    assert before <= lost.first < lost.last <= time.time()

"""The AuditReader: pages and verifications for any caller, the ones not held up by the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pykka._envelope import Envelope

from actors.errors import AuditProblem, ResourceExhausted, Unavailable
from actors.log.audit import reader
from actors.log.audit.chain import GENESIS
from actors.log.audit.journal import AuditFiles
from actors.log.audit.reader import MAX_VERIFICATIONS, RECHECK_SECONDS, AuditReader
from actors.log.audit.verification import MAX_RECHECKS, STEP_LINES
from actors.log.messages import ReadPage, Verify
from actors.runtime.actor import ask, stop
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Mailbox
from tests.actors.log.records import NOVEMBER, entry, lines_of
from tests.actors.mailbox_harness import WAIT, Gate, MailboxHarness

COUNT = 2 * STEP_LINES + 1
"""Records: three steps of a verification."""

NEWEST = ReadPage(before=None, limit=2, tenant_id=None, action=None, person=None)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound log."""
    directory = tmp_path_factory.mktemp("data") / "audit"
    with closing(AuditFiles(directory)) as journal:
        for number in range(COUNT):
            journal.append(entry(number), NOVEMBER)
    return directory


def start(harness: MailboxHarness, directory: Path) -> Mailbox:
    """A running AuditReader."""
    mailbox = harness.mailbox("audit-reader")
    AuditReader.start(mailbox, directory)
    return mailbox


@pytest.fixture
def audit_reader(harness: MailboxHarness, directory: Path) -> Mailbox:
    """Of the sound log."""
    return start(harness, directory)


def send(mailbox: Mailbox, message: Any) -> ReplyFuture:
    """Ask, and go on."""
    answer = ReplyFuture()
    mailbox.tell(Envelope(message, reply_to=answer))
    return answer


def test_a_page_is_answered(audit_reader: Mailbox, directory: Path) -> None:
    """The newest records first."""
    answer = ask(audit_reader, NEWEST, WAIT)

    newest = [json.loads(line) for line in reversed(lines_of(directory)[-2:])]
    assert answer == {"records": newest, "next": COUNT - 1}


def test_a_verification_is_answered(audit_reader: Mailbox, directory: Path) -> None:
    """As `audit.verify` has it."""
    head = json.loads(lines_of(directory)[-1])["hash"]

    assert ask(audit_reader, Verify(None), WAIT) == {"ok": True, "records": COUNT, "head": head}
    assert ask(audit_reader, Verify(head), WAIT)["ok"]


def test_a_broken_chain_is_answered_with_its_place(audit_reader: Mailbox) -> None:
    """Here it is a head that no one knows."""
    answer = ask(audit_reader, Verify("f" * 64), WAIT)

    assert not answer["ok"]
    assert answer["records"] == COUNT
    assert answer["broken"].keys() == {"seq", "file", "line", "problem"}
    assert answer["broken"]["seq"] == COUNT + 1


class Writer(Mailbox):
    """In the Clock's place: meanwhile a record is written to its end."""

    def __init__(self, finish: Callable[[], object]) -> None:
        super().__init__("clock", lambda _: None)
        self._finish = finish
        self.waits: list[float] = []

    def tell(self, message: Any) -> None:
        """After, at once; before the last look the record is whole."""
        self.waits.append(message.seconds)
        if len(self.waits) == MAX_RECHECKS - 1:
            self._finish()
        message.to.tell(message.message)


def test_a_record_in_the_writing_is_waited_for(harness: MailboxHarness, tmp_path: Path) -> None:
    """Its writer may come to the end of it a good while later; a log is not broken by that."""
    directory = tmp_path / "audit"
    with closing(AuditFiles(directory)) as journal:
        journal.append(entry(0), NOVEMBER)
    (volume,) = directory.iterdir()
    whole = volume.read_bytes()
    volume.write_bytes(whole[:-20])
    clock = Writer(lambda: volume.write_bytes(whole))
    mailbox = harness.mailbox("audit-reader")
    AuditReader.start(mailbox, directory, clock)
    assert ask(mailbox, Verify(None), WAIT)["ok"]
    assert clock.waits == [RECHECK_SECONDS] * (MAX_RECHECKS - 1)


def test_pages_do_not_wait_for_a_verification(
    harness: MailboxHarness, audit_reader: Mailbox
) -> None:
    """Between two steps they are read, however long it takes as a whole."""
    gate = Gate()
    gate.block(harness.dispatcher.schedule)
    order: list[str] = []
    verified = send(audit_reader, Verify(None))
    verified.add_callback(lambda: order.append("verified"))
    page = send(audit_reader, NEWEST)
    page.add_callback(lambda: order.append("read"))
    gate.open()

    page.get(timeout=WAIT)
    verified.get(timeout=WAIT)

    assert order == ["read", "verified"]


def test_verifications_are_answered_in_their_order(
    harness: MailboxHarness, audit_reader: Mailbox
) -> None:
    """Each on its own; more than have room are refused at once."""
    gate = Gate()
    gate.block(harness.dispatcher.schedule)
    answers = [send(audit_reader, Verify(None)) for _ in range(MAX_VERIFICATIONS + 1)]
    gate.open()

    with pytest.raises(ResourceExhausted, match="wait for one of them") as refused:
        answers[-1].get(timeout=WAIT)
    assert refused.value.refusal.retry_after_ms == reader.RETRY_MS
    assert all(answer.get(timeout=WAIT)["ok"] for answer in answers[:-1])


def test_a_reader_that_stops_leaves_no_caller_waiting(
    harness: MailboxHarness, directory: Path
) -> None:
    """Who waits for a verification receives it."""
    mailbox = start(harness, directory)
    gate = Gate()
    gate.block(harness.dispatcher.schedule)
    verified = send(mailbox, Verify(None))
    gate.open()
    stop(mailbox, WAIT)

    with pytest.raises(Unavailable, match="the server stops"):
        verified.get(timeout=WAIT)


def test_a_reader_that_fails_leaves_no_caller_waiting(
    harness: MailboxHarness, audit_reader: Mailbox
) -> None:
    """Nor does it wait itself for what it had begun."""
    gate = Gate()
    gate.block(harness.dispatcher.schedule)
    verified = send(audit_reader, Verify(None))
    audit_reader.tell("nonsense")
    gate.open()
    failed = harness.watch.hear()

    with pytest.raises(Unavailable):
        verified.get(timeout=WAIT)
    failed.mailbox.get()
    AuditReader.start(failed.mailbox, Path("nowhere"))


def test_a_log_that_cannot_be_read_is_said_without_its_whole_path(
    harness: MailboxHarness, tmp_path: Path
) -> None:
    """Callers receive what is wrong, not where the server keeps its files."""
    mailbox = start(harness, tmp_path / "nowhere" / "audit")

    for message in (NEWEST, Verify(None)):
        with pytest.raises(AuditProblem, match="cannot be read: nowhere/audit: No such file"):
            ask(mailbox, message, WAIT)


def test_a_log_without_records_has_an_empty_page(harness: MailboxHarness, tmp_path: Path) -> None:
    """And a sound chain."""
    AuditFiles(tmp_path / "audit").open()
    mailbox = start(harness, tmp_path / "audit")

    assert ask(mailbox, NEWEST, WAIT) == {"records": [], "next": None}
    assert ask(mailbox, Verify(None), WAIT) == {"ok": True, "records": 0, "head": GENESIS.hash}

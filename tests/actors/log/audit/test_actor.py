"""The AdminLog: who asks receives whether it is written, who tells can rely on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors.errors import AuditProblem, Unavailable
from actors.log.audit import actor
from actors.log.audit.actor import AdminLog
from actors.log.audit.chain import GENESIS
from actors.log.audit.verification import Verification
from actors.log.messages import Append, AskHead
from actors.runtime.actor import Ping, ask, stop
from actors.runtime.mailbox import Mailbox
from tests.actors.log.records import NOVEMBER, entry, largest_file, lines_of
from tests.actors.mailbox_harness import WAIT, MailboxHarness


class Time:
    """A clock that a test sets, in seconds since the epoch."""

    def __init__(self) -> None:
        self.now = NOVEMBER

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged; on standard error it would meet the same full disk."""
    with capture_logs() as kept:
        yield kept


@pytest.fixture
def clock() -> Time:
    """It stands until it is set."""
    return Time()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the log will be."""
    return tmp_path / "audit"


@pytest.fixture
def admin_log(harness: MailboxHarness, directory: Path, clock: Time) -> Mailbox:
    """A running AdminLog."""
    mailbox = harness.mailbox("audit-log")
    AdminLog.start(mailbox, directory, clock)
    return mailbox


def numbers(directory: Path) -> list[Any]:
    """Which entries are recorded, in their order; all of them are sound."""
    assert Verification(directory).run().broken is None
    return [(json.loads(line)["params"] or {}).get("number") for line in lines_of(directory)]


def settled(mailbox: Mailbox) -> None:
    """Wait until what was told is dealt with."""
    ask(mailbox, Ping(), WAIT)


def test_a_record_that_was_asked_for_is_on_disk_with_the_answer(
    admin_log: Mailbox, directory: Path
) -> None:
    """Which is its number."""
    for number in range(3):
        assert ask(admin_log, Append(entry(number)), WAIT) == number + 1
        assert numbers(directory) == list(range(number + 1))


def test_a_record_that_was_told_is_written_too(admin_log: Mailbox, directory: Path) -> None:
    """In its turn."""
    for number in range(3):
        admin_log.tell(Append(entry(number)))
    settled(admin_log)

    assert numbers(directory) == [0, 1, 2]


def test_the_head_is_that_of_the_newest_record(admin_log: Mailbox, directory: Path) -> None:
    """Of an empty log it is what stands before the first."""
    assert ask(admin_log, AskHead(), WAIT) == {"seq": 0, "head": GENESIS.hash}

    ask(admin_log, Append(entry()), WAIT)

    head = json.loads(lines_of(directory)[-1])["hash"]
    assert ask(admin_log, AskHead(), WAIT) == {"seq": 1, "head": head}


def test_whoever_asks_hears_that_it_could_not_be_written(
    admin_log: Mailbox, directory: Path
) -> None:
    """And nothing of it is recorded later: what it announced has not been done."""
    ask(admin_log, Append(entry(0)), WAIT)
    volume = directory / "2026-11.jsonl"
    volume.chmod(0o400)

    for _ in range(2):
        with pytest.raises(AuditProblem, match="is closed to writing"):
            ask(admin_log, Append(entry(1)), WAIT)
    volume.chmod(0o600)

    assert ask(admin_log, Append(entry(2)), WAIT) == 2
    assert numbers(directory) == [0, 2]


def test_a_problem_of_the_log_is_an_answer_for_callers() -> None:
    """One that says that nothing is wrong with what they asked."""
    assert issubclass(AuditProblem, Unavailable)


def test_what_was_told_and_could_not_be_written_comes_before_the_next_record(
    admin_log: Mailbox, directory: Path, clock: Time
) -> None:
    """In its order, and with the time at which it was told."""
    ask(admin_log, Append(entry(0)), WAIT)
    volume = directory / "2026-11.jsonl"
    volume.chmod(0o400)
    for number in (1, 2):
        clock.now += 0.1
        admin_log.tell(Append(entry(number)))
        settled(admin_log)
    volume.chmod(0o600)
    clock.now += 0.1

    assert ask(admin_log, Append(entry(3)), WAIT) == 4
    assert numbers(directory) == [0, 1, 2, 3]
    times = [json.loads(line)["at"][-7:] for line in lines_of(directory)]
    assert times == ["59.000Z", "59.100Z", "59.200Z", "59.300Z"]


def test_what_is_kept_can_be_caught_up_with_by_what_is_told(
    admin_log: Mailbox, directory: Path
) -> None:
    """The next one brings the others along."""
    with largest_file(100):
        admin_log.tell(Append(entry(0)))
        settled(admin_log)
    admin_log.tell(Append(entry(1)))
    settled(admin_log)

    assert numbers(directory) == [0, 1]


def test_no_more_is_kept_than_has_room_and_the_rest_is_counted(
    admin_log: Mailbox, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log itself says how much is missing."""
    monkeypatch.setattr(actor, "MAX_PENDING", 2)
    with largest_file(100):
        for number in range(5):
            admin_log.tell(Append(entry(number)))
        settled(admin_log)

    assert ask(admin_log, Append(entry(9)), WAIT) == 4
    assert numbers(directory) == [0, 1, None, 9]
    lost = json.loads(lines_of(directory)[2])
    assert (lost["kind"], lost["action"]) == ("repair", "audit.lost")
    assert lost["message"] == "3 records could not be written, nor kept any longer"


def test_what_is_not_written_is_logged_without_what_it_is_about(
    admin_log: Mailbox, logged: list[Any]
) -> None:
    """Name and trace id are enough to find it; params are for the audit log alone."""
    with largest_file(0):
        admin_log.tell(Append(entry(7, params={"name": "XYZZY"})))
        settled(admin_log)
        with pytest.raises(AuditProblem):
            ask(admin_log, Append(entry(8, params={"name": "XYZZY"})), WAIT)

    assert {each["event"] for each in logged} == {"audit record not written"}
    assert logged[0]["log_level"] == "error"
    assert logged[0]["trace_id"] == entry(7).trace_id
    assert "XYZZY" not in repr(logged)


def test_a_log_that_cannot_be_opened_keeps_no_server_from_starting(
    harness: MailboxHarness, directory: Path, logged: list[Any]
) -> None:
    """It says so, refuses what it is asked, and opens as soon as that is possible."""
    directory.touch()
    mailbox = harness.mailbox("audit-log")
    AdminLog.start(mailbox, directory)
    settled(mailbox)
    for message in (Append(entry(0)), AskHead()):
        with pytest.raises(AuditProblem, match="Not a directory"):
            ask(mailbox, message, WAIT)
    directory.unlink()

    assert ask(mailbox, Append(entry(1)), WAIT) == 1
    assert logged[0]["event"] == "the audit log cannot be opened"
    assert numbers(directory) == [1]


def test_what_is_kept_is_written_when_the_log_stops(admin_log: Mailbox, directory: Path) -> None:
    """If it can be by then."""
    with largest_file(100):
        admin_log.tell(Append(entry(0)))
        settled(admin_log)

    stop(admin_log, WAIT)

    assert numbers(directory) == [0]


def test_what_is_lost_when_the_log_stops_is_counted(admin_log: Mailbox, logged: list[Any]) -> None:
    """On standard error: there is nowhere else."""
    with largest_file(100):
        for number in range(3):
            admin_log.tell(Append(entry(number)))
        settled(admin_log)
        stop(admin_log, WAIT)

    assert logged[-1]["event"] == "audit records lost"
    assert logged[-1]["count"] == 3


def test_a_failed_log_is_started_again_on_its_files(
    harness: MailboxHarness, admin_log: Mailbox, directory: Path
) -> None:
    """What no actor should send ends it, as it ends any actor; the chain goes on with the next one."""
    ask(admin_log, Append(entry(0)), WAIT)
    admin_log.tell("nonsense")
    failed = harness.watch.hear()

    AdminLog.start(failed.mailbox, directory)
    failed.mailbox.get()

    assert ask(admin_log, Append(entry(1)), WAIT) == 2
    assert numbers(directory) == [0, 1]

"""The TenantLog: each line in its own tenant's files, one write a turn, and no actor waits for a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from actors.log.daily import tenant_log as module
from actors.log.daily.rotation import RETRY_SECONDS, DayFiles, LogSettings
from actors.log.daily.tenant_log import MAX_OPEN, TenantLog
from actors.log.messages import Count, ErrorEvent, LostLines, RotateDue, TurnLines
from actors.runtime.actor import Inspect, Ping, ask, stop
from actors.runtime.mailbox import Mailbox
from tests.actors.log.records import largest_file
from tests.actors.log.tenant_lines import NOON, line, records, tenant, turn
from tests.actors.mailbox_harness import WAIT, Gate, MailboxHarness, Watch

DAY = 86_400.0


class Time:
    """A clock that a test sets, in seconds since the epoch."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged; on standard error it would meet the same full disk."""
    with capture_logs() as kept:
        yield kept


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old files are put in order in one step, however slow the machine is."""
    monkeypatch.setattr(module, "STEP_SECONDS", 60.0)


@pytest.fixture
def clock() -> Time:
    """It stands until it is set."""
    return Time()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the logs will be."""
    return tmp_path / "logs" / "tenants"


@pytest.fixture
def trouble() -> Watch:
    """In the place of the ErrorLog."""
    return Watch()


@pytest.fixture
def stats() -> Watch:
    """In the place of Stats."""
    return Watch()


@pytest.fixture
def start(
    harness: MailboxHarness, directory: Path, clock: Time, stats: Watch, trouble: Watch
) -> Callable[[], Mailbox]:
    """Starts a log on the directory; the one before has to be stopped."""

    def started() -> Mailbox:
        mailbox = harness.mailbox("tenant log")
        settings = LogSettings(ZoneInfo("UTC"), 7, ["iban"], clock)
        TenantLog.start(mailbox, directory, settings, stats=stats, error_log=trouble)
        return mailbox

    return started


@pytest.fixture
def tenant_log(start: Callable[[], Mailbox]) -> Mailbox:
    """A running log, done with what was due when it started."""
    mailbox = start()
    settled(mailbox)
    return mailbox


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines each write had."""
    counted: list[int] = []
    append = DayFiles.append

    def counting(self: DayFiles, lines: Any) -> None:
        counted.append(len(lines))
        append(self, lines)

    monkeypatch.setattr(DayFiles, "append", counting)
    return counted


def settled(mailbox: Mailbox, steps: int = 3) -> None:
    """Wait until what was told is dealt with; and what it tells itself then, one step for each answer."""
    for _ in range(steps):
        ask(mailbox, Ping(), WAIT)


def numbers(directory: Path, whose: int = 0) -> list[str]:
    """Which lines are in that tenant's files."""
    return [each["request_id"] for each in records(directory / tenant(whose).id)]


def entries(directory: Path) -> list[str]:
    """Names of what is in it."""
    return [each.name for each in directory.iterdir()]


def lost(trouble: Watch) -> list[tuple[str, int]]:
    """What the ErrorLog has been told: whose lines, and how many."""
    told = [each.record for each in trouble.heard() if isinstance(each, ErrorEvent)]
    return [(each["tenant"], each["lost"]) for each in told]


def test_each_line_is_in_its_own_tenant_s_file(tenant_log: Mailbox, directory: Path) -> None:
    """And in no other's, however they came in turn."""
    for number in range(100):
        tenant_log.tell(turn(number, number % 3))
    settled(tenant_log)

    for whose in range(3):
        assert numbers(directory, whose) == [f"r-{each}" for each in range(whose, 100, 3)]
        assert {each["tenant"] for each in records(directory / tenant(whose).id)} == {
            f"tenant-{whose}"
        }


def test_logs_are_for_the_server_s_user_alone(tenant_log: Mailbox, directory: Path) -> None:
    """They hold what customers do."""
    tenant_log.tell(turn())
    settled(tenant_log)

    for path in (directory.parent, *directory.parent.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_what_waits_is_one_write_for_each_tenant(
    harness: MailboxHarness, start: Callable[[], Mailbox], directory: Path, writes: list[int]
) -> None:
    """However many turns, and however many lines each."""
    gate = Gate()
    gate.block(harness.dispatcher.schedule)
    tenant_log = start()
    for number in range(60):
        tenant_log.tell(TurnLines(tenant(number % 2), (line(number), line(number + 100))))
    gate.open()
    settled(tenant_log)

    assert writes == [60, 60]
    assert len(numbers(directory)) == 60


def test_figures_are_told_every_turn(tenant_log: Mailbox, stats: Watch) -> None:
    """As it came."""
    told = [turn(number, number) for number in range(3)]
    for each in told:
        tenant_log.tell(each)
    settled(tenant_log)

    assert stats.heard() == told


def test_a_log_without_a_line_shows_the_disk_that_it_will_be_on(
    tenant_log: Mailbox, directory: Path
) -> None:
    assert not directory.exists()
    shown = ask(tenant_log, Inspect(), WAIT)
    assert 0 <= shown["disk_free_bytes"] <= shown["disk_bytes"]


def test_thousands_of_tenants_have_few_files_open(tenant_log: Mailbox, directory: Path) -> None:
    """Descriptors are for databases; a tenant that comes again goes on in its file."""
    before = len(entries(Path("/proc/self/fd")))
    for number in (*range(2000), 0):
        tenant_log.tell(turn(number, number))
    settled(tenant_log)

    assert len(entries(Path("/proc/self/fd"))) <= before + MAX_OPEN
    assert len(entries(directory)) == 2000
    assert numbers(directory, 0) == ["r-0", "r-0"]


def test_configured_names_are_hidden(tenant_log: Mailbox, directory: Path) -> None:
    """The settings' names come through."""
    tenant_log.tell(turn(params={"IBAN": "AT61"}, schema=None))
    settled(tenant_log)

    assert records(directory / tenant().id)[0]["params"] == {"IBAN": "(redacted)"}


# ---------------------------------------------------------------- disks that are full


def test_a_full_disk_costs_lines_and_the_loss_is_told_when_it_is_over(
    tenant_log: Mailbox, directory: Path, trouble: Watch, stats: Watch, logged: list[Any]
) -> None:
    """How many, between which times, and whose."""
    tenant_log.tell(turn(0))
    settled(tenant_log)
    with largest_file(100):
        for number in (1, 2, 3):
            tenant_log.tell(turn(number))
            settled(tenant_log)
    assert trouble.heard() == []
    tenant_log.tell(turn(4))
    settled(tenant_log)

    assert numbers(directory) == ["r-0", "r-4"]
    (told,) = trouble.heard()
    assert told.record == {
        "at": NOON,
        "level": "error",
        "event": "3 records lost between 2026-11-24T12:00:01.000Z and 2026-11-24T12:00:03.000Z",
        "lost": 3,
        "source": "tenant log",
        "tenant": "tenant-0",
        "tenant_id": tenant().id,
    }
    assert sum(each.by for each in stats.heard() if isinstance(each, Count)) == 3
    assert [each["event"] for each in logged] == ["tenants' logs cannot be written now"]


def test_a_loss_is_told_at_the_next_midnight_where_its_tenant_is_silent(
    tenant_log: Mailbox, trouble: Watch
) -> None:
    """No one has to come back for it."""
    with largest_file(100):
        tenant_log.tell(turn(0))
        settled(tenant_log)
    tenant_log.tell(RotateDue())
    settled(tenant_log)

    assert lost(trouble) == [("tenant-0", 1)]


def test_what_found_no_room_in_the_mailbox_is_lost_like_that(
    tenant_log: Mailbox, trouble: Watch
) -> None:
    """It is one loss with what the disk did not take."""
    with largest_file(100):
        tenant_log.tell(turn(0))
        settled(tenant_log)
    tenant_log.tell(LostLines(tenant(), 5, NOON - 1, NOON + 9))
    tenant_log.tell(turn(1))
    settled(tenant_log)

    (told,) = trouble.heard()
    assert told.record["event"] == (
        "6 records lost between 2026-11-24T11:59:59.000Z and 2026-11-24T12:00:09.000Z"
    )


def test_a_tenant_whose_directory_is_closed_costs_no_other_its_lines(
    tenant_log: Mailbox, directory: Path, trouble: Watch
) -> None:
    """The disk may be well for all the others."""
    directory.mkdir(parents=True)
    (directory / tenant(1).id).touch()
    for number in range(4):
        tenant_log.tell(turn(number, number % 2))
        settled(tenant_log)
    assert numbers(directory, 0) == ["r-0", "r-2"]
    assert lost(trouble) == []
    (directory / tenant(1).id).unlink()
    tenant_log.tell(turn(5, 1))
    settled(tenant_log)

    assert numbers(directory, 1) == ["r-5"]
    assert lost(trouble) == [("tenant-1", 2)]


def test_a_loss_is_told_when_the_log_stops(tenant_log: Mailbox, trouble: Watch) -> None:
    """At the latest."""
    with largest_file(100):
        tenant_log.tell(turn(0))
        settled(tenant_log)
        stop(tenant_log, WAIT)

    assert lost(trouble) == [("tenant-0", 1)]


def test_one_odd_line_costs_no_other(
    tenant_log: Mailbox, directory: Path, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    """It is written without what is odd about it."""

    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError

    tenant_log.tell(TurnLines(tenant(), (line(0), line(1, params=Odd(a=1), schema=None), line(2))))
    settled(tenant_log)

    assert numbers(directory) == ["r-0", "r-1", "r-2"]
    assert records(directory / tenant().id)[1]["params"] == {}
    assert logged[0]["event"] == "params could not be logged"


def test_a_line_that_cannot_be_made_is_lost_alone(
    tenant_log: Mailbox, directory: Path, logged: list[Any], trouble: Watch
) -> None:
    """And counted; the log goes on."""
    unknown: Any = None
    tenant_log.tell(TurnLines(tenant(), (line(0), line(1, queued_ms=unknown), line(2))))
    settled(tenant_log)

    assert numbers(directory) == ["r-0", "r-2"]
    assert "a line could not be logged" in [each["event"] for each in logged]
    assert lost(trouble) == [("tenant-0", 1)]


# ---------------------------------------------------------------- days


def test_midnight_is_for_every_tenant_whether_it_logs_or_not(
    start: Callable[[], Mailbox], directory: Path, clock: Time
) -> None:
    """Those from before a restart, too."""
    tenant_log = start()
    for whose in range(3):
        tenant_log.tell(turn(0, whose))
    settled(tenant_log)
    stop(tenant_log, WAIT)
    tenant_log = start()
    tenant_log.tell(turn(1, 0))
    settled(tenant_log)
    clock.now += DAY
    tenant_log.tell(RotateDue())
    settled(tenant_log)

    for whose in range(3):
        assert entries(directory / tenant(whose).id) == ["2026-11-24.jsonl.zst"]
    assert numbers(directory) == ["r-0", "r-1"]


def test_what_was_due_while_nobody_was_there_is_done_at_the_start(
    start: Callable[[], Mailbox], directory: Path, clock: Time
) -> None:
    """A server that is started every morning never sees midnight."""
    tenant_log = start()
    tenant_log.tell(turn())
    settled(tenant_log)
    stop(tenant_log, WAIT)
    clock.now += DAY
    settled(start())

    assert entries(directory / tenant().id) == ["2026-11-24.jsonl.zst"]


def test_a_tenant_that_is_silent_for_longer_than_logs_are_kept_leaves_nothing(
    start: Callable[[], Mailbox], directory: Path, clock: Time
) -> None:
    """Not even its directory; if it comes back, it has one again."""
    tenant_log = start()
    tenant_log.tell(turn())
    settled(tenant_log)
    stop(tenant_log, WAIT)
    clock.now += 8 * DAY
    tenant_log = start()
    settled(tenant_log)
    assert entries(directory) == []
    tenant_log.tell(turn(at=clock.now))
    settled(tenant_log)

    assert numbers(directory) == ["r-0"]


@pytest.fixture
def cycled(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each directory was put in order."""
    times: list[float] = []
    monkeypatch.setattr(DayFiles, "rotate", lambda _, now, __: times.append(now))
    return times


def test_a_day_that_has_not_ended_costs_nothing(
    tenant_log: Mailbox, clock: Time, cycled: list[float]
) -> None:
    """The Clock may say midnight as often as it likes."""
    tenant_log.tell(turn())
    settled(tenant_log)
    cycled.clear()
    for _ in range(5):
        tenant_log.tell(RotateDue())
    settled(tenant_log)
    assert cycled == []
    for clock.now in (NOON + DAY, NOON + DAY + 1, NOON):
        tenant_log.tell(RotateDue())
        settled(tenant_log)

    assert cycled == [NOON + DAY, NOON]  # a clock that was set back has another day, too


def test_turns_do_not_wait_for_a_midnight_of_many_tenants(
    harness: MailboxHarness,
    start: Callable[[], Mailbox],
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes while old files are put in order is written before all of them are."""
    monkeypatch.setattr(module, "STEP_SECONDS", 0.0)
    for number in range(1, 300):
        (directory / tenant(number).id).mkdir(parents=True)
    gate = Gate()
    gate.block(harness.dispatcher.schedule)
    tenant_log = start()
    left: list[int] = []
    append = DayFiles.append

    def watching(self: DayFiles, lines: Any) -> None:
        left.append(len(entries(directory)))
        append(self, lines)

    monkeypatch.setattr(DayFiles, "append", watching)
    tenant_log.tell(turn())
    gate.open()
    settled(tenant_log, steps=303)

    assert left == [299]
    assert entries(directory) == [tenant(0).id]


def test_what_cannot_be_put_in_order_is_said_once_and_tried_again_later(
    tenant_log: Mailbox,
    clock: Time,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[Any],
) -> None:
    """For all tenants together."""
    for whose in range(3):
        tenant_log.tell(turn(0, whose))
    settled(tenant_log)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DayFiles, "rotate", full)
        clock.now += DAY
        for _ in range(3):
            tenant_log.tell(RotateDue())
            settled(tenant_log)
    assert [(each["event"], each["tenants"]) for each in logged] == [
        ("old logs of tenants could not be put in order", 3)
    ]
    clock.now += RETRY_SECONDS + 1
    tenant_log.tell(RotateDue())
    settled(tenant_log)

    assert entries(directory / tenant(2).id) == ["2026-11-24.jsonl.zst"]


def test_a_directory_that_cannot_be_listed_is_said_and_tried_again_later(
    tenant_log: Mailbox,
    clock: Time,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[Any],
) -> None:
    """For want of a descriptor, say; without that the day's old files would wait for the next day."""
    tenant_log.tell(turn(0, 2))
    settled(tenant_log)

    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("os.scandir", none_left)
        clock.now += DAY
        tenant_log.tell(RotateDue())
        settled(tenant_log)
    assert [each["error"] for each in logged] == ["Too many open files"]
    clock.now += RETRY_SECONDS + 1
    tenant_log.tell(RotateDue())
    settled(tenant_log)

    assert entries(directory / tenant(2).id) == ["2026-11-24.jsonl.zst"]


def test_a_failed_log_is_started_again_on_its_files(
    harness: MailboxHarness, start: Callable[[], Mailbox], tenant_log: Mailbox, directory: Path
) -> None:
    """What no actor should send ends it, as it ends any actor; the mail behind it is not lost."""
    for message in (turn(0), "nonsense", turn(1)):
        tenant_log.tell(message)
    for _ in range(2):
        failed = harness.watch.hear()
        TenantLog.start(failed.mailbox, directory, LogSettings(ZoneInfo("UTC"), 7))
    settled(tenant_log)

    assert numbers(directory) == ["r-0", "r-1"]

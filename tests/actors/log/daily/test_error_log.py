"""The ErrorLog: everything that went wrong is in one place, whatever it is and however often."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from structlog.testing import capture_logs

from actors.log.daily import error_log as module
from actors.log.daily.error_log import MAX_REPEATS, PERIOD_SECONDS, ErrorLog
from actors.log.daily.rotation import RETRY_SECONDS, DayFiles, LogSettings
from actors.log.error_record import MAX_MESSAGE, MAX_STACK
from actors.log.messages import ErrorEvent, RotateDue
from actors.runtime.actor import Ping, ask, stop
from actors.runtime.mailbox import Mailbox
from tests.actors.log.records import largest_file
from tests.actors.log.tenant_lines import NOON, records
from tests.actors.mailbox_harness import WAIT, Gate, MailboxHarness

NEEDLE = "hunter2-XYZZY"
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
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as kept:
        yield kept


@pytest.fixture
def clock() -> Time:
    """It stands until it is set."""
    return Time()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the log will be."""
    return tmp_path / "logs" / "errors"


@pytest.fixture
def start(harness: MailboxHarness, directory: Path, clock: Time) -> Callable[..., Mailbox]:
    """Starts a log on the directory; the one before has to be stopped."""

    def started(most: int = 0) -> Mailbox:
        mailbox = harness.mailbox("error log")
        zone = ZoneInfo("Europe/Vienna")
        ErrorLog.start(mailbox, directory, LogSettings(zone, 7, ["iban"], clock, most=most))
        return mailbox

    return started


@pytest.fixture
def error_log(start: Callable[[], Mailbox]) -> Mailbox:
    """A running log, done with what was due when it started."""
    mailbox = start()
    settled(mailbox)
    return mailbox


def trouble(number: int = 0, **said: Any) -> ErrorEvent:
    """An event; each number another one."""
    return ErrorEvent(
        {
            "at": NOON + number / 1000,
            "level": "error",
            "event": f"number {number}",
            "source": "tenant",
            **said,
        }
    )


def settled(mailbox: Mailbox) -> None:
    """Wait until what was told is dealt with, and what was told meanwhile."""
    for _ in range(2):
        ask(mailbox, Ping(), WAIT)


def events(directory: Path) -> list[str]:
    """What has been written."""
    return [each["event"] for each in records(directory)]


def entries(directory: Path) -> list[str]:
    """Names of what is in it."""
    return [each.name for each in directory.iterdir()]


def test_a_trouble_is_a_line(error_log: Mailbox, directory: Path) -> None:
    """With the same members always, in the same order, and what else it says behind them."""
    exception = {"type": "KeyError", "message": "'x'", "stack": "Traceback…"}
    said = {"tenant": "acme", "tenant_id": "f" * 32, "action": "a.b", "trace_id": "0" * 32}
    error_log.tell(trouble(7, messages=3, exception=exception, **said))
    error_log.tell(trouble(8))
    settled(error_log)

    known, unknown = records(directory)
    assert list(known.items()) == [
        ("at", "2026-11-24T13:00:00.007+01:00"),
        ("level", "error"),
        ("event", "number 7"),
        ("source", "tenant"),
        ("tenant", "acme"),
        ("tenant_id", "f" * 32),
        ("action", "a.b"),
        ("trace_id", "0" * 32),
        ("exception", exception),
        ("messages", 3),
    ]
    assert list(unknown) == list(known)[:-1]
    assert unknown["exception"] is unknown["tenant"] is None


def test_what_waits_is_one_write(
    harness: MailboxHarness,
    start: Callable[[], Mailbox],
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In its order."""
    writes: list[int] = []
    append = DayFiles.append

    def counting(self: DayFiles, lines: Any) -> None:
        writes.append(len(lines))
        append(self, lines)

    monkeypatch.setattr(DayFiles, "append", counting)
    gate = Gate()
    gate.block(harness.dispatcher.schedule)
    error_log = start()
    for number in range(50):
        error_log.tell(trouble(number))
    gate.open()
    settled(error_log)

    assert writes == [50]
    assert events(directory) == [f"number {number}" for number in range(50)]


@pytest.mark.parametrize(
    "said",
    [
        {"api_key": NEEDLE},
        {"IBAN": NEEDLE},
        {"deep": [{"password": {"x": NEEDLE}}]},
        {"event": f"failed with password={NEEDLE}"},
        {"note": f"tnt_{NEEDLE}"},
        {"tenant": f"tnt_{NEEDLE}"},
        {"exception": {"type": "X", "message": f"iban: {NEEDLE}", "stack": f"tnt_{NEEDLE}"}},
        {"exception": {"type": f"tnt_{NEEDLE}", "message": f"tnt_{NEEDLE}", "stack": ""}},
        {f"tnt_{NEEDLE}": 1},
    ],
)
def test_no_secret_is_in_a_line(error_log: Mailbox, directory: Path, said: dict[str, Any]) -> None:
    """Anyone who tells may have forgotten about them."""
    error_log.tell(trouble(**said))
    settled(error_log)

    assert NEEDLE not in json.dumps(records(directory))
    assert "(redacted)" in json.dumps(records(directory))


def test_long_texts_are_cut(error_log: Mailbox, directory: Path) -> None:
    """A line stays a line."""
    long = "x" * 100_000
    exception = {"type": "X", "message": long, "stack": long}
    error_log.tell(trouble(event=long, exception=exception, big=[long], more={"a": long}))
    settled(error_log)

    (found,) = records(directory)
    assert len(found["event"]) == MAX_MESSAGE
    assert len(found["exception"]["message"]) == MAX_MESSAGE
    assert len(found["exception"]["stack"]) == MAX_STACK
    assert len(json.dumps(found)) < 50_000


@pytest.mark.parametrize("odd", [{"at": "never"}, {"at": None}, {"exception": 7}, {"level": b""}])
def test_one_odd_record_costs_no_other(
    error_log: Mailbox, directory: Path, odd: dict[str, Any]
) -> None:
    """Something is said of it, too."""
    for message in (trouble(0), trouble(1, **odd), trouble(2)):
        error_log.tell(message)
    settled(error_log)

    assert len(records(directory)) == 3


def test_what_every_record_has_is_text(error_log: Mailbox, directory: Path) -> None:
    """Whatever was logged under these names: pages of the log promise it."""
    error_log.tell(trouble(0, action=404, tenant=["acme"], trace_id=b"x", rows=7))
    settled(error_log)

    (told,) = records(directory)
    assert (told["action"], told["tenant"], told["trace_id"]) == ("404", "['acme']", "(1 bytes)")
    assert told["rows"] == 7


def test_a_flood_is_told_in_few_lines(error_log: Mailbox, directory: Path, clock: Time) -> None:
    """All of it is counted."""
    for _ in range(512):
        error_log.tell(trouble(event="function failed"))
    settled(error_log)
    assert events(directory) == ["function failed"] * MAX_REPEATS
    clock.now += PERIOD_SECONDS
    error_log.tell(RotateDue())
    settled(error_log)

    assert events(directory)[MAX_REPEATS:] == ["function failed … and 412 more like it"]


def test_what_was_counted_is_told_when_the_log_stops(error_log: Mailbox, directory: Path) -> None:
    """It would be forgotten otherwise."""
    for _ in range(103):
        error_log.tell(trouble(event="function failed"))
    stop(error_log, WAIT)

    assert events(directory)[-1] == "function failed … and 3 more like it"


# ---------------------------------------------------------------- disks that are full


def test_what_a_full_disk_does_not_take_is_kept(
    error_log: Mailbox, directory: Path, logged: list[Any]
) -> None:
    """And written, in its order, as soon as it takes something; standard error says so once."""
    error_log.tell(trouble(0))
    settled(error_log)
    with largest_file(300):
        for number in (1, 2, 3):
            error_log.tell(trouble(number))
            settled(error_log)
        assert events(directory) == ["number 0"]
    error_log.tell(trouble(4))
    settled(error_log)

    assert events(directory) == [f"number {number}" for number in range(5)]
    assert [each["event"] for each in logged] == ["errors cannot be logged now; they are kept"]


def test_a_disk_that_has_room_again_is_noticed_by_itself(
    error_log: Mailbox, directory: Path
) -> None:
    """No further error is needed."""
    with largest_file(100):
        error_log.tell(trouble())
        settled(error_log)
    error_log.tell(RotateDue())
    settled(error_log)

    assert events(directory) == ["number 0"]


def test_what_is_more_than_is_kept_is_counted_and_told(
    error_log: Mailbox, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind what was kept."""
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    with largest_file(100):
        for number in range(5):
            error_log.tell(trouble(number))
            settled(error_log)
    error_log.tell(trouble(9))
    settled(error_log)

    assert events(directory) == [
        "number 0",
        "number 1",
        "number 9",
        "3 records lost between 2026-11-24T12:00:00.002Z and 2026-11-24T12:00:00.004Z",
    ]
    error_log.tell(trouble(10))
    settled(error_log)
    assert events(directory)[-1] == "number 10"


def test_what_cannot_be_written_at_the_end_is_said_elsewhere(
    error_log: Mailbox, logged: list[Any]
) -> None:
    """On standard error: there is nowhere else."""
    with largest_file(100):
        for number in range(3):
            error_log.tell(trouble(number))
        settled(error_log)
        stop(error_log, WAIT)

    assert (logged[-1]["event"], logged[-1]["lost"]) == ("errors could not be logged", 3)


def test_its_own_troubles_are_not_told_to_itself(error_log: Mailbox, logged: list[Any]) -> None:
    """They would go round for ever."""
    with largest_file(100):
        error_log.tell(trouble())
        settled(error_log)

    assert [each["aside"] for each in logged] == [True]


# ---------------------------------------------------------------- days


def test_midnight_is_the_zone_s(error_log: Mailbox, directory: Path, clock: Time) -> None:
    """Each line is in the file of its day; the day that is over is compressed."""
    error_log.tell(trouble(at=NOON + 10.99 * 3600))
    error_log.tell(trouble(at=NOON + 11.01 * 3600))
    clock.now = NOON + 11.02 * 3600
    error_log.tell(RotateDue())
    settled(error_log)

    assert sorted(entries(directory)) == ["2026-11-24.jsonl.zst", "2026-11-25.jsonl"]
    assert len(records(directory)) == 2


def test_days_that_are_over_are_put_in_order_at_the_start(
    start: Callable[[], Mailbox], directory: Path, clock: Time
) -> None:
    """And removed when they are no longer kept."""
    for days, expected in ((0, ["2026-11-24.jsonl"]), (1, ["2026-11-24.jsonl.zst"]), (8, [])):
        clock.now = NOON + days * DAY
        error_log = start()
        if not days:
            error_log.tell(trouble())
        settled(error_log)
        stop(error_log, WAIT)
        assert entries(directory) == expected


def test_what_cannot_be_put_in_order_is_tried_again_later(
    error_log: Mailbox,
    directory: Path,
    clock: Time,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[Any],
) -> None:
    """And said each time, on standard error."""
    error_log.tell(trouble())
    settled(error_log)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DayFiles, "rotate", full)
        clock.now += DAY
        for _ in range(3):
            error_log.tell(RotateDue())
        settled(error_log)
    assert [each["event"] for each in logged] == ["old logs of errors could not be put in order"]
    clock.now += RETRY_SECONDS + 1
    error_log.tell(RotateDue())
    settled(error_log)

    assert entries(directory) == ["2026-11-24.jsonl.zst"]


def test_a_failed_log_is_started_again_on_its_files(
    harness: MailboxHarness, error_log: Mailbox, directory: Path
) -> None:
    """What no actor should send ends it, as it ends any actor; the mail behind it is not lost."""
    for message in (trouble(0), "nonsense", trouble(1)):
        error_log.tell(message)
    for _ in range(2):
        failed = harness.watch.hear()
        ErrorLog.start(failed.mailbox, directory, LogSettings(ZoneInfo("UTC"), 7))
    settled(error_log)

    assert events(directory) == ["number 0", "number 1"]


# ---------------------------------------------------------------- tenants that have had their bytes


def about(whose: str, number: int) -> ErrorEvent:
    """A stack of one tenant's; no two are alike."""
    exception = {"type": f"E{number}", "message": "m", "stack": "s" * 1000}
    return trouble(number, tenant=whose, exception=exception)


def of_tenant(directory: Path, whose: str) -> tuple[list[str], list[int]]:
    """What is written about it: events in full, and how many each summary counts."""
    found = [each for each in records(directory) if each["tenant"] == whose]
    full = [each["event"] for each in found if "left_out" not in each]
    return full, [each["left_out"] for each in found if "left_out" in each]


def test_one_tenant_s_errors_leave_room_for_those_of_others(
    start: Callable[..., Mailbox], directory: Path, clock: Time
) -> None:
    """A day has so many bytes for each; what follows is counted. What is about no tenant is always there."""
    mailbox = start(3000)
    for number in range(20):
        mailbox.tell(about("acme", number))
    for message in (about("globex", 20), trouble(21), RotateDue()):
        mailbox.tell(message)
    settled(mailbox)

    full, summaries = of_tenant(directory, "acme")
    assert full == [f"number {number}" for number in range(len(full))]
    assert 1 < len(full) < 5
    assert summaries == [20 - len(full)]
    assert of_tenant(directory, "globex") == (["number 20"], [])
    assert "number 21" in events(directory)
    clock.now += DAY
    mailbox.tell(about("acme", 22))
    settled(mailbox)
    assert of_tenant(directory, "acme")[0][-1] == "number 22"


def test_a_restart_gives_a_tenant_s_errors_no_new_room(
    start: Callable[..., Mailbox], directory: Path
) -> None:
    """What today's file says of it counts, and what was left out before is told at the stop."""
    for number in range(8):
        mailbox = start(3000)
        mailbox.tell(about("acme", number))
        stop(mailbox, WAIT)

    full, summaries = of_tenant(directory, "acme")
    assert 1 < len(full) < 5
    assert summaries == [1] * (8 - len(full))

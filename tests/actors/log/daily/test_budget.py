"""A tenant's day has so many bytes of lines in full; what follows is counted, and told in summaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from actors.log.daily.budget import LINES, MAX_COUNTED, SOURCE
from actors.log.daily.rotation import LogSettings
from actors.log.daily.tenant_log import TenantLog
from actors.log.lines import MEMBERS
from actors.log.messages import Count, RotateDue, TurnLines
from actors.runtime.actor import Ping, ask, stop
from actors.runtime.mailbox import Mailbox
from tests.actors.log.tenant_lines import NOON, line, records, tenant, turn
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch

BUDGET = 3000
"""Bytes: some five lines."""

DAY = 86_400


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What the program says of itself."""
    with capture_logs() as kept:
        yield kept


@pytest.fixture
def stats() -> Watch:
    """In the place of Stats."""
    return Watch()


@pytest.fixture
def start(harness: MailboxHarness, tmp_path: Path, stats: Watch) -> Callable[..., Mailbox]:
    """Starts a log; the one before has to be stopped."""

    def started(most: int = BUDGET) -> Mailbox:
        mailbox = harness.mailbox("tenant log")
        settings = LogSettings(ZoneInfo("UTC"), 7, now=lambda: NOON, most=most)
        TenantLog.start(mailbox, tmp_path, settings, stats=stats)
        return mailbox

    return started


def tell(mailbox: Mailbox, *turns: Any) -> None:
    """Tell it, each by itself, and wait until all is written."""
    for each in turns:
        mailbox.tell(each)
        ask(mailbox, Ping(), WAIT)


def told(directory: Path, whose: int = 0) -> tuple[list[str], list[dict[str, Any]]]:
    """Which lines are there in full, and the summaries."""
    found = records(directory / tenant(whose).id)
    full = [each["request_id"] for each in found if each["source"] != SOURCE]
    return full, [each for each in found if each["source"] == SOURCE]


def test_beyond_its_budget_a_day_has_summaries_alone(
    start: Callable[..., Mailbox], tmp_path: Path, stats: Watch, logged: list[Any]
) -> None:
    """With counts by action and outcome; the operator is told once, the figures how many."""
    mailbox = start()
    tell(mailbox, *(turn(number) for number in range(40)), turn(40, outcome="not_found"))
    tell(mailbox, RotateDue())
    tell(mailbox, turn(41), RotateDue(), RotateDue())

    full, (first, second) = told(tmp_path)
    assert full == [f"r-{number}" for number in range(len(full))]
    assert 3 < len(full) < 10
    left = 41 - len(full)
    assert tuple(first) == MEMBERS
    assert first["params"] == {
        LINES: left,
        "since": f"2026-11-24T12:00:{len(full):02}.000+00:00",
        "actions": {"contacts.add": {"ok": left - 1, "not_found": 1}},
    }
    assert first["at"] == "2026-11-24T12:00:40.000+00:00"
    assert first["message"].startswith(f"{left} lines left out until midnight: ")
    assert second["params"][LINES] == 1
    counted = [each.by for each in stats.heard() if isinstance(each, Count)]
    assert counted == [left, 1]
    (said,) = [each for each in logged if each["event"].startswith("a tenant's log is full")]
    assert (said["tenant"], said["tenant_id"]) == ("tenant-0", tenant().id)


def test_one_tenant_s_full_day_costs_no_other_a_line(
    start: Callable[..., Mailbox], tmp_path: Path
) -> None:
    """Nor its own next day."""
    mailbox = start()
    tell(mailbox, *(turn(number) for number in range(40)))
    tell(mailbox, turn(1, whose=1), turn(50, at=NOON + DAY), RotateDue())

    assert told(tmp_path, 1)[0] == ["r-1"]
    full, (summary,) = told(tmp_path)
    assert full[-1] == "r-50"
    assert summary["at"].startswith("2026-11-24")


def test_one_run_of_many_lines_stops_at_the_budget(
    start: Callable[..., Mailbox], tmp_path: Path
) -> None:
    """Whatever comes at once: each line counts, and the last one may go over."""
    mailbox = start()
    tell(mailbox, TurnLines(tenant(), tuple(line(number) for number in range(500))))

    (file,) = (tmp_path / tenant().id).iterdir()
    assert BUDGET <= file.stat().st_size < BUDGET + 1000


def test_a_restart_gives_no_new_budget(start: Callable[..., Mailbox], tmp_path: Path) -> None:
    """What the day's file has counts; and what was left out before is told at the stop."""
    mailbox = start()
    tell(mailbox, *(turn(number) for number in range(20)))
    stop(mailbox, WAIT)
    full, (summary,) = told(tmp_path)
    assert summary["params"][LINES] == 20 - len(full)
    mailbox = start()
    tell(mailbox, turn(21))
    stop(mailbox, WAIT)

    again, summaries = told(tmp_path)
    assert again == full
    assert [each["params"][LINES] for each in summaries] == [20 - len(full), 1]


def test_names_that_a_caller_makes_up_do_not_lengthen_a_summary(
    start: Callable[..., Mailbox], tmp_path: Path
) -> None:
    """Unknown actions are one, and of many that there are the rest is one."""
    mailbox = start(1)
    tell(mailbox, turn(0))
    for number in range(MAX_COUNTED + 5):
        tell(mailbox, turn(number, action=f"made.up{number}", version=None, outcome="not_found"))
        tell(mailbox, turn(number, action=f"an.action{number}"))
    tell(mailbox, RotateDue())

    _, (summary,) = told(tmp_path)
    actions = summary["params"]["actions"]
    assert actions["(unknown)"] == {"not_found": MAX_COUNTED + 5}
    assert actions["(others)"] == {"(any)": 6}
    assert len(actions) == MAX_COUNTED + 1


def test_no_budget_is_no_bound(start: Callable[..., Mailbox], tmp_path: Path) -> None:
    """As it was before there was one."""
    mailbox = start(0)
    tell(mailbox, *(turn(number) for number in range(40)), RotateDue())

    assert told(tmp_path) == ([f"r-{number}" for number in range(40)], [])

"""Stats: what it has been told is what it says, to people and to monitoring systems."""

from __future__ import annotations

from typing import Any

import pytest

from actors.index.parser import built_in_index
from actors.log.messages import (
    AskActionStats,
    AskStats,
    AskTenantStats,
    Count,
    LostLines,
)
from actors.log.metrics.stats import MISSED, SPANS_DROPPED, AskSnapshot, Snapshot, Stats
from actors.runtime.actor import ask
from actors.runtime.mailbox import Mailbox
from tests.actors.log.turns import NOON, tenant, turn
from tests.actors.mailbox_harness import WAIT, MailboxHarness

MINUTE = 60.0


class Hand:
    """A clock in a test's hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    """Stands still unless a test moves it."""
    return Hand()


@pytest.fixture
def stats(harness: MailboxHarness, clock: Hand) -> Mailbox:
    """Watches a mailbox in which three messages wait."""
    waiting = Mailbox("router", lambda _: None)
    for _ in range(3):
        waiting.tell("a message")
    mailbox = harness.mailbox("stats")
    Stats.start(mailbox, watched=[waiting], clock=clock, epoch=lambda: NOON)
    return mailbox


def said(stats: Mailbox, question: Any) -> dict[str, Any]:
    """The answer, which has to be what its action promises."""
    found: dict[str, Any] = ask(stats, question, WAIT)
    names = {AskStats: "show", AskActionStats: "actions", AskTenantStats: "tenants"}
    built_in_index().actions[f"stats.{names[type(question)]}"].result.check(found)
    return found


def test_all_messages_are_told_together(stats: Mailbox, clock: Hand) -> None:
    """How many, how they ended, how fast, how often lately; and what no message tells."""
    stats.tell(turn(count=18, queued_ms=0.5, handled_ms=3.0))
    stats.tell(turn(tenant(1), outcome="not_found", handled_ms=400.0, reply_bytes=7))
    stats.tell(turn(tenant(1), outcome="internal", handled_ms=400.0, replayed=True))
    stats.tell(Count("router.unauthenticated", 5))
    stats.tell(Count("router.unauthenticated"))
    ask(stats, AskStats(None), WAIT)
    clock.now += 10.0

    answer = said(stats, AskStats(None))

    assert answer["since"] == "2026-11-25T12:00:00.000Z"
    assert answer["uptime_seconds"] == 10.0
    assert answer["events"] == [{"name": "router.unauthenticated", "count": 6}]
    assert answer["waiting"] == [{"actor": "router", "messages": 3}]
    figures = answer["figures"]
    assert (figures["requests"], figures["errors"], figures["replayed"]) == (20, 2, 1)
    assert figures["outcomes"] == [
        {"outcome": "ok", "requests": 18},
        {"outcome": "internal", "requests": 1},
        {"outcome": "not_found", "requests": 1},
    ]
    assert figures["reply_bytes"] == 18 * 100 + 7 + 100
    assert figures["handled_ms"]["p50"] == pytest.approx(3.0, rel=0.25)
    assert figures["handled_ms"]["p95"] == pytest.approx(400.0, rel=0.25)
    assert figures["queued_ms"]["p50"] == pytest.approx(0.5, rel=0.25)
    assert figures["per_second"] == {"minute": 2.0, "five_minutes": 2.0}


def test_before_the_first_message_there_is_nothing_and_no_percentile(stats: Mailbox) -> None:
    """Of all, and of a tenant that has asked for nothing."""
    for question in (AskStats(None), AskStats(tenant(7).id)):
        figures = said(stats, question)["figures"]
        assert (figures["requests"], figures["errors"], figures["outcomes"]) == (0, 0, [])
        assert figures["handled_ms"] == {"p50": None, "p95": None, "p99": None}


def test_a_tenant_is_told_of_its_own_messages_only(stats: Mailbox) -> None:
    """And nothing of the server."""
    stats.tell(turn(tenant(0), count=3, handled_ms=1.0))
    stats.tell(turn(tenant(1), count=50, outcome="internal", handled_ms=900.0))

    answer = said(stats, AskStats(tenant(0).id))

    assert set(answer) == {"since", "uptime_seconds", "figures"}
    assert (answer["figures"]["requests"], answer["figures"]["errors"]) == (3, 0)
    assert answer["figures"]["handled_ms"]["p99"] < 2.0


def test_actions_are_told_by_themselves_the_most_frequent_first(stats: Mailbox) -> None:
    """All, or one."""
    stats.tell(turn(action="contacts.add", count=2))
    stats.tell(turn(action="contacts.find", count=5, handled_ms=50.0))
    stats.tell(turn(action="contacts.add", outcome="already_exists"))

    find, add = said(stats, AskActionStats(None, None))["actions"]
    assert (find["action"], find["figures"]["requests"]) == ("contacts.find", 5)
    assert find["figures"]["handled_ms"]["p50"] == pytest.approx(50.0, rel=0.25)
    assert (add["action"], add["figures"]["requests"], add["figures"]["errors"]) == (
        "contacts.add",
        3,
        1,
    )
    one = {**find, "handled": [{"up_to_ms": 56.0, "requests": 5}]}
    assert said(stats, AskActionStats(None, "contacts.find"))["actions"] == [one]
    assert said(stats, AskActionStats(None, "contacts.gone"))["actions"] == []


def test_a_tenants_actions_are_counted_apart_from_everybody_elses(stats: Mailbox) -> None:
    """How they ended, too."""
    stats.tell(turn(tenant(0), action="contacts.add", outcome="already_exists"))
    stats.tell(turn(tenant(1), action="contacts.add", count=9))
    stats.tell(turn(tenant(1), action="contacts.find"))

    (only,) = said(stats, AskActionStats(tenant(0).id, None))["actions"]
    assert only["action"] == "contacts.add"
    assert only["figures"]["outcomes"] == [{"outcome": "already_exists", "requests": 1}]
    listed = said(stats, AskActionStats(tenant(1).id, None))["actions"]
    assert [each["action"] for each in listed] == ["contacts.add", "contacts.find"]
    assert said(stats, AskActionStats(tenant(1).id, "contacts.find"))["actions"] == listed[1:]


def test_the_busiest_tenants_are_those_of_the_last_five_minutes(
    stats: Mailbox, clock: Hand
) -> None:
    """Fifty at most; who was busy an hour ago comes after who is now."""
    stats.tell(turn(tenant(0), count=1000))
    ask(stats, AskStats(None), WAIT)
    clock.now += 3600.0
    for number in range(1, 60):
        stats.tell(turn(tenant(number), count=number))

    listed = said(stats, AskTenantStats())["tenants"]

    assert [each["tenant"] for each in listed] == [
        f"tenant-{number}" for number in range(59, 9, -1)
    ]
    assert listed[0]["figures"]["requests"] == 59


def test_rates_are_of_the_last_minute_and_the_last_five(stats: Mailbox, clock: Hand) -> None:
    """A burst leaves the one, then the other."""
    stats.tell(turn(count=600))
    seen = []
    for minutes in (1, 2, 10):
        ask(stats, AskStats(None), WAIT)
        clock.now = 1000.0 + minutes * MINUTE
        seen.append(said(stats, AskStats(None))["figures"]["per_second"])

    assert seen[0] == {"minute": 10.0, "five_minutes": 10.0}
    assert seen[1] == {"minute": 0.0, "five_minutes": 5.0}
    assert seen[2] == {"minute": 0.0, "five_minutes": 0.0}


def test_a_snapshot_stays_as_it_was(stats: Mailbox) -> None:
    """Another thread reads it while counting goes on."""
    stats.tell(turn(count=2))
    snapshot: Snapshot = ask(stats, AskSnapshot(), WAIT)
    stats.tell(turn(count=2))
    stats.tell(Count("log.lost"))
    later: Snapshot = ask(stats, AskSnapshot(), WAIT)

    (series,) = snapshot.series
    assert (series.requests, len(series.handled), len(series.queued)) == (2, 2, 2)
    assert (snapshot.events, snapshot.waiting, snapshot.tenants) == ({}, {"router": 3}, 1)
    assert (later.series[0].requests, later.events) == (4, {"log.lost": 1})


def test_every_turn_is_told_to_who_makes_spans_and_what_he_has_no_room_for_is_counted(
    harness: MailboxHarness,
) -> None:
    """Stats neither waits for him nor lets his mail grow without end."""
    spans = Mailbox("telemetry", lambda _: None, limit=2)
    mailbox = harness.mailbox("stats")
    Stats.start(mailbox, spans=spans)
    turns = [turn(tenant(number), count=3) for number in range(4)]
    for each in turns:
        mailbox.tell(each)

    events = said(mailbox, AskStats(None))["events"]

    assert spans.take_up_to(10) == turns[:2]
    assert events == [{"name": SPANS_DROPPED, "count": 6}]


def test_messages_that_nobody_could_tell_are_counted_as_missed(stats: Mailbox) -> None:
    """The figures say how much they do not say."""
    stats.tell(LostLines(tenant(), 12, NOON, NOON))
    assert said(stats, AskStats(None))["events"] == [{"name": MISSED, "count": 12}]


def test_what_nobody_asks_it_is_a_defect_of_the_sender(stats: Mailbox) -> None:
    """And ends nothing."""
    with pytest.raises(TypeError, match="Stats has no handler for str"):
        ask(stats, "how are you", WAIT)
    assert said(stats, AskStats(None))["figures"]["requests"] == 0

"""Searching a log: every line that is asked for, once, in order, against a search that reads all there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.errors import InvalidArgument
from actors.log.daily import rotation
from actors.log.daily import search as module
from actors.log.daily.blocks import LogCatalogue
from actors.log.daily.plain_index import PlainIndexes
from actors.log.daily.rotation import DayFiles
from actors.log.daily.search import Page, Search
from actors.log.messages import AUDIT, ERRORS, TENANT, SearchLogs
from tests.actors.log.day_lines import DAY, HOUR, VIENNA, at
from tests.actors.log.records import DECEMBER, NOVEMBER, write

NOON = at("2026-10-24 12:00", VIENNA)
"""The day before summer time ends."""

TENANT_ID = "a" * 32
ACTIONS = ("contacts.add", "contacts.find", 'odd "name"')
OUTCOMES = ("ok", "not_found")
TEXTS = ("Ada", "ÄRGER", "straße", "a\\b", "line\nbreak", 'quo"ted')

Record = dict[str, Any]


class Written:
    """A log of a few days, and what was written to it, the oldest day first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = DayFiles(directory, VIENNA, 30)
        self.times: list[float] = []
        self.records: list[Record] = []

    def add(self, seconds: float, **members: Any) -> None:
        """One line."""
        moment = datetime.fromtimestamp(seconds, VIENNA).isoformat(timespec="milliseconds")
        record = {"at": moment, "number": len(self.records), **members}
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        self.files.append([(seconds, line.encode())])
        self.records.append(record)

    def in_order(self) -> list[Record]:
        """As the files have them: by day, then as they came."""
        return sorted(self.records, key=lambda record: str(record["at"])[:10])

    def catalogue(self) -> LogCatalogue:
        """To be searched."""
        return LogCatalogue(self.directory, VIENNA)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Written]:
    """An empty one."""
    made = Written(tmp_path / "log")
    yield made
    made.files.close()


def find(log: str = TENANT, **wanted: Any) -> SearchLogs:
    """In one tenant's."""
    return SearchLogs(log, wanted.pop("tenant_id", TENANT_ID), **wanted)


def searched(catalogue: LogCatalogue, ask: SearchLogs, indexes: PlainIndexes | None = None) -> Page:
    """A page, without the pauses."""
    steps = Search(ask, catalogue, indexes=indexes).steps()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            page: Page = end.value
            return page


def back(catalogue: LogCatalogue, ask: SearchLogs) -> list[Record]:
    """All pages, the newest line first."""
    found: list[Record] = []
    while True:
        page = searched(catalogue, ask)
        found += page["lines"]
        assert len(page["lines"]) <= ask.limit
        if page["next"] is None:
            return found
        ask = ask._replace(before=page["next"])


def on(catalogue: LogCatalogue, ask: SearchLogs, after: str = "0000-00.0") -> list[Record]:
    """All pages, the oldest line first."""
    found: list[Record] = []
    cursor: str | None = after
    while cursor is not None:
        page = searched(catalogue, ask._replace(after=cursor))
        found += page["lines"]
        cursor = page["next"]
    return found


def is_asked_for(record: Record, ask: SearchLogs) -> bool:
    """The law, said as plainly as can be."""
    seconds = datetime.fromisoformat(record["at"]).timestamp()
    line = json.dumps(record, ensure_ascii=False)
    return (
        (ask.since is None or ask.since <= seconds)
        and (ask.until is None or seconds < ask.until)
        and ask.action in (None, record.get("action"))
        and ask.outcome in (None, record.get("outcome"))
        and ask.trace_id in (None, record.get("trace_id"))
        and (ask.omit is None or ask.omit != record.get("action"))
        and (ask.text is None or holds(line, json.dumps(ask.text, ensure_ascii=False)[1:-1]))
    )


def holds(line: str, text: str) -> bool:
    """Text of ASCII alone is looked for among bytes: there ß is no ss."""
    if text.isascii():
        return text.lower().encode() in line.encode().lower()
    return text.casefold() in line.casefold()


MEMBERS = st.fixed_dictionaries(
    {
        "action": st.sampled_from(ACTIONS),
        "outcome": st.sampled_from(OUTCOMES),
        "trace_id": st.sampled_from([each * 32 for each in "01345"]),
        "params": st.dictionaries(st.just("name"), st.sampled_from(TEXTS)),
    }
)
LINES = st.lists(st.tuples(st.integers(-60, 60), MEMBERS), max_size=30)
TIMES = st.none() | st.integers(-70, 70).map(lambda hours: NOON + hours * HOUR)
WANTED = st.fixed_dictionaries(
    {
        "since": TIMES,
        "until": TIMES,
        "action": st.none() | st.sampled_from(ACTIONS),
        "outcome": st.none() | st.sampled_from(OUTCOMES),
        "trace_id": st.none() | st.sampled_from(["0" * 32, "2" * 32]),
        "text": st.none() | st.sampled_from([*TEXTS, "ada", "ärger", "STRASSE", "BREAK", "find"]),
        "omit": st.none() | st.sampled_from(ACTIONS),
        "limit": st.sampled_from([1, 2, 7, 100]),
    }
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(lines=LINES, wanted=WANTED, cycled=st.none() | st.integers(-60, 90))
def test_pages_have_every_line_that_is_asked_for_once_and_in_order(
    lines: list[tuple[int, Record]],
    wanted: dict[str, Any],
    cycled: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Forwards and backwards, over days of 23 to 25 hours, compressed or not, in frames, with late lines."""
    log = Written(tmp_path_factory.mktemp("log"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotation, "FRAME_BYTES", 300)
        for number, (hours, members) in enumerate(lines):
            log.add(NOON + hours * HOUR, **members)
            if cycled is not None and number == len(lines) // 2:
                log.files.rotate(NOON + cycled * HOUR)
    log.files.close()
    ask = find(**wanted)
    expected = [record for record in log.in_order() if is_asked_for(record, ask)]

    assert on(log.catalogue(), ask) == expected
    assert back(log.catalogue(), ask) == expected[::-1]


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """As a tenant's is that no one has called yet; what comes later follows."""
    page = searched(LogCatalogue(tmp_path / "nowhere", VIENNA), find())
    assert page == {"lines": [], "next": None, "newest": "0000-00.0"}


def test_what_is_written_later_follows_the_newest(log: Written) -> None:
    """Also over midnight, and where the day has been compressed since."""
    log.add(NOON, action="first")
    newest = searched(log.catalogue(), find())["newest"]
    assert searched(log.catalogue(), find(after=newest)) == {
        "lines": [],
        "next": None,
        "newest": newest,
    }

    log.add(NOON + 1, action="second")
    log.add(NOON + DAY, action="third")
    log.files.rotate(NOON + DAY)

    page = searched(log.catalogue(), find(after=newest))
    assert [line["action"] for line in page["lines"]] == ["second", "third"]
    assert on(log.catalogue(), find(), page["newest"]) == []


def test_a_page_ends_where_the_next_one_begins_though_more_is_written(log: Written) -> None:
    """Newer lines are none of what is being paged through."""
    for number in range(5):
        log.add(NOON + number)
    first = searched(log.catalogue(), find(limit=2))
    log.add(NOON + 9)
    log.files.rotate(NOON + DAY)

    rest = back(log.catalogue(), find(limit=2, before=first["next"]))
    assert [line["number"] for line in (*first["lines"], *rest)] == [4, 3, 2, 1, 0]


def test_a_page_has_a_bound_in_bytes(log: Written) -> None:
    """A line that is larger by itself is shown all the same."""
    for number in range(4):
        log.add(NOON + number, message="x" * (module.PAGE_BYTES // (1 if number == 3 else 3)))

    sizes = []
    ask = find()
    while True:
        page = searched(log.catalogue(), ask)
        sizes.append(len(page["lines"]))
        if page["next"] is None:
            break
        ask = ask._replace(before=page["next"])
    assert sizes == [1, 2, 1]
    assert [line["number"] for line in on(log.catalogue(), find())] == [0, 1, 2, 3]


def test_what_is_no_record_is_passed_over(log: Written) -> None:
    """A line that is being written, that a crash has cut off, or that another process has put there."""
    log.add(NOON, action="first")
    log.add(NOON + 1, action="second")
    (path,) = log.directory.iterdir()
    first, second = path.read_bytes().splitlines(keepends=True)
    odd = b'not JSON\n{"at":"2026\n[1]\n12\n' + b"[" * 100_000 + b'\n{"no":"time"}\n\xff\n'
    path.write_bytes(first + odd + second + b'{"at":"2026-10-24T12:0')

    since = find(since=NOON - DAY)
    assert [line["action"] for line in back(log.catalogue(), since)] == ["second", "first"]
    assert [line["action"] for line in on(log.catalogue(), since)] == ["first", "second"]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "2026-10-24", "2026-10-24.", "2026-10-24.-1", "2026-10-24.1\n", "٢٠٢٦-10-24.1"],
)
@pytest.mark.parametrize("name", ["before", "after"])
def test_a_cursor_that_is_none_is_refused(log: Written, name: str, cursor: str) -> None:
    """And one that leads nowhere leads nowhere."""
    with pytest.raises(InvalidArgument, match=f"params.{name}: no cursor"):
        Search(find(**{name: cursor}), log.catalogue())


@pytest.mark.parametrize(
    "cursor", ["2026-10-24.3", "2026-10-24.999999999", "2026-13-99.1", "9999-99.0"]
)
def test_a_cursor_that_was_made_up_shows_lines_or_none(log: Written, cursor: str) -> None:
    """Whole ones, of this log."""
    log.add(NOON, action="first")
    log.add(NOON + 1, action="second")

    for ask in (find(before=cursor), find(after=cursor)):
        shown = searched(log.catalogue(), ask)["lines"]
        assert [line for line in shown if line not in log.records] == []


def test_days_that_are_not_asked_for_are_not_opened(log: Written) -> None:
    """Here they could not even be read."""
    for days in range(5):
        log.add(NOON + days * DAY)
    log.files.rotate(NOON + 5 * DAY)
    for name in ("2026-10-24", "2026-10-25", "2026-10-28"):
        (log.directory / f"{name}.jsonl.zst").write_bytes(b"no frame, but damaged")

    asked = find(since=at("2026-10-26 00:00", VIENNA), until=NOON + 3.4 * DAY)
    assert [line["number"] for line in back(log.catalogue(), asked)] == [3, 2]
    with pytest.raises(OSError, match="damaged"):
        back(log.catalogue(), find())


def test_times_beyond_the_calendar_are_beyond_all_lines(log: Written) -> None:
    """Rather than errors."""
    log.add(NOON)
    for since, until in ((-1e15, 1e15), (-1e18, None), (None, 1e300)):
        assert len(back(log.catalogue(), find(since=since, until=until))) == 1
    assert back(log.catalogue(), find(since=1e15)) == back(log.catalogue(), find(until=-1e15)) == []


# ---------------------------------------------------------------- whose lines


def test_errors_are_the_tenants_whose_they_are(log: Written) -> None:
    """By the id, where the line has one: a name can have been another tenant's."""
    log.add(NOON, tenant="acme", tenant_id=TENANT_ID, event="own")
    log.add(NOON, tenant="acme", tenant_id="b" * 32, event="of the one before")
    log.add(NOON, tenant="acme", event="own by name")
    log.add(NOON, tenant="acme", tenant_id=None, event="own by name, too")
    log.add(NOON, tenant="globex", tenant_id="c" * 32, event="another's")
    log.add(NOON, tenant=None, tenant_id=None, event="nobody's")

    own = back(log.catalogue(), find(ERRORS, tenant="acme"))
    assert {line["event"] for line in own} == {"own", "own by name", "own by name, too"}
    assert {line["event"] for line in back(log.catalogue(), find(ERRORS))} == {"own"}
    assert len(back(log.catalogue(), find(ERRORS, tenant_id=None))) == 6


def test_members_that_are_not_shown_are_not_searched(log: Written) -> None:
    """Or anyone who may not see a stack could find out what is in it."""
    log.add(NOON, event="failed", exception={"stack": "secret place"}, trace_id="0" * 32)

    assert len(back(log.catalogue(), find(text="secret PLACE"))) == 1
    only = ("at", "event")
    assert back(log.catalogue(), find(text="secret place", only=only)) == []
    (line,) = back(log.catalogue(), find(text="FAILED", only=only))
    assert line.keys() == {"at", "event"}
    (line,) = back(log.catalogue(), find(trace_id="0" * 32, only=only))
    assert line.keys() == {"at", "event"}


def test_audit_records_are_searched_over_the_months(tmp_path: Path) -> None:
    """Also where a clock was set back: a month's file then goes on with earlier times."""
    write(tmp_path, NOVEMBER, DECEMBER, NOVEMBER)
    catalogue = LogCatalogue(tmp_path, None)
    ask = SearchLogs(AUDIT, None)

    assert [record["seq"] for record in back(catalogue, ask)] == [3, 2, 1]
    assert [record["seq"] for record in on(catalogue, ask)] == [1, 2, 3]
    assert [r["seq"] for r in back(catalogue, ask._replace(until=NOVEMBER + 1))] == [3, 1]
    assert [r["seq"] for r in back(catalogue, ask._replace(since=NOVEMBER + 1))] == [2]
    assert back(catalogue, ask._replace(tenant_id="none such")) == []


def test_what_is_no_audit_record_is_not_shown_as_one(tmp_path: Path) -> None:
    """Anyone who reads the log is to see records, or that there is none."""
    write(tmp_path, NOVEMBER)
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("a") as file:
        file.write('{"at":"2026-11-24T00:00:00Z","action":"made.up"}\n')

    assert [
        record["seq"] for record in back(LogCatalogue(tmp_path, None), SearchLogs(AUDIT, None))
    ] == [1]


# ---------------------------------------------------------------- bounds


class Watch:
    """A clock that each look at it moves on."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


@pytest.mark.parametrize("way", [back, on])
def test_a_long_search_pauses_often_and_ends_in_time(
    log: Written,
    way: Callable[[LogCatalogue, SearchLogs], list[Record]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the page has a cursor, and nothing is lost on the way."""
    monkeypatch.setattr("actors.log.daily.blocks.FIRST_BYTES", 100)
    monkeypatch.setattr("actors.log.daily.blocks.MAX_BYTES", 100)
    for number in range(200):
        log.add(NOON + number * HOUR / 4)
    ask = find() if way is back else find(after="0000-00.0")
    slow = Search(ask, log.catalogue(), Watch(module.WORK_SECONDS / 20))
    steps, pauses = slow.steps(), 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            page = end.value
            break
        pauses += 1

    assert 2 < pauses <= 20
    assert 0 < len(page["lines"]) < 100
    monkeypatch.setattr(module, "WORK_SECONDS", 0.0)  # a block a page
    found = way(log.catalogue(), find())
    numbers = [line["number"] for line in found]
    assert numbers == sorted(range(200), reverse=way is back)
    assert found[: len(page["lines"])] == page["lines"]

"""scripts/endure: a short run of each harness keeps its promises, and what is broken is seen; no timing."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pytest

from scripts.benchmark.peers import HERE
from scripts.endurance import verdict as files
from scripts.endurance.connection import NoReply
from scripts.endurance.faults import NoCompiler
from scripts.endurance.load import Answer, Sent, Window, answer, compare, own_index
from scripts.endurance.server import Installation
from scripts.endurance.services import SilentService
from scripts.endurance.trials import (
    blocked,
    browsers,
    failing_version,
    fuzz,
    hanging_connector,
    intent,
    kill,
    memory,
    migrate,
    outbox_kill,
    pages,
    siege,
    swap,
    syncs,
    watched,
)
from scripts.endurance.trials.passivation import Touch, wrong_row
from scripts.endurance.trials.swap import FIRST, ServedPeriod
from scripts.endurance.trials.swap import judge as judge_versions
from scripts.endurance.verdict import Ledger, Report, judge

pytestmark = pytest.mark.usefixtures("forked_servers")

KILL = kill.FULL._replace(rounds=2, tenants=2, seconds=0.3, within=60.0)
BLOCKED = blocked.FULL._replace(
    trials=1, tenants=2, threads=2, rate=50.0, seconds=0.3, ratio=1e6, relief=60.0
)
FUZZ = fuzz.QUICK._replace(frames=4_000, connections=2, growth=1e6)
SYNCS = syncs.FULL._replace(tenants=2, writes=20, orders=2)
MEMORY = memory.FULL._replace(parts=15_000, part_bytes=700, within=60.0)
SWAP = swap.FULL._replace(swaps=8, messages=400, tenants=4, in_flight=32)
HANGING = hanging_connector.FULL._replace(pairs=2, tenants=2, in_flight=8, seconds=0.3, ratio=0.0)
SIEGE = siege.FULL._replace(seconds=2.0, least_ms=60_000.0, shapes="leave,deaf,heavy,flood:60")
BROWSERS = browsers.FULL._replace(
    idle=20, busy=5, pause=0.05, flood=1, seconds=0.3, least_ms=60_000.0
)
PAGES = pages.FULL._replace(tenants=30, functions=20, lines=700, looks=1, milliseconds=60_000.0)
WATCHED = watched.FULL._replace(pairs=1, seconds=0.3, settle=0.1, share=1e6)
INTENT = intent.FULL._replace(calm=0.2, slow="30ms", rate=50.0, least_ms=60_000.0)
FAILING = failing_version.FULL._replace(trials=1, messages=200, tenants=6, in_flight=32)


def quietly(_line: str) -> None:
    """No caller waits for these runs."""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A harness as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.endurance", *arguments, f"--folder={folder}"],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name: a server's socket below it has at most 107 bytes for its path."""
    return tmp_path_factory.mktemp("e")


# The trials


def test_killed_servers_lose_nothing_and_a_loss_would_be_seen(tmp_path: Path) -> None:
    """The same check, on the files as the server left them and on files that were tampered with."""
    with kill.Trial(KILL, tmp_path) as trial:
        trial.round(0)
        trial.round(1)
    sound, tampered = Report("sound"), Report("tampered with")
    trial.add_to(sound)
    trial.add_files_to(sound)
    assert not sound.broken, list(sound.lines())

    one, other = files.tenant_files(tmp_path / "data").values()
    with closing(sqlite3.connect(one)) as file, file:
        file.execute("DELETE FROM contacts WHERE id = 1")
    with closing(sqlite3.connect(other)) as file, file:
        file.execute(
            "INSERT INTO contacts SELECT 999999, name, NULL, NULL, NULL, '', '', '' FROM contacts LIMIT 1"
        )

    trial.add_files_to(tampered)
    said = "\n".join(tampered.lines())
    assert "1 lost, 1 doubled, 0 changed, 0 unknown" in said
    assert said.count("BROKEN") == 2
    assert said.count("contacts_fts: ") == 2


def test_nothing_acknowledged_is_lost_with_the_power_after_failed_syncs(tmp_path: Path) -> None:
    """Nor would a loss go unseen: marks that are taken away afterwards are missing."""
    try:
        trial = syncs.Trial(SYNCS, tmp_path)
    except NoCompiler as missing:
        pytest.skip(str(missing))
    with trial:
        trial.round("tenant", "always", recovers=True)
    sound, tampered = Report("sound"), Report("tampered with")
    trial.add_to(sound)
    assert not sound.broken, list(sound.lines())
    assert trial.seen["syncs that failed"]

    for path in files.tenant_files(tmp_path / "site" / "data").values():
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("DELETE FROM marks")
    trial.look("tampering")
    trial.add_to(tampered)
    assert trial.seen["writes missing"] == 20
    assert "\n".join(tampered.lines()).count("BROKEN") == 1


def test_functions_that_misbehave_get_the_right_replies_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As few blocking as leave a thread, as many as there are threads, and one more."""
    monkeypatch.setattr(blocked, "WARM_UP", 0.2)
    report = blocked.run(BLOCKED, tmp_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert [f"{n} blocking: each answered ok" in said for n in (1, 2, 3)] == [True] * 3


def test_a_message_of_very_many_parts_fills_no_memory_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    """Its sender is cut off where it is past its bound in bytes."""
    report = memory.run(MEMORY, tmp_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert said.count("the process survived") == 2


def test_peers_of_bad_will_end_no_server_and_fill_no_memory(tmp_path: Path) -> None:
    """Nothing goes wrong for another tenant meanwhile."""
    report = siege.run(SIEGE, tmp_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert said.count("the server lives") == len(SIEGE.shapes.split(","))


@pytest.mark.timeout(180)
def test_pages_and_a_flood_without_a_token_leave_another_client_served(tmp_path: Path) -> None:
    report = browsers.run(BROWSERS, tmp_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert "20 idle and 5 busy WebSockets" in said


@pytest.mark.timeout(180)
def test_each_page_and_command_answers_when_there_is_much_to_show(short_path: Path) -> None:
    report = pages.run(PAGES, short_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert "owner: /tenants/full/log" in said
    assert "console: trace" in said


@pytest.mark.timeout(180)
def test_both_dashboards_watch_while_adds_are_measured(short_path: Path) -> None:
    report = watched.run(WATCHED, short_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert "watching costs" in said


def test_attackers_get_little_and_others_notice_nothing(short_path: Path) -> None:
    """An enumeration, a bulk delete, a token spray and a stolen token; the owner reads each step."""
    report = intent.run(INTENT, short_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert said.count("the owner reads suspend") == 3
    assert "1 x permission_denied" in said


def test_frames_that_are_almost_requests_get_their_own_replies(tmp_path: Path) -> None:
    """And the server goes on."""
    report = fuzz.run(FUZZ, tmp_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    for code in ("ok", "invalid_argument", "unauthenticated", "not_found", "permission_denied"):
        assert code in said


def test_a_wrong_reply_would_be_seen() -> None:
    """Twice, in the other encoding, or of a defect; one under an id that was changed says nothing."""
    connections = fuzz.Connections("tcp://127.0.0.1:1", 1)
    right = {"v": 1, "id": fuzz.MARK, "ok": True, "result": {}, "meta": {}}
    connections.waiting = {fuzz.MARK: False, "f1": False, "f2": True}
    connections.taken(msgpack.packb(right))
    connections.taken(msgpack.packb({**right, "id": "w1"}))
    assert connections.wrong == []
    connections.taken(msgpack.packb(right))
    connections.taken(json.dumps({**right, "id": "f1"}).encode())
    error = {"code": "internal", "message": "a defect"}
    connections.taken(
        json.dumps({"v": 1, "id": "f2", "ok": False, "error": error, "meta": {}}).encode()
    )
    said = " ".join(connections.wrong)
    assert [words in said for words in ("twice", "other encoding", "a defect")] == [True] * 3
    connections.close()


@pytest.mark.parametrize(("each", "grows"), [(0.0, False), (0.5, False), (5.0, True)])
def test_memory_that_stays_is_told_from_a_warm_up_and_from_noise(each: float, grows: bool) -> None:
    """100 MB come in the warm-up, 4 MB come and go, and so many more come with each million frames."""
    figures = (int((100 + 4 * (n % 2) + n * each) * 1e6) for n in count())
    read = (int(1e6), *islice(figures, 30))
    growth = fuzz.Growth(iter(read).__next__, warm_up=1_000_000)
    for millions in range(1, 32):
        growth.look(millions * 1_000_000)

    slope, noise = growth.per_million()

    assert slope == pytest.approx(each, abs=0.1)
    assert (slope - noise > fuzz.FULL.growth) == grows


def test_while_a_connector_hangs_the_same_tenants_are_served(tmp_path: Path) -> None:
    """All that may hang do, the others wait for their turn, and all of them are done in the end."""
    report = hanging_connector.run(HANGING, tmp_path, quietly)
    said = "\n".join(report.lines())
    assert not report.broken, said
    assert "16 connections at the least" in said
    assert "once the service speaks: 48 of 48" in said


def test_a_loss_of_throughput_would_be_seen(tmp_path: Path) -> None:
    """By the median of the pairs."""
    with SilentService() as silence:
        trial = hanging_connector.Trial(HANGING._replace(ratio=0.9), tmp_path, silence)
    report = Report("slow")
    trial.held = [16]
    trial.endings[""] = 48
    trial.pairs = [
        (hanging_connector.Window(100.0, Counter()), hanging_connector.Window(rate, Counter()))
        for rate in (95.0, 89.0, 80.0)
    ]
    trial.add_to(report)
    assert report.broken
    assert "keeps 0.890 of its throughput" in "\n".join(report.lines())


def test_migrations_under_load_lose_nothing_and_go_on_after_a_kill(tmp_path: Path) -> None:
    plan = migrate.FULL._replace(tenants=12, loaded=4, calm=100)
    report = migrate.run(plan, tmp_path, quietly)
    assert not report.broken, "\n".join(report.lines())


def test_swaps_under_load_lose_nothing_and_another_version_would_be_seen(tmp_path: Path) -> None:
    """The same check, on the files as the server left them and on a mark that is signed by the other."""
    installation = Installation(
        tmp_path, ["one", "two"], {"environment": SWAP.environment}, own_index(tmp_path)
    )
    server = installation.start()
    try:
        trial = swap.Trial(SWAP, server, installation)
        trial.run(quietly)
    finally:
        server.end()
    sound = Report("sound")
    trial.add_to(sound, compare(installation.data, trial.traffic))
    said = "\n".join(sound.lines())
    assert not sound.broken, said
    assert "8 in " in said

    with closing(sqlite3.connect(files.tenant_files(installation.data)["one"])) as file, file:
        file.execute(
            "UPDATE marks SET text = 3 - substr(text, 1, 1) || substr(text, 2) WHERE id = 7"
        )
    found = compare(installation.data, trial.traffic)
    assert (found.lost, found.unknown, found.sound) == (1, 1, False)


@pytest.mark.parametrize("environment", failing_version.WAY)
def test_a_version_that_begins_to_fail_is_taken_out_and_few_notice(
    tmp_path: Path, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once so that every thread is in it when it does."""
    monkeypatch.setattr(failing_version, "HOLDS", (0.05,))
    report = failing_version.run(FAILING._replace(environment=environment), tmp_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert said.count("1 of 1") == len(failing_version.PROMISES)


def test_killed_servers_deliver_everything_once_that_was_sent(tmp_path: Path) -> None:
    """With a peer that fails a third of its calls."""
    plan = outbox_kill.FULL._replace(rounds=2, tenants=2, sends=60, in_flight=16)
    report = outbox_kill.run(plan, tmp_path, quietly)

    said = "\n".join(report.lines())
    assert not report.broken, said
    assert said.count("kept  ") == 7


# The command


def test_a_promise_that_is_broken_shows_in_the_exit_status(short_path: Path) -> None:
    """Memory may not shrink to less than nothing; the other promises of a small crowd are kept."""
    run = start(short_path, "crowd", "--tenants=12", "--resident=3", "--touches=4", "--growth=-2")
    output, errors = run.communicate()

    assert run.returncode == 1, errors
    assert "kept    every reply is right: 48 of 48 touches" in output
    assert "kept    descriptors are bounded by 3 x 3 + 128 = 137" in output
    assert "BROKEN  memory levels off" in output
    assert not list(short_path.iterdir())


def test_a_run_that_keeps_everything_exits_0(short_path: Path) -> None:
    """And leaves nothing behind."""
    run = start(short_path, "kill", "--quick", "--rounds=1", "--seconds=0.3", "--within=60")
    output, errors = run.communicate()

    assert run.returncode == 0, errors
    assert "BROKEN" not in output
    assert not list(short_path.iterdir())


def test_an_interrupted_run_ends_its_server_and_removes_its_data(short_path: Path) -> None:
    """As after Ctrl-C."""
    run = start(short_path, "kill", "--seconds=60")
    assert run.stderr is not None
    assert run.stderr.readline().startswith("round 1")
    children = psutil.Process(run.pid).children(recursive=True)

    run.send_signal(signal.SIGINT)
    _, errors = run.communicate()

    assert run.returncode == 130, errors
    assert len(children) == 2, "the server, and its watchdog"
    assert not any(child.is_running() for child in children)
    assert not list(short_path.iterdir())


# What they judge by


def call(key: str, name: str = "parcel", *, acted: bool = True) -> dict[str, object]:
    """A line of the peer's ledger."""
    return {"key": key, "name": name, "acted": acted, "came": True}


SOUND = ({"k1": "parcel"}, Counter({"k1": 1}), 0, [call("k1"), call("k1", acted=False)], {"k1"})


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({}, None),
        ({3: [call("k1", acted=False)]}, 0),
        ({3: [call("k1"), call("k1")]}, 1),
        ({3: [call("k1"), call("k2")]}, 2),
        ({3: [call("k1", outbox_kill.ROLLED_BACK)]}, 3),
        ({4: {"k1", "k2"}}, 4),
        ({1: Counter()}, 5),
        ({1: Counter({"k1": 2})}, 5),
        ({1: Counter({"k1": 1, "k2": 1})}, 5),
        ({2: 1}, 6),
    ],
)
def test_a_delivery_that_is_lost_doubled_or_made_up_is_noticed(
    changed: dict[int, Any], at: int | None
) -> None:
    """One thing wrong breaks one promise."""
    given: Any = [changed.get(number, value) for number, value in enumerate(SOUND)]
    broken = [n for n, (_, kept) in enumerate(outbox_kill.judged(*given)) if not kept]
    assert broken == ([] if at is None else [at])


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [([7], []), ([], ["lost"]), ([7, 8], ["doubled"]), ([7, 7], ["doubled"]), ([8], ["changed"])],
)
def test_an_add_is_there_once_as_acknowledged_or_something_is_wrong(
    rows: list[int], verdict: list[str]
) -> None:
    """Contact 7 was acknowledged."""
    assert list(judge(rows, 7)) == ["looked for", *verdict]


def test_the_ledger_notices_two_contacts_for_one_id() -> None:
    """The worst that a server can say."""
    ledger = Ledger(["acme"])
    (call,) = islice(ledger.adds(), 1)
    ledger.take({"id": call.id, "ok": True, "result": {"id": 1}})
    ledger.take({"id": call.id, "ok": True, "result": {"id": 1}})
    with pytest.raises(NoReply, match="two contacts"):
        ledger.take({"id": call.id, "ok": True, "result": {"id": 2}})


def test_a_refusal_acknowledges_nothing() -> None:
    """It is counted, and the id is sent again."""
    ledger = Ledger(["acme"])
    (call,) = islice(ledger.adds(), 1)
    ledger.take({"id": call.id, "ok": False, "error": {"code": "unavailable", "message": "wait"}})
    assert ledger.unacknowledged() == [call]
    assert ledger.refused == Counter({"unavailable: wait": 1})


def test_a_row_of_another_tenant_is_noticed() -> None:
    """The one thing that must never be."""
    touch = Touch(3, "acme")
    assert wrong_row(touch, touch.name) == ""
    assert "acme was shown 'globex was touched" in wrong_row(touch, Touch(4, "globex").name)


SWAPPED = [FIRST, ServedPeriod(2, ordered=10.0, acknowledged=11.0, flushed=12.0)]


@pytest.mark.parametrize(
    ("sent", "received", "version", "verdict"),
    [
        (8.0, 9.0, 1, {"sent after": 1}),
        (8.0, 9.0, 2, {"sent after": 1, "sent after, wrong": 1}),
        (9.0, 10.5, 1, {"under way": 1}),
        (9.0, 11.5, 1, {"under way": 1}),
        (9.0, 11.5, 2, {"under way": 1}),
        (9.0, 12.5, 2, {"came after": 1}),
        (9.0, 12.5, 1, {"came after": 1, "came after, wrong": 1}),
        (11.1, 11.5, 1, {"sent after": 1, "sent after, wrong": 1}),
    ],
)
def test_from_an_acknowledgement_on_only_one_version_may_answer(
    sent: float, received: float, version: int, verdict: dict[str, int]
) -> None:
    """Until then it may be either; what was on its way has come when the ping's answer has."""
    reply = Answer("id", "acme", sent, received, "ok", "", version, "newest", "trace")
    assert +judge_versions(SWAPPED, [reply]) == Counter(verdict)


def test_a_reply_that_speaks_of_two_versions_is_wrong() -> None:
    """The engine says who answered, and so does the function."""
    said = {"ok": True, "result": {"version": 1}, "meta": {"version": 2, "trace_id": "t"}}
    told = answer("id", Sent("acme", 1.0), 2.0, said)
    assert told.wrong == "version 2 is said to have answered, and 1 did"


def test_a_report_that_promises_nothing_has_shown_nothing() -> None:
    """An empty run must not pass for a good one."""
    report = Report("empty")
    states = [report.broken]
    for kept in (True, False, True):
        report.promise("something", kept)
        states.append(report.broken)
    assert states == [True, False, True, True]


def test_percentiles_of_a_window_are_values_that_were_measured() -> None:
    """In milliseconds."""
    window = Window([0.001, 0.004, 0.002, 0.003], Counter())
    assert [window.percentile(share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 3.0, 4.0, 4.0]

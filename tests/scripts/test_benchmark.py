"""scripts/bench: that it works, refuses wrong answers and cleans up; never how fast anything is."""

from __future__ import annotations

import json
import re
import runpy
import signal
import sqlite3
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from actors.assembly.provisioning import create_tenants
from scripts.benchmark import growth
from scripts.benchmark.__main__ import paces
from scripts.benchmark.child import Child, ChildFailed
from scripts.benchmark.contacts import INSERT, SCHEMA, add, connect, contact, fill
from scripts.benchmark.load import Answer, LoadFailed, LoadResult, check
from scripts.benchmark.load_http import complete
from scripts.benchmark.noise import Calibration, OtherLoad
from scripts.benchmark.peers import HERE, Floor, argument
from scripts.benchmark.plan import (
    ADD,
    FASTAPI,
    FLOOR,
    GET,
    PEERS,
    TENANTRY,
    Call,
    Cell,
    Plan,
    calls,
    preload,
)
from scripts.benchmark.plan import QUIET as WITHOUT_LOGS
from scripts.benchmark.report import BEGIN, END, NoPlace, table, write_into
from scripts.benchmark.result import figures
from scripts.benchmark.run import Measurement, percentile, rate, run

MIGRATION = "actors/tenant/functions/migrations/versions/0001_contacts.py"
TINY = ["--tenants=2", "--rounds=1", "--seconds=0.05", "--warm-up=0", "--rows=3"]
QUIET = OtherLoad(others=0.01, stolen=0.0)
STEADY = Calibration(cpu_ms=1.2, fsync_us=200.0)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The benchmark as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.benchmark", f"--folder={folder}", *TINY, *arguments],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_short_run_measures_every_peer_in_every_cell(tmp_path: Path) -> None:
    """Table, JSON and picture come out, and nothing is left in the folder."""
    work, json_file, picture = tmp_path / "work", tmp_path / "b.json", tmp_path / "b.png"
    process = start(work, f"--json={json_file}", f"--plot={picture}", "--ceiling", "--pace=400")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    document = json.loads(json_file.read_text())
    assert [(cell["action"], cell["tenants"], cell["pace"]) for cell in document["cells"]] == [
        (ADD, 2, ""),
        (ADD, 2, "400"),
        (GET, 2, ""),
        (GET, 2, "400"),
    ]
    for cell in document["cells"]:
        assert set(cell["peers"]) == set(PEERS)
        assert set(cell["ratios"]) == {"tenantry/floor", "tenantry/fastapi"}
        assert all(peer["rate"]["median"] > 0 for peer in cell["peers"].values())
        least = 20 if cell["pace"] else 256  # a twentieth of a second at 400 in one
        assert all(peer["messages"] >= least for peer in cell["peers"].values())
    assert "replies/s" in output
    assert output.count(TENANTRY) >= 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not list(work.iterdir())


@pytest.mark.usefixtures("forked_servers")
def test_growth_is_measured_on_as_many_as_it_says(tmp_path: Path) -> None:
    """What grew is counted in the server's files, and every call was answered."""
    sizes = growth.Sizes(registered=[], awake=[1, 2], contacts=[2, 1003], messages=5)
    found = list(growth.measure(sizes, tmp_path))
    assert [(each.what, each.size) for each in found] == [
        ("awake tenants", 1),
        ("awake tenants", 2),
        ("contacts of one tenant", 2),
        ("contacts of one tenant", 1003),
    ]
    files = (tmp_path / "served" / "tenants").glob("*.db")
    *awake, grown = sorted(counted(each, "contacts") for each in files)
    assert sum(awake) == 2 + 2 * 5  # one to each, and two measurements
    assert grown == 1003
    assert growth.as_table(iter(found)).row_count == len(found)


def test_tenants_that_are_only_registered_have_an_owner_and_a_token(tmp_path: Path) -> None:
    create_tenants(tmp_path, ["first"])
    before = {name: counted(tmp_path / "directory.db", name) for name in OF_EACH}
    growth.register(tmp_path / "directory.db", 3)
    after = {name: counted(tmp_path / "directory.db", name) for name in OF_EACH}
    assert after == {name: count + 3 for name, count in before.items()}
    assert len(list((tmp_path / "tenants").glob("*.db"))) == 1


OF_EACH = ("tenants", "people", "tokens")


def test_growth_fails_loudly_where_a_call_is_refused() -> None:
    class Refusing:
        """A client whose second call is answered with an error."""

        def pack(self, call: Call) -> bytes:
            """Its id."""
            return call.id.encode()

        def drive(self, bodies: Sequence[bytes], _seconds: float) -> LoadResult:
            """Number and verdict."""
            answers = [Answer(n, 0.0, "internal: x" if n == 1 else "", {}) for n in range(2)]
            return LoadResult(0.0, [0.0] * len(bodies), answers)

        def drive_at(self, bodies: Sequence[bytes], _pace: float) -> LoadResult:
            """As without a pace."""
            return self.drive(bodies, 0.0)

        def close(self) -> None:
            """Nothing is open."""

    with pytest.raises(LoadFailed, match="2 of 2 answered, 1 with an error"):
        growth.ask(Refusing(), growth.call(GET, ["a"], {"id": 1}, 2))


def counted(path: Path, table: str) -> int:
    """How many rows a table has."""
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_an_interrupted_run_ends_its_children_and_removes_its_data(tmp_path: Path) -> None:
    """As after Ctrl-C, which shells send to the benchmark alone: its children have their own session."""
    process = start(tmp_path, "--only=floor,fastapi", "--seconds=30")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("round 1"):
            break
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert len(children) == 2
    assert not any(child.is_running() for child in children)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_out_of_time_begins_no_further_round(tmp_path: Path) -> None:
    """So that --quick stays quick on a slow day; the first round is always whole."""
    plan = Plan(
        peers=(FLOOR,),
        actions=(ADD, GET),
        tenants=(1,),
        rounds=5,
        budget=0.0,
        seconds=0.02,
        warm_up=0.0,
        rows=3,
        folder=tmp_path,
        flags={},
        against=None,
        pool_size=1,
    )
    measured = list(run(plan, [Floor()], lambda _line: None))
    assert [(one.round, one.cell.action) for one in measured] == [(0, GET), (0, ADD)]


def test_a_server_that_does_not_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    """Here it lacks its arguments."""
    child = Child("scripts.benchmark.baselines", [], tmp_path / "floor.log", HERE)
    with pytest.raises(ChildFailed, match=r"baselines did not get ready(.|\n)*--data"):
        child.wait_ready()


def shape(connection: sqlite3.Connection) -> dict[str, object]:
    """What costs time in an add: the columns and the index's definition."""
    index = "SELECT sql FROM sqlite_master WHERE name = 'contacts_fts'"
    return {
        "columns": connection.execute(
            "SELECT name, type, pk FROM pragma_table_info('contacts')"
        ).fetchall(),
        "index": [re.sub(r"\s+", "", sql) for (sql,) in connection.execute(index)],
    }


def test_the_peers_do_the_same_sql_work_as_tenantry(tmp_path: Path) -> None:
    """Their tables are those of the migration."""
    peer = connect(tmp_path / "peer.db")
    peer.executescript(SCHEMA)
    migrated = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    with migrated.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            runpy.run_path(str(HERE / MIGRATION))["upgrade"]()
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        assert shape(peer) == shape(driver)
    migrated.dispose()
    peer.close()


@pytest.mark.parametrize("trigger", [False, True])
def test_what_a_peer_adds_can_be_found(tmp_path: Path, trigger: bool) -> None:
    """Whether its index is kept by a statement (the floor) or by a trigger (FastAPI)."""
    fill(tmp_path / "peer", ["a"], 3, trigger)
    connection = connect(tmp_path / "peer" / "a.db")
    if trigger:
        connection.execute(INSERT, (*contact(4).values(), "now", "now"))
    else:
        assert add(connection, contact(4), "now") == 4
    found = "SELECT rowid FROM contacts_fts WHERE contacts_fts MATCH 'lovelace'"
    assert connection.execute(found).fetchall() == [(1,), (2,), (3,), (4,)]
    connection.close()


def result(results: Sequence[dict[str, int]], sent: int | None = None) -> LoadResult:
    """Answers to requests 0, 1, 2 … a tenth of a second apart."""
    answers = [Answer(number, 0.1 * number, "", result) for number, result in enumerate(results)]
    return LoadResult(0.0, [0.0] * (len(results) if sent is None else sent), answers)


def test_right_answers_pass() -> None:
    """One new id for each add of a tenant, the asked row for each get."""
    adds = [Call(str(n), "a", ADD, contact(n)) for n in range(2)]
    check("peer", adds, result([{"id": 1}, {"id": 2}]))
    check("peer", [Call("0", "a", GET, {"id": 7})], result([{"id": 7}]))


@pytest.mark.parametrize(
    ("action", "wrong", "words"),
    [
        (GET, result([{"id": 1}, {"id": 9}]), "1 x contacts.get answered another row"),
        (ADD, result([{"id": 1}, {"id": 1}]), "1 x contacts.add gave one id twice"),
        (ADD, result([{"id": 1}], sent=2), "1 x no answer"),
        (
            ADD,
            LoadResult(0.0, [0.0], [Answer(0, 0.0, "unavailable: stopping", {})]),
            "1 x unavailable: stopping",
        ),
    ],
)
def test_wrong_answers_fail_loudly(action: str, wrong: LoadResult, words: str) -> None:
    """A benchmark of errors would be fast and worthless."""
    asked = [Call(str(n), "a", action, {"id": n + 1}) for n in range(2)]
    with pytest.raises(LoadFailed, match=words):
        check("peer", asked, wrong)


def test_calls_touch_every_tenant_and_repeat_for_the_same_seed() -> None:
    """Every peer is asked the same things in the same order."""
    cell = Cell(GET, 16)
    first = [call for _, call in zip(range(100), calls(cell, "x", 1, 5), strict=False)]
    again = [call for _, call in zip(range(100), calls(cell, "x", 1, 5), strict=False)]
    assert first == again
    assert {call.tenant for call in first[:16]} == set(cell.names())
    assert len({call.id for call in first}) == 100
    assert {call.params["id"] for call in first} <= set(range(1, 6))


def test_preloading_gives_each_tenant_its_contacts_in_order() -> None:
    """So that ids 1 to n are contacts 1 to n in every peer."""
    made = list(preload(["a", "b"], 3))
    assert [call.params for call in made if call.tenant == "b"] == [contact(n) for n in (1, 2, 3)]


def test_a_reply_is_complete_when_its_body_is() -> None:
    """Heads may come in any case and bodies in pieces; a closed connection is an error."""
    whole = b"HTTP/1.1 200 OK\r\nCONTENT-length: 9\r\nx: y\r\n\r\n" + b'{"id": 1}'
    assert complete(whole)
    assert not any(complete(whole[:end]) for end in range(1, len(whole)))
    with pytest.raises(LoadFailed, match="closed"):
        complete(b"")


def test_replies_after_the_last_send_do_not_count_towards_the_rate() -> None:
    """Ten replies, a tenth of a second apart, in a stretch of half a second."""
    assert rate(result([{"id": 1}] * 10), 0.5) == pytest.approx(6 / 0.5)
    assert rate(result([{"id": 1}] * 10), 5.0) == pytest.approx(10 / 0.9)


def test_percentiles_of_few_values() -> None:
    """The ends are values that were measured."""
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert percentile([1.0], 0.99) == 1.0


def measurement(number: int, peer: str, reached: float, crowd: OtherLoad = QUIET) -> Measurement:
    """One stretch of `contacts.add` at 16 tenants."""
    cell = Cell(ADD, 16)
    return Measurement(number, cell, peer, 1000, reached, 5.0, 9.0, 11.0, 50.0, STEADY, crowd)


def rounds(ratios: Sequence[float], crowd: OtherLoad = QUIET) -> list[Measurement]:
    """Rounds in which the floor's speed doubles each time, but Tenantry's share is as given."""
    measured = []
    for number, share in enumerate(ratios):
        floor = 1000.0 * 2**number
        measured.append(measurement(number, FLOOR, floor, crowd))
        measured.append(measurement(number, TENANTRY, floor * share, crowd))
        measured.append(measurement(number, FASTAPI, floor / 10, crowd))
    return measured


def test_ratios_are_taken_within_rounds() -> None:
    """A machine that changes its speed between rounds does not change them."""
    (cell,) = figures(rounds([0.4, 0.5, 0.45]))
    assert cell.ratios[FLOOR].median == pytest.approx(0.45)
    assert (cell.ratios[FLOOR].low, cell.ratios[FLOOR].high) == pytest.approx((0.4, 0.5))
    assert cell.ratios[FASTAPI].median == pytest.approx(4.5)
    assert cell.peers[FLOOR].rate.median == 2000
    assert not cell.doubts


def test_at_a_fixed_pace_the_ratios_are_those_of_p99() -> None:
    """All peers have one rate then."""
    measured = [
        replace(measurement(0, peer, 400.0), cell=Cell(ADD, 16, "400"), p99_ms=p99, cpu_us=cpu)
        for peer, p99, cpu in ((FLOOR, 2.0, 50.0), (TENANTRY, 3.0, 100.0), (FASTAPI, 12.0, 900.0))
    ]
    (cell,) = figures(measured)
    assert cell.ratios[FLOOR].median == pytest.approx(1.5)
    assert cell.ratios[FASTAPI].median == pytest.approx(0.25)
    assert cell.cpu[FLOOR].median == pytest.approx(2.0)


def test_a_pace_is_a_number_or_half_of_what_was_reached() -> None:
    """Of each peer's own, so that slow ones are not drowned."""
    assert Cell(ADD, 16).requests_per_second(1000.0) is None
    assert Cell(ADD, 16, "400").requests_per_second(1000.0) == 400.0
    assert Cell(ADD, 16, "half").requests_per_second(1000.0) == 500.0
    assert str(Cell(ADD, 1, "half")) == "contacts.add, 1 tenant, half its load"
    with pytest.raises(ArgumentTypeError, match="requests per second, or half"):
        paces("400,often")


def test_a_table_is_written_between_the_marks_of_a_page(tmp_path: Path) -> None:
    """What is around them stays, and a page without marks is not touched."""
    page, measured = tmp_path / "page.md", rounds([0.4, 0.5, 0.45])
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_into(page, figures(measured), measured)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| ")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "| contacts.add, 16 tenants | 2,000, 9.0, 50 |" in text
    assert "0.45 (0.40–0.50)" in text
    assert "believe, by the signs below: 0 of 1 rows." in text
    assert "old" not in text
    page.write_text("nothing")
    with pytest.raises(NoPlace, match=r"page\.md has no place"):
        write_into(page, figures(measured), measured)
    assert page.read_text() == "nothing"


def test_random_ids_are_different_and_keep_their_number_at_the_end() -> None:
    """Replies are matched by it."""
    made = [
        call.id
        for _, call in zip(
            range(50), calls(Cell(GET, 2), "m-", 1, 5, random_ids=True), strict=False
        )
    ]
    assert made != sorted(made)
    assert [int(each[-6:], 16) for each in made] == list(range(50))
    assert max(map(len, made)) <= 64


def test_what_was_not_asked_for_has_no_column() -> None:
    """What the tenants' logs cost is one of the ratios on request."""
    usual = figures(rounds([0.5]))
    assert "of quiet" not in [column.header for column in table(usual).columns]
    compared = figures([*rounds([0.5]), measurement(0, WITHOUT_LOGS, 625.0)])
    assert compared[0].ratios[WITHOUT_LOGS].median == pytest.approx(0.8)
    assert "of quiet" in [column.header for column in table(compared).columns]


def test_switches_are_flags_without_a_value() -> None:
    """As the server's command line has them."""
    given = {"log-tenants": "false", "demo": "true", "threads": "8"}
    assert [argument(*each) for each in given.items()] == [
        "--no-log-tenants",
        "--demo",
        "--threads=8",
    ]


def test_ratios_that_wander_are_not_believed() -> None:
    """One outlier among five is what medians are for; half of them is too many."""
    (steady,) = figures(rounds([0.4, 0.41, 0.4, 0.39, 0.9]))
    assert not steady.doubts
    (wandering,) = figures(rounds([0.4, 0.41, 0.7, 0.39, 0.9]))
    assert any("ratio to floor wanders" in doubt for doubt in wandering.doubts)


@pytest.mark.parametrize(
    ("crowd", "words"),
    [(OtherLoad(0.4, 0.0), "other processes"), (OtherLoad(0.0, 0.1), "hypervisor")],
)
def test_a_busy_machine_is_not_believed(crowd: OtherLoad, words: str) -> None:
    """Even when the ratios agree."""
    (cell,) = figures(rounds([0.4, 0.4, 0.4], crowd))
    assert any(words in doubt for doubt in cell.doubts)


def test_a_disk_that_does_not_sync_is_not_believed() -> None:
    """On a memory file system durability costs nothing, and nothing would be compared."""
    unsynced = [
        Measurement(**{**vars(one), "calibration": Calibration(1.2, 2.0)}) for one in rounds([0.4])
    ]
    (cell,) = figures(unsynced)
    assert any("no real disk" in doubt for doubt in cell.doubts)

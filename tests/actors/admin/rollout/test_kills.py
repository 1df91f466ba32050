"""`kill -9` at each step of an apply, a restore and a release of moves: before or after, never between.

One data directory is killed again and again: each start goes on with what the one before has left, up to
the next point.
"""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.registry.version_states import FILE
from tests.actors.admin.rollout.migrated_shop import MigratedShop
from tests.child import Child
from tests.killed import Point
from tests.raw_client import Map, RawClient

LEDGER = "actors.admin.directory.store:DirectoryStore.execute"
FILES = "actors.tenant.storage.files"

APPLYING = [
    Point(LEDGER, match="BeginRun.*'apply'"),
    Point(LEDGER, is_after=True, match="BeginRun.*'apply'"),
    Point(LEDGER, match="RecordSteps.*'started'"),
    Point(LEDGER, is_after=True, match="RecordSteps.*'started'"),
    Point(f"{FILES}:Storage.upgrade"),
    Point(f"{FILES}:copy_before_migration"),
    Point(f"{FILES}:copy_before_migration", is_after=True),
    Point("actors.tenant.storage.migrations:Migrations.upgrade", is_after=True),
    Point(LEDGER, match="RecordSteps.*'done'"),
    Point(LEDGER, is_after=True, match="RecordSteps.*'done'"),
    Point(LEDGER, match="EndRun.*'done'"),
    Point(LEDGER, is_after=True, match="EndRun.*'done'"),
]
"""In the order in which a run comes by."""

RESTORING = [
    Point(LEDGER, match="BeginRun.*'restore'"),
    Point(LEDGER, is_after=True, match="BeginRun.*'restore'"),
    Point(LEDGER, is_after=True, match="RecordSteps.*'started'"),
    Point(f"{FILES}:put_back"),
    Point("actors.tenant.storage.upgrades:_copy_sound", is_after=True),
    Point(f"{FILES}:put_back", is_after=True),
    Point(LEDGER, match="RecordSteps.*'done'"),
    Point(LEDGER, is_after=True, match="RecordSteps.*'done'"),
    Point(LEDGER, match="EndRun.*'done'"),
    Point(LEDGER, is_after=True, match="EndRun.*'done'"),
]

STATES = "actors.registry.version_states:StatesWithData.keep"
MOVING = [
    Point("actors.registry.idempotency:Receipts._write"),
    Point(STATES),
    Point("actors.registry.version_states:write_private"),
    Point("actors.registry.version_states:write_private", is_after=True),
    Point(STATES, is_after=True),
    Point("actors.registry.actor:Registry._publish", is_after=True),
]

TENANTS = [f"shop-{number}" for number in range(9)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MigratedShop]:
    """Tenants with a mark each, a release with a revision that a dry run has found sound, and no server."""
    with MigratedShop(tmp_path) as workshop:
        workshop.serve()
        for name in TENANTS:
            workshop.server.add_tenant(name)
            workshop.call("marks.add", name, text=f"mark of {name}")
        workshop.add_release("7")
        workshop.dry_run(release="7")
        workshop.paths = {name: workshop.path(name) for name in TENANTS}
        workshop.close()
        yield workshop


def kill(
    shop: MigratedShop,
    point: Point,
    monkeypatch: pytest.MonkeyPatch,
    order: Map,
    **settings: object,
) -> None:
    """Start a server that goes on, give it the order, and wait for its end."""
    for name, value in point.environment.items():
        monkeypatch.setenv(name, value)
    given: dict[str, Any] = {"data": shop.data, "registry": shop.index, **settings}
    with Child(program=("-m", "tests.killed"), **given) as child:
        if child.is_ready():
            token = (shop.data / "admin.token").read_text().strip()
            with RawClient(f"ipc://{shop.data / 'admin.sock'}") as raw_client:
                raw_client.post(token=token, **order)
                assert child.ended() == -signal.SIGKILL, point
        assert child.ended() == -signal.SIGKILL, point


def require_whole(shop: MigratedShop) -> list[int]:
    """Each tenant's file is as it was, or wholly migrated; how many revisions each has."""
    found = []
    for name, path in shop.paths.items():
        with closing(sqlite3.connect(path)) as driver:
            (version,) = driver.execute("PRAGMA user_version").fetchone()
            columns = [row[1] for row in driver.execute("PRAGMA table_info(marks)")]
            revision = version % 10_000
            assert ("place" in columns) == (revision == 2), name
            names = driver.execute("SELECT count(*) FROM tenantry_revisions").fetchone()
            assert names == (revision,), name
            texts = driver.execute("SELECT text FROM marks").fetchall()
            assert texts == [(f"mark of {name}",)]
            assert driver.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found.append(revision)
    return found


def require_served(shop: MigratedShop, tenants: Sequence[str] = TENANTS) -> None:
    """Every tenant answers."""
    for name in tenants:
        shop.server.add_tenant(name)
        assert shop.call("marks.count", name, text=f"mark of {name}")["result"] == {"count": 1}


def test_an_apply_killed_at_each_step_goes_on(
    shop: MigratedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = shop.digest
    order = {"action": "migrations.apply", "params": {"digest": digest, "release": "7"}}
    seen = []
    for point in APPLYING:
        kill(shop, point, monkeypatch, order)
        seen.append(sum(each == 2 for each in require_whole(shop)))
    assert seen == sorted(seen)
    assert seen[-1] == len(TENANTS)
    shop.serve()
    require_served(shop)
    status = shop.ended(2)
    assert (status["state"], status["done"]) == ("done", len(TENANTS) + 2)
    assert set(require_whole(shop)) == {2}


def test_a_folder_that_was_edited_meanwhile_ends_the_run(
    shop: MigratedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason; all are served, and it goes on once the folder is what it was."""
    order = {"action": "migrations.apply", "params": {"digest": shop.digest, "release": "7"}}
    kill(shop, Point(f"{FILES}:Storage.upgrade", is_after=True), monkeypatch, order)
    script = shop.data / "release" / "7" / "migrations" / "versions" / "0002_second.py"
    text = script.read_text()
    script.write_text(f"{text}# edited\n")
    shop.serve()
    stopped = shop.ended(2)
    assert stopped["state"] == "stopped"
    assert "was edited since: put it back" in stopped["error"]
    require_served(shop)
    script.write_text(text)
    run = shop.ask("migrations.apply", digest=shop.digest, release="7")["run"]
    assert shop.ended(run)["state"] == "done"


def test_a_restore_killed_at_each_step_goes_on(
    shop: MigratedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.serve()
    run = shop.apply(release="7")["run"]
    shop.close()
    order = {"action": "migrations.restore", "params": {"run": run}}
    seen = []
    for point in RESTORING:
        kill(shop, point, monkeypatch, order)
        seen.append(sum(each == 1 for each in require_whole(shop)))
    assert seen == sorted(seen)
    assert seen[-1] == len(TENANTS)
    shop.serve()
    require_served(shop)
    assert shop.status(run)["state"] == "restored"
    assert set(require_whole(shop)) == {1}


def test_moves_killed_at_each_step_are_all_made_or_none(
    shop: MigratedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent again with the same id, they are made once."""
    here = {"environment": "local-qa", "states": "data"}
    for number in (2, 3):
        shop.write(number, "under user test")
    shop.serve(**here)
    before = (shop.data / FILE).read_bytes()
    shop.close()
    moves = [{"function": "marks.add", "version": number, "to": "release"} for number in (2, 3)] + [
        {"function": "marks.add", "version": 1, "to": "reverted"}
    ]
    params = {"moves": moves, "why": "all of them", "release": "7"}
    for point in MOVING:
        (shop.data / FILE).write_bytes(before)
        (shop.data / "moves.json").unlink(missing_ok=True)
        order = {"id": "m-1", "action": "functions.release", "params": params}
        kill(shop, point, monkeypatch, order, **here)
        states = json.loads((shop.data / FILE).read_text())["versions"]["actions.marks.add"]
        assert [states[number]["state"] for number in "123"] in (
            ["release", "under user test", "under user test"],
            ["reverted", "release", "release"],
        )
    shop.serve(**here)
    token = (shop.data / "admin.token").read_text().strip()
    with RawClient(shop.server.system.admin_endpoint) as raw_client:
        done = raw_client.ask(token=token, **order)
    assert [each["to"] for each in done["result"]["moves"]] == ["release", "release", "reverted"]
    assert shop.states() == {3: "release", 2: "release", 1: "reverted"}

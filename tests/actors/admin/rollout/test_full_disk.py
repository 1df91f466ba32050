"""A disk that is full in the middle of an apply: each tenant wholly before or after, and it goes on."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scripts.endurance.faults import Calls, Faults, NoCompiler
from tests.actors.admin.rollout.migrated_shop import MigratedShop
from tests.child import Child
from tests.deadline import until
from tests.raw_client import RawClient

TENANTS = [f"shop-{number}" for number in range(4)]


def faults_of(tmp_path: Path, data: Path) -> Faults:
    """A disk that fails as planned; the test is skipped where none can be built."""
    try:
        return Faults(tmp_path / "faults", data)
    except NoCompiler as problem:
        pytest.skip(str(problem))


def prepared(tmp_path: Path) -> MigratedShop:
    """A data directory with a release that a dry run has found sound."""
    with MigratedShop(tmp_path) as shop:
        shop.serve()
        for name in TENANTS:
            shop.server.add_tenant(name)
            shop.call("marks.add", name, text=f"mark of {name}")
        shop.add_release("7")
        shop.dry_run(release="7")
        shop.paths = {name: shop.path(name) for name in (*TENANTS, "acme", "globex")}
    return shop


def revisions(path: Path) -> int:
    """Of a tenant's file, which is whole."""
    with closing(sqlite3.connect(path)) as driver:
        assert driver.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (version,) = driver.execute("PRAGMA user_version").fetchone()
    return int(version) % 10_000


def test_the_run_stops_at_the_tenant_that_finds_no_room_and_goes_on_when_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = prepared(tmp_path)
    faults = faults_of(tmp_path, shop.data)
    for name, value in faults.environment(power_cuts=False).items():
        monkeypatch.setenv(name, value)
    order = sorted(shop.paths, key=lambda name: shop.paths[name].name)
    victim = order[2]
    with Child(data=shop.data, registry=shop.index) as child:
        child.ready()
        token = (shop.data / "admin.token").read_text().strip()
        with RawClient(f"ipc://{shop.data / 'admin.sock'}") as raw_client:

            def ask(action: str, **params: Any) -> Any:
                reply = raw_client.ask(token=token, action=action, params=params)
                assert reply["ok"], reply
                return reply["result"]

            faults.fail(Calls.WRITE, f"{shop.paths[victim].name}-wal", errno.ENOSPC)
            run = ask("migrations.apply", digest=shop.digest, release="7")["run"]
            until(lambda: ask("migrations.status", run=run)["state"] != "running", "its end")
            stopped = ask("migrations.status", run=run)
            assert (stopped["state"], stopped["done"]) == ("stopped", 2)
            assert stopped["failed"][0]["tenant"] == victim
            assert "full" in stopped["error"]
            assert [revisions(shop.paths[name]) for name in order] == [2, 2, 1, 1, 1, 1]
            faults.mend()
            assert ask("migrations.apply", digest=shop.digest, release="7")["run"] == run
            until(lambda: ask("migrations.status", run=run)["state"] != "running", "its end")
            assert ask("migrations.status", run=run)["state"] == "done"
    assert [revisions(shop.paths[name]) for name in order] == [2] * 6
    faults.close()

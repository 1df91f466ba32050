"""Deploys with migrations: tried on copies of all tenants, made, and put back where nothing was written."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.host.released import current, read_journal
from scripts.releasing.deploy.place import Server
from scripts.releasing.deploy.procedure import TakenBack
from scripts.releasing.problem import ReleaseProblem
from tests.child import Child
from tests.scripts.releasing.knife import Killed, Knife
from tests.scripts.releasing.pilot import Pilot, endpoint_of
from tests.scripts.releasing.shop import MIGRATION
from transport.client import Client

KEEPING = '''"""orders.place, which keeps what is ordered."""

import sqlalchemy as sa

ADD = sa.insert(sa.table("orders0001", sa.column("id"))).values(id=sa.bindparam("id"))


def place(ctx, params):
    """Place an order."""
    ctx.db.run(ADD, {{"id": {number}}})
    return {{"cents": {number}}}
'''

PICKY = (
    MIGRATION.format(revision="0003", down="'0002'")
    + """
    if op.get_bind().exec_driver_sql("SELECT count(*) FROM orders0001").scalar():
        raise ValueError("there are orders")
"""
)

PICKY_AT_ONCE = PICKY.replace("0003", "0004").replace("0002", "0001").replace("0004", "0002")

STRIDE = 5
"""Of the effects of a deploy, those at which it is killed: each takes a second or two."""


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Pilot:
    """An environment whose first release is served, with a second one that has a migration."""
    found = Pilot(tmp_path_factory.mktemp("pilot"))
    found.deploy(found.build("orders.place@1"))
    found.write(3, KEEPING)
    second = MIGRATION.format(revision="0002", down="'0001'")
    found.shop.write("migrations/versions/0002_more.py", second)
    found.build("orders.place@3")
    return found


@pytest.fixture(scope="module")
def child(pilot: Pilot) -> Iterator[Child]:
    """Its server."""
    with pilot.start() as running:
        running.ready()
        yield running


def tables(pilot: Pilot) -> set[str]:
    """The tables of the only tenant's database."""
    (file,) = (pilot.data / "tenants").glob("*.db")
    with closing(sqlite3.connect(file)) as database:
        found = database.execute("SELECT name FROM sqlite_master WHERE name GLOB 'orders*'")
        return {name for (name,) in found}


@pytest.mark.timeout(300)
def test_step_by_step(pilot: Pilot, child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step goes on from what the one before has left, so no two processes can share them."""
    with monkeypatch.context() as patch:
        step_cut_short_anywhere_tables_and_functions_are_before_or_after(pilot, patch)
    step_a_tenant_whose_migration_would_fail_is_named_before_anything_has_changed(pilot, child)
    step_tables_that_lose_what_served_code_may_use_need_a_reason(pilot)
    step_tables_that_were_written_to_stay_migrated(pilot)


def step_cut_short_anywhere_tables_and_functions_are_before_or_after(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = pilot.last
    assert bundle is not None
    seen = set()
    for at in range(12, 100, STRIDE):
        knife = Knife(monkeypatch, at)
        with contextlib.suppress(Killed), knife:
            pilot.deploy(bundle)
        pilot.recover()
        journal = read_journal(pilot.data)
        assert journal is not None
        assert journal["step"] in {"done", "back"}
        state = pilot.states().get("orders.place@3")
        seen.add((current(pilot.data), state, "orders0002" in tables(pilot)))
        if not knife.has_cut:
            break
        if current(pilot.data) == "2":
            pilot.rollback()
    assert not knife.has_cut
    assert seen == {("1", None, False), ("2", "release", True)}


def step_a_tenant_whose_migration_would_fail_is_named_before_anything_has_changed(
    pilot: Pilot, child: Child
) -> None:
    token = next(line.split()[-1] for line in child.said if line.startswith("tenant acme"))
    with Client(endpoint_of(pilot), tenant="acme", token=token) as client:
        assert client.call("orders.place", {"sku": "A-1"}) == {"cents": 3}
        pilot.write(4)
        pilot.shop.write("migrations/versions/0003_picky.py", PICKY)
        with pytest.raises(TakenBack, match=r"acme: .*there are orders"):
            pilot.deploy(pilot.build("orders.place@4"))
        assert current(pilot.data) == "2"
        assert tables(pilot) == {"orders0001", "orders0002"}
        assert "orders.place@4" not in pilot.states()


def step_tables_that_lose_what_served_code_may_use_need_a_reason(pilot: Pilot) -> None:
    taken = MIGRATION.format(revision="0003", down="'0002'") + '    op.drop_table("orders0002")\n'
    pilot.shop.write("migrations/versions/0003_picky.py", taken)
    with pytest.raises(ReleaseProblem, match="another shop-3 was laid out"):
        pilot.deploy(pilot.build_after(2, "orders.place@4", sequence=3))
    bundle = pilot.build_after(2, "orders.place@4", sequence=4)
    with pytest.raises(TakenBack, match="table orders0002 is gone"):
        pilot.deploy(bundle)
    assert tables(pilot) == {"orders0001", "orders0002"}
    pilot.deploy(bundle, breaking="nothing reads it")
    assert tables(pilot) == {"orders0001", "orders0003"}
    pilot.rollback()
    assert current(pilot.data) == "2"


def step_tables_that_were_written_to_stay_migrated(pilot: Pilot) -> None:
    pilot.rollback()
    assert current(pilot.data) == "1"
    assert "orders0002" in tables(pilot)
    assert any("stay migrated" in line for line in pilot.said)


class TestOneThatFailsAfterTheDryRun:
    """Of several tenants: what was sound when it was tried is not any more when it is that tenant's turn."""

    NAMES = ("acme", "globex", "initech", "umbrella")

    @pytest.fixture
    def pilot(self, tmp_path: Path) -> Pilot:
        """An environment that serves a release which keeps orders, with a next one that has a migration."""
        pilot = Pilot(tmp_path)
        pilot.write(3, KEEPING)
        pilot.deploy(pilot.build("orders.place@3"))
        pilot.write(4)
        pilot.shop.write("migrations/versions/0002_picky.py", PICKY_AT_ONCE)
        pilot.build("orders.place@4")
        return pilot

    def test_all_go_back_or_all_that_can_and_it_goes_on_once_it_is_mended(
        self, pilot: Pilot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert pilot.last is not None
        with pilot.start() as child:
            child.ready()
            tokens, files = self.tenants(pilot, child)
            order = sorted(self.NAMES, key=lambda name: files[name].name)
            first, fails, *_ = order

            def ask(name: str) -> None:
                with Client(endpoint_of(pilot), tenant=name, token=tokens[name]) as client:
                    client.call("orders.place", {"sku": "A-1"})

            with monkeypatch.context() as patch:
                before(patch, "migrations.apply", lambda: ask(fails))
                with pytest.raises(
                    TakenBack, match=rf"apply 2 stopped\): {fails}: .*there are orders"
                ):
                    pilot.deploy(pilot.last)
            assert "  migrating: 1 of 4 tenants" in pilot.said
            assert [self.revisions(files[name]) for name in order] == [1, 1, 1, 1]
            assert (current(pilot.data), pilot.states()["orders.place@3"]) == ("1", "release")
            self.forget(files[fails])
            with monkeypatch.context() as patch:
                before(patch, "migrations.apply", lambda: ask(fails))
                before(patch, "migrations.restore", lambda: ask(first))
                with pytest.raises(TakenBack):
                    pilot.deploy(pilot.last)
            assert any("stay migrated" in line and first in line for line in pilot.said)
            assert [self.revisions(files[name]) for name in order] == [2, 1, 1, 1]
            for name in order[2:]:
                ask(name)
                self.forget(files[name])
            self.forget(files[fails])
            pilot.deploy(pilot.last)
            assert [self.revisions(files[name]) for name in order] == [2, 2, 2, 2]
            assert pilot.states()["orders.place@4"] == "release"

    def tenants(self, pilot: Pilot, child: Child) -> tuple[dict[str, str], dict[str, Path]]:
        """A token and the file of each."""
        tokens = {line.split()[1]: line.split()[-1] for line in child.said if "token tnt_" in line}
        with pilot.server() as server:
            for name in self.NAMES[1:]:
                made = server.call("tenants.create", name=name, owner={"name": "Ada"})
                tokens[name] = made["token"]["text"]
            listed = server.call("tenants.list")["tenants"]
        return tokens, {
            each["name"]: pilot.data / "tenants" / f"{each['id']}.db" for each in listed
        }

    def revisions(self, file: Path) -> int:
        """How many a tenant's database has."""
        with closing(sqlite3.connect(file)) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
        return int(version) % 10_000

    def forget(self, file: Path) -> None:
        """As a person mends a tenant's data."""
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("DELETE FROM orders0001")


def before(monkeypatch: pytest.MonkeyPatch, action: str, act: Callable[[], None]) -> None:
    """Do something before each call of an action."""
    call = Server.call

    def called(self: Server, name: str, /, **params: Any) -> Mapping[str, Any]:
        if name == action:
            act()
        return call(self, name, **params)

    monkeypatch.setattr(Server, "call", called)

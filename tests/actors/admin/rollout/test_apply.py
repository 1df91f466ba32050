"""Migrations applied while all tenants are served: each wholly or not at all, no request lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.admin.rollout.migrated_shop import CONTRACTING, PICKY, SECOND, MigratedShop
from tests.actors.servers import request
from tests.raw_client import RawClient

LONG = "much too long a text for what is to come"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MigratedShop]:
    """A server with two tenants at the first revision."""
    with MigratedShop(tmp_path) as workshop:
        workshop.serve()
        yield workshop


def test_every_tenant_is_migrated_awake_or_not_and_served_at_once(shop: MigratedShop) -> None:
    shop.call(text="before")
    shop.add_revision()
    applied = shop.apply()
    assert (applied["state"], applied["total"], applied["done"]) == ("done", 2, 2)
    assert (applied["origin"], applied["head"]) == ("0001_marks.py", "0002_second.py")
    assert shop.revisions("acme") == shop.revisions("globex") == 2
    assert shop.call("marks.count", text="before")["result"] == {"count": 1}
    assert shop.ask("migrations.list")["pending"] == 0
    assert shop.ask("functions.diff")["changes"] == []
    shop.server.add_tenant("initech")
    assert shop.revisions("initech") == 2
    shop.serve()
    assert shop.call("marks.count", text="before")["result"] == {"count": 1}


def test_requests_wait_while_their_tenant_is_migrated_and_others_are_served(
    shop: MigratedShop,
) -> None:
    run, gate = shop.gated_run()
    with RawClient(shop.server.endpoint) as raw_client:
        raw_client.post(**request(shop.server, "acme", "marks.add", text="meanwhile"))
        assert shop.call("marks.count", "globex")["ok"]
        assert shop.status(run)["state"] == "running"
        gate.release()
        assert raw_client.receive()["ok"]
    assert shop.ended(run)["done"] == 2
    assert shop.call("marks.count", text="meanwhile")["result"] == {"count": 1}


def test_a_tenant_whose_migration_takes_long_answers_that_it_is_not_there(
    shop: MigratedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a caller waits for a bounded time, and sends the request again."""
    monkeypatch.setattr("actors.supervision.pausing.MAX_PAUSE", 0.05)
    run, gate = shop.gated_run()
    with RawClient(shop.server.endpoint) as raw_client:
        refused = raw_client.ask(**request(shop.server, "acme", "marks.add", text="meanwhile"))[
            "error"
        ]
        assert refused["code"] == "unavailable"
        assert "being migrated" in refused["message"]
        assert refused["retry_after_ms"]
        gate.release()
        shop.ended(run)
        assert raw_client.ask(**request(shop.server, "acme", "marks.add", text="again"))["ok"]


def test_the_first_that_fails_stops_it_and_all_are_served(shop: MigratedShop) -> None:
    """The data has changed since the dry run. It goes on once that is mended."""
    shop.add_revision(PICKY)
    tried = shop.dry_run()
    assert tried["state"] == "done"
    first, second = sorted(("acme", "globex"), key=lambda name: shop.path(name).name)
    shop.call("marks.add", second, text=LONG)
    run = shop.ask("migrations.apply", digest=tried["digest"])["run"]
    stopped = shop.ended(run)
    assert (stopped["state"], stopped["done"], stopped["failures"]) == ("stopped", 1, 1)
    assert stopped["failed"][0]["tenant"] == second
    assert "0002_second" in stopped["error"]
    assert (shop.revisions(first), shop.revisions(second)) == (2, 1)
    for again in (False, True):  # the same after a restart: nothing is migrated in passing
        if again:
            shop.serve()
        assert shop.call("marks.add", first)["ok"]
        assert shop.call("marks.add", second)["ok"]
    assert (shop.revisions(first), shop.revisions(second)) == (2, 1)
    shop.forget(second, LONG)
    assert shop.ask("migrations.apply", digest=tried["digest"])["run"] == run
    assert shop.ended(run)["state"] == "done"
    assert shop.revisions(second) == 2


def test_what_was_not_tried_or_would_break_served_code_is_not_applied(shop: MigratedShop) -> None:
    path = shop.add_revision(CONTRACTING)
    digest = shop.ask("migrations.list")["digest"]
    assert "table marks is gone" in str(shop.refusal("migrations.apply", digest=digest))
    untried = shop.refusal("migrations.apply", digest=digest, breaking="no code uses it")
    assert "no dry run" in str(untried)
    shop.dry_run()
    path.write_text(SECOND)
    assert shop.refusal("migrations.apply", digest=digest, breaking="x").code == "aborted"
    assert shop.revisions("acme") == 1


def test_a_script_that_tenants_have_been_through_is_not_edited(shop: MigratedShop) -> None:
    path = shop.add_revision()
    shop.apply()
    path.write_text(SECOND + "\n# nothing\n")
    tried = shop.dry_run()
    refused = shop.refusal("migrations.apply", digest=tried["digest"])
    assert "0002_second.py has been edited since" in str(refused)


def test_of_two_at_once_one_is_begun(shop: MigratedShop) -> None:
    run, gate = shop.gated_run()
    refused = shop.refusal("migrations.apply", digest=shop.status(run)["digest"])
    assert f"run {run} (apply) is under way" in str(refused)
    gate.release()
    assert shop.ended(run)["state"] == "done"


def test_a_server_that_stops_meanwhile_goes_on_when_it_is_back(shop: MigratedShop) -> None:
    run, gate = shop.gated_run()
    opener = threading.Thread(target=gate.release)
    opener.start()
    shop.serve()
    opener.join()
    assert shop.ended(run)["state"] == "done"
    assert shop.revisions("acme") == shop.revisions("globex") == 2


def test_the_migrations_of_a_release_that_is_not_served_yet(shop: MigratedShop) -> None:
    """A server that starts before the index leads there knows them all the same."""
    shop.add_release("7")
    assert shop.apply(release="7")["release"] == "7"
    assert shop.revisions("acme") == 2
    assert shop.call()["ok"]
    shop.serve()
    assert shop.call()["ok"]
    shop.server.add_tenant("initech")
    assert shop.revisions("initech") == 2


def test_each_step_is_in_the_admin_log(shop: MigratedShop) -> None:
    shop.add_revision()
    shop.apply()
    told = {each["action"]: each for each in shop.ask("audit.list")["records"]}
    assert {"migrations.dry_run", "migrations.apply"} <= set(told)
    assert json.dumps(told["migrations.apply"]["params"]).count("digest") == 1

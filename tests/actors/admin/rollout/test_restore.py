"""An apply taken back: each tenant's file as it was, and only if nothing was written since."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.admin.rollout.migrated_shop import PICKY, SECOND, MigratedShop
from tests.raw_client import Map


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MigratedShop]:
    """A server with two tenants that have been migrated to the second revision."""
    with MigratedShop(tmp_path) as workshop:
        workshop.serve()
        workshop.call(text="before")
        workshop.add_revision()
        workshop.apply()
        yield workshop


def restored(shop: MigratedShop) -> Map:
    """Take the apply back; the status at the end."""
    return shop.ended(shop.ask("migrations.restore", run=2)["run"])


def test_each_tenant_is_as_it_was_and_is_served(shop: MigratedShop) -> None:
    """Also one that was read since; after a restart, too, which does not migrate them in passing."""
    assert shop.call("marks.count", text="before")["result"] == {"count": 1}
    done = restored(shop)
    assert (done["kind"], done["state"], done["done"]) == ("restore", "done", 2)
    assert shop.status(2)["state"] == "restored"
    for again in (False, True):
        if again:
            shop.serve()
        assert shop.call("marks.count", text="before")["result"] == {"count": 1}
        assert shop.revisions("acme") == shop.revisions("globex") == 1
    shop.server.add_tenant("initech")
    assert shop.revisions("initech") == 1


def test_a_run_that_was_stopped_says_why_also_once_it_is_taken_back(tmp_path: Path) -> None:
    with MigratedShop(tmp_path) as shop:
        shop.serve()
        shop.add_revision(PICKY)
        digest = shop.dry_run()["digest"]
        _, second = sorted(("acme", "globex"), key=lambda name: shop.path(name).name)
        shop.call("marks.add", second, text="much too long a text for what is to come")
        stopped = shop.ended(shop.ask("migrations.apply", digest=digest)["run"])
        shop.ended(shop.ask("migrations.restore", run=stopped["run"])["run"])
        assert shop.status(stopped["run"]) == {**stopped, "state": "restored", "done": 0}
        assert stopped["error"]


def test_one_that_was_written_to_since_is_named_and_none_is_put_back(shop: MigratedShop) -> None:
    shop.call(text="after")
    refused = shop.refusal("migrations.restore", run=2)
    assert refused.code == "failed_precondition"
    assert "1 tenants were made or written to since" in str(refused)
    assert "functions.release" in str(refused)
    assert [each.field for each in refused.refusal.details] == ["acme"]
    assert shop.revisions("acme") == shop.revisions("globex") == 2
    assert shop.status(2)["state"] == "done"


def test_one_that_was_made_since_is_named_too(shop: MigratedShop) -> None:
    """It has no tables of before."""
    shop.server.add_tenant("initech")
    refused = shop.refusal("migrations.restore", run=2)
    assert [each.field for each in refused.refusal.details] == ["initech"]


def test_it_is_applied_again_after_that(shop: MigratedShop) -> None:
    restored(shop)
    again = shop.apply()
    assert (again["state"], again["done"]) == ("done", 2)
    assert shop.revisions("acme") == 2


def test_a_copy_that_is_gone_stops_it_and_all_are_served(shop: MigratedShop) -> None:
    first, second = sorted(("acme", "globex"), key=lambda name: shop.path(name).name)
    (shop.data / "backups" / "before-migration" / shop.path(second).name).unlink()
    stopped = restored(shop)
    assert (stopped["state"], stopped["failed"][0]["tenant"]) == ("stopped", second)
    assert (shop.revisions(first), shop.revisions(second)) == (1, 2)
    assert shop.call("marks.add", first)["ok"]
    assert shop.call("marks.add", second)["ok"]


def test_only_the_latest_apply_is_taken_back(shop: MigratedShop) -> None:
    assert shop.refusal("migrations.restore", run=1).code == "not_found"
    text = SECOND.replace('"0002"', '"0003"').replace('"0001"', '"0002"').replace("place", "time")
    shop.add_revision(text, "0003_third.py")
    latest = shop.apply()["run"]
    assert f"that is run {latest}" in str(shop.refusal("migrations.restore", run=2))

"""Migrations of a running server, listed and tried: nothing changes, and what would fail is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.admin.rollout.migrated_shop import CONTRACTING, PICKY, MigratedShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MigratedShop]:
    """A server with two tenants at the first revision."""
    with MigratedShop(tmp_path) as workshop:
        workshop.serve()
        yield workshop


def test_the_revisions_on_disk_are_listed_with_how_many_tenants_stand_there(
    shop: MigratedShop,
) -> None:
    before = shop.ask("migrations.list")
    assert [(each["file"], each["tenants"]) for each in before["revisions"]] == [
        ("0001_marks.py", 2)
    ]
    assert before["pending"] == 0
    shop.add_revision()
    after = shop.ask("migrations.list")
    assert [(each["revision"], each["tenants"]) for each in after["revisions"]] == [
        ("0001", 2),
        ("0002", 0),
    ]
    assert after["pending"] == 2
    assert after["digest"] != before["digest"]


def test_a_dry_run_finds_the_tenant_that_would_fail_and_changes_nothing(shop: MigratedShop) -> None:
    shop.call(text="much too long a text for what is to come")
    shop.call("marks.add", "globex", text="short")
    shop.add_revision(PICKY)
    tried = shop.dry_run()
    assert (tried["state"], tried["total"], tried["done"], tried["failures"]) == ("failed", 2, 2, 1)
    (failed,) = tried["failed"]
    assert failed["tenant"] == "acme"
    assert "0002_second" in failed["reason"]
    assert "CHECK constraint failed" in failed["reason"]
    assert shop.revisions("acme") == shop.revisions("globex") == 1
    assert list((shop.data / "scratch").iterdir()) == []
    assert shop.call()["ok"]


def test_it_tries_what_is_committed_and_not_yet_in_the_file(shop: MigratedShop) -> None:
    """A tenant that is awake has its last writes in the -wal."""
    shop.add_revision(PICKY)
    assert shop.dry_run()["state"] == "done"
    shop.call(text="much too long a text for what is to come")
    assert shop.path("acme").with_name(f"{shop.path('acme').name}-wal").stat().st_size
    assert shop.dry_run()["state"] == "failed"


def test_what_served_code_would_notice_is_told(shop: MigratedShop) -> None:
    shop.add_revision(CONTRACTING)
    assert shop.dry_run()["breaks"] == ["table marks is gone"]


def test_a_run_under_way_is_the_only_one(shop: MigratedShop) -> None:
    """A tenant's migration waits until the test lets it go on."""
    shop.call(text="short")
    gate = shop.add_gate()
    run = shop.ask("migrations.dry_run")["run"]
    refused = shop.refusal("migrations.dry_run")
    assert refused.code == "failed_precondition"
    assert f"run {run} (dry run) is under way" in str(refused)
    assert shop.status(run)["state"] == "running"
    shop.let_pass(gate)
    assert shop.ended(run)["state"] == "done"


def test_a_folder_that_cannot_be_used_is_refused_with_what_to_do(shop: MigratedShop) -> None:
    path = shop.add_revision("this is no Python")
    assert "SyntaxError" in str(shop.refusal("migrations.dry_run"))
    path.unlink()
    (shop.index.parent / "migrations" / "versions" / "0001_marks.py").rename(path)
    assert "put it back" in str(shop.refusal("migrations.list"))
    assert "no folder" in str(
        shop.refusal("migrations.list", release="7")
    ) or "cannot be read" in str(shop.refusal("migrations.list", release="7"))


def test_there_was_no_run_yet(shop: MigratedShop) -> None:
    assert shop.refusal("migrations.status").code == "not_found"
    assert shop.refusal("migrations.status", run=7).code == "not_found"

"""scripts/build: what goes into a release, what is refused, and that the same input is the same file."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.errors import CodeProblem
from actors.index.parser import parse_index, read_index
from scripts.releasing.build.command import main
from scripts.releasing.build.plan import planned
from scripts.releasing.bundle import Bundle, packed, unpacked
from scripts.releasing.problem import ReleaseProblem
from tests.scripts.releasing.shop import MIGRATION, Shop

BREAKING = '\n[[actions."orders.place".versions]]\nversion = 3\nstate = "under user test"\n'


PlaceAndMask = Callable[[Path, str, int], None]


@pytest.fixture
def place_and_mask(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlaceAndMask]:
    """Changes the folder, the time zone and the mask of new files of this process."""
    before = os.umask(0o022)

    def change(folder: Path, zone: str, mask: int) -> None:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        os.umask(mask)

    yield change
    os.umask(before)
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """The folder of an index."""
    return Shop(tmp_path / "shop")


def built(shop: Shop, *labels: str, **asked: object) -> Bundle:
    """The bundle of a plan."""
    plan = planned(shop.request(*labels, **asked))  # type: ignore[arg-type]  # a test gives its own keys
    return unpacked(packed(plan.manifest, plan.files), "it")


class TestWhatIsInIt:
    """Chosen versions, what is served already, and what these need."""

    def test_it_holds_what_is_served_and_what_was_chosen(self, shop: Shop) -> None:
        manifest = built(shop, "orders.place@2").manifest
        found = {each.label: (each.from_state, each.to_state) for each in manifest.versions}
        assert found == {
            "orders.place@1": ("release", "release"),
            "orders.place@2": ("potential release", "under user test"),
        }
        assert [each.why for each in manifest.versions if each.chosen] == ["it was named"]
        assert manifest.versions[1].requests == ("R-2",)

    def test_its_index_is_the_text_of_the_index_without_the_rest(self, shop: Shop) -> None:
        bundle = built(shop, "orders.place@2")
        text = bundle.files["registry.toml"].decode()
        assert "# The shop." in text
        assert "orders.drop" not in text
        index = parse_index(shop.index, text)
        assert set(index.actions) == {"orders.place"}
        new = index.actions["orders.place"].version(2)
        assert new is not None
        assert new.state == "potential release"
        assert new.digest == bundle.manifest.versions[1].digest
        assert new.schemas is not None
        assert set(new.imports or ()) == {"shop", "shop.prices"}

    def test_it_holds_the_files_that_are_imported_and_no_others(self, shop: Shop) -> None:
        files = built(shop, "orders.place@2").files
        assert [path for path in files if path.startswith(("code/", "migrations/"))] == [
            "code/shop/__init__.py",
            "code/shop/orders_place_1.py",
            "code/shop/orders_place_2.py",
            "code/shop/prices.py",
            "migrations/env.py",
            "migrations/versions/0001_orders.py",
        ]
        assert set(files) - {path for path in files if "/" in path and "place" not in path} >= {
            "RELEASE-NOTES.md"
        }

    def test_versions_are_found_by_request_and_by_state(self, shop: Shop) -> None:
        for asked in ({"requests": ["R-2"]}, {"states": ["potential release"]}):
            chosen = [each for each in built(shop, **asked).manifest.versions if each.chosen]
            assert [each.label for each in chosen] == ["orders.place@2"]

    def test_the_notes_are_made_of_the_requests(self, shop: Shop) -> None:
        request = shop.request("orders.place@2")._replace(texts={"R-2": "Cheaper\nplease"})
        notes = planned(request).files["RELEASE-NOTES.md"].decode()
        assert "- R-2: Cheaper please\n  - orders.place version 2 (under user test)" in notes

    def test_it_follows_a_release_with_what_that_one_had(self, shop: Shop) -> None:
        first = built(shop, "orders.place@2")
        shop.edit("registry.toml", '"under dev"', '"potential release"')
        request = shop.request("orders.drop")._replace(base=first)
        manifest = planned(request).manifest
        assert (manifest.sequence, manifest.base) == (2, first.digest)
        assert {each.label: each.to_state for each in manifest.versions} == {
            "orders.drop@1": "under user test",
            "orders.place@1": "release",
            "orders.place@2": "under user test",
        }

    def test_what_the_release_before_has_already_is_not_chosen_again(self, shop: Shop) -> None:
        first = built(shop, "orders.place@2")
        request = shop.request(requests=["R-2"])._replace(base=first)
        assert [each.chosen for each in planned(request).manifest.versions] == [False, False]


class TestWhatIsRefused:
    """With the name of what is wrong."""

    @pytest.mark.parametrize(
        ("labels", "environment", "words"),
        [
            (["orders.drop"], "hosted-test", "orders.drop@1 is 'under dev': move it to"),
            (["orders.place@9"], "hosted-test", "orders.place has no version 9; it has: 2, 1"),
            (["orders.plaec"], "hosted-test", "did you mean orders.place"),
            (["orders.later"], "hosted-test", "orders.later has no version to release"),
            (["Orders!"], "hosted-test", "names no version"),
            (["orders.place"], "hosted-tset", "there is no environment 'hosted-tset'"),
        ],
    )
    def test_what_the_environment_does_not_serve(
        self, shop: Shop, labels: list[str], environment: str, words: str
    ) -> None:
        with pytest.raises(ReleaseProblem, match=words.replace("(", r"\(")):
            planned(shop.request(*labels, environment=environment))

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("import elsewhere", r"orders_place_2.py:\d+: imports elsewhere from outside"),
            ("from ... import elsewhere", "cannot be found in the text"),
            ("import shop.missing", "there is no such file in the folder"),
            ("import actors.registry.actor", "not one of the engine's public modules"),
            ("import importlib; importlib.import_module(NAME)", "cannot be found in the text"),
        ],
    )
    def test_an_import_from_outside_of_the_folder(
        self, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "elsewhere.py").write_text("")
        monkeypatch.syspath_prepend(outside)
        with (shop.root / "shop/orders_place_2.py").open("a") as file:
            file.write(f"\n{line}\n")
        with pytest.raises(ReleaseProblem, match=words):
            planned(shop.request("orders.place@2"))

    def test_a_file_that_is_a_link_out_of_the_folder(self, shop: Shop, tmp_path: Path) -> None:
        file = shop.root / "shop" / "prices.py"
        file.rename(tmp_path / "prices.py")
        file.symlink_to(tmp_path / "prices.py")
        with pytest.raises(ReleaseProblem, match=r"imports shop\.prices"):
            planned(shop.request("orders.place@2"))

    def test_a_migration_that_is_missing(self, shop: Shop) -> None:
        shop.write(
            "migrations/versions/0003_more.py", MIGRATION.format(revision="0003", down="'0002'")
        )
        with pytest.raises(ReleaseProblem, match="migration is missing"):
            planned(shop.request("orders.place@2"))

    def test_a_migration_that_is_not_what_it_was(self, shop: Shop) -> None:
        first = built(shop, "orders.place@2")
        shop.edit("migrations/versions/0001_orders.py", "Integer, primary", "Integer(), primary")
        with pytest.raises(ReleaseProblem, match=r"0001_orders\.py of the release before"):
            planned(shop.request()._replace(base=first))

    def test_a_file_that_was_edited_after_it_left_development(self, shop: Shop) -> None:
        shop.write("registry.toml", built(shop, "orders.place@2").files["registry.toml"].decode())
        shop.edit("shop/prices.py", "500", "600")
        with pytest.raises(ReleaseProblem, match=r"shop\.prices is not what it was"):
            planned(shop.request("orders.place@2"))

    def test_a_file_that_was_edited_since_the_release_before(self, shop: Shop) -> None:
        first = built(shop, "orders.place@2")
        shop.edit("shop/orders_place_2.py", "* 2", "* 3")
        with pytest.raises(
            ReleaseProblem, match=r"orders\.place@2: the file is not what it was in"
        ):
            planned(shop.request()._replace(base=first))

    def test_a_change_that_breaks_callers_without_a_reason(self, shop: Shop) -> None:
        shop.write("registry.toml", built(shop, "orders.place@2").files["registry.toml"].decode())
        shop.edit("registry.toml", "maxLength = 40 }", "maxLength = 20 }")
        shop.write("shop/orders_place_3.py", (shop.root / "shop/orders_place_2.py").read_text())
        with shop.index.open("a") as file:
            file.write(BREAKING + 'code = "shop.orders_place_3:place"\n')
        live = {"environment": "hosted-live"}
        with pytest.raises(ReleaseProblem, match=r"orders.place@3: params.sku"):
            planned(shop.request("orders.place@3", **live))
        manifest = built(shop, "orders.place@3", breaking="it was never used", **live).manifest
        assert "params.sku" in manifest.breaks[0]
        assert [each.breaking for each in manifest.versions if each.chosen] == ["it was never used"]

    def test_code_that_is_not_there(self, shop: Shop) -> None:
        (shop.root / "shop" / "orders_place_2.py").unlink()
        with pytest.raises(CodeProblem, match="there is no file"):
            planned(shop.request("orders.place@2"))


class TestTheCommand:
    """What is printed and written, and the tests that are run before."""

    def run(self, shop: Shop, *words: str) -> int:
        """The exit status."""
        return main(["--for", "hosted-test", "--registry", str(shop.index), *words])

    def test_without_out_it_only_shows(
        self, shop: Shop, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(shop, "orders.place@2") == 0
        told = capsys.readouterr().out
        for word in (
            "release-1 for hosted-test",
            "R-2",
            "it was named",
            "0001_orders.py",
            "SQLAlchemy",
        ):
            assert word in told
        assert not list(shop.root.rglob("*.zip"))

    def test_with_out_its_tests_run_and_it_is_written(self, shop: Shop, tmp_path: Path) -> None:
        assert self.run(shop, "orders.place@2", f"--out={tmp_path}", "--name=shop") == 0
        content = (tmp_path / "shop-1.tenantry.zip").read_bytes()
        assert unpacked(content, "it").manifest.release == "shop-1"

    def test_a_version_whose_test_fails_is_refused_with_the_end_of_the_output(
        self, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shop.edit("shop/orders_place_2.py", "* 2", "* 3")
        assert self.run(shop, "orders.place@2", f"--out={tmp_path}") == 1
        told = capsys.readouterr().err
        assert "the tests of orders.place@2 fail" in told
        assert "1500" in told
        assert not list(tmp_path.glob("*.zip"))

    def test_a_version_without_a_test_is_refused_unless_that_is_said(
        self, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (shop.root / "tests" / "test_orders_place_2.py").unlink()
        assert self.run(shop, "orders.place@2", f"--out={tmp_path}") == 1
        assert "no test names orders.place@2" in capsys.readouterr().err
        assert self.run(shop, "orders.place@2", f"--out={tmp_path}", "--untested") == 0

    def test_another_bundle_of_that_name_is_not_overwritten(
        self, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "release-1.tenantry.zip").write_text("another")
        assert self.run(shop, "orders.place@2", f"--out={tmp_path}", "--untested") == 1
        assert "is there with other content" in capsys.readouterr().err


class TestTheFile:
    """One zip, the same wherever it is built, and refused if it is not whole."""

    def test_two_builds_of_one_commit_are_the_same_bytes(
        self, shop: Shop, tmp_path: Path, place_and_mask: PlaceAndMask
    ) -> None:
        (shop.root / "tests" / "test_orders_place_2.py").unlink()  # to be built, not to be run
        shop.commit()
        there = tmp_path / "elsewhere" / "other-name"
        shutil.copytree(shop.root, there)
        places = {shop.root: ("UTC", 0o022), there: ("Pacific/Auckland", 0o077)}
        contents: set[bytes] = set()
        for number, (root, (zone, mask)) in enumerate(places.items()):
            place_and_mask(root, zone, mask)
            out = f"--out={tmp_path / f'dist-{number}'}"
            assert main(["--for", "hosted-test", "orders.place@2", out, "--untested"]) == 0
            contents.update(file.read_bytes() for file in (tmp_path / f"dist-{number}").iterdir())
        assert len(contents) == 1
        commit = unpacked(contents.pop(), "it").manifest.commit
        assert commit is not None
        assert (commit["date"], commit["clean"]) == ("2026-11-01T07:00:00Z", True)

    def test_what_is_not_committed_is_said(self, shop: Shop) -> None:
        shop.commit()
        shop.edit("shop/prices.py", "500", "501")
        commit = built(shop, "orders.place@2").manifest.commit
        assert commit is not None
        assert commit["clean"] is False

    @pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a\\b", "a/"])
    def test_a_path_that_leads_out_is_refused(self, shop: Shop, name: str) -> None:
        plan = planned(shop.request("orders.place@2"))
        with pytest.raises(ReleaseProblem, match="is no bundle"):
            unpacked(packed(plan.manifest, {**plan.files, name: b""}), "it")

    def test_a_file_that_was_changed_is_refused(self, shop: Shop) -> None:
        plan = planned(shop.request("orders.place@2"))
        changed = {**plan.files, "code/shop/prices.py": b"PRICE = 1\n"}
        with pytest.raises(ReleaseProblem, match="does not hold the files that its manifest lists"):
            unpacked(packed(plan.manifest, changed), "it")

    def test_what_is_no_zip_is_refused(self) -> None:
        with pytest.raises(ReleaseProblem, match="it is no bundle"):
            unpacked(b"nothing", "it")

    def test_the_extracted_index_can_be_served(self, shop: Shop, tmp_path: Path) -> None:
        bundle = built(shop, "orders.place@2")
        (tmp_path / "migrations").mkdir()
        (tmp_path / "registry.toml").write_bytes(bundle.files["registry.toml"])
        assert set(read_index(tmp_path / "registry.toml").actions) == {"orders.place"}

"""Builds and publications that are killed: given again they end, and none is ever half there."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.releasing.build.command import main as build_main
from scripts.releasing.bundle import unpacked
from scripts.releasing.problem import ReleaseProblem
from scripts.releasing.publish.store import Store
from tests.child import Child
from tests.killed import Point
from tests.scripts.releasing.company import LIVE, Company, three_bundles
from tests.scripts.releasing.knife import Effects, Killed, Knife
from tests.scripts.releasing.shop import Shop

FILE, DRAFT = "shop-1.tenantry.zip", "shop-1.tenantry.new"

WRITTEN, SYNCED, REPLACED = (
    "pathlib:Path.write_bytes",
    "actors.host.disk:sync",
    "pathlib:Path.replace",
)

OF_A_PUBLICATION: Effects = (
    *((Store, name) for name in ("create", "put", "remove")),
    (Path, "write_bytes"),
)

ONE, TWO, THREE = ((f"hosted-live-{number}", "online") for number in (1, 2, 3))


class TestABuild:
    """One file, which is there as a whole or not at all."""

    @pytest.fixture
    def words(self, tmp_path: Path) -> list[str]:
        """Of the command."""
        shop = Shop(tmp_path / "shop")
        (shop.root / "tests" / "test_orders_place_2.py").unlink()
        place = ["--registry", str(shop.index), "--out", str(tmp_path / "dist")]
        return ["orders.place@2", "--for", "hosted-test", "--name", "shop", "--untested", *place]

    @pytest.mark.parametrize(
        ("target", "match", "is_after", "is_there"),
        [
            *((WRITTEN, DRAFT, is_after, False) for is_after in (False, True)),
            *((SYNCED, DRAFT, is_after, False) for is_after in (False, True)),
            *((REPLACED, DRAFT, is_after, is_after) for is_after in (False, True)),
            *((SYNCED, "dist'", is_after, True) for is_after in (False, True)),
        ],
    )
    def test_killed_anywhere_it_is_whole_or_not_there_and_the_next_one_makes_it(
        self,
        words: list[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        target: str,
        match: str,
        is_after: bool,
        is_there: bool,
    ) -> None:
        point = Point(target, is_after, match, program="scripts.releasing.build.command")
        monkeypatch.setenv(*point.environment.popitem())
        with Child(*words, program=("-m", "tests.killed")) as child:
            assert child.ended() == -signal.SIGKILL, child.log()
        bundles = list((tmp_path / "dist").glob("*.zip"))
        assert [each.name for each in bundles] == [FILE] * is_there
        for each in bundles:
            unpacked(each.read_bytes(), each.name)
        assert build_main(words) == 0
        self.require_built(tmp_path / "dist")

    def test_half_a_draft_is_written_anew(self, words: list[str], tmp_path: Path) -> None:
        (tmp_path / "dist").mkdir()
        (tmp_path / "dist" / DRAFT).write_bytes(b"half")
        assert build_main(words) == 0
        self.require_built(tmp_path / "dist")

    def require_built(self, folder: Path) -> None:
        """The bundle, and nothing else."""
        assert [each.name for each in folder.iterdir()] == [FILE]
        unpacked((folder / FILE).read_bytes(), FILE)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three releases, each later than the one before."""
    return three_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, bundles: list[Path]) -> Company:
    """The first release is published."""
    company = Company(tmp_path_factory.mktemp("company")).begin()
    company.publish(bundles[0])
    return company


@pytest.fixture(scope="module")
def signing(
    company: Company, tmp_path_factory: pytest.TempPathFactory, bundles: list[Path]
) -> Company:
    """The second one waits for a signature."""
    signing = company.copy(tmp_path_factory.mktemp("signing") / "company")
    assert signing.run("publish", str(bundles[1]), key=ONE) == 0
    return signing


class TestAPublication:
    """Killed before and after each file that it writes: what is published always verifies, and it goes on."""

    @pytest.fixture
    def cut(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cut:
        """Does something once for each of its effects, in a company of its own, and is killed there."""

        def cut(start: Company, act: Callable[[Company], object]) -> Iterator[Company]:
            for at in range(100):
                company = start.copy(tmp_path / str(at))
                knife = Knife(monkeypatch, at, OF_A_PUBLICATION)
                with contextlib.suppress(Killed), knife:
                    act(company)
                yield company
                if not knife.has_cut:
                    assert at > 3, "it has no effect"
                    return

        return cut

    def test_a_repository_is_begun(self, cut: Cut, tmp_path: Path, bundles: list[Path]) -> None:
        start = Company(tmp_path / "start").make_keys()
        for company in cut(start, begin):
            is_there = (Path(company.place) / "metadata" / "timestamp.json").exists()
            assert begin(company) == is_there
            company.publish(bundles[0])
            assert newest(company) == "shop-1"

    def test_a_repository_that_was_begun_with_other_keys_is_left_alone(
        self, cut: Cut, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        start = Company(tmp_path / "start").make_keys()
        _, company, *_ = cut(start, begin)
        other = Company(tmp_path / "other", company.place).make_keys()
        assert begin(other) == 1
        assert "was begun with other keys" in capsys.readouterr().err

    def test_a_release_is_added(self, cut: Cut, company: Company, bundles: list[Path]) -> None:
        def add(company: Company) -> int:
            return company.run("publish", str(bundles[1]), key=ONE)

        for each in cut(company, add):
            assert newest(each) == "shop-1"
            waits = (Path(each.place) / "pending" / f"{LIVE}.json").exists()
            assert add(each) == waits
            assert each.run("sign", LIVE, key=TWO) == 0
            assert newest(each) == "shop-2"

    @pytest.mark.parametrize("key", [TWO, THREE], ids=["the same", "another"])
    def test_one_is_signed_and_then_again_with_a_key(
        self, cut: Cut, signing: Company, bundles: list[Path], key: tuple[str, ...]
    ) -> None:
        found = set()
        for company in cut(signing, sign):
            found.add(newest(company))
            assert company.run("sign", LIVE, key=key) == 0
            assert newest(company) == "shop-2"
            company.publish(bundles[2])
            assert newest(company) == "shop-3"
        assert found == {"shop-1", "shop-2"}

    def test_one_is_signed_and_then_dropped(
        self, cut: Cut, signing: Company, bundles: list[Path]
    ) -> None:
        for company in cut(signing, sign):
            before = newest(company)
            assert company.run("drop", LIVE) == 0
            assert newest(company) == before
            company.publish(bundles[2])
            assert newest(company) == "shop-3"

    def test_a_refresh_publishes_what_is_signed(
        self, cut: Cut, company: Company, tmp_path: Path, bundles: list[Path]
    ) -> None:
        start = company.copy(tmp_path / "start")
        keys = ("hosted-live-1", "hosted-live-2")
        assert start.run("publish", str(bundles[1]), key=keys) == 0
        for each in cut(start, refresh):
            assert newest(each) in {"shop-1", "shop-2"}
            assert refresh(each) == 0
            assert newest(each) == "shop-2"

    def test_a_key_is_revoked(self, cut: Cut, company: Company) -> None:
        def revoke(company: Company) -> int:
            return company.run("revoke", LIVE, "hosted-live-2", key=("targets", "online"))

        for each in cut(company, revoke):
            with contextlib.suppress(ReleaseProblem):
                assert newest(each) == "shop-1"
            revoke(each)
            with pytest.raises(ReleaseProblem, match="whose key was revoked"):
                newest(each)
            assert each.run("sign", LIVE, key=("hosted-live-3", *ONE)) == 0
            assert newest(each) == "shop-1"


Cut = Callable[[Company, Callable[[Company], object]], Iterator[Company]]


def begin(company: Company) -> int:
    """Begin the repository."""
    return company.run("begin", "--keys", str(company.keys))


def sign(company: Company) -> int:
    """Sign with the second key."""
    return company.run("sign", LIVE, key=TWO)


def refresh(company: Company) -> int:
    """Sign all that runs out."""
    return company.run("refresh", key=("root", "targets", "online"))


def newest(company: Company) -> str:
    """The newest release, fetched and verified as a server does that has seen what was there before."""
    release = company.verifier().newest()
    company.fetch(release)
    return release

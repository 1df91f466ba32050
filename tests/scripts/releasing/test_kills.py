"""Builds and publications, cut short at each of their effects on files: by `kill -9`, or by a full disk.

Given again they end, and nothing is ever half there. `EACH` has all commands that write, and effects.py
counts what they do to files below Python, so that no effect is left out.
"""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.releasing.build.command import main as build_main
from scripts.releasing.bundle import unpacked
from scripts.releasing.problem import ReleaseProblem
from scripts.releasing.publish.command import make_parser
from tests.scripts.releasing.company import LIVE, Company, three_bundles
from tests.scripts.releasing.effects import KILLED, Effects, Ended
from tests.scripts.releasing.shop import Shop

pytestmark = pytest.mark.timeout(300)

BUILD, RELEASE = "scripts.releasing.build.command", "scripts.releasing.publish.command"

FILE, DRAFT = "shop-1.tenantry.zip", "shop-1.tenantry.new"

KEYS, BUNDLE = "{keys}", "the second release"
"""In the words of a command: the folder with the company's keys, and a file."""

FULL = os.strerror(errno.ENOSPC)

ONE, TWO, THREE = ((f"hosted-live-{number}", "online") for number in (1, 2, 3))


@pytest.fixture(scope="module")
def effects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Effects]:
    """What runs commands, and cuts them short."""
    with Effects(tmp_path_factory.mktemp("effects")) as found:
        yield found


class TestABuild:
    """One file, which is there as a whole or not at all; a draft is no bundle."""

    @pytest.fixture
    def words(self, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
        """Of the command, up to the folder it writes to."""
        shop = Shop(tmp_path_factory.mktemp("building") / "shop")
        (shop.root / "tests" / "test_orders_place_2.py").unlink()
        named = ["orders.place@2", "--for", "hosted-test", "--name", "shop", "--untested"]
        return [*named, "--registry", str(shop.index), "--out"]

    @pytest.mark.parametrize("error", [0, errno.ENOSPC], ids=["killed", "disk full"])
    def test_cut_short_anywhere_it_is_whole_or_not_there_and_the_next_one_makes_it(
        self, words: list[str], tmp_path: Path, effects: Effects, error: int
    ) -> None:
        effects.prepare(BUILD, *words[:-1])
        whole = effects.run(BUILD, *words, tmp_path / "0" / "dist", below=tmp_path)
        assert whole.status == 0, whole.errors
        left = {}
        for at in whole.points(error):
            folder = tmp_path / str(at) / "dist"
            ended = effects.run(BUILD, *words, folder, below=tmp_path, at=at, error=error)
            for each in folder.glob("*.zip"):
                unpacked(each.read_bytes(), each.name)
            if error:
                assert ended.status == 1
                assert f"{folder / FILE} could not be written: {FULL}: mend that" in ended.errors
                assert not (folder / DRAFT).exists()
            else:
                assert ended.status == KILLED
            left[frozenset(each.name for each in folder.glob("*"))] = folder
        assert set(left) <= {frozenset(), frozenset({DRAFT}), frozenset({FILE})}
        for folder in left.values():
            assert build_main([*words, str(folder)]) == 0
            self.require_built(folder)

    def test_half_a_draft_is_written_anew(self, words: list[str], tmp_path: Path) -> None:
        (tmp_path / "dist").mkdir()
        (tmp_path / "dist" / DRAFT).write_bytes(b"half")
        assert build_main([*words, str(tmp_path / "dist")]) == 0
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
def unbegun(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """There are keys, and no repository."""
    return Company(tmp_path_factory.mktemp("unbegun")).make_keys()


@pytest.fixture(scope="module")
def company(
    unbegun: Company, tmp_path_factory: pytest.TempPathFactory, bundles: list[Path]
) -> Company:
    """The first release is published."""
    company = unbegun.copy(tmp_path_factory.mktemp("company") / "company")
    assert begin(company) == 0
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


@pytest.fixture(scope="module")
def signed(
    company: Company, tmp_path_factory: pytest.TempPathFactory, bundles: list[Path]
) -> Company:
    """The second one has its signatures, and waits for the online key."""
    signed = company.copy(tmp_path_factory.mktemp("signed") / "company")
    keys = ("hosted-live-1", "hosted-live-2")
    assert signed.run("publish", str(bundles[1]), key=keys) == 0
    return signed


class Case(NamedTuple):
    """One command that writes to a repository."""

    start: str
    """The fixture with the company that it begins with."""
    words: tuple[str, ...]
    key: tuple[str, ...]
    before: str
    after: str
    """What a server is told is the newest release."""


EACH = {
    "begin": Case("unbegun", ("begin", "--keys", KEYS), (), "nothing", "nothing"),
    "publish": Case("company", ("publish", BUNDLE), ONE, "shop-1", "shop-1"),
    "publish with all keys": Case(
        "company", ("publish", BUNDLE), (*ONE, "hosted-live-2"), "shop-1", "shop-2"
    ),
    "sign": Case("signing", ("sign", LIVE), TWO, "shop-1", "shop-2"),
    "sign anew": Case("company", ("sign", LIVE), (*ONE, "hosted-live-2"), "shop-1", "shop-1"),
    "drop": Case("signing", ("drop", LIVE), (), "shop-1", "shop-1"),
    "refresh": Case("signed", ("refresh",), ("root", "targets", "online"), "shop-1", "shop-2"),
    "revoke": Case(
        "company", ("revoke", LIVE, "hosted-live-2"), ("targets", "online"), "shop-1", "refused"
    ),
}


class TestAPublication:
    """What a server verifies is what was there before, or after; the same command again makes it that."""

    @pytest.fixture
    def cut(self, tmp_path: Path, effects: Effects) -> Cut:
        """Runs a command once for each of its effects, in a company of its own, and cuts it short there."""

        def cut(
            start: Company, words: Words, key: Words, error: int = 0
        ) -> Iterator[tuple[Company, Ended]]:
            def run(name: str, at: int) -> tuple[Company, Ended]:
                company = start.copy(tmp_path / name)
                given = company.arguments(*words, key=key)
                ended = effects.run(RELEASE, *given, below=company.folder, at=at, error=error)
                return company, ended

            _, whole = run("whole", 0)
            assert whole.status == 0, whole.errors
            for at in whole.points(error):
                yield run(str(at), at)

        return cut

    @pytest.mark.parametrize("error", [0, errno.ENOSPC], ids=["killed", "disk full"])
    @pytest.mark.parametrize("case", EACH.values(), ids=EACH)
    def test_each_command_is_cut_short(
        self,
        cut: Cut,
        case: Case,
        error: int,
        bundles: list[Path],
        request: pytest.FixtureRequest,
    ) -> None:
        start: Company = request.getfixturevalue(case.start)
        words = tuple(str(bundles[1]) if each == BUNDLE else each for each in case.words)
        found = set()
        for company, ended in cut(start, words, case.key, error):
            found.add(seen(company))
            if error and ended.status:
                assert ended.status == 1
                assert f"{company.folder}" in ended.errors
                assert f": {FULL}: mend that, then give the same command again" in ended.errors
                assert not list(company.folder.rglob("*#*"))
            else:
                assert ended.status == (0 if error else KILLED)
            assert company.run(*words, key=case.key) in {0, 1}
            assert seen(company) == case.after
            if not error and case.words[0] != "sign":
                assert company.run("drop", LIVE) == 0
                assert company.run("publish", str(bundles[2]), key=(*ONE, "hosted-live-3")) == 0
                assert seen(company) == "shop-3"
        assert found <= {case.before, case.after}
        assert case.before in found or case.words[0] == "drop"

    def test_no_command_that_writes_is_left_out(self) -> None:
        (commands,) = (
            each.choices
            for each in make_parser()._actions
            if isinstance(each, argparse._SubParsersAction)
        )
        assert set(commands) == {case.words[0] for case in EACH.values()} | {"list", "verify"}

    def test_a_repository_that_was_begun_with_other_keys_is_left_alone(
        self, cut: Cut, unbegun: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        company = next(
            each
            for each, ended in cut(unbegun, ("begin", "--keys", KEYS), ())
            if ended.trace[-1].startswith("write releases/metadata/timestamp.json")
        )
        other = Company(tmp_path / "other", company.place).make_keys()
        assert begin(other) == 1
        assert "was begun with other keys" in capsys.readouterr().err

    def test_one_is_signed_and_then_by_another(
        self, cut: Cut, signing: Company, bundles: list[Path]
    ) -> None:
        for company, _ in cut(signing, ("sign", LIVE), TWO):
            assert company.run("sign", LIVE, key=THREE) == 0
            assert seen(company) == "shop-2"
            company.publish(bundles[2])
            assert seen(company) == "shop-3"

    def test_one_is_signed_and_then_dropped(
        self, cut: Cut, signing: Company, bundles: list[Path]
    ) -> None:
        for company, _ in cut(signing, ("sign", LIVE), TWO):
            before = seen(company)
            assert company.run("drop", LIVE) == 0
            assert seen(company) == before


Words = tuple[str, ...]

Cut = Callable[..., Iterator[tuple[Company, Ended]]]


def begin(company: Company) -> int:
    """Begin the repository."""
    return company.run("begin", "--keys", str(company.keys))


def seen(company: Company) -> str:
    """What a server that has seen what was there before is told: the newest release, which it can fetch."""
    try:
        release = company.verifier().newest()
        company.fetch(release)
    except ReleaseProblem as problem:
        return "refused" if "was revoked" in str(problem) else "nothing"
    return release

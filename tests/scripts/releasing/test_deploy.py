"""scripts/deploy and scripts/rollback, against a real server on a data directory of its own."""

from __future__ import annotations

import argparse
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from actors.host.released import current, deploying, read_journal, write_journal
from scripts.cli.keys import main as keys_main
from scripts.releasing.build.plan import planned
from scripts.releasing.bundle import Bundle, packed
from scripts.releasing.deploy import procedure, staging
from scripts.releasing.deploy.command import bundle_of, main, releases_main, rollback_main
from scripts.releasing.deploy.procedure import TakenBack
from scripts.releasing.deploy.watch import LEAST_REQUESTS, Figures, compared
from scripts.releasing.problem import ReleaseProblem
from scripts.releasing.publish.command import main as release_main
from tests.child import Child
from tests.raw_client import RawClient
from tests.scripts.releasing.knife import OF_THE_SERVER, Killed, Knife
from tests.scripts.releasing.pilot import FAILING, SLOW, Pilot, endpoint_of, price
from transport.client import Client
from transport.errors import CallError

BUSY = 50
"""Orders that wait for the Registry while calls fail."""


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Pilot:
    """An environment whose first release is served."""
    found = Pilot(tmp_path_factory.mktemp("pilot"))
    found.deploy(found.build("orders.place@1"))
    return found


@pytest.fixture(scope="module")
def child(pilot: Pilot) -> Iterator[Child]:
    """Its server."""
    with pilot.start() as running:
        running.ready()
        yield running


@pytest.fixture(scope="module")
def token(child: Child) -> str:
    """Of acme's owner."""
    return next(line.split()[-1] for line in child.said if line.startswith("tenant acme"))


@pytest.fixture
def caller(pilot: Pilot, token: str) -> Iterator[Client]:
    """Another caller, for a thread of its own."""
    with Client(endpoint_of(pilot), tenant="acme", token=token) as found:
        yield found


@pytest.fixture(scope="module")
def client(pilot: Pilot, token: str) -> Iterator[Client]:
    """A caller of acme."""
    with pilot.server(), Client(endpoint_of(pilot), tenant="acme", token=token) as found:
        yield found


def figures_of(requests: int, defects: int, p99: float) -> Figures:
    """Requests that all took as long."""
    return Figures(requests, defects, {p99: requests})


def test_the_first_release_is_served_by_the_first_start(pilot: Pilot, client: Client) -> None:
    assert current(pilot.data) == "1"
    assert pilot.states() == {"orders.place@1": "release"}
    assert price(client) == 500


class TestOnARunningServer:
    """Steps of one test, which no two processes can share: each goes on from what the one before has left."""

    @pytest.mark.timeout(300)
    def test_step_by_step(
        self,
        pilot: Pilot,
        client: Client,
        caller: Client,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """From the first release on."""
        self.step_a_release_is_served_and_taken_back(pilot, client, capsys)
        self.step_a_release_that_was_taken_back_can_be_deployed_again_and_every_message_is_answered(
            pilot, client, caller
        )
        self.step_one_that_is_served_or_older_is_refused(pilot)
        self.step_what_would_be_taken_away_is_refused(pilot)
        self.step_one_of_another_environment_or_index_is_refused(pilot)
        self.step_one_that_needs_what_is_not_installed_is_refused(pilot)
        self.step_two_at_once_are_refused(pilot, capsys)
        with monkeypatch.context() as patch:
            self.step_too_full_a_disk_is_refused(pilot, client, patch)
        for does in ("deploy", "rollback"):
            with monkeypatch.context() as patch:
                self.step_cut_short_anywhere_it_is_wholly_before_or_wholly_after(
                    pilot, client, patch, does
                )
        self.step_a_version_that_fails_takes_its_release_back_by_itself(pilot, client)
        self.step_a_version_that_fails_while_it_is_taken_back_hinders_nothing(pilot, client)
        self.step_a_version_that_is_slow_takes_its_release_back_by_itself(pilot, client)

    def step_a_release_is_served_and_taken_back(
        self, pilot: Pilot, client: Client, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pilot.shop.edit("registry.toml", '"potential release"', '"under user test"')
        pilot.deploy(pilot.build("orders.place@2"))
        assert price(client) == 1000
        assert pilot.states()["orders.place@2"] == "release"
        words = ["--to", "pilot", "--registry", str(pilot.shop.index)]
        assert releases_main(words) == 0
        told = capsys.readouterr().out
        assert "shop-2" in told
        assert "R-2" in told
        with pilot.server() as server:
            (newest, first), under_way = server.call("releases.list").values()
            shown = server.call("releases.show", release="shop-2")
            with pytest.raises(ReleaseProblem, match="did you mean shop-2"):
                server.call("releases.show", release="shop-22")
        assert under_way is None
        assert [each["served"] for each in (newest, first)] == [True, False]
        (moved,) = newest["versions"]
        assert (moved["name"], moved["to"], moved["requests"]) == (
            "orders.place",
            "release",
            ["R-2"],
        )
        assert shown["migrations"] == ["0001_orders.py"]
        assert shown["notes"].startswith("# shop-2, for pilot")
        assert rollback_main([*words, "--why", "too dear"]) == 0
        assert price(client) == 500
        assert current(pilot.data) == "1"
        assert "orders.place@2" not in pilot.states()
        with pilot.server() as server:
            assert server.call("releases.list")["releases"][0]["why"] == "too dear"

    def step_a_release_that_was_taken_back_can_be_deployed_again_and_every_message_is_answered(
        self, pilot: Pilot, client: Client, caller: Client
    ) -> None:
        """Callers ask all the while: over a deploy, a rollback, and the deploy that stays."""
        bundle, answered, is_over = pilot.last, list[int](), Event()
        assert bundle is not None

        def ask() -> None:
            while not is_over.is_set():
                answered.append(price(caller))

        asking = Thread(target=ask)
        asking.start()
        pilot.deploy(bundle)
        pilot.rollback()
        pilot.deploy(bundle)
        is_over.set()
        asking.join()
        assert set(answered) == {500, 1000}
        assert price(client) == 1000

    def step_one_that_is_served_or_older_is_refused(self, pilot: Pilot) -> None:
        assert pilot.last is not None
        with pytest.raises(
            ReleaseProblem, match="shop-2 is older than what pilot serves, shop-2, or the same"
        ):
            pilot.deploy(pilot.last)

    def step_what_would_be_taken_away_is_refused(self, pilot: Pilot) -> None:
        with pytest.raises(
            ReleaseProblem, match=r"it lacks orders\.place@2, which is 'release' here"
        ):
            pilot.deploy(planned_without(pilot, 9))

    def step_one_of_another_environment_or_index_is_refused(self, pilot: Pilot) -> None:
        bundle = planned_without(pilot, 9)
        foreign = bundle._replace(manifest=bundle.manifest._replace(environment="hosted-test"))
        with pytest.raises(ReleaseProblem, match="is foreign: it is for hosted-test"):
            pilot.deploy(foreign)
        foreign = bundle._replace(manifest=bundle.manifest._replace(name="other"))
        with pytest.raises(ReleaseProblem, match="other-9 is foreign"):
            pilot.deploy(foreign)

    def step_one_that_needs_what_is_not_installed_is_refused(self, pilot: Pilot) -> None:
        pilot.write(3)
        bundle = pilot.build("orders.place@3")
        needs = bundle.manifest._replace(distributions={"no-such-thing": "1.0"})
        with pytest.raises(ReleaseProblem, match=r"it needs no-such-thing \(1\.0"):
            pilot.deploy(bundle._replace(manifest=needs))

    def step_two_at_once_are_refused(
        self, pilot: Pilot, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with deploying(pilot.data):
            assert main(["--to", "pilot", "--registry", str(pilot.shop.index), "x"]) == 1
        assert "another deploy to pilot is under way" in capsys.readouterr().err

    def step_too_full_a_disk_is_refused(
        self, pilot: Pilot, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert pilot.last is not None
        monkeypatch.setattr(staging, "free_bytes", lambda _: 1_000_000)
        with pytest.raises(ReleaseProblem, match="has 1 MB left"):
            pilot.deploy(pilot.last)
        assert price(client) == 1000

    def step_cut_short_anywhere_it_is_wholly_before_or_wholly_after(
        self, pilot: Pilot, client: Client, monkeypatch: pytest.MonkeyPatch, does: str
    ) -> None:
        """Before all that it asks the server to do; test_deploy_kills.py has what it does to files."""
        bundle = pilot.last
        assert bundle is not None
        seen = set()
        for at in range(0, 100, 2):
            if does == "rollback" and current(pilot.data) == "2":
                pilot.deploy(bundle)
            knife = Knife(monkeypatch, at, OF_THE_SERVER)
            with contextlib.suppress(Killed), knife:
                if does == "deploy":
                    pilot.deploy(bundle)
                else:
                    pilot.rollback()
            pilot.recover()
            journal = read_journal(pilot.data)
            assert journal is not None
            assert journal["step"] in {"done", "back"}
            seen.add(whole(pilot, client))
            if does == "deploy" and current(pilot.data) == "3":
                pilot.rollback()
            if not knife.has_cut:
                break
        assert not knife.has_cut
        assert at > 10
        after = set() if does == "rollback" else {("3", "release", 1500)}
        assert seen == {("2", None, 1000)} | after

    def step_a_version_that_fails_takes_its_release_back_by_itself(
        self, pilot: Pilot, client: Client
    ) -> None:
        """It says that the version was taken out, also if its failures are counted before it is."""
        pilot.write(4, FAILING)
        bundle = pilot.build("orders.place@4")
        with (
            RawClient(pilot.place.endpoint) as developer,
            pytest.raises(TakenBack, match=r"orders\.place@4 is 'erroring' by now"),
        ):
            pilot.deploy(bundle, 60.0, wait=lambda _: fail(pilot, client, developer))
        assert price(client) == 1000
        assert pilot.states() == {"orders.place@1": "release", "orders.place@2": "release"}

    def step_a_version_that_fails_while_it_is_taken_back_hinders_nothing(
        self, pilot: Pilot, client: Client
    ) -> None:
        """The server takes it out after the rollback has looked where it stands."""
        bundle = pilot.last
        assert bundle is not None
        pilot.deploy(bundle)
        with RawClient(pilot.place.endpoint) as developer:
            fail(pilot, client, developer)
            pilot.rollback()
        assert price(client) == 1000
        assert current(pilot.data) == "2"

    def step_a_version_that_is_slow_takes_its_release_back_by_itself(
        self, pilot: Pilot, client: Client
    ) -> None:
        """It counts to a million for three of a hundred callers."""
        pilot.write(5, SLOW)
        bundle = pilot.build_after(2, "orders.place@5", sequence=5)
        for _ in range(LEAST_REQUESTS):
            price(client)

        def wait(seconds: float) -> None:
            """Let callers come while it watches."""
            for number in range(LEAST_REQUESTS):
                client.call("orders.place", {"sku": "slow" if number < 3 else "A-1"})

        with pytest.raises(TakenBack, match=r"orders\.place is slower: p99 is"):
            pilot.deploy(bundle, 600.0, wait=wait)
        assert price(client) == 1000
        assert current(pilot.data) == "2"


class TestWatching:
    """When what was moved is worse than what was there before."""

    @pytest.mark.parametrize(
        ("before", "now", "words"),
        [
            (figures_of(1000, 0, 4.7), figures_of(100, 4, 4.7), None),
            (figures_of(1000, 0, 4.7), figures_of(100, 5, 4.7), "5 of 100 requests"),
            (figures_of(1000, 100, 4.7), figures_of(100, 11, 4.7), None),
            (figures_of(1000, 0, 100.0), figures_of(100, 0, 220.0), "is slower: p99 is"),
            (figures_of(1000, 0, 4.7), figures_of(100, 0, 33.0), None),
            (figures_of(1000, 0, 100.0), figures_of(99, 0, 1000.0), None),
        ],
    )
    def test_errors_and_p99_are_compared(
        self, before: Figures, now: Figures, words: str | None
    ) -> None:
        found = list(compared("orders.place", before, now))
        assert found == [] if words is None else words in found[0]


@pytest.mark.parametrize("at", ["staged", "switched", "moved"])
def test_killed_with_its_server_it_is_settled_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    pilot = Pilot(tmp_path)
    pilot.deploy(pilot.build("orders.place@1"))
    pilot.shop.edit("registry.toml", '"potential release"', '"under user test"')
    bundle = pilot.build("orders.place@2")
    with pilot.start() as child:
        child.ready()
        monkeypatch.setattr(procedure, "write_journal", killed_at(at))
        with pytest.raises(Killed):
            pilot.deploy(bundle)
        monkeypatch.undo()
        child.stop(signal.SIGKILL)
    with pilot.start() as child:
        child.ready()
        is_after = at == "moved"
        assert current(pilot.data) == ("2" if is_after else "1")
        served = {name for name, state in pilot.states().items() if state == "release"}
        assert served == {"orders.place@1", *(["orders.place@2"] if is_after else [])}
        journal = read_journal(pilot.data)
        assert journal is not None
        assert journal["step"] == ("done" if is_after else "back")


def test_a_server_that_serves_a_checkout_goes_over_to_releases_while_it_runs(
    tmp_path: Path,
) -> None:
    pilot = Pilot(tmp_path)
    pilot.shop.edit("registry.toml", '"potential release"', '"under user test"')
    with pilot.start() as child:
        child.ready()
        pilot.deploy(pilot.build("orders.place@2"))
        assert pilot.states()["orders.place@2"] == "release"
        token = next(line.split()[-1] for line in child.said if line.startswith("tenant acme"))
        with Client(endpoint_of(pilot), tenant="acme", token=token) as client:
            assert price(client) == 1000
            pilot.rollback()
            assert price(client) == 500
        assert current(pilot.data) is None


class TestWhereReleasesComeFrom:
    """A file, where no signatures are needed; else a repository, which is verified."""

    @pytest.fixture
    def signed(self, tmp_path: Path) -> Pilot:
        """An environment on new data, for which a release is published."""
        pilot = Pilot(tmp_path)
        bundle = pilot.build("orders.place@1")
        file = tmp_path / bundle.manifest.file
        file.write_bytes(packed(bundle.manifest, bundle.files))
        key = tmp_path / "keys" / "pilot-1.secret.pem"
        online = tmp_path / "keys" / "online.secret.pem"
        where = f"--repository={tmp_path / 'releases'}"
        assert keys_main(["release", "pilot=1/1", "--out", str(tmp_path / "keys")]) == 0
        assert release_main(["begin", where, "--keys", str(tmp_path / "keys")]) == 0
        assert release_main(["publish", where, str(file), f"--key={key}", f"--key={online}"]) == 0
        return pilot

    def words(self, pilot: Pilot, *more: str) -> list[str]:
        """Of a deploy from the repository."""
        folder = pilot.data.parent
        where = ("--repository", str(folder / "releases"), "--root", str(folder / "keys/root.json"))
        return ["--to", "pilot", "--registry", str(pilot.shop.index), *where, *more]

    def test_the_newest_release_of_a_repository_is_deployed(self, signed: Pilot) -> None:
        assert main(self.words(signed)) == 0
        assert current(signed.data) == "1"

    def test_show_changes_nothing(self, signed: Pilot, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(self.words(signed, "shop-1", "--show")) == 0
        assert "orders.place@1: new, under user test → release" in capsys.readouterr().out
        assert current(signed.data) is None
        assert read_journal(signed.data) is None

    def test_one_that_was_tampered_with_is_refused(
        self, signed: Pilot, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (file,) = (signed.data.parent / "releases" / "targets" / "pilot").iterdir()
        file.write_bytes(file.read_bytes() + b"x")
        assert main(self.words(signed, "shop-1")) == 1
        assert "shop-1 was tampered with" in capsys.readouterr().err
        assert current(signed.data) is None

    def test_a_file_is_not_for_a_hosted_environment(self, signed: Pilot) -> None:
        file = signed.data.parent / "shop-1.tenantry.zip"
        given = argparse.Namespace(release=str(file), repository=None, root=None)
        assert bundle_of(given, signed.place).manifest.release == "shop-1"
        with pytest.raises(ReleaseProblem, match="takes signed releases alone"):
            bundle_of(given, signed.place._replace(environment="hosted-live"))


def killed_at(step: str) -> Callable[..., None]:
    """A journal that is written, and then the deploy is not there any more."""

    def write(data: Path, journal: Mapping[str, Any]) -> None:
        write_journal(data, journal)
        if journal["step"] == step:
            raise Killed

    return write


def fail(pilot: Pilot, client: Client, developer: RawClient) -> None:
    """Have calls fail, often enough, while the Registry has much else to do."""
    token = (pilot.data / "admin.token").read_text().strip()
    for _ in range(BUSY):
        developer.post(action="functions.diff", token=token)
    for _ in range(5):
        with contextlib.suppress(CallError):
            price(client)


def whole(pilot: Pilot, client: Client) -> tuple[str | None, str | None, int]:
    """The link, the newest version's state, and what callers get."""
    return current(pilot.data), pilot.states().get("orders.place@3"), price(client)


def planned_without(pilot: Pilot, sequence: int) -> Bundle:
    """A later release that does not follow the one that is served."""
    request = pilot.shop.request("orders.place@1", environment="pilot")
    plan = planned(request._replace(name="shop", sequence=sequence))
    kept = tuple(each for each in plan.manifest.versions if each.version == 1)
    return Bundle(plan.manifest._replace(versions=kept), plan.files, "")

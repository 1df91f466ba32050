"""scripts/release: who has to sign, what a deploy then trusts, and the words for what it refuses."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Timestamp

from scripts.cli.keys import main as keys
from scripts.releasing.bundle import unpacked
from scripts.releasing.problem import ReleaseProblem
from scripts.releasing.publish import repository as module
from scripts.releasing.publish.keys import PASSPHRASE, read_signer
from tests.actors.connectors.bucket import bucket
from tests.scripts.releasing.company import LIVE, Company, three_bundles


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three releases for hosted-live, each later than the one before."""
    return three_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """A company with an empty repository in a folder."""
    return Company(tmp_path).begin()


class TestKeys:
    """Private, and never overwritten."""

    def test_secret_keys_are_for_their_owner_alone(self, company: Company) -> None:
        names = {
            each.name.removesuffix(".secret.pem") for each in company.keys.glob("*.secret.pem")
        }
        assert names == {
            *("root", "targets", "online", "hosted-test-1"),
            *("hosted-live-1", "hosted-live-2", "hosted-live-3"),
        }
        for file in company.keys.glob("*.secret.pem"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_none_is_overwritten(self, company: Company) -> None:
        before = (company.keys / "root.secret.pem").read_bytes()
        assert keys(["release", "--out", str(company.keys)]) == 1
        assert keys(["release", "--one", "root", "--out", str(company.keys)]) == 1
        assert (company.keys / "root.secret.pem").read_bytes() == before

    def test_one_with_a_passphrase_does_not_sign_without_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(PASSPHRASE, "correct horse")
        assert keys(["release", "--one", "ada", "--out", str(tmp_path)]) == 0
        file = tmp_path / "ada.secret.pem"
        assert "ENCRYPTED" in file.read_text()
        assert read_signer(file)
        monkeypatch.setenv(PASSPHRASE, "wrong")
        with pytest.raises(ReleaseProblem, match="cannot be used"):
            read_signer(file)
        monkeypatch.delenv(PASSPHRASE)
        with pytest.raises(ReleaseProblem, match=PASSPHRASE):
            read_signer(file)

    def test_one_that_others_may_read_is_refused(self, company: Company) -> None:
        file = company.keys / "online.secret.pem"
        file.chmod(0o644)
        with pytest.raises(ReleaseProblem, match="chmod 600"):
            read_signer(file)

    @pytest.mark.parametrize("share", ["hosted-live", "hosted-live=3/2", "Live=1/1", "targets=1/1"])
    def test_a_share_that_makes_no_sense_is_refused(self, tmp_path: Path, share: str) -> None:
        assert keys(["release", share, "--out", str(tmp_path / "k")]) == 1
        assert not (tmp_path / "k").exists()


class TestSigning:
    """Nothing is published with too few signatures."""

    def test_two_of_three_keys_publish_for_hosted_live(
        self, company: Company, bundles: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert company.run("publish", str(bundles[0]), key=("hosted-live-1", "online")) == 0
        assert "it waits for signatures of hosted-live-2, hosted-live-3" in capsys.readouterr().out
        with pytest.raises(ReleaseProblem, match="shop-1 is not published"):
            company.fetch("shop-1")
        assert company.run("sign", LIVE, key=("hosted-live-3", "online")) == 0
        told = capsys.readouterr().out
        assert "orders.place@2 becomes release" in told
        assert "published for hosted-live" in told
        assert company.fetch("shop-1") == unpacked(bundles[0].read_bytes(), "it")
        assert company.verifier().newest() == "shop-1"

    def test_one_key_that_signs_twice_counts_once(
        self, company: Company, bundles: list[Path]
    ) -> None:
        assert company.run("publish", str(bundles[0]), key=("hosted-live-1", "online")) == 0
        assert company.run("sign", LIVE, key=("hosted-live-1", "online")) == 0
        with pytest.raises(ReleaseProblem, match="is not published"):
            company.fetch("shop-1")

    def test_a_key_of_another_environment_does_not_sign(
        self, company: Company, bundles: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert company.run("publish", str(bundles[0]), key=("hosted-test-1", "online")) == 1
        assert "no key of hosted-live is here" in capsys.readouterr().err

    def test_an_older_one_is_not_published_after_a_newer_one(
        self, company: Company, bundles: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        company.publish(bundles[1])
        assert company.run("publish", str(bundles[0]), key=("hosted-live-1",)) == 1
        assert "shop-1 is not newer" in capsys.readouterr().err

    def test_what_waits_is_listed_and_can_be_dropped(
        self, company: Company, bundles: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        company.publish(bundles[0])
        assert company.run("publish", str(bundles[1]), key=("hosted-live-1",)) == 0
        assert company.run("publish", str(bundles[2]), key=("hosted-live-1",)) == 1
        capsys.readouterr()
        assert company.run("list") == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split("  ")[1:3] for line in lines] == [
            ["shop-1", "published"],
            ["shop-2", "waits for signatures"],
        ]
        assert company.run("drop", LIVE) == 0
        company.publish(bundles[2])
        assert company.fetch("shop-3").manifest.sequence == 3

    def test_without_the_online_key_a_refresh_publishes(
        self, company: Company, bundles: list[Path]
    ) -> None:
        assert company.run("publish", str(bundles[0]), key=("hosted-live-1", "hosted-live-2")) == 0
        with pytest.raises(ReleaseProblem, match="is not published"):
            company.fetch("shop-1")
        assert company.run("refresh", key=("online",)) == 0
        assert company.fetch("shop-1").manifest.release == "shop-1"

    def test_what_an_attempt_left_behind_is_passed_over(
        self, company: Company, bundles: list[Path]
    ) -> None:
        metadata = Path(company.place) / "metadata"
        for name in ("1.hosted-live.json", "2.snapshot.json", "3.snapshot.json"):
            (metadata / name).write_bytes((metadata / "1.snapshot.json").read_bytes())
        company.publish(bundles[0])
        assert company.fetch("shop-1").manifest.release == "shop-1"


class TestRefusals:
    """Each with words of its own."""

    def test_a_tampered_release(self, company: Company, bundles: list[Path]) -> None:
        company.publish(bundles[0])
        (file,) = (Path(company.place) / "targets" / LIVE).iterdir()
        content = file.read_bytes()
        file.write_bytes(content.replace(b"PRICE = 500", b"PRICE = 999"))
        with pytest.raises(ReleaseProblem, match="shop-1 was tampered with"):
            company.fetch("shop-1")
        file.write_bytes(content + b"x")
        with pytest.raises(ReleaseProblem, match="shop-1 was tampered with"):
            company.fetch("shop-1")

    def test_tampered_metadata(self, company: Company, bundles: list[Path]) -> None:
        company.publish(bundles[0])
        file = Path(company.place) / "metadata" / "1.hosted-live.json"
        stated = json.loads(file.read_text())
        stated["signed"]["expires"] = "2099-01-01T00:00:00Z"
        file.write_text(json.dumps(stated))
        with pytest.raises(ReleaseProblem, match="not signed by enough keys of hosted-live"):
            company.fetch("shop-1")

    def test_an_expired_one(
        self, company: Company, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        company.publish(bundles[0])
        monkeypatch.setitem(module.LIFETIMES, "timestamp", -1)
        assert company.run("refresh", key=("online",)) == 0
        with pytest.raises(ReleaseProblem, match=r"shop-1 is expired: .*timestamp"):
            company.fetch("shop-1")

    def test_a_repository_that_was_put_back(self, company: Company, bundles: list[Path]) -> None:
        company.publish(bundles[0])
        file = Path(company.place) / "metadata" / "timestamp.json"
        before = file.read_bytes()
        company.publish(bundles[1])
        assert company.fetch("shop-2")
        file.write_bytes(before)
        with pytest.raises(ReleaseProblem, match="is older than what was seen here before"):
            company.fetch("shop-1")

    def test_one_of_another_company(
        self, company: Company, bundles: list[Path], tmp_path: Path
    ) -> None:
        other = Company(tmp_path / "other").begin()
        other.publish(bundles[0])
        company.place = other.place
        with pytest.raises(ReleaseProblem, match="shop-1 is foreign"):
            company.fetch("shop-1")

    def test_one_that_a_revoked_key_has_signed(self, company: Company, bundles: list[Path]) -> None:
        company.publish(bundles[0])
        keys_ = ("targets", "online")
        assert company.run("revoke", LIVE, "hosted-live-2", key=keys_) == 0
        with pytest.raises(ReleaseProblem, match="whose key was revoked"):
            company.fetch("shop-1")
        assert company.run("sign", LIVE, key=("hosted-live-1", "hosted-live-3", "online")) == 0
        assert company.fetch("shop-1").manifest.release == "shop-1"

    def test_a_key_that_was_revoked_does_not_sign(
        self, company: Company, bundles: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert company.run("revoke", LIVE, "hosted-live-2", key=("targets", "online")) == 0
        assert company.run("publish", str(bundles[0]), key=("hosted-live-2",)) == 1
        assert "no key of hosted-live is here" in capsys.readouterr().err
        assert company.run("revoke", LIVE, "hosted-live-1", key=("targets", "online")) == 1
        assert "would have fewer keys than the 2" in capsys.readouterr().err
        assert keys(["release", "--one", "hosted-live-4", "--out", str(company.keys)]) == 0
        instead = f"--instead={company.keys / 'hosted-live-4.public.pem'}"
        assert company.run("revoke", LIVE, "hosted-live-1", instead, key=("targets", "online")) == 0
        assert company.run("publish", str(bundles[0]), key=("hosted-live-3", "hosted-live-4")) == 0

    def test_one_of_another_environment(self, company: Company, bundles: list[Path]) -> None:
        company.publish(bundles[0])
        with pytest.raises(ReleaseProblem, match="shop-1 is not published for hosted-test"):
            company.fetch("shop-1", "hosted-test")

    def test_a_bundle_that_is_to_be_signed_and_was_exchanged(
        self, company: Company, bundles: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert company.run("publish", str(bundles[0]), key=("hosted-live-1",)) == 0
        (file,) = (Path(company.place) / "targets" / LIVE).iterdir()
        file.write_bytes(bundles[1].read_bytes())
        assert company.run("sign", LIVE, key=("hosted-live-2", "online")) == 1
        assert "is not what is to be signed" in capsys.readouterr().err

    def test_a_repository_that_is_not_there(
        self, company: Company, capsys: pytest.CaptureFixture[str]
    ) -> None:
        company.place = str(company.folder / "nowhere")
        assert company.run("list") == 1
        assert "there is no folder" in capsys.readouterr().err


class TestVerifying:
    """The command, as a person who is about to sign or to deploy runs it."""

    def test_it_says_what_is_in_a_release(
        self, company: Company, bundles: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        company.publish(bundles[0])
        capsys.readouterr()
        root = f"--root={company.keys / 'root.json'}"
        assert company.run("verify", "--for", LIVE, root) == 0
        told = capsys.readouterr().out
        assert "shop-1 for hosted-live, sha256" in told
        assert told.endswith("verified\n")

    def test_expiry_is_renewed_before_it_is_due(self, company: Company) -> None:
        assert company.run("refresh", key=("root", "targets", "online")) == 0
        file = Path(company.place) / "metadata" / "timestamp.json"
        expires = Metadata[Timestamp].from_bytes(file.read_bytes()).signed.expires
        assert expires > datetime.now(UTC) + timedelta(days=50)
        stated = json.loads((Path(company.place) / "metadata" / "2.root.json").read_text())
        assert stated["signed"]["version"] == 2


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a real S3-compatible server, with what it takes to reach it in the environment."""
    with bucket() as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found["endpoint"])
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", found["access_key"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", found["secret_key"])
        yield f"s3://{found['bucket']}/releases"


def test_a_bucket_serves_as_a_repository(tmp_path: Path, bundles: list[Path], place: str) -> None:
    company = Company(tmp_path, place).begin()
    company.publish(bundles[0])
    assert company.fetch("shop-1").manifest.release == "shop-1"

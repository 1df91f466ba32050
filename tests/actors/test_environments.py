"""environments.toml: what a server of each environment is started with, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.environments import FILE, in_environment
from actors.errors import SettingsError
from actors.index.entries import DEFAULT_ENVIRONMENTS
from actors.settings import Settings, read_settings
from transport.curve import make_pair

ALL = [each.name for each in DEFAULT_ENVIRONMENTS]
LOCAL, HOSTED = ALL[:3], ALL[3:]

FIVE = "\n".join(
    f'[{name}]\nendpoint = "tcp://127.0.0.1:{5570 + at}"\n'
    + ('curve_keys = "keys/server.key_secret"\n' if name in HOSTED else "")
    for at, name in enumerate(ALL)
)

CURVE = '[hosted-live]\ncurve_keys = "keys/server.key_secret"\n'


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The current one, with an index and the server's keys."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TENANTRY_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.toml").write_text('[environments.canary]\nserves = ["release"]\n')
    make_pair(tmp_path / "keys", "server")
    return tmp_path


def started(text: str, *arguments: str, environment: str = "hosted-live") -> Settings:
    """The settings of a server of that environment."""
    Path(FILE).write_text(text)
    return in_environment(read_settings([f"--environment={environment}", *arguments]))


def refused(text: str, *arguments: str, environment: str = "hosted-live") -> str:
    """Why it is not started."""
    with pytest.raises(SettingsError) as error:
        started(text, *arguments, environment=environment)
    return str(error.value)


class TestProfiles:
    def test_each_of_the_five_has_data_an_address_and_security_of_its_own(
        self, folder: Path
    ) -> None:
        found = [started(FIVE, environment=name) for name in ALL]
        assert [each.data for each in found] == [folder / "var" / name for name in ALL]
        assert len({each.endpoint for each in found}) == 5
        assert [each.security for each in found] == [None, None, None, "curve", "curve"]
        assert [each.states for each in found] == ["index", *["data"] * 4]

    def test_paths_are_relative_to_the_file(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        text = CURVE + 'data = "live"\nadmin_endpoint = "ipc://run/admin.sock"\n'
        (folder / FILE).write_text(text)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        index = f"--registry={folder / 'registry.toml'}"
        found = in_environment(read_settings([index, "--environment=hosted-live"]))
        assert found.data == folder / "live"
        assert found.curve_keys == folder / "keys" / "server.key_secret"
        assert found.admin_endpoint == f"ipc://{folder}/run/admin.sock"

    def test_a_flag_wins_over_a_variable_and_that_over_the_profile(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = CURVE + "log_days = 30\nthreads = 8\nresident = 9\n"
        monkeypatch.setenv("TENANTRY_THREADS", "2")
        monkeypatch.setenv("TENANTRY_RESIDENT", "2")
        found = started(text, "--resident=3")
        assert (found.log_days, found.threads, found.resident) == (30, 2, 3)

    def test_an_environment_of_the_index_may_have_one_too(self) -> None:
        assert started("[canary]\nlog_days = 3\n", environment="canary").log_days == 3

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[hosted-liev]\n", r"[hosted-liev] is no environment; did you mean hosted-live?"),
            (CURVE + "log_dasy = 9", "hosted-live.log_dasy is no setting; did you mean log_days?"),
            (CURVE + "adopt = true", "hosted-live.adopt is for the command line"),
            (CURVE + "log_days = 'x'", "[hosted-live]: log_days: Input should be a valid integer"),
            (CURVE + "security = 'cruve'", "[hosted-live]: security: Input should be 'curve'"),
            ("hosted-live = 3", "hosted-live must be a table"),
            ("[hosted-live", "environments.toml cannot be read"),
            (FIVE.replace("5571", "5570"), "local-dev and local-test share port 5570"),
            (FIVE + 'data = "var/local-dev"', "local-dev and hosted-live share the data directory"),
            (FIVE + "metrics_port = 5571", "local-test and hosted-live share port 5571"),
        ],
    )
    def test_what_is_wrong_with_the_file_is_said(self, text: str, words: str) -> None:
        assert words in refused(text)

    def test_two_environments_that_say_nothing_share_the_usual_port(self) -> None:
        assert "share port 5570" in refused("[local-dev]\n[local-test]\n", environment="local-dev")


class TestHosted:
    @pytest.mark.parametrize("name", HOSTED)
    def test_it_is_not_served_without_curve(self, name: str) -> None:
        assert "it requires CURVE: make keys" in refused("", environment=name)

    @pytest.mark.parametrize(
        ("stated", "words"),
        [
            ('security = "none"', "security"),
            ("demo = true", "demo tenants"),
            ("outward_plain = true", "outward_plain"),
            ("log_tenants = false", "must be logged"),
            ("log_days = 1", "kept for 7 days"),
            ("token_rate = 0", "token_rate = 0 is no bound"),
            ("memory_bytes = 0", "memory_bytes = 0 is no bound"),
            ('states = "index"', "states of versions are kept with its data"),
            ('serves = ["release", "under dev"]', "serves must not have 'under dev'"),
            ('testers = ["dummy"]', "testers must not have 'dummy'"),
        ],
    )
    def test_a_profile_does_not_weaken_it(self, stated: str, words: str) -> None:
        text = f"{CURVE}{stated}\n"
        said = refused(text)
        assert said.startswith("hosted-live cannot be served so: ")
        assert words in said

    def test_neither_does_a_flag_or_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "demo tenants" in refused(CURVE, "--demo")
        monkeypatch.setenv("TENANTRY_TENANT_RATE", "0")
        assert "tenant_rate = 0 is no bound" in refused(CURVE)

    def test_data_with_demo_tenants_is_refused(self, folder: Path) -> None:
        data = folder / "var" / "hosted-live"
        data.mkdir(parents=True)
        (data / "demo.json").write_text("{}")
        assert "has demo tenants: take another" in refused(CURVE)

    def test_what_is_stricter_is_taken(self) -> None:
        text = CURVE + 'log_days = 30\nserves = ["release"]\ntesters = []\n'
        assert started(text).serves == ["release"]


def test_a_local_environment_may_require_curve_too() -> None:
    text = '[local-qa]\nsecurity = "curve"\n'
    assert "it requires CURVE" in refused(text, environment="local-qa")
    keys = "--curve-keys=keys/server.key_secret"
    assert started(text, keys, environment="local-qa").security == "curve"

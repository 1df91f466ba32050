"""Settings: from the environment or the command line, whole or refused with what to change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from actors.errors import SettingsError
from actors.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the machine has set does not count, nor does the directory that tests run in."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TENANTRY_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_manual() -> None:
    """And the index is the repository's own, wherever one stands."""
    settings = read_settings([])
    assert settings.data == Path.cwd() / "var"
    assert settings.endpoint == "tcp://127.0.0.1:5570"
    assert settings.environment == "local-dev"
    assert settings.registry.resolve() == ROOT / "registry.toml"
    assert settings.body_bytes == 256 * 1024
    assert (settings.curve_keys, settings.curve_clients) == (None, None)
    assert settings.admin_address == f"ipc://{Path.cwd()}/var/admin.sock"
    assert (settings.demo, settings.tenant, settings.admin_token) == (False, [], False)


def test_each_setting_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As TENANTRY_ and its name in capitals."""
    monkeypatch.setenv("TENANTRY_THREADS_MOST", "7")
    monkeypatch.setenv("TENANTRY_IDLE_SECONDS", "0.5")
    monkeypatch.setenv("TENANTRY_DATA", "elsewhere")
    monkeypatch.setenv("TENANTRY_DEMO", "true")
    settings = read_settings([])
    assert (settings.threads_most, settings.idle_seconds) == (7, 0.5)
    assert (settings.data, settings.demo) == (Path.cwd() / "elsewhere", True)


def test_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the environment; what it does not say stays."""
    monkeypatch.setenv("TENANTRY_MAILBOX", "1")
    monkeypatch.setenv("TENANTRY_RESIDENT", "2")
    settings = read_settings(["--mailbox", "3", "--demo", "--tenant", "a", "--tenant=b"])
    assert (settings.mailbox, settings.resident) == (3, 2)
    assert (settings.demo, settings.tenant) == (True, ["a", "b"])


def test_the_admin_channel_is_in_the_data_directory_unless_told_otherwise() -> None:
    """Two servers with data of their own do not meet there."""
    own = read_settings(["--data=elsewhere"]).admin_address
    assert own == f"ipc://{Path.cwd()}/elsewhere/admin.sock"
    given = read_settings(["--data=elsewhere", "--admin-endpoint=tcp://127.0.0.1:5571"])
    assert given.admin_address == "tcp://127.0.0.1:5571"
    assert read_settings(["--admin-token"]).admin_token


PATHS = ("data", "registry", "curve_keys", "curve_clients", "secrets_key", "outward_ca")


@pytest.mark.parametrize("name", PATHS)
def test_a_path_means_the_same_whatever_becomes_of_the_current_directory(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function may change that, and the server's files are where they were."""
    whole = Path("some") / "place"
    assert (
        getattr(read_settings([f"--{name.replace('_', '-')}=some/place"]), name) == whole.absolute()
    )
    monkeypatch.setenv(f"TENANTRY_{name.upper()}", "some/place")
    assert getattr(read_settings([]), name) == whole.absolute()


def test_every_path_is_among_these() -> None:
    fields = Settings.model_fields.items()
    assert tuple(name for name, field in fields if "Path" in str(field.annotation)) == PATHS


def test_so_does_a_socket_file() -> None:
    """One that would be too long from the root on is left as short as it was."""
    given = read_settings(["--endpoint=ipc://run/d.sock", "--admin-endpoint=ipc://run/a.sock"])
    assert given.endpoint == f"ipc://{Path.cwd()}/run/d.sock"
    assert given.admin_endpoint == f"ipc://{Path.cwd()}/run/a.sock"
    deep = "d" * (105 - len("/admin.sock"))
    assert read_settings([f"--data={deep}"]).admin_address == f"ipc://{deep}/admin.sock"
    assert read_settings(["--endpoint=ipc://@name"]).endpoint == "ipc://@name"


@pytest.mark.parametrize("name", ["true", "false", "null", "-0", "1e5", "007"])
def test_a_name_that_is_a_word_of_json_is_a_name(name: str) -> None:
    """On the command line as in the environment, where a list is JSON."""
    assert read_settings(["--tenant", name, "--tenant", "b"]).tenant == [name, "b"]
    assert read_settings([f"--tenant={name}"]).tenant == [name]
    assert read_settings([f"--tenant=a,{name}"]).tenant == ["a", name]
    assert read_settings(["--log-hide", name]).log_hide == [name]
    assert read_settings([f'--tenant=["{name}"]']).tenant == [name]


def test_a_list_of_something_else_names_the_flag_that_there_is() -> None:
    with pytest.raises(SettingsError, match=re.escape("TENANTRY_TENANT (--tenant): ")):
        read_settings(["--tenant=[true]"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", "0"),
        ("threads", "65"),
        ("threads_most", "many"),
        ("resident", "-1"),
        ("idle_seconds", "0"),
        ("mailbox", "1.5"),
        ("drain_seconds", "-1"),
        ("body_bytes", "10"),
        ("database_bytes", "1"),
        ("memory_bytes", "-1"),
        ("memory_bytes", "1000000"),
    ],
)
def test_a_value_that_cannot_be_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Both as a variable and as a flag, wherever it came from."""
    flag = f"--{name.replace('_', '-')}"
    words = re.escape(f"TENANTRY_{name.upper()} ({flag}): ")
    with pytest.raises(SettingsError, match=words):
        read_settings([f"{flag}={value}"])
    monkeypatch.setenv(f"TENANTRY_{name.upper()}", value)
    with pytest.raises(SettingsError, match=words):
        read_settings([])


def test_all_that_is_wrong_is_said_at_once() -> None:
    """One run, one message."""
    with pytest.raises(SettingsError, match=r"TENANTRY_THREADS .*TENANTRY_MAILBOX "):
        read_settings(["--threads=0", "--mailbox=0"])


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("TENANTRY_ENVIROMENT", "; did you mean TENANTRY_ENVIRONMENT?"),
        ("tenantry_enviroment", "; did you mean TENANTRY_ENVIRONMENT?"),
        ("TENANTRY_ENV", ""),
        ("TENANTRY_CURVE_KEY", "; did you mean TENANTRY_CURVE_KEYS?"),
        ("TENANTRY_METRIC_PORT", "; did you mean TENANTRY_METRICS_PORT?"),
        ("TENANTRY_", ""),
    ],
)
def test_a_variable_that_is_no_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    """What it was meant to set would otherwise be the default, with nothing said."""
    monkeypatch.setenv(variable, "hosted-live")
    words = f"{variable.upper()} is no setting{meant} (unset it"
    with pytest.raises(SettingsError, match=re.escape(words)):
        read_settings([])


def test_variables_of_other_programs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the clients, of the scripts, and what a cluster sets beside a service called tenantry."""
    for name in ("TOKEN", "ADMIN_TOKEN", "PYTHON", "SERVICE_HOST", "PORT", "PORT_5570_TCP_ADDR"):
        monkeypatch.setenv(f"TENANTRY_{name}", "x")
    monkeypatch.setenv("TENANTRYX_ENVIROMENT", "hosted-live")
    assert read_settings([]).environment == "local-dev"


def test_a_list_in_the_environment_that_is_none_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is JSON there, and the message names the setting."""
    monkeypatch.setenv("TENANTRY_TENANT", '["a", "b"]')
    assert read_settings([]).tenant == ["a", "b"]
    monkeypatch.setenv("TENANTRY_TENANT", "acme")
    with pytest.raises(SettingsError, match="TENANTRY_TENANT"):
        read_settings([])


@pytest.mark.parametrize("arguments", [["--no-such"], ["stray"], ["--threads"]])
def test_a_command_line_that_is_none_ends_with_a_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, as command lines do."""
    with pytest.raises(SystemExit) as left:
        read_settings(arguments)
    assert left.value.code not in (0, None)
    assert "usage: scripts/serve" in capsys.readouterr().err


def test_settings_do_not_change() -> None:
    """Every actor may read them at any time."""
    settings = read_settings([])
    with pytest.raises(ValidationError):
        settings.mailbox = 5

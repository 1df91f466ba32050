"""The key file: made once, for the server alone; what is wrong with it is said, and not what it holds."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from actors.admin.secrets import Keyring, find_keys, make_keys, read_keys
from actors.assembly.system import System
from actors.errors import SettingsError
from actors.settings import Settings

FIRST, SECOND = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))

Logged = list[MutableMapping[str, Any]]


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    """A file that somebody made by hand."""
    path.write_text(text)
    path.chmod(mode)
    return path


def found(path: Path, *, needed: bool) -> tuple[Keyring, Logged]:
    """What a start gets, and what it says."""
    with structlog.testing.capture_logs() as logged:
        return find_keys(path, lambda: needed), logged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "secrets.key"


def test_the_first_start_makes_a_key_for_the_server_s_user_alone(path: Path) -> None:
    """Another one each time, and the log says where but not what it is."""
    keyring, logged = found(path, needed=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each["event"].partition(":")[0] for each in logged] == ["key file made"]
    key = path.read_text().splitlines()[-1]
    assert len(base64.b64decode(key)) == 32
    assert key not in repr(logged)
    assert repr(read_keys(path)) == repr(keyring)
    other, _ = found(path.with_name("other.key"), needed=False)
    assert repr(other) != repr(keyring)


def test_every_later_start_finds_it(path: Path) -> None:
    """And leaves it as it is."""
    keyring, _ = found(path, needed=False)
    before = path.read_bytes()
    again, logged = found(path, needed=True)
    assert repr(again) == repr(keyring)
    assert (path.read_bytes(), logged) == (before, [])


def test_where_it_is_missed_none_is_made_in_its_place(path: Path) -> None:
    """Everything else is served, and the log says what is missing and what to do."""
    keyring, logged = found(path, needed=True)
    assert repr(keyring) == repr(Keyring())
    assert not path.exists()
    (event,) = logged
    assert (event["log_level"], event["path"]) == ("error", str(path))
    assert "put it back" in event["event"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o777])
def test_one_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    """With the command that mends it."""
    written(path, FIRST, mode)
    with pytest.raises(SettingsError, match=f"mode {mode:04o}.*chmod 600 {path}"):
        read_keys(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_one_that_may_only_be_read_will_do(path: Path, mode: int) -> None:
    """As one who hands out secrets mounts it."""
    assert repr(read_keys(written(path, FIRST, mode))) == repr(Keyring([b"\x01" * 32]))


def test_keys_stand_one_a_line_the_first_first(path: Path) -> None:
    """Blank lines and remarks are none."""
    text = f"# the newest\n{SECOND}\n\n  # before 2026-11\r\n {FIRST} \r\n"
    assert repr(read_keys(written(path, text))) == repr(Keyring([b"\x02" * 32, b"\x01" * 32]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        ("# nothing\n\n", "holds no key"),
        (f"{FIRST}\nhunter2-XYZZY\n", "line 2 of"),
        (base64.b64encode(b"hunter2-XYZZY").decode(), "line 1 of"),
        (f"# one\n{FIRST}{SECOND}\n", "line 2 of"),
        (FIRST[:-1], "line 1 of"),
        ("hunter2-XYZZY\n" * 10_000, "65536 bytes"),
    ],
)
def test_what_is_no_key_file_is_refused_and_not_repeated(path: Path, text: str, said: str) -> None:
    """Somebody may have given the wrong secret's file."""
    written(path, text)
    with pytest.raises(SettingsError, match=said) as caught:
        read_keys(path)
    for part in ("hunter2", "XYZZY", FIRST[:8], base64.b64encode(b"hunter2").decode()[:8]):
        assert part not in str(caught.value)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_at_once(path: Path, make: Any) -> None:
    """No caller waits for what may come out of a pipe."""
    make(path)
    with pytest.raises(SettingsError, match="is no key file"):
        read_keys(path)


def test_a_place_where_none_can_be_made_is_named_with_its_setting(tmp_path: Path) -> None:
    """So that the start says what to change."""
    with pytest.raises(SettingsError, match="TENANTRY_SECRETS_KEY"):
        make_keys(tmp_path / "nowhere" / "secrets.key")


def started(data: Path, **settings: Any) -> System:
    """A system that is made, and not started."""
    return System(Settings(data=data, memory_bytes=0, **settings))


def test_a_server_keeps_its_key_beside_the_database_or_where_it_is_told(tmp_path: Path) -> None:
    """And says at its start that others could read it, before anything runs."""
    given: Mapping[str, Any] = {"secrets_key": tmp_path / "elsewhere.key"}
    started(tmp_path / "one")
    started(tmp_path / "two", **given)
    assert (tmp_path / "one" / "secrets.key").exists()
    assert not (tmp_path / "two" / "secrets.key").exists()
    given["secrets_key"].chmod(0o644)
    with pytest.raises(SettingsError, match="others may read"):
        started(tmp_path / "three", **given)

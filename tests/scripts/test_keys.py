"""scripts/keys: what it makes is what a server and its clients take, and nothing is ever overwritten."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from scripts.cli import call
from scripts.cli.keys import main
from tests.child import Child
from transport.curve import read_clients, read_pair, read_public


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without settings, and a data directory that is not there yet."""
    for name in [each for each in os.environ if each.startswith("TENANTRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TENANTRY_DATA", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "var" / "keys"


def mode_of(file: Path) -> int:
    """Who may do what with it."""
    return stat.S_IMODE(file.stat().st_mode)


def ping(endpoint: str, *flags: str) -> int:
    """The exit status of a call."""
    return call.main(["-", "system.ping", "--endpoint", endpoint, *flags])


def test_a_server_with_keys_serves_those_it_allows_and_no_other(
    surroundings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the pages say, from the first refusal to the first call."""
    with Child(data=tmp_path / "var", endpoint="tcp://0.0.0.0:*") as refused:
        assert refused.ended() == 78
        assert "make a key pair with scripts/keys server" in refused.log()

    assert main(["server"]) == 0
    for name in ("ada", "stranger"):
        assert main(["client", name, "--out", "laptop"]) == 0
    assert main(["allow", "laptop/ada.key"]) == 0

    with Child(
        data=tmp_path / "var",
        endpoint="tcp://0.0.0.0:*",
        curve_keys=surroundings / "server.key_secret",
        curve_clients=surroundings / "clients",
    ) as server:
        endpoint = server.ready().replace("0.0.0.0", "127.0.0.1")
        key = (f"--server-key={surroundings}/server.key",)
        assert ping(endpoint, *key, "--key=laptop/ada.key_secret") == 0
        capsys.readouterr()
        for keys in ((), key, (*key, "--key=laptop/stranger.key_secret")):
            assert ping(endpoint, *keys, "--timeout=1") == call.SILENT
        assert "it does not admit this client's CURVE key" in capsys.readouterr().err
        assert ping(endpoint, *key, "--key=laptop/ada.key_secret") == 0


def test_a_secret_is_its_owners_alone_and_fits_what_is_public(surroundings: Path) -> None:
    """So is the directory; a lax mask changes nothing."""
    before = os.umask(0)
    try:
        assert main(["server"]) == 0
    finally:
        os.umask(before)
    assert mode_of(surroundings / "server.key_secret") == 0o600
    assert mode_of(surroundings) == mode_of(surroundings.parent) == 0o700
    assert read_pair(surroundings / "server.key_secret")[0] == read_public(
        surroundings / "server.key"
    )
    assert "secret" not in (surroundings / "server.key").read_text()


def test_two_pairs_are_two() -> None:
    """Made by chance and not from the name."""
    for out in ("here", "there"):
        assert main(["client", "ada", "--out", out]) == 0
    assert read_public(Path("here/ada.key")) != read_public(Path("there/ada.key"))


@pytest.mark.parametrize("left", ["server.key", "server.key_secret"])
def test_nothing_is_overwritten(
    left: str, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither half, nor is one half replaced if only the other is left."""
    assert main(["server"]) == 0
    content = (surroundings / left).read_bytes()
    for file in surroundings.iterdir():
        if file.name != left:
            file.unlink()
    assert main(["server"]) == 1
    assert f"{surroundings / left} is there already" in capsys.readouterr().err
    assert [file.name for file in surroundings.iterdir()] == [left]
    assert (surroundings / left).read_bytes() == content


def test_what_it_prints_says_where_files_are_and_what_takes_them(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In lines to paste; no key among them."""
    main(["server"])
    out = capsys.readouterr().out
    assert f"TENANTRY_CURVE_KEYS={surroundings}/server.key_secret scripts/serve" in out
    main(["client", "ada"])
    out += capsys.readouterr().out
    assert f"scripts/call --server-key server.key --key {surroundings}/ada.key_secret" in out
    main(["allow", str(surroundings / "ada.key")])
    out += capsys.readouterr().out
    assert f"TENANTRY_CURVE_CLIENTS={surroundings}/clients" in out
    keys = [
        *read_pair(surroundings / "ada.key_secret"),
        read_public(surroundings / "server.key"),
    ]
    assert not any(key.decode() in out for key in keys)


@pytest.mark.parametrize("name", ["", "../ada", "a/b", ".ada", "ada lovelace", "x" * 64, "ada\n"])
def test_a_name_that_is_no_file_name_is_refused(
    name: str, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is also what logs call its owner."""
    assert main(["client", name]) == 1
    assert "cannot be a key's name" in capsys.readouterr().err
    assert not surroundings.exists()


def test_the_list_takes_each_key_once_and_never_a_secret(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under one name; the same again is fine."""

    def refused(file: str, words: str) -> None:
        assert main(["allow", file]) == 1
        assert words in capsys.readouterr().err

    for name in ("ada", "bob"):
        main(["client", name])
    keys = {name: surroundings / f"{name}.key" for name in ("ada", "bob")}
    assert main(["allow", *map(str, keys.values())]) == 0
    assert main(["allow", str(keys["ada"])]) == 0
    refused(f"{surroundings}/ada.key_secret", "ada.key_secret holds a secret")
    Path("copy.key").write_bytes(keys["ada"].read_bytes())
    refused("copy.key", "copy.key is allowed already, as ada")
    main(["client", "ada", "--out", "other"])
    refused("other/ada.key", "clients/ada.key is there with another key")
    refused("missing.key", "missing.key is no CURVE certificate")
    listed = read_clients(surroundings / "clients")
    assert sorted(listed.values()) == ["ada", "bob"]
    assert read_public(keys["ada"]) in listed


def test_the_list_is_where_the_server_looks_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """TENANTRY_CURVE_CLIENTS, unless the command line says otherwise."""
    main(["client", "ada", "--out", "."])
    monkeypatch.setenv("TENANTRY_CURVE_CLIENTS", str(tmp_path / "listed"))
    assert main(["allow", "ada.key"]) == 0
    assert main(["allow", "ada.key", "--clients", "elsewhere"]) == 0
    assert [path.parent.name for path in sorted(tmp_path.rglob("ada.key"))] == [
        tmp_path.name,
        "elsewhere",
        "listed",
    ]


def test_a_directory_that_cannot_be_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """In place of a traceback."""
    Path("file").touch()
    assert main(["server", "--out", "file"]) == 1
    assert re.search(r"cannot write .*file/server\.key_secret: ", capsys.readouterr().err)


@pytest.mark.parametrize("words", [[], ["client"], ["allow"], ["server", "name"], ["unknown"]])
def test_wrong_usage_is_explained(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With status 2."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: scripts/keys" in capsys.readouterr().err


def test_help_fits_one_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a terminal that is 110 columns wide and 30 lines high."""
    monkeypatch.setenv("COLUMNS", "110")
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 110

"""All five environments on one machine, side by side; and what `scripts/environments` shows of them."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from actors.environments import FILE
from actors.index.entries import DEFAULT_ENVIRONMENTS
from scripts.cli.environments import main
from tests.actors.servers import INDEX
from tests.child import Child
from transport.client import Client
from transport.curve import make_pair, read_public

ALL = [each.name for each in DEFAULT_ENVIRONMENTS]


@pytest.fixture
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index with a profile of each environment, and keys for the hosted ones."""
    folder = (
        tmp_path_factory.mktemp("e") / "i"
    )  # a socket below it has at most 107 bytes for its path
    shutil.copytree(INDEX.parent, folder)
    make_pair(folder / "keys", "server")
    profiles = [
        f'[{name}]\nendpoint = "tcp://127.0.0.1:*"\nthreads = 1\n'
        + 'curve_keys = "keys/server.key_secret"\n' * name.startswith("hosted")
        for name in ALL
    ]
    (folder / FILE).write_text("\n".join(profiles))
    return folder / INDEX.name


def shown(index: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """What the command says of each."""
    assert main(["--json", f"--registry={index}"]) == 0
    return {each["environment"]: each for each in json.loads(capsys.readouterr().out)}


def pinged(endpoint: str, environment: str, index: Path) -> str:
    """Which environment answers there."""
    key = index.parent / "keys" / "server.key"
    with Client(
        endpoint, server_key=read_public(key) if environment.startswith("hosted") else None
    ) as client:
        return str(client.call("system.ping")["environment"])


@pytest.mark.timeout(240)
def test_all_five_run_side_by_side(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {each["endpoint"] for each in shown(index, capsys).values()} == {None}
    with ExitStack() as stack:
        # An endpoint in the environment would win over the profiles.
        started = {
            name: stack.enter_context(
                Child("--registry", index, "--environment", name, endpoint="tcp://127.0.0.1:*")
            )
            for name in ALL
        }
        endpoints = {name: child.ready() for name, child in started.items()}
        found = shown(index, capsys)
        assert {name: each["endpoint"] for name, each in found.items()} == endpoints
        assert len({each["data"] for each in found.values()}) == 5
        assert [found[name]["security"] for name in ALL] == [*["none"] * 3, "curve", "curve"]
        assert found["hosted-live"]["serves"] == ["release"]
        for name, endpoint in endpoints.items():
            assert pinged(endpoint, name, index) == name
        assert main([f"--registry={index}"]) == 0
        assert "hosted-live" in capsys.readouterr().out
        assert started["local-qa"].stop() == 0
        assert shown(index, capsys)["local-qa"]["endpoint"] is None
        # One that was killed has left its note.
        started["local-dev"].process.kill()
        started["local-dev"].ended()
        assert shown(index, capsys)["local-dev"]["endpoint"] is None


def test_a_file_that_is_unsound_is_said(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (index.parent / FILE).write_text("[hosted-liev]\n")
    assert main([f"--registry={index}"]) == 1
    assert "did you mean hosted-live?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (("--demo",), {}, "demo tenants are for trying out"),
        ((), {"curve_kyes": "x"}, "did you mean TENANTRY_CURVE_KEYS?"),
        (("--security=none",), {}, 'security = "none" is not for a hosted environment'),
    ],
)
def test_hosted_live_is_refused_with_status_78(
    index: Path, arguments: tuple[str, ...], settings: dict[str, Any], words: str
) -> None:
    command = ("--registry", index, "--environment", "hosted-live", *arguments)
    with Child(*command, **settings) as child:
        assert child.ended() == 78
        assert words in child.log()
    assert not (index.parent / "var").exists()

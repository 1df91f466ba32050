"""Secrets through every path of a real server: none is in any log, nor on standard error."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.child import Child
from tests.wire import Wire

INDEX = Path(__file__).parent / "secrets" / "registry.toml"

NEEDLE = "hunter2-XYZZY"
"""In every secret that is sent, whatever else."""

TOKEN = f"tnt_{NEEDLE}"

SECRETS: dict[str, Any] = {
    "pin": f"{NEEDLE}-pin",
    "phrase": f"{NEEDLE}'\"\\ phrase",
    "api_key": f"{NEEDLE}-key",
    "iban": f"{NEEDLE}-iban",
    "inner": {"pins": [f"{NEEDLE}-1", f"{NEEDLE}-2"]},
    "open": {"deep": [{"Passw-ord": f"{NEEDLE}-deep", "i_b_a_n": f"{NEEDLE}-deep"}]},
    "note": f"a token: {TOKEN}",
}

WAYS = ("keep", "refuse", "fail", "exit", "chain", "log")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server leaves that was sent secrets on both channels and then stopped; and what it said."""
    data = tmp_path_factory.mktemp("secrets") / "data"
    with Child("--tenant", "acme", data=data, registry=INDEX, log_hide='["IBAN"]') as child:
        endpoint = child.ready()
        token = child.said[0].split()[-1]
        for place, action in ((endpoint, "safe.put"), (f"ipc://{data / 'admin.sock'}", "desk.put")):
            with Wire(place) as wire:
                send(wire, {"tenant": "acme", "token": token}, action)
        assert child.stop() == 0
        (data / "stderr.txt").write_text(child.log())
    return data


def send(wire: Wire, who: dict[str, str], action: str) -> None:
    """All there is, where it fits and where it does not, by those who may and those who may not."""
    for how in WAYS:
        fitting = SECRETS if action == "safe.put" else {"pin": SECRETS["pin"]}
        for params in (
            fitting,
            SECRETS,
            {"pin": [SECRETS]},
            {"unknown": SECRETS, "password": NEEDLE},
        ):
            wire.ask("json", **who, action=action, params={"how": how, **params})
    for more in (
        {"action": f"x.{NEEDLE}".lower().replace("-", "_")},
        {"action": "no.such", "params": SECRETS},
        {"id": f"r-{TOKEN}"[:64]},
        {"token": TOKEN},
        {"tenant": "other"},
        {"action": "tokens.revoke", "params": {"token": TOKEN}},
    ):
        wire.ask("json", **{**who, "action": action, "params": {"how": "keep", **SECRETS}, **more})


def written(data: Path) -> dict[str, str]:
    """Every file that is no database, as text."""
    return {
        str(path.relative_to(data)): text_of(path)
        for path in data.rglob("*")
        if path.is_file() and ".db" not in path.name and path.name != "admin.token"
    }


def text_of(path: Path) -> str:
    """Uncompressed."""
    content = path.read_bytes()
    if path.suffix == ".zst":
        content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)).read()
    return content.decode()


def test_no_secret_is_in_any_file(data: Path) -> None:
    """Not even a part of one, nor in what Python or JSON makes of it."""
    leaks = [
        (name, line)
        for name, text in written(data).items()
        for line in text.splitlines()
        if "hunter2-" in line or "XYZZY" in line
    ]

    assert leaks == []


@pytest.mark.parametrize(
    ("place", "texts"),
    [
        ("logs/tenants/", ["safe.put", "desk.put", "failed_precondition", "internal", "not with"]),
        (
            "logs/errors/",
            ["function failed", "cannot take", "KeyError", "as said before", "a.library"],
        ),
        ("audit/", ["desk.put", "tokens.revoke", '"iban":"(redacted)"']),
        ("stderr.txt", ["function failed", "cannot take", "over ", "a.library"]),
    ],
)
def test_what_happened_is_there_all_the_same(data: Path, place: str, texts: list[str]) -> None:
    """Otherwise there would be nothing to find secrets in."""
    text = "".join(text for name, text in written(data).items() if name.startswith(place))

    assert "(redacted)" in text
    for each in texts:
        assert each in text

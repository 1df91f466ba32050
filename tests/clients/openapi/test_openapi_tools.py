"""clients/openapi.json in tools that its users have: redocly's rules, openapi-typescript, the compiler."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.child import ROOT
from tests.clients.typescript.driver import node_or_skip

DOCUMENT = ROOT / "clients" / "openapi.json"

HERE = Path(__file__).parent

INSTALL = ("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0")

INSTALL_SECONDS = 50

WAIT = 50.0


@pytest.fixture(scope="module")
def tools() -> Path:
    """The folder of the tools that the lock file pins; a machine that cannot install them skips the test."""
    node_or_skip()
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    with (HERE / ".npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed() != json.loads((HERE / "package.json").read_text())["devDependencies"]:
            install()
    return HERE / "node_modules"


def installed() -> dict[str, str]:
    """The versions that are there."""
    places = {name: HERE / "node_modules" / name for name in ("openapi-typescript", "typescript")}
    return {
        name: json.loads((place / "package.json").read_text())["version"]
        for name, place in places.items()
        if (place / "package.json").is_file()
    }


def install() -> None:
    """Into node_modules, from npm's registry."""
    try:
        done = subprocess.run(
            INSTALL, cwd=HERE, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install openapi-typescript within {INSTALL_SECONDS} s")
    if done.returncode:
        pytest.skip(f"npm could not install openapi-typescript: {done.stderr.strip()[-300:]}")


def node(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """What a script says."""
    return subprocess.run(
        ["node", *command], cwd=HERE, capture_output=True, text=True, timeout=WAIT
    )


def problems(document: Path) -> list[dict[str, str]]:
    """What redocly's recommended rules find that is an error, as `redocly lint` does."""
    done = node(HERE / "lint.mjs", document)
    assert done.returncode == 0, done.stderr
    return [each for each in json.loads(done.stdout) if each["severity"] == "error"]


@pytest.mark.usefixtures("tools")
def test_redocly_finds_no_error_and_would_find_one(tmp_path: Path) -> None:
    assert problems(DOCUMENT) == []
    broken = json.loads(DOCUMENT.read_text())
    broken["components"]["schemas"] = {}
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    assert "no-unresolved-refs" in {each["ruleId"] for each in problems(tmp_path / "broken.json")}


def test_openapi_typescript_makes_types_that_compile(tools: Path, tmp_path: Path) -> None:
    types = tmp_path / "types.d.ts"
    made = node(tools / "openapi-typescript" / "bin" / "cli.js", DOCUMENT, "--output", types)
    assert made.returncode == 0, made.stderr
    assert "/v1/{tenant}/contacts.add" in types.read_text()
    compiled = node(tools / "typescript" / "bin" / "tsc", "--strict", "--noEmit", types)
    assert compiled.returncode == 0, compiled.stdout

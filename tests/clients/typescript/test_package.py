"""The TypeScript client as a package: it compiles under --strict, its types hold, and npm packs it."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.codegen.__main__ import main
from tests.child import ROOT
from tests.clients.typescript.driver import MODULES, node_or_skip
from tests.scripts.codegen.indexes import AWKWARD

PACKAGE = ROOT / "clients" / "typescript"

INSTALL = ("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0")

INSTALL_SECONDS = 90

TYPES = Path(__file__).with_name("types.ts")


@pytest.fixture(scope="module")
def tsc() -> Path:
    """The compiler that the lock file pins; a machine that cannot install it skips the test."""
    node_or_skip()
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    with (PACKAGE / ".npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_installed():
            install()
    return PACKAGE / "node_modules" / "typescript" / "bin" / "tsc"


def is_installed() -> bool:
    """Whether it is there, in the version that is pinned."""
    installed = PACKAGE / "node_modules" / "typescript" / "package.json"
    pinned = json.loads((PACKAGE / "package-lock.json").read_text())
    version = pinned["packages"]["node_modules/typescript"]["version"]
    return installed.is_file() and json.loads(installed.read_text())["version"] == version


def install() -> None:
    """Into node_modules, from npm's registry."""
    try:
        done = subprocess.run(
            INSTALL, cwd=PACKAGE, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install typescript within {INSTALL_SECONDS} s")
    if done.returncode:
        pytest.skip(f"npm could not install typescript: {done.stderr.strip()[-300:]}")


def compiled(tsc: Path, *arguments: str | Path) -> str:
    """What the compiler complains of."""
    command = ["node", tsc, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


class Package(NamedTuple):
    """What npm packs, and how."""

    dist: Path
    """The client as JavaScript with declarations."""
    files: frozenset[str]
    """Paths in the package."""


@pytest.fixture(scope="module")
def package(tsc: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The client, compiled as npm does it before it packs; a complaint of the compiler fails it."""
    assert tsc.is_file()
    copy = tmp_path_factory.mktemp("npm") / "package"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "node_modules").symlink_to(PACKAGE / "node_modules")
    done = subprocess.run(["npm", "pack", "--json"], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (packed,) = json.loads(done.stdout[done.stdout.index("[\n") :])
    return Package(copy / "dist", frozenset(each["path"] for each in packed["files"]))


@pytest.fixture(scope="module")
def built(package: Package) -> Path:
    """The client as JavaScript with declarations."""
    return package.dist


def test_the_examples_files_are_what_the_compiler_makes(built: Path) -> None:
    for path in MODULES.glob("*.js"):
        assert path.read_text() == (built / path.name).read_text(), (
            "npm --prefix clients/typescript run build, then copy dist/"
            f"{path.name} to {path.relative_to(ROOT)}"
        )
    assert len(list(MODULES.glob("*.js"))) == 4


def test_types_accept_and_refuse_what_the_index_does(built: Path, tsc: Path) -> None:
    """types.ts expects an error wherever a call would be refused."""
    (built / "types.ts").write_text(TYPES.read_text())
    options = ("--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "ES2022")
    module = ("--module", "ES2022", "--moduleResolution", "Bundler", "--lib", "ES2022,DOM")
    assert compiled(tsc, *options, *module, built / "types.ts") == ""


def test_an_index_with_awkward_names_compiles(tsc: Path, tmp_path: Path) -> None:
    assert main(["--registry", str(AWKWARD), "--out", str(tmp_path)]) == 0
    assert compiled(tsc, "--project", tmp_path / "clients" / "typescript") == ""


TYPED_CALLS = """
import { Client } from "MODULE";
const seen = [];
const fetch = async (url, { headers, body }) => {
  seen.push([url, headers["timeout-ms"] > 0, body]);
  return new Response('{"ok":true,"result":{"id":7},"meta":{}}');
};
const client = new Client({ url: "http://gateway/", tenant: "acme", token: "t", fetch });
const added = await client.contacts.add({ name: "Ada", email: undefined });
await client.contacts.import({ rows: [{ name: "Alan" }] });
await client.system.ping({}, { tenant: "globex" });
console.log(JSON.stringify([added, seen]));
"""


def test_methods_call_their_actions(built: Path) -> None:
    program = TYPED_CALLS.replace("MODULE", (built / "client.js").as_uri())
    command = ["node", "--input-type=module", "--eval", program]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == [
        {"id": 7},
        [
            ["http://gateway/v1/acme/contacts.add", True, '{"name":"Ada"}'],
            ["http://gateway/v1/acme/contacts.import", True, '{"rows":[{"name":"Alan"}]}'],
            ["http://gateway/v1/globex/system.ping", True, "{}"],
        ],
    ]


def test_npm_packs_what_a_user_needs(package: Package) -> None:
    assert package.files >= {"package.json", "README.md", "dist/client.js", "dist/client.d.ts"}
    assert not any(each.startswith(("src", "node_modules")) for each in package.files)


def test_the_package_depends_on_nothing_and_names_no_registry() -> None:
    assert "dependencies" not in json.loads((PACKAGE / "package.json").read_text())
    lock = json.loads((PACKAGE / "package-lock.json").read_text())
    assert [each for each in lock["packages"].values() if "resolved" in each] == []
    assert all("integrity" in each for path, each in lock["packages"].items() if path)


def test_every_error_code_is_in_the_union() -> None:
    from transport.message import CODES

    text = (PACKAGE / "src" / "errors.ts").read_text()
    union = text.partition("export type Code =")[2].partition(";")[0]
    assert set(re.findall(r'"(\w+)"', union)) == {*CODES, "no_answer"}

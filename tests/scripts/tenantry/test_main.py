"""`pip install`: the command and the client, each in an environment of its own, used from another folder."""

from __future__ import annotations

import functools
import json
import os
import re
import site
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from scripts.cli.commands import COMMANDS

ROOT = Path(__file__).parents[3]

SITE = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")

ENGINE = {"actors.errors", "pydantic", "rich", "zmq"}
"""Modules that take long to import."""

PIP = (sys.executable, "-m", "pip")

QUIETLY = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")

QUOTE = (
    *("orders.quote", "--summary=Say what an order costs.", "--access=member", "--effect=read"),
    *("--param=sku:string!", "--result=cents:integer!"),
)


class Installation:
    """A virtual environment with one distribution of this repository."""

    def __init__(self, directory: Path, project: Path, libraries: Path) -> None:
        """The libraries that it needs are those in a directory: nothing is downloaded."""
        venv.create(directory, symlinks=True)
        self.python = directory / "bin" / "python"
        self.packages = directory / SITE
        self.install(project)
        (self.packages / "libraries.pth").write_text(f"{libraries}\n")

    def install(self, project: Path) -> None:
        """Install a wheel that is built without a network."""
        run([*PIP, "--python", str(self.python), "install", *QUIETLY, str(wheel_of(project))], ROOT)

    def tenantry(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run the command in a folder."""
        return run([str(self.python.with_name("tenantry")), *arguments], folder, check=False)

    def evaluate(self, code: str) -> str:
        """What a program prints there."""
        return run([str(self.python), "-c", code], self.packages.parent).stdout.strip()


@functools.cache
def wheel_of(project: Path) -> Path:
    """Build the wheel of a project, once."""
    folder = tempfile.mkdtemp()
    run([*PIP, "wheel", *QUIETLY, "--no-build-isolation", f"-w{folder}", str(project)], project)
    (wheel,) = Path(folder).iterdir()
    return wheel


def run(command: list[str], folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program without anything of this repository on its path."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def environment() -> dict[str, str]:
    """This process's, without settings and without its path."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TENANTRY_", "PYTHONPATH", "VIRTUAL_ENV"))
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The server's distribution, beside a package that has taken the name `scripts`."""
    directory = tmp_path_factory.mktemp("server") / "venv"
    made = Installation(directory, ROOT, Path(site.getsitepackages()[0]))
    (made.packages / "scripts").mkdir()
    (made.packages / "scripts" / "__init__.py").write_text("raise ImportError('not ours')\n")
    return made


@pytest.fixture(scope="module")
def shop(installed: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index that `tenantry new` has begun there."""
    folder = tmp_path_factory.mktemp("shop")
    done = installed.tenantry("new", *QUOTE, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def server(installed: Installation, shop: Path) -> Iterator[tuple[str, str]]:
    """Endpoint and token of a server that `tenantry serve` has started in that folder."""
    command = [str(installed.python.with_name("tenantry")), "serve", "--tenant=acme"]
    options = ["--endpoint=tcp://127.0.0.1:*", "--memory-bytes=0"]
    process = subprocess.Popen(
        [*command, *options], cwd=shop, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("ready "):
            break
    yield said.split("ready ")[1].strip(), said.split("token ")[1].split()[0]
    process.terminate()
    process.communicate()


def test_beside_other_packages_stands_one_of_its_own_name(installed: Installation) -> None:
    there = {each.name.partition("-")[0] for each in installed.packages.iterdir()}
    assert there - {"scripts", "libraries.pth"} == {"tenantry", "tenantry.pth"}


def test_everything_that_git_has_of_the_engine_is_in_it(installed: Installation) -> None:
    listed = run(["git", "ls-files", "actors", "transport", "registry.toml"], ROOT).stdout.split()
    assert len(listed) > 200
    engine = installed.packages / "tenantry" / "engine"
    assert [name for name in listed if not (engine / name).is_file()] == []
    assert {each.name for each in engine.iterdir()} == {
        "actors",
        "transport",
        "scripts",
        "registry.toml",
    }


def test_authors_import_what_functions_and_their_tests_need(installed: Installation) -> None:
    code = "import actors.testing, actors.tenant.context as at; print(at.__file__)"
    assert "engine" in installed.evaluate(code)


def test_the_command_lists_its_commands(installed: Installation, tmp_path: Path) -> None:
    done = installed.tenantry("--help", folder=tmp_path)
    assert re.findall(r"^  ([a-z]+)  ", done.stdout, re.MULTILINE) == list(COMMANDS)
    assert installed.tenantry("--version", folder=tmp_path).stdout.startswith("tenantry 0.")


def test_a_misspelt_command_is_refused_with_the_right_one(
    installed: Installation, tmp_path: Path
) -> None:
    done = installed.tenantry("sevre", folder=tmp_path)
    assert (done.returncode, "did you mean serve?" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_is_printed_before_the_engine_is_imported(installed: Installation, name: str) -> None:
    code = (
        "import sys, contextlib, io\n"
        "from tenantry.__main__ import main\n"
        f"sys.argv[1:] = [{name!r}, '--help']\n"
        "printed = io.StringIO()\n"
        "with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):\n"
        "    main()\n"
        f"print({ENGINE} & set(sys.modules), printed.getvalue().split()[1:3])"
    )
    assert installed.evaluate(code) == f"set() ['tenantry', {name!r}]"


def test_help_without_the_settings_is_what_these_print_there(installed: Installation) -> None:
    code = (
        "import contextlib, io, sys\n"
        "from tenantry.__main__ import ENGINE\n"
        "sys.path.insert(0, str(ENGINE))\n"
        "from scripts.cli.settings_help import print_help\n"
        "from scripts.cli.settings_options import SETTINGS\n"
        "from pydantic_settings import CliApp\n"
        "def printed(show, *given):\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as text:\n"
        "        with contextlib.suppress(SystemExit):\n"
        "            show(*given)\n"
        "    return text.getvalue()\n"
        "for name, settings in SETTINGS.items():\n"
        "    light = printed(print_help, name, ['--help'])\n"
        "    made = printed(lambda: CliApp.run(settings, cli_args=['--help']))\n"
        "    print(light == made, light.split()[:3])"
    )
    expected = [
        f"True ['usage:', 'tenantry', '{name}']" for name in ("serve", "gateway", "dashboard")
    ]
    assert installed.evaluate(code).splitlines() == expected


def test_a_folder_without_an_index_is_refused_with_what_to_do(
    installed: Installation, tmp_path: Path
) -> None:
    done = installed.tenantry("serve", folder=tmp_path)
    assert done.returncode == 78
    assert "tenantry new" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_an_index_whose_first_action_was_refused(
    installed: Installation, tmp_path: Path
) -> None:
    done = installed.tenantry("new", "orders.quote", folder=tmp_path)
    assert "--summary, --access, --effect" in done.stderr
    assert not (tmp_path / "registry.toml").exists()


def test_what_new_has_begun_is_served_and_called(
    installed: Installation, shop: Path, server: tuple[str, str]
) -> None:
    endpoint, token = server
    where = ("--endpoint", endpoint, "--token", token)
    done = installed.tenantry("call", "acme", "orders.quote", "sku=A-1", *where, folder=shop)
    assert "to be implemented" in done.stderr + done.stdout
    done = installed.tenantry("call", "--admin", "-", "functions.list", "--json", folder=shop)
    assert json.loads(done.stdout)["ok"] is True
    told = installed.tenantry(
        *("call", "--admin", "-", "functions.instructions", "function=orders.quote"), folder=shop
    ).stdout
    assert "tenantry call" in told
    assert "scripts/call" not in told


def needed(name: str) -> Iterator[metadata.Distribution]:
    """A distribution and all that it requires."""
    found = metadata.distribution(name)
    yield found
    for each in found.requires or ():
        if "extra ==" not in each and ";" not in each:
            yield from needed(re.split(r"[^\w.-]", each)[0])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The client's distribution, with just what it says it needs."""
    directory = tmp_path_factory.mktemp("client")
    libraries = directory / "libraries"
    libraries.mkdir()
    for each in {one for name in ("pyzmq", "msgpack", "pydantic") for one in needed(name)}:
        for top in {file.parts[0] for file in each.files or () if ".." not in file.parts}:
            if top != "__pycache__" and not (libraries / top).exists():
                (libraries / top).symlink_to(Path(str(each.locate_file(top))))
    return Installation(directory / "venv", ROOT / "clients" / "python", libraries)


def test_the_client_installs_by_itself_and_calls(
    client: Installation, server: tuple[str, str]
) -> None:
    endpoint, token = server
    code = (
        "from transport.client import AsyncClient, Client\n"
        "from transport.curve import read_pair\n"
        f"with Client({endpoint!r}, tenant='acme', token={token!r}) as client:\n"
        "    print(client.call('system.whoami')['tenant'])"
    )
    assert client.evaluate(code) == "acme"
    with pytest.raises(AssertionError, match="No module named 'actors'"):
        client.evaluate("import actors")


def test_beside_the_client_the_server_keeps_its_own_transport(
    installed: Installation, client: Installation
) -> None:
    client.install(ROOT)
    code = "import transport; print(transport.__file__)"
    assert "tenantry/engine" in client.evaluate(code)

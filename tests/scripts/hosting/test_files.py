"""The container file and the systemd unit: what they promise, read from them and checked by systemd."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.cli.commands import COMMANDS

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "scripts" / "hosting"
CONTAINER = (DEPLOY / "Containerfile").read_text()
UNIT = DEPLOY / "tenantry@.service"


def builder() -> str | None:
    """The program that builds and runs images here; None if there is none, or its daemon does not run."""
    for name in ("podman", "docker"):
        if (
            shutil.which(name)
            and subprocess.run([name, "info"], capture_output=True).returncode == 0
        ):
            return name
    return None


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the container file with its arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", CONTAINER.replace("\\\n", " "), flags=re.MULTILINE)
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(line[0], line[1]) for line in lines]


def last(name: str) -> str:
    return [arguments for each, arguments in instructions() if each == name][-1]


class TestContainerFile:
    def test_it_runs_as_a_user_without_a_name_to_become(self) -> None:
        names = [name for name, _ in instructions()]
        assert last("USER") == "10001:10001"
        assert names.index("USER") > len(names) - 1 - names[::-1].index("RUN")

    def test_it_writes_its_data_directory_alone(self) -> None:
        assert last("VOLUME") in last("ENV")
        assert "PYTHONDONTWRITEBYTECODE=1" in last("ENV")

    def test_images_have_a_version_and_packages_hashes(self) -> None:
        images = [arguments.split()[0] for name, arguments in instructions() if name == "FROM"]
        assert all(re.search(r":\d+\.\d+-slim$", image) for image in images)
        assert len(images) == 2
        assert "--require-hashes -r requirements.lock" in CONTAINER

    def test_what_it_copies_and_runs_is_there(self) -> None:
        copied = [args for name, args in instructions() if name == "COPY" and "--from" not in args]
        names = [name for arguments in copied for name in arguments.split()[:-1]]
        assert [name for name in names if not (ROOT / name).exists()] == []
        check = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
        assert check[:2] == ["tenantry", "call"]
        assert json.loads(last("CMD"))[0] in COMMANDS


@pytest.mark.timeout(900)
def test_the_image_is_built_and_runs_without_rights_on_a_read_only_root() -> None:
    """Where images can be built: that takes minutes, and pulls the base from its registry."""
    tool, tag = builder(), "tenantry-of-the-tests"
    if tool is None:
        pytest.skip("neither podman nor docker runs here")
    file = DEPLOY / "Containerfile"
    subprocess.run([tool, "build", "-f", str(file), "-t", tag, str(ROOT)], check=True)
    confined = ("--rm", "--read-only", "--cap-drop=all", "--network=none")
    ran = subprocess.run(
        [tool, "run", *confined, tag, "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("tenantry 0.")


def stated(name: str) -> str:
    """What the unit says of the service."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
    unit.read_string(UNIT.read_text())
    return unit["Service"][name]


class TestUnit:
    def test_it_is_hardened(self) -> None:
        wanted = {"ProtectSystem": "strict", "NoNewPrivileges": "yes", "CapabilityBoundingSet": ""}
        assert {name: stated(name) for name in wanted} == wanted

    def test_a_refused_configuration_is_not_started_again(self) -> None:
        assert stated("RestartPreventExitStatus") == "78"
        assert stated("StateDirectoryMode") == "0700"

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
    def test_systemd_takes_it(self, tmp_path: Path) -> None:
        """With a program and a user that this machine has."""
        text = re.sub(r"(?<=^ExecStart=)\S+", "/bin/sh", UNIT.read_text(), flags=re.MULTILINE)
        copy = tmp_path / "tenantry@.service"
        copy.write_text(text.replace("User=tenantry", "User=daemon"))
        command = [
            "systemd-analyze",
            "verify",
            "--man=no",
            f"{tmp_path}/tenantry@hosted-live.service",
        ]
        (tmp_path / "tenantry@hosted-live.service").symlink_to(copy)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

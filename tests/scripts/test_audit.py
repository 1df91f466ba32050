"""scripts/audit: one line that a person and a cron job can go by, and a status that says the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from actors.log.audit.chain import FIELDS, GENESIS
from actors.log.messages import ACTION, ATTEMPTS, INTENT, OUTCOME, REPAIR
from actors.log.redaction import SECRET_NAMES
from scripts.cli.audit import main
from tests.actors.log.records import DECEMBER, NOVEMBER, lines_of, write

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data directory with a log of three records, as TENANTRY_DATA has it."""
    monkeypatch.setenv("TENANTRY_DATA", str(tmp_path))
    write(tmp_path / "audit", NOVEMBER, NOVEMBER, DECEMBER)
    return tmp_path


def newest_hash(data: Path) -> str:
    """Of the log's last record."""
    digest: str = json.loads(lines_of(data / "audit")[-1])["hash"]
    return digest


def test_a_sound_log_is_said_to_be_sound(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With how many records it has, and its head."""
    assert main(["verify"]) == 0

    assert capsys.readouterr().out == f"sound: 3 records, head {newest_hash(data)}\n"


def test_a_head_that_was_kept_is_looked_for(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However it was copied; a cut tail is named by it."""
    head = newest_hash(data)
    assert main(["verify", "--head", f" {head.upper()}\n"]) == 0
    capsys.readouterr()

    (data / "audit" / "2026-12.jsonl").unlink()

    assert main(["verify"]) == 0
    capsys.readouterr()
    assert main(["verify", "--head", head]) == 1
    said = capsys.readouterr().out
    assert said.startswith(
        "broken: record 3 (audit/2026-11.jsonl line 3) is missing: no record has"
    )
    assert head in said


def test_a_broken_log_is_said_to_be_broken(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the record's number, its file and its line."""
    volume = data / "audit" / "2026-11.jsonl"
    volume.write_bytes(volume.read_bytes().replace(b'"seq":2', b'"seq":7'))

    assert main(["verify"]) == 1

    assert capsys.readouterr().out == (
        "broken: record 2 (audit/2026-11.jsonl line 2) was changed: it does not fit its own hash\n"
    )


def test_the_head_is_shown_to_be_kept(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Number and hash, and nothing else on standard output."""
    assert main(["head"]) == 0

    assert capsys.readouterr().out == f"3 {newest_hash(data)}\n"


def test_the_head_of_a_log_that_does_not_hold_comes_with_a_warning(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with a status that a cron job reports."""
    volume = data / "audit" / "2026-12.jsonl"
    volume.write_bytes(volume.read_bytes().replace(b'"owner"', b'"admin"'))

    assert main(["head"]) == 1

    said = capsys.readouterr()
    assert said.out == f"3 {newest_hash(data)}\n"
    assert "the last record was changed" in said.err


def test_a_log_without_records_is_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A new server has one."""
    (tmp_path / "audit").mkdir()

    assert main(["verify", "--data", str(tmp_path)]) == 0
    assert main(["head", "--data", str(tmp_path)]) == 0

    assert capsys.readouterr().out == (f"sound: 0 records, head {GENESIS.hash}\n0 {GENESIS.hash}\n")


@pytest.mark.parametrize("command", ["verify", "head"])
def test_a_log_that_is_not_there_is_neither_sound_nor_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Wrong place, wrong user, or all of it gone: what to look at is said."""
    assert main([command, "--data", str(tmp_path)]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert f"{tmp_path.name}/audit: No such file or directory" in said.err
    assert "TENANTRY_DATA or --data" in said.err


@pytest.mark.parametrize(
    "arguments", [[], ["prove"], ["verify", "--head", "3f"], ["head", "--head", "0" * 64]]
)
def test_wrong_usage_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is read."""
    with pytest.raises(SystemExit) as refused:
        main(arguments)

    assert refused.value.code == 2
    assert "usage: scripts/audit" in capsys.readouterr().err


def test_the_script_finds_what_the_caller_means(data: Path, tmp_path: Path) -> None:
    """Its own environment, and paths from the caller's directory. It writes nothing."""
    before = {path: path.stat().st_mtime_ns for path in sorted(data.rglob("*"))}
    environment = {name: value for name, value in os.environ.items() if name != "TENANTRY_DATA"}

    done = subprocess.run(
        [ROOT / "scripts" / "audit", "verify", "--data", data.name],
        cwd=data.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == (f"sound: 3 records, head {newest_hash(data)}\n", 0)
    assert {path: path.stat().st_mtime_ns for path in sorted(data.rglob("*"))} == before


def test_a_record_can_be_checked_as_the_page_says(data: Path) -> None:
    """With what every system has."""
    page = (ROOT / "docs" / "audit.md").read_text()
    (recipe,) = re.findall(r"^head -n 1 audit/.*$", page, re.MULTILINE)

    done = subprocess.run(recipe, shell=True, cwd=data, capture_output=True, text=True, check=True)

    assert done.stdout.split()[0] == json.loads(lines_of(data / "audit")[0])["hash"]


def test_the_page_names_every_member_and_kind_of_a_record() -> None:
    """A reader of the files need not read the code."""
    page = (ROOT / "docs" / "audit.md").read_text()

    assert {name for name in FIELDS if f"`{name}`" not in page} == set()
    kinds = (ACTION, INTENT, OUTCOME, ATTEMPTS, REPAIR)
    assert [kind for kind in kinds if f"| `{kind}` |" not in page] == []
    assert {name for name in SECRET_NAMES if name not in page.replace("_", "")} == set()


def test_a_head_is_kept_elsewhere_as_the_page_says(data: Path, tmp_path: Path) -> None:
    """The line for cron keeps another head as long as the last one is in the log, and then no more."""
    page = (ROOT / "docs" / "audit.md").read_text()
    (line,) = re.findall(r"^0 \* \* \* \* (.*)$", page, re.MULTILINE)
    line = line.replace("ssh server /srv/tenantry", str(ROOT))
    kept = tmp_path / "tenantry.heads"
    kept.write_text(f"3 {newest_hash(data)}\n")

    def keep() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert keep().returncode == 0
    assert kept.read_text() == f"3 {newest_hash(data)}\n" * 2

    (data / "audit" / "2026-12.jsonl").unlink()
    refused = keep()
    assert refused.returncode == 1
    assert "is missing: no record has the hash" in refused.stdout
    assert len(kept.read_text().splitlines()) == 2

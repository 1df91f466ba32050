"""What whoever writes functions sees of a defect in a test of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.errors import SettingsError
from actors.testing import Trial
from tests.actors.servers import INDEX

TEST = """
import sys
from pathlib import Path
from actors.testing import Trial

with Trial(Path(sys.argv[1]), Path(sys.argv[2])) as trial:
    print(trial.system.local.issue_token("trial", "member", "another").text)
    print(trial.request("trouble.make", {"kind": "fail"}))
"""

ACTION = """
[actions.answer]
summary = "Answer."
access  = "member"
effect  = "read"
result.properties.number = { type = "integer" }
"""

VERSION = """
[[actions.answer.versions]]
version = {number}
state   = "{state}"
code    = "answers:answer_{number}"
"""

STATES = {1: "reverted", 2: "release", 3: "under dev"}

CODE = "".join(
    f"def answer_{number}(ctx, params):\n    return {{'number': {number}}}\n" for number in STATES
)


def test_a_defect_is_logged_as_a_server_logs_it(tmp_path: Path) -> None:
    """With its stack, in one line; without what the frames hold, the caller's token among it."""
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", TEST, INDEX, tmp_path],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "internal" in ended.stdout
    failures = [line for line in ended.stderr.splitlines() if "secret detail of the defect" in line]
    assert len(failures) == 1
    assert "tnt_" not in ended.stderr
    assert len(ended.stderr.splitlines()) < 10, ended.stderr


def test_a_trial_serves_the_version_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "answers.py").write_text(CODE)
    index = tmp_path / "registry.toml"
    index.write_text(
        ACTION + "".join(VERSION.format(number=each, state=STATES[each]) for each in STATES)
    )
    before = index.read_bytes()
    for number in STATES:
        with Trial(index, tmp_path / str(number), versions={"answer": number}) as trial:
            reply = trial.request("answer")
            assert (reply.result, reply.meta["version"]) == ({"number": number}, number)
    assert index.read_bytes() == before
    with pytest.raises(SettingsError, match="has no version 9 of answer"):
        Trial(index, tmp_path / "9", versions={"answer": 9})

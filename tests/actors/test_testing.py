"""What whoever writes functions sees of a defect in a test of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.actors.servers import INDEX

TEST = """
import sys
from pathlib import Path
from actors.testing import Trial

with Trial(Path(sys.argv[1]), Path(sys.argv[2])) as trial:
    print(trial.system.local.issue_token("trial", "member", "another").text)
    print(trial.request("trouble.make", {"kind": "fail"}))
"""


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

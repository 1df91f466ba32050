"""The subcommands of `tenantry`: their help is printed without the engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENGINE = ("actors.server", "pykka", "sqlalchemy", "re2", "zmq")

ASK = f"""
import sys
from scripts.cli.commands import main
try:
    main(sys.argv[1:])
finally:
    print([each for each in {ENGINE} if each in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("asked", "said"),
    [(["--help"], "commands ("), (["serve", "--help"], "--registry"), (["serve", "-h"], "--data")],
)
def test_help_imports_no_engine(asked: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *asked], capture_output=True, text=True, check=True
    )
    assert said in done.stdout
    assert done.stderr.strip() == "[]"

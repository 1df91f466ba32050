"""docs/admin.md: what it shows can be sent, word for word, and nothing is left out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from actors.access import ADMIN
from actors.index.parser import built_in_index, read_index
from scripts.cli.call import make_parser
from scripts.cli.params import read_params

ROOT = Path(__file__).parents[2]

PAGE = (ROOT / "docs" / "admin.md").read_text()

EXAMPLES = re.findall(
    r"^\$ scripts/call (--admin .*)$", PAGE.replace("\\\n", ""), flags=re.MULTILINE
)

ACTIONS = {**read_index(ROOT / "registry.toml").actions, **built_in_index().actions}


def test_there_are_examples() -> None:
    """Or the others would look at nothing."""
    assert len(EXAMPLES) > 30


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_a_request_that_its_action_takes(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends in … stands for something longer."""
    (tmp_path / "patch.json").write_text('{"settings": {"theme": null}}')
    monkeypatch.chdir(tmp_path)
    given = make_parser().parse_args([word for word in shlex.split(line) if not word.endswith("…")])
    assert given.admin
    if not given.action.startswith("system."):
        ACTIONS[given.action].params.parse(read_params(given.params))


def test_every_action_of_administration_is_mentioned() -> None:
    """By its whole name."""
    administrative = [name for name, action in ACTIONS.items() if action.channel == ADMIN]
    assert len(administrative) > 30
    assert [name for name in administrative if name not in PAGE] == []

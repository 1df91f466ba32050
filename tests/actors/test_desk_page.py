"""docs/desk.md: what it shows is what happens."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from actors.demo import requests
from tests.actors.tenant.functions.desk import FUNCTIONS, INDEX, make_file, open_desk

PAGE = (INDEX.root / "docs" / "desk.md").read_text()
EXAMPLES = re.findall(r"^\$ (?:echo '(.*)' \| )?scripts/call acme (\S+) (.*)$", PAGE, re.MULTILINE)


def value(text: str) -> Any:
    """What a word on the command line stands for: JSON where it is, text where it is not."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def params(piped: str, words: str) -> dict[str, Any]:
    """The params of one example."""
    if piped:
        return dict(json.loads(piped))
    pairs = (word.partition("=") for word in shlex.split(words))
    return {name: value(text) for name, _, text in pairs}


def test_every_action_has_its_line_and_an_example_unless_it_is_a_dummy() -> None:
    """Nothing is left out, and nothing is shown that is not there."""
    listed = set(re.findall(r"^\| `([a-z._]+)` \|", PAGE, re.MULTILINE))
    shown = {action for _, action, _ in EXAMPLES}

    assert {name for name in listed if "." in name} == set(INDEX.actions)
    assert shown - {"reports.weekly"} == set(FUNCTIONS) - {"tickets.mailed"}  # the engine calls it


def test_every_example_works_on_the_demo_data(tmp_path: Path) -> None:
    """One after another, as somebody would try them."""
    with open_desk(make_file(tmp_path)) as desk:
        for action, given in requests("acme"):
            desk(action, **given)
        for piped, action, words in EXAMPLES:
            given = params(piped, words)
            INDEX.actions[action].params.parse(given)
            if action in FUNCTIONS and not FUNCTIONS[action].is_async:  # those need the outside
                desk(action, **given)

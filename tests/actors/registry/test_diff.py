"""What has changed between two indexes, as an operator reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.index.parser import read_index
from actors.registry.diff import describe_changes

INDEX = Path(__file__).parents[2] / "outside" / "registry.toml"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('properties.port = { type = "integer" }', "properties.port = {}", "what tenants set"),
        ("[connectors.echo]\n", "[connectors.echo]\nroom.of_one = 3\n", "room: "),
        ('"Say something outside, and hear it."', '"Say it."', "summary or not_subscribed"),
        ("operations.say", "operations.shout", "operation echo.say is gone"),
        ('text   = { type = "string" }', "text   = {}", "schema of operation echo.say"),
        (
            'code    = "echo_1:Echo"\n',
            'code    = "echo_1:Echo"\nrequests = ["R-1", "R-2"]\n',
            "version 1: requests none → R-1, R-2",
        ),
        ('"echo_1:Echo"', '"echo_2:Echo"', "version 1: code echo_1:Echo → echo_2:Echo"),
    ],
)
def test_whatever_changes_of_a_connector_is_told(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    text = INDEX.read_text()
    assert old in text
    (tmp_path / "migrations").mkdir()
    before, now = tmp_path / "before.toml", tmp_path / "now.toml"
    before.write_text(text)
    edited = text.replace(old, new).replace('["echo.say"]', "[]")
    now.write_text(edited)
    found = describe_changes(read_index(before), read_index(now))
    assert any(line.startswith("echo: ") and told in line for line in found), found

"""Edits of the index: the keys of one version change, and nothing else does."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from actors.index.parser import parse_index
from actors.registry.version_edit import apply_edit

INDEX = Path(__file__).parents[3] / "registry.toml"
TEXT = INDEX.read_text()
CONTENT = tomllib.loads(TEXT)
VERSIONS = [
    (name, version["version"])
    for name, action in CONTENT["actions"].items()
    for version in action.get("versions", ())
]

ODD = """# A comment of the file.
[actions."a.b"]   # beside the header
summary = 'x'
access = "member"
effect = "read"
versions = [ { version = 1, state = "under dev", code = "a:b" } ]  # inline

[[actions."c.d".versions]]
version = 1
state = "under dev"   # why it is
code="c:d"
# Belongs to what follows.

[actions."c.d"]
summary = "y"
access = "member"
effect = "read"
"""


def changed(before: str, after: str) -> list[str]:
    """Lines that came or went."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(("name", "number"), VERSIONS)
def test_every_version_of_the_desk_can_be_moved_with_all_else_as_it_was(
    name: str, number: int
) -> None:
    values = {"state": "erroring", "by": "machine", "before": "release"}
    text = apply_edit(TEXT, "actions", name, number, values)
    found = changed(TEXT, text)
    assert [line for line in found if line.startswith("-")] == ['- state   = "release"']
    assert sorted(found[1:]) == sorted(
        ['+ state   = "erroring"', '+ by      = "machine"', '+ before  = "release"']
    )
    moved = tomllib.loads(text)["actions"][name]["versions"][number - 1]
    assert moved == {**CONTENT["actions"][name]["versions"][number - 1], **values}


def test_what_was_added_can_be_taken_away_again() -> None:
    values = {"by": "machine", "digest": "0" * 64, "schemas": '{"params":{}}'}
    text = apply_edit(TEXT, "actions", *VERSIONS[0], values)
    assert apply_edit(text, "actions", *VERSIONS[0], dict.fromkeys(values)) == TEXT


def test_comments_inline_tables_and_spacing_stay() -> None:
    text = apply_edit(ODD, "actions", "a.b", 1, {"state": "release", "by": "Ada"})
    text = apply_edit(text, "actions", "c.d", 1, {"state": "release", "by": "Ada"})
    assert text == ODD.replace(
        'state = "under dev", code = "a:b" }', 'state = "release", code = "a:b",  by = "Ada"}'
    ).replace(
        'state = "under dev"   # why it is\ncode="c:d"\n',
        'state = "release"   # why it is\ncode="c:d"\nby      ="Ada"\n',
    )


@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=40).filter(str.strip))
def test_any_text_can_be_written_and_is_read_as_it_was(by: str) -> None:
    try:
        by.encode()
    except UnicodeEncodeError:
        return
    text = apply_edit(ODD, "actions", "c.d", 1, {"by": by})
    assert tomllib.loads(text)["actions"]["c.d"]["versions"][0]["by"] == by
    assert parse_index(Path("registry.toml"), text).actions["c.d"].versions[0].by == by


HEAD = """summary = "A [[actions.b.versions]] in words."
access = "member"
effect = "read"
"""
SPELLINGS = {
    "an array of tables": f'[actions.b]\n{HEAD}[[actions.b.versions]]\nversion = 1\nstate = "release"\n',
    "before its action": '[["actions" . "\\u0062".versions]]\nversion = 1\nstate = "release"\n'
    f"[actions.b]\n{HEAD}",
    "inline": f'[actions.b]\n{HEAD}versions = [\n  {{ version = 1, state = "release" }}, # one\n]\n',
    "dotted keys": '[actions]\nb.summary = "x"\nb.versions = [ { version = 1, state = "release" } ]\n',
    "no header": 'actions.b = { versions = [ { version = 1, state = "release" } ] }\n',
    "no last line break": '[[actions.b.versions]]\nversion = 1\nstate = "release"',
}
BESIDE = """
# Not this one:  [[actions.b.versions]]
[[actions.a.versions]]
version = 1
state   =   "release"
text    = '''
[[actions.b.versions]]
version = 1'''
[[connectors.b.versions]]
version=1
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_version_is_found_however_it_is_written_and_all_else_stays(
    spelling: str, newline: str
) -> None:
    text = (SPELLINGS[spelling] + BESIDE * (spelling != "no last line break")).replace(
        "\n", newline
    )
    after = apply_edit(text, "actions", "b", 1, {"state": "erroring", "by": "Ada"})
    assert after.endswith(BESIDE.replace("\n", newline)) or spelling == "no last line break"
    assert after.count("\n") == after.count(newline)
    expected = tomllib.loads(text)
    expected["actions"]["b"]["versions"][0] |= {"state": "erroring", "by": "Ada"}
    assert tomllib.loads(after) == expected


def test_of_a_large_index_only_the_table_of_the_version_is_parsed_with_its_spacing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[str] = []
    parse = tomlkit.parse

    def noted(text: str) -> tomlkit.TOMLDocument:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(tomlkit, "parse", noted)
    apply_edit(TEXT, "actions", *VERSIONS[-1], {"by": "Ada"})
    assert [text.count("[[actions.") for text in parsed] == [1]
    assert max(map(len, parsed)) < len(TEXT) / 10

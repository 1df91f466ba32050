"""Edits of the index: the keys of one version change, and nothing else does."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import IndexProblem
from actors.index.entries import STATES, Index
from actors.index.parser import parse_index, read_index
from actors.registry.version_edit import apply_edit, edit_index, find_tables
from actors.schema.schema import Schema
from actors.schema.source import is_header, statements

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


VALUES = st.fixed_dictionaries(
    {"state": st.sampled_from(STATES)},
    optional={
        "by": st.none() | st.text(max_size=20),
        "request": st.none() | st.text(max_size=20),
        "before": st.none() | st.sampled_from((*STATES, "no state")),
        "code": st.sampled_from(("a:b", "a b", "c.d:e")),
        "digest": st.none() | st.sampled_from(("0" * 64, "not a digest")),
        "schemas": st.none() | st.sampled_from(('{"params":{},"result":{}}', "{", "[1]")),
    },
)


SEVERAL = """
[shapes.one]
type = "string"

[[actions."c.d".versions]]
version = 3
state = "under dev"
code = "c:d3"

[connectors.e]
summary = "z"
[[connectors.e.versions]]
version = 1
state = "dummy"
"""
READ = parse_index(INDEX, ODD + SEVERAL)
WANTED = [
    ("actions", "a.b", 1),
    ("actions", "c.d", 1),
    ("actions", "c.d", 3),
    ("connectors", "e", 1),
]


def outcome(make: Callable[[], Index]) -> object:
    """The index as values that can be compared, or why there is none."""
    try:
        return plain(make())
    except (IndexProblem, UnicodeEncodeError) as problem:
        return type(problem), str(problem)


@settings(max_examples=50)
@given(st.sampled_from(WANTED), VALUES)
def test_an_edited_index_is_what_its_text_reads_as(
    version: tuple[str, str, int], values: dict[str, str | None]
) -> None:
    """Also where it cannot be read: then with the same words."""
    expected = outcome(lambda: parse_index(INDEX, apply_edit(READ.text, *version, values)))
    assert outcome(lambda: edit_index(READ, *version, values)) == expected


def test_all_but_the_owner_of_an_edited_version_is_taken_over() -> None:
    edited = edit_index(READ, "actions", "c.d", 1, {"state": "release"})
    assert edited.actions["a.b"] is READ.actions["a.b"]
    assert edited.connectors is READ.connectors
    assert edited.actions["c.d"] is not READ.actions["c.d"]


def plain(value: object) -> object:
    """A value with the source of each Schema in its place."""
    if isinstance(value, Schema):
        return value.source
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


LINES = st.sampled_from(
    [
        "a = 1",
        "b = [ 1,\n[2],\n# ]\n]  # ]",
        'c = """\n[no.header]\n"""',
        "d = '''x\n[[neither]]''''",
        "[t.e]  # [",
        "  [t]",
        "[[t.f]]",
        'g = { h = [ { i = "]" } ] } # "',
        "j = [[[[[[[[\n[1]\n]]]]]]]]",
        "k = '\\'",
        "",
        "# [not.this]",
    ]
)


@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_the_tables_of_a_text_are_those_that_its_statements_make(
    lines: list[str], newline: str, is_ended: bool
) -> None:
    text = newline.join([*lines, ""] if is_ended else lines).replace("\r\n", "\n")
    text = text.replace("\n", newline)
    tables = [""]
    for _, statement in statements(text):
        if is_header(statement) and tables[-1]:
            tables.append("")
        tables[-1] += statement
    assert [each for _, each in find_tables(text)] == [each for each in tables if each]
    assert [begin for begin, _ in find_tables(text)] == [
        sum(map(len, tables[:at])) for at in range(len(tables)) if tables[at]
    ]


def test_a_version_that_comes_with_a_used_connector_is_stated_by_its_first_move(
    tmp_path: Path,
) -> None:
    file = tmp_path / "registry.toml"
    file.write_text('# Ours.\n[connectors.post]\nuse = "mail"')
    before = read_index(file)
    after = edit_index(before, "connectors", "post", 1, {"state": "erroring", "by": "machine"})
    assert after.text.startswith(before.text)
    file.write_text(after.text)
    again = read_index(file)
    assert again.connectors["post"].versions == after.connectors["post"].versions
    assert again.connectors["post"].versions[0].state == "erroring"

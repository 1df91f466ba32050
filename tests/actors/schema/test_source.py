"""Lines of keys: a problem is pointed at where its author can see it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from actors.errors import IndexProblem
from actors.schema.source import (
    Key,
    format_key,
    line_numbers,
    parse_source,
    read_source,
    statements,
)

TEXT = '''# a comment
top = 1
[actions."contacts.add"]  # another
summary = """
[not.a.header]
not = "a key"
"""
list = [
  "a",
  { b = 1 },
]
[actions."contacts.add".params]
required = ["name"]
properties.name = { type = "string", maxLength = 3 }

[[actions."contacts.add".versions]]
version = 1
[[actions."contacts.add".versions]]
version = 2
[actions."contacts.add".versions.inner]
deep = true
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 2),
        (("actions", "contacts.add"), 3),
        (("actions", "contacts.add", "summary"), 4),
        (("actions", "contacts.add", "list", 1, "b"), 8),
        (("actions", "contacts.add", "params"), 12),
        (("actions", "contacts.add", "params", "properties", "name", "maxLength"), 14),
        (("actions", "contacts.add", "versions", 0, "version"), 17),
        (("actions", "contacts.add", "versions", 1, "version"), 19),
        (("actions", "contacts.add", "versions", 1, "inner", "deep"), 21),
    ],
)
def test_a_key_has_the_line_on_which_its_statement_begins(key: Key, line: int) -> None:
    assert line_numbers(TEXT)[key] == line


def every_key(value: Any, key: Key = ()) -> list[Key]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[Key] = []
    for name, inner in pairs:
        found.append((*key, name))
        if isinstance(inner, dict | list):
            found += every_key(inner, (*key, name))
    return found


def test_every_key_of_the_index_of_this_repository_has_a_line() -> None:
    """And the last word of each, where it is a word, stands on that line or the statement's next."""
    source = read_source(Path(__file__).parents[3] / "registry.toml")
    lines = line_numbers(source.text)
    written = source.text.split("\n")
    for key in every_key(source.values):
        word = key[-1]
        assert key in lines
        assert isinstance(word, int) or any(
            str(word) in line for line in written[lines[key] - 1 : lines[key] + 9]
        )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"a = 1\nb = = 2\n", r":2: b = = 2: not TOML: "),
        (b"a = 1\na = 2\n", r":2: a = 2: not TOML: "),
        (b"a = [1,\n", r":2: end of file: not TOML: "),
        (b"a = '\xff'", r"byte 5 is not UTF-8"),
        (b"\xef\xbb\xbfa = 1\n", r"begins with a byte order mark: save it as UTF-8 without one"),
        (b"b = 1\na = " + b"[" * 5000, r":2: .*not TOML: nested deeper than 40 levels"),
        (b"b = 1\na = " + b"9" * 5000, r":2: .*not TOML: a number is outside of 64 bits"),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "index.toml"
    file.write_bytes(text)
    with pytest.raises(IndexProblem, match=says):
        read_source(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("maximum = 18446744073709551615", ":2: a.maximum: is outside of 64 bits"),
        ("minimum = -0x1", "not TOML"),
        ("examples = [1, -9223372036854775809]", r":2: a.examples[1]: is outside of 64 bits"),
        (r'summary = "ends with \u0000"', ":2: a.summary: holds a NUL"),
        (r'enum = ["\u0000"]', ":2: a.enum[0]: holds a NUL"),
        (r'"\u0000" = 1', r':2: a."\u0000": a NUL in its name'),
        (".".join("b" * 50) + " = 1", ":2: a." + ".".join("b" * 39) + ": nested deeper than 40"),
        (".".join("b" * 5000) + " = 1", ": nested deeper than 40"),
        ("b = " + "[" * 45 + "]" * 45, ": nested deeper than 40"),
        (
            'summary = """\n' + "x" * 1024 * 1024 + '"""\nb = 18446744073709551615',
            ":4: a.b: is out",
        ),
        (f'summary = "{"x" * (1024 * 1024 + 1)}"', ":2: a.summary: has 1048577 characters"),
    ],
    ids=range(11),
)
def test_what_no_reply_can_hold_is_refused_with_line_and_name(text: str, says: str) -> None:
    """The file is shown in replies, piece by piece: a file that cannot be shown is refused whole."""
    with pytest.raises(IndexProblem) as refused:
        parse_source(Path("index.toml"), f"[a]\n{text}\n")
    assert says in str(refused.value)


def test_the_line_of_a_mistake_is_found_in_a_long_file() -> None:
    """Also where a text has thousands of lines: it used to take half a minute."""
    text = 'a = """\n' + "words of instructions\n" * 100_000 + '"""\nb = [\n1,\n2]\nc = 3\n'
    assert line_numbers(text) == {
        ("a",): 1, ("b",): 100_003, ("b", 0): 100_003, ("b", 1): 100_003, ("c",): 100_006,
    }  # fmt: skip


TRICKY = "\n".join(
    (
        'a = """x',
        r'""y\"""z"""""',
        "b = '''q",
        "[not.a.header]",
        "'''''",
        'c = ""',
        "d = ''",
        'e = ["#",',
        '# ] "',
        '"]"]',
        'f = { a = 1, b = "}" } # {',
        '"k#" = 2',
        r"g = 'C:\'",
        '[["h.#"]]',
        "i = [[1,",
        "], []]",
        "",
    )
)


def test_statements_end_where_toml_says() -> None:
    """Each parses by itself; together they are the file."""
    found = list(statements(TRICKY))
    assert [line for line, _ in found] == [1, 3, 6, 7, 8, 11, 12, 13, 14, 15]
    assert "".join(statement for _, statement in found) == TRICKY
    for _, statement in found:
        tomllib.loads(statement)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexProblem, match=r"none\.toml: cannot be read: No such file"):
        read_source(tmp_path / "none.toml")


def test_keys_are_spelt_as_in_toml() -> None:
    assert (
        format_key(("actions", "a.b", "versions", 0, "state")) == 'actions."a.b".versions[0].state'
    )
